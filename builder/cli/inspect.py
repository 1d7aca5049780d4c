"""`mycanvas inspect`: print the contents of a dataset and draw a contact sheet."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import CONTACT_SHEET, PATH, folder_argument, json_option
from builder.cli.output import print_json, print_lines


@click.command()
@folder_argument
@click.option("--sheet", type=PATH, help=f"PNG file of the contact sheet.  [default: DIR/{CONTACT_SHEET}]")
@json_option
def inspect(folder: Path, sheet: Path | None, as_json: bool) -> None:
    """Print the contents of a dataset, and draw a contact sheet.

    \b
    Example:
      mycanvas inspect mycanvas_data
    """
    from builder.inspect.summary import inspect_build, write_sheet
    from builder.pipeline.build_folder import BuildFolder
    from mycanvas.dataset import check_on_this_machine
    from mycanvas.errors import MyCanvasError

    check_on_this_machine(folder)
    opened, path = BuildFolder.open(folder), sheet or folder / CONTACT_SHEET
    inspection, failure = inspect_build(opened), None
    try:
        write_sheet(opened, path)
    except MyCanvasError as error:  # the numbers are printed all the same
        failure = error
    if as_json:
        print_json({**inspection.as_json(), "contact_sheet": None if failure else str(path)})
    else:
        print_lines([*inspection.lines(), *([] if failure else ["", f"contact sheet: {path}"])])
    if failure:
        raise failure
