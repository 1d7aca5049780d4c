"""`mycanvas models`: list and download the models that a build runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from builder.cli.options import config_argument, json_option, profile_option
from builder.cli.output import print_json, print_lines


@click.command()
@config_argument
@profile_option("Profile to list the models of.  [default: the one in build.toml, else classic]")
@click.option("--download", is_flag=True, help="Download the models that are not on this machine.")
@json_option
def models(config_file: Path | None, profile: str | None, download: bool, as_json: bool) -> None:
    """List the models that a build runs, and download them.

    Shows their sizes and licenses, and whether they are on this machine.

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
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        print_lines(table_of_models(rows))
