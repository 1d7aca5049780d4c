"""`mycanvas cutouts`: cut out photos without building scenes, and draw a contact sheet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import CUTOUT_SHEET, PATH, json_option, min_quality_option, profile_option
from builder.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from builder.pipeline.build_folder import BuildFolder

DEFAULT_CUTOUTS = Path("mycanvas_cutouts")


@click.command()
@click.argument("photos", metavar="PHOTOS")
@click.option("--output", type=PATH, default=DEFAULT_CUTOUTS, show_default=True, help="Folder for the cut-outs.")
@click.option("--config", type=PATH, help="A build.toml; of its stages, only [segment] is used.")
@profile_option("How objects are found: classic, photo, gen4gen or modern.  [default: classic]")
@min_quality_option
@click.option("--workers", type=int, help="Processes.  [default: one per core]")
@json_option
def cutouts(
    photos: str,
    output: Path,
    config: Path | None,
    profile: str | None,
    min_quality: float | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Cut out the objects of photos, and draw a contact sheet.

    PHOTOS is as for `mycanvas build --concepts`. The sheet shows each photo, its cut-out, how far the segmenter
    trusts it, whether a build would use it, and why. A decision of `mycanvas review` comes first, then a mask beside
    a photo (00.mask.png for 00.jpg), then `use = [...]` and `leave_out = [...]` in concepts.toml, then
    --min-quality. A build with the same --output and configuration uses these cut-outs.

    \b
    Example:
      mycanvas cutouts photos --profile photo
    """
    from builder.config import load_config
    from builder.pipeline.build import cut_out_only

    overrides: dict[str, Any] = {"concepts": photos, "output": output, "workers": workers}
    if min_quality is not None:
        overrides["segment"] = {"min_quality": min_quality}
    show_cutouts(cut_out_only(load_config(config, profile, overrides)), output / CUTOUT_SHEET, as_json)


def show_cutouts(folder: BuildFolder, sheet: Path, as_json: bool) -> None:
    """Draw the contact sheet of a folder's cut-outs, and print what became of each photo."""
    from builder.inspect.cutout_sheet import MOST, draw_cutouts
    from builder.inspect.summary import write_sheet
    from builder.pipeline.reviewed_cutouts import current_sources
    from builder.pipeline.source_photos import photos_as_json, summary_lines

    write_sheet(sheet, partial(draw_cutouts, folder))
    photos = current_sources(folder).every_photo()
    if as_json:
        print_json({"folder": str(folder.path), "contact_sheet": str(sheet), "photos": photos_as_json(photos)})
    else:
        part = f" ({MOST} of {len(photos)} photos)" if len(photos) > MOST else ""
        print_lines([*summary_lines(photos), "", f"contact sheet: {sheet}{part}"])
