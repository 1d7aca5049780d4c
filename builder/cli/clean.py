"""`mycanvas clean`: free space in the folder of a build."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import folder_argument, json_option
from builder.cli.output import print_result


@click.command()
@folder_argument
@click.option("--yes", is_flag=True, help="Delete the files; without it, they are only listed.")
@json_option
def clean(folder: Path, yes: bool, as_json: bool) -> None:
    """Free space in the folder of a build.

    Lists files that are not needed to load the dataset, to resume its build or to select again:
    unfinished files, files of an interrupted push, cut-outs and backgrounds that no plan needs.

    \b
    Example:
      mycanvas clean mycanvas_data --yes
    """
    from builder.pipeline.clean import clean as run

    print_result(run(folder, delete=yes), as_json)
