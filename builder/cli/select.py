"""`mycanvas select`: choose again which scenes of a build are kept."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import click

from builder.cli.options import folder_argument, json_option
from builder.cli.output import print_result

HELP = {
    "per_composition": "Maximum number of scenes kept per composition.",
    "duplicate_bits": "Maximum difference of two fingerprints, in bits, for duplicates; -1 keeps duplicates.",
}
"""Help of the thresholds that are not bounds of a score."""


class SelectCommand(click.Command):
    """A command with one more option for each key of [select] in build.toml.

    The keys come from the configuration's schema, which is imported only when the command runs or prints its help:
    `mycanvas --help` stays fast.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of the thresholds, then the declared ones."""
        return [*_threshold_options(), *super().get_params(ctx)]


def _number(text: str) -> float | str:
    """A number, or "none" for no bound. None is left for options that are not given."""
    if text == "none" or text.isdigit():
        return text if text == "none" else int(text)
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f'expected a number or "none", got {text!r}') from None


@cache
def _threshold_options() -> tuple[click.Option, ...]:
    from builder.stages.select import SelectConfig

    return tuple(
        click.Option(
            [f"--{name.replace('_', '-')}", name],
            type=_number,
            metavar="NUMBER|none",
            help=HELP.get(name) or _bound_help(name),
        )
        for name in SelectConfig.model_fields
    )


def _bound_help(name: str) -> str:
    side = "Minimum" if name.startswith("min_") else "Maximum"
    return f"{side} {name[4:]} score of a kept scene."


@click.command(cls=SelectCommand)
@folder_argument
@click.option("--reset", is_flag=True, help="Start from the profile's thresholds.")
@json_option
def select(folder: Path, reset: bool, as_json: bool, **thresholds: Any) -> None:
    """Choose again which scenes are kept, without generating any.

    Thresholds that are not given keep their current values.

    \b
    Example:
      mycanvas select mycanvas_data --min-visible 0.8 --max-border none --per-composition 20
    """
    from builder.pipeline.finalize import reselect

    given = {name: None if value == "none" else value for name, value in thresholds.items() if value is not None}
    print_result(reselect(folder, given, reset=reset), as_json)
