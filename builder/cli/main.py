"""The command line, `mycanvas demo | build | select | …`: data to stdout, progress and warnings to stderr."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from builder.cli.evaluate import evaluate
from builder.cli.export import export
from builder.cli.interrupt import STOPPED
from builder.cli.push import push
from builder.engines.base import STOP_SIGNALS
from mycanvas import __version__

if TYPE_CHECKING:
    from builder.pipeline.finalize import Summary

Command = TypeVar("Command", bound=Callable[..., None])

DATA = Path("mycanvas_data")
TOYS = Path("mycanvas_toys")
DEMO_SAMPLES = 120
SHEET = "contact_sheet.png"
"""Where in a dataset its contact sheet lies, unless another place is given."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in a message, never in a traceback.

    Args:
        arguments: what follows the program's name; None: those of this process.

    Raises:
        SystemExit: with 1 when it failed, with 2 when it was used wrongly.
    """
    from mycanvas.errors import ConfigError, MyCanvasError

    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    for level in (logging.WARNING, logging.ERROR):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        cli(arguments, prog_name="mycanvas", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _fail(STOPPED, code=1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MyCanvasError as error:
        _fail(str(error), code=2 if isinstance(error, ConfigError) else 1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _give_up_output()
        _fail(f"cannot write the output: {error.strerror}", code=1)


def _give_up_output() -> None:
    """Nothing that still waits to be printed is to fail once more, at the end of the process."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, *, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mycanvas")
def cli() -> None:
    """Turn photos of things into a dataset of composed scenes.

    \b
    mycanvas demo                         see one, made from rendered toys
    mycanvas build --concepts photos      make one from your photos
    """


cli.add_command(evaluate)
cli.add_command(push)
cli.add_command(export)


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


@cli.command()
@click.option("--output", type=click.Path(path_type=Path), default=DATA, show_default=True, help="The dataset.")
@click.option("--toys", type=click.Path(path_type=Path), default=TOYS, show_default=True, help="The toys' photos.")
@click.option("--samples", type=click.IntRange(1), default=DEMO_SAMPLES, show_default=True, help="Scenes to generate.")
@click.option("--resolution", type=int, default=1024, show_default=True, help="Width and height of a scene.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
def demo(output: Path, toys: Path, samples: int, resolution: int, workers: int | None) -> None:
    """Build a dataset from rendered toys, and load it by name.

    \b
    Example:
      mycanvas demo --output mycanvas_data
    """
    from tqdm import tqdm

    from builder.config import load_config
    from builder.demo.render import PICTURES, render_toys
    from builder.inspect.summary import write_sheet
    from builder.pipeline.build import build

    values = {"concepts": toys / "concepts", "output": output, "samples": samples, "resolution": resolution}
    config = load_config(None, None, {**values, "workers": workers, "license": "CC0-1.0"})
    with tqdm(total=PICTURES, desc="rendering", unit="photo") as bar:
        render_toys(toys, bar.update, config.workers)
    summary = build(config)
    _print_summary(summary, as_json=False)
    sheet = output / SHEET
    write_sheet(summary.folder, sheet)
    _show_loaded(output)
    click.echo(f"contact sheet: {sheet}")


@cli.command()
@click.argument("config_file", metavar="[build.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--concepts", help="Photos: DIR/<concept>/*.jpg, concepts_list.json, or hf://owner/name on the Hub.")
@click.option("--backgrounds", type=click.Path(path_type=Path), help="DIR/<scene>/*.jpg; without: painted scenes.")
@click.option("--output", type=click.Path(path_type=Path), help=f"The dataset.  [default: {DATA}]")
@click.option("--profile", help="Which models to use.  [default: classic]")
@click.option("--samples", type=int, help="Scenes to generate in all, spread over the compositions.  [default: 300]")
@click.option("--resolution", type=int, help="Width and height of a scene in pixels.  [default: 1024]")
@click.option("--seed", type=int, help="Another seed gives another dataset.  [default: 0]")
@click.option("--workers", type=int, help="Processes.  [default: one per core]")
@click.option("--keep-best", is_flag=True, help="A concept without a trusted cut-out keeps its best one.")
@_json_option
def build(config_file: Path | None, profile: str | None, keep_best: bool, as_json: bool, **overrides: Any) -> None:
    """Make a dataset from folders of photos. Run again after an interruption, it goes on where it stopped.

    \b
    Example:
      mycanvas build --concepts photos --backgrounds gardens --samples 300 --output mycanvas_data
    """
    from builder.config import load_config
    from builder.pipeline.build import build as run

    if keep_best:
        overrides["segment"] = {"keep_best": True}
    _print_summary(run(load_config(config_file, profile, overrides)), as_json)


@cli.command()
@click.argument("config_file", metavar="[build.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--profile", help="Which models to list.  [default: the one in build.toml, else classic]")
@click.option("--download", is_flag=True, help="Fetch what is not here yet.")
@_json_option
def models(config_file: Path | None, profile: str | None, download: bool, as_json: bool) -> None:
    """List the models that a build runs, and fetch them.

    With sizes and licenses, and whether they are on this machine.

    \b
    Example:
      mycanvas models --profile gen4gen --download
    """
    from builder.config import load_config
    from builder.pipeline.required_models import fetch_required_models, list_required, table_of_models

    config = load_config(config_file, profile, {} if config_file else {"concepts": Path("photos")})
    if download:
        fetch_required_models(config)
    rows = list_required(config)
    click.echo(json.dumps([asdict(row) for row in rows], indent=1) if as_json else "\n".join(table_of_models(rows)))


def _number(text: str) -> float | str:
    """A number, or "none" for no bound; None is what is not given."""
    if text == "none" or text.isdigit():
        return text if text == "none" else int(text)
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"expected a number or none, got {text!r}") from None


def _threshold_options(command: Command) -> Command:
    """One option for each key of [select]."""
    from builder.stages.select import SelectConfig

    other = {
        "per_composition": "The most scenes kept of one composition.",
        "duplicate_bits": "Fingerprints of one composition that differ in so few bits show the same; -1: none do.",
    }
    for name in reversed(list(SelectConfig.model_fields)):
        side = "least" if name.startswith("min_") else "most"
        text = other.get(name, f"Keep scenes whose {name[4:]} score is at {side} this.")
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, type=_number, metavar="NUMBER|none", help=text)(command)
    return command


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_threshold_options
@click.option("--reset", is_flag=True, help="What is not given is as in the profile, not as it was.")
@_json_option
def select(folder: Path, reset: bool, as_json: bool, **thresholds: Any) -> None:
    """Choose again which scenes are kept, without generating any. What is not given stays as it was.

    \b
    Example:
      mycanvas select mycanvas_data --min-visible 0.8 --max-border none --per-composition 20
    """
    from builder.pipeline.finalize import reselect

    given = {name: None if value == "none" else value for name, value in thresholds.items() if value is not None}
    _print_summary(reselect(folder, given, reset=reset), as_json)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="The picture.  [default: DIR/contact_sheet.png]")
@_json_option
def inspect(folder: Path, sheet: Path | None, as_json: bool) -> None:
    """Print what is in a dataset, and draw a contact sheet.

    \b
    Example:
      mycanvas inspect mycanvas_data
    """
    from builder.inspect.summary import inspect_build, write_sheet
    from builder.pipeline.build_folder import BuildFolder
    from mycanvas.errors import MyCanvasError

    opened, path = BuildFolder.open(folder), sheet or folder / SHEET
    inspection, failure = inspect_build(opened), None
    try:
        write_sheet(opened, path)
    except MyCanvasError as error:
        failure = error
    if as_json:
        click.echo(json.dumps({**inspection.as_json(), "contact_sheet": None if failure else str(path)}, indent=1))
    else:
        click.echo("\n".join([*inspection.lines(), *([] if failure else ["", f"contact sheet: {path}"])]))
    if failure:
        raise failure


def _print_summary(summary: Summary, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=1))
    else:
        click.echo("\n".join(summary.lines()))


def _show_loaded(folder: Path) -> None:
    import datasets

    import mycanvas  # noqa: F401  (makes the name known)

    loaded = datasets.load_dataset("mycanvas", data_dir=str(folder))
    click.echo(loaded)
    split = next(iter(loaded))
    row = loaded[split][0]
    click.echo(f"{split}[0]: {row['image'].size[0]} x {row['image'].size[1]}, {row['prompt']!r}")
