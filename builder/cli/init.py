"""`mycanvas init`: write a concepts.toml and a build.toml to start from."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import PATH
from builder.cli.output import print_lines

CONFIG = Path("build.toml")


@click.command()
@click.argument("photos", metavar="PHOTOS", type=PATH)
@click.option("--config", type=PATH, default=CONFIG, show_default=True, help="File for the configuration.")
def init(photos: Path, config: Path) -> None:
    """Write the files that describe a build.

    PHOTOS holds a folder of photos per concept. PHOTOS/concepts.toml describes the concepts, by the names
    of their folders; build.toml has every option, with its values, default and meaning. A concepts.toml
    that exists is kept.

    \b
    Example:
      mycanvas init photos
      mycanvas build build.toml
    """
    from builder.pipeline.starter_files import write_starter_files

    print_lines(write_starter_files(photos, config).lines())
