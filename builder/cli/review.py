"""`mycanvas review`: serve the pages on which people judge cut-outs and scenes and compare arms."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import PATH, folder_argument
from builder.cli.output import print_lines

if TYPE_CHECKING:
    from builder.pipeline.build_folder import BuildFolder
    from builder.review.server import ReviewPlan


def _rater(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from mycanvas.ratings.entries import rater_name

    try:
        return None if value is None else rater_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@folder_argument
@click.option("--study", type=PATH, metavar="MANIFEST", help="TOML file of a study, for the tab Study.")
@click.option("--rater", metavar="NAME", callback=_rater, help="Who rates.  [default: the page asks]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this machine.  [default: the next free one]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def review(folder: Path, study: Path | None, rater: str | None, port: int | None, no_browser: bool) -> None:
    """Judge cut-outs, scenes and studies in a browser.

    The pages are served to this machine only. Cut-outs: refuse bad ones, accept good ones, and fix outlines. Scenes:
    rank them from 1 to 5, flag what is wrong, edit captions. Study: compare the pictures of several arms, blinded;
    docs/metrics.md describes the manifest. Everything is saved at once. The build may be unfinished.

    \b
    Example:
      mycanvas review mycanvas_data
      mycanvas review mycanvas_data --study study.toml --rater ana
    """
    from builder.pipeline.build_folder import BuildFolder
    from builder.review.server import ReviewPlan, listen, reviewing

    plan = ReviewPlan(folder=BuildFolder.open(folder), study=study, rater=rater)
    private_folder = tempfile.TemporaryDirectory(prefix="mycanvas-review-", ignore_cleanup_errors=True)
    with listen(port) as opened, private_folder as private:
        opens = not no_browser and _has_screen()

        def announce(address: str) -> None:
            nonlocal opens
            print_lines([f"open:  {address}", "       on this machine; the address works once"])
            if opens:
                _open_browser(address, Path(private))
                opens = False

        with reviewing(plan, opened, announce) as serve:
            print_lines(_first_lines(plan))
            serve()
    print_lines(["", *_last_lines(plan.folder)])


def _has_screen() -> bool:
    """Whether a browser can be seen: webbrowser would start one in the terminal otherwise."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and bool(screen)


def _open_browser(address: str, private: Path) -> None:
    """Open an address by a file that only this user can read: other users see the arguments of all programs."""
    page = private / "review.html"
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">', encoding="utf-8")
    webbrowser.open(page.as_uri())


def _first_lines(plan: ReviewPlan) -> list[str]:
    """Lines that are printed before the address."""
    from builder.pipeline.reviewed_cutouts import build_reviews

    places = build_reviews(plan.folder).folders
    labels = ("decisions:", "and, for other builds of the same photos:")
    study = ["Study      compare the pictures of each prompt, without the arms' names"] if plan.study else []
    return [
        "Cut-outs   refuse bad ones, accept good ones, fix outlines",
        "Scenes     rank from 1 to 5, flag what is wrong, edit captions",
        *study,
        "Each is usable by keys alone: press ? there. Everything is saved at once; stop with Ctrl-C.",
        "",
        f"ranks:      {plan.folder.review_file}",
        *(f"{label:<11} {place}" for label, place in zip(labels, places, strict=False)),
        "",
    ]


def _last_lines(folder: BuildFolder) -> list[str]:
    typed = shlex.quote(str(folder.path))
    is_finished = folder.config_file.is_file()
    use = f"mycanvas select {typed}" if is_finished else "run the same `mycanvas build` again, which finishes it"
    return [
        f"use the decisions:  {use}",
        "newly accepted or fixed cut-outs:  run `mycanvas build` again with another --output, or, for the accepted",
        "                                  ones, with more --samples",
    ]
