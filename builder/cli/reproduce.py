"""`mycanvas reproduce`: the poster's experiment, from photos to its table."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import PATH, OnceCommand, json_option
from builder.cli.output import print_result


@click.command(cls=OnceCommand)
@click.argument("config_file", metavar="CONFIG.toml", type=PATH)
@click.option(
    "--composition",
    "compositions",
    multiple=True,
    metavar="NAME",
    help="Train only this composition now; repeatable.  [default: those of the file, else all]",
)
@click.option(
    "--estimate", "only_estimate", is_flag=True, help="Build the dataset, say how long the rest takes, and stop."
)
@json_option
def reproduce(config_file: Path, compositions: tuple[str, ...], only_estimate: bool, as_json: bool) -> None:
    """Build, train the poster's arms, generate and evaluate.

    Each arm is trained for each composition, and generates six pictures of it in front of a background
    that no scene has. The poster's table has the arms' scores beside its own. What is finished is kept:
    the same command resumes.

    \b
    Example of CONFIG.toml:
      build = "build.toml"              # or, built already: dataset = "mycanvas_data"
      model = "stable-diffusion-v1-5/stable-diffusion-v1-5"

    \b
    Example:
      mycanvas reproduce CONFIG.toml --estimate
      mycanvas reproduce CONFIG.toml --composition cat2+dog6
    """
    from builder.reproduce.config import read_config
    from builder.reproduce.run import reproduce as run

    print_result(run(read_config(config_file), compositions, only_estimate=only_estimate), as_json)
