"""`mycanvas inspect`: print the contents of a dataset and draw a contact sheet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from builder.cli.cutouts import show_cutouts
from builder.cli.options import CONTACT_SHEET, CUTOUT_SHEET, PATH, REPORT, folder_argument, json_option
from builder.cli.output import print_json, print_lines

IN_FOLDER = Path("?")
"""The value of `--html` without a file: the report is written to the dataset's folder."""


@click.command()
@folder_argument
@click.option(
    "--sheet", type=PATH, help=f"PNG file of the contact sheet.  [default: {CONTACT_SHEET} or {CUTOUT_SHEET} in DIR]"
)
@click.option(
    "--html", metavar="[FILE]", is_flag=False, flag_value=IN_FOLDER, type=PATH,
    help=f"Write a report, one page with every scene and photo, instead of the sheet.  [default: {REPORT} in DIR]",
)  # fmt: skip
@click.option("--cutouts", is_flag=True, help="Only the photos and their cut-outs; the build may be unfinished.")
@json_option
def inspect(folder: Path, sheet: Path | None, html: Path | None, cutouts: bool, as_json: bool) -> None:
    """Print the contents of a dataset, and draw a contact sheet.

    \b
    Example:
      mycanvas inspect mycanvas_data
      mycanvas inspect mycanvas_data --html
    """
    from builder.inspect.report.page import write_report
    from builder.inspect.summary import draw_sheet, inspect_build, write_sheet
    from builder.pipeline.build_folder import BuildFolder
    from mycanvas.dataset import check_on_this_machine
    from mycanvas.errors import MyCanvasError

    if html and (cutouts or sheet):
        raise click.UsageError(f"--html writes no contact sheet; leave out {'--cutouts' if cutouts else '--sheet'}")
    check_on_this_machine(folder)
    opened = BuildFolder.open(folder)
    if cutouts:
        show_cutouts(opened, sheet or folder / CUTOUT_SHEET, as_json)
        return
    inspection, failure = inspect_build(opened), None
    kind = "report" if html else "contact sheet"
    path = (folder / REPORT if html == IN_FOLDER else html) or sheet or folder / CONTACT_SHEET
    try:
        if html:
            write_report(path, opened, inspection)
        else:
            write_sheet(path, partial(draw_sheet, opened))
    except MyCanvasError as error:  # the numbers are printed all the same
        failure = error
    if as_json:
        print_json({**inspection.as_json(), kind.replace(" ", "_"): None if failure else str(path)})
    else:
        print_lines([*inspection.lines(), *([] if failure else ["", f"{kind}: {path}"])])
    if failure:
        raise failure
