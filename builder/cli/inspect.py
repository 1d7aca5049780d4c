"""`mycanvas inspect`: print the contents of a dataset and draw a contact sheet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from builder.cli.cutouts import show_cutouts
from builder.cli.options import CONTACT_SHEET, CUTOUT_SHEET, PATH, folder_argument, json_option
from builder.cli.output import print_json, print_lines


@click.command()
@folder_argument
@click.option(
    "--sheet", type=PATH, help=f"PNG file of the contact sheet.  [default: {CONTACT_SHEET} or {CUTOUT_SHEET} in DIR]"
)
@click.option("--cutouts", is_flag=True, help="Only the photos and their cut-outs; the build may be unfinished.")
@json_option
def inspect(folder: Path, sheet: Path | None, cutouts: bool, as_json: bool) -> None:
    """Print the contents of a dataset, and draw a contact sheet.

    \b
    Example:
      mycanvas inspect mycanvas_data
    """
    from builder.inspect.summary import draw_sheet, inspect_build, write_sheet
    from builder.pipeline.build_folder import BuildFolder
    from mycanvas.dataset import check_on_this_machine
    from mycanvas.errors import MyCanvasError

    check_on_this_machine(folder)
    opened = BuildFolder.open(folder)
    if cutouts:
        show_cutouts(opened, sheet or folder / CUTOUT_SHEET, as_json)
        return
    path = sheet or folder / CONTACT_SHEET
    inspection, failure = inspect_build(opened), None
    try:
        write_sheet(path, partial(draw_sheet, opened))
    except MyCanvasError as error:  # the numbers are printed all the same
        failure = error
    if as_json:
        print_json({**inspection.as_json(), "contact_sheet": None if failure else str(path)})
    else:
        print_lines([*inspection.lines(), *([] if failure else ["", f"contact sheet: {path}"])])
    if failure:
        raise failure
