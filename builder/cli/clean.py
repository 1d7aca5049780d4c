"""`mycanvas clean`: free space in the folder of a build, or in the user's cache."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import PATH, json_option
from builder.cli.output import print_result


@click.command()
@click.argument("folder", metavar="[DIR]", type=PATH, required=False)
@click.option("--cache", is_flag=True, help="Instead of DIR: the cache of cut-outs that all builds share.")
@click.option("--yes", is_flag=True, help="Delete the files; without it, they are only listed.")
@json_option
def clean(folder: Path | None, cache: bool, yes: bool, as_json: bool) -> None:
    """Free space in the folder of a build, or in the cache.

    Lists files that are not needed to load the dataset, to resume its build or to select again:
    unfinished files, files of an interrupted push, cut-outs and backgrounds that no plan needs.

    \b
    Example:
      mycanvas clean mycanvas_data --yes
    """
    from builder.pipeline.clean import clean as clean_build
    from builder.pipeline.clean import clean_cache

    if (folder is None) is not cache:
        raise click.UsageError("expected either DIR, the folder of a build, or --cache")
    print_result(clean_cache(delete=yes) if folder is None else clean_build(folder, delete=yes), as_json)
