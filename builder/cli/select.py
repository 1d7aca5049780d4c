"""`mycanvas select`: choose again which scenes of a build are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click

from builder.cli.options import PLACE, json_option
from builder.cli.output import Result, print_result
from mycanvas.io.store import is_url

WORDS = "builder.cli.select.words"
"""Key of the words of the command line in click's context."""
PRECISION = 0.9
"""Of fitted bounds."""


class SelectCommand(click.Command):
    """A command with one more option for each key of [select] in build.toml.

    The keys come from the configuration's schema, which is imported only when the command runs or prints its help:
    `mycanvas --help` stays fast.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words, in which the help finds the folder: click prints help before it reads arguments."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of the thresholds, then the declared ones."""
        return [*_threshold_options(), *super().get_params(ctx)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, those of thresholds with their values in the folder, or the defaults where none is given."""
        bounds, label = _current_bounds(ctx.meta.get(WORDS, []))
        for option in _threshold_options():
            value = bounds[str(option.name)]
            option.help = f"{_meaning(str(option.name))}  [{label}: {'none' if value is None else f'{value:g}'}]"
        super().format_options(ctx, formatter)


def _number(text: str) -> float | str:
    """A number, or "none" for no bound. None is left for options that are not given."""
    if text == "none" or text.removeprefix("-").isdigit():
        return text if text == "none" else int(text)
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f'expected a number or "none", got {text!r}') from None


@cache
def _threshold_options() -> tuple[click.Option, ...]:
    from builder.stages.select import OF_DRAWING, SelectConfig

    return tuple(
        click.Option(
            [f"--{name.replace('_', '-')}", name],
            type=_number,
            metavar="NUMBER|none",
        )
        for name in SelectConfig.model_fields
        if name != "fitted" and name not in OF_DRAWING
    )


def _meaning(name: str) -> str:
    from builder.stages.select import SelectConfig

    return SelectConfig.model_fields[name].description or ""


def _current_bounds(words: Sequence[str]) -> tuple[Mapping[str, float | None], str]:
    """The thresholds of the first build among the words, with "now"; of none, the "default" ones."""
    from builder.pipeline.finalize import present_selection
    from builder.stages.select import SelectConfig
    from mycanvas.errors import MyCanvasError

    defaults = SelectConfig().model_dump()
    for word in words:
        try:
            found = present_selection(word if is_url(word) else Path(word))
        except MyCanvasError:
            continue
        return {**defaults, **found}, "now"
    return defaults, "default"


def _fitted(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    """The table of a fitted score, or "none" for none. None is left for an option that is not given."""
    if value is None or value == "none":
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise click.BadParameter('expected a JSON object, as the report of `mycanvas inspect --html` has it, or "none"')
    return found


def _precision(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise click.BadParameter(f"expected a number above 0 and of at most 1, got {value:g}")
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Selected:
    """A selection with the fits that it uses."""

    fits: Mapping[str, Result]
    summary: Result

    def lines(self) -> list[str]:
        return [*(line for fit in self.fits.values() for line in (*fit.lines(), "")), *self.summary.lines()]

    def as_json(self) -> dict[str, Any]:
        return {**self.summary.as_json(), **{name: fit.as_json() for name, fit in self.fits.items()}}


@click.command(cls=SelectCommand)
@click.argument("folder", metavar="DIR|URL", type=PLACE)
@click.option("--fit-ranks", is_flag=True, help="Fit one acceptance score, and its bound, to people's ranks.")
@click.option("--fit-cutouts", is_flag=True, help="Fit min_cutout to the cut-outs that people accepted and refused.")
@click.option(
    "--precision",
    type=float,
    callback=_precision,
    help="Fraction that people accept of what a fitted bound keeps.  [default: 0.9]",
)
@click.option(
    "--fitted",
    metavar="JSON|none",
    callback=_fitted,
    help="An acceptance score that was fitted before, as a line of the report has it; none: without one.",
)
@click.option("--reset", is_flag=True, help="Start from the profile's thresholds, without a fitted score.")
@json_option
def select(
    folder: Path | str,
    fit_ranks: bool,
    fit_cutouts: bool,
    precision: float | None,
    reset: bool,
    as_json: bool,
    **thresholds: Any,
) -> None:
    """Choose again which scenes are kept, without generating any.

    Thresholds that are not given keep their current values. Scenes that people ranked with
    `mycanvas review` are kept or dropped by their rank, flagged ones are dropped.

    \b
    Example:
      mycanvas select mycanvas_data --min-visible 0.8 --max-border none --per-composition 20
      mycanvas select mycanvas_data --fit-ranks --precision 0.9
    """
    from builder.pipeline import fit
    from builder.pipeline.finalize import reselect

    if precision is not None and not (fit_ranks or fit_cutouts):
        raise click.UsageError("--precision needs --fit-ranks or --fit-cutouts")
    if isinstance(folder, str) and (fit_ranks or fit_cutouts):
        raise click.UsageError("bounds are fitted to people's decisions in a folder; give a folder, not a URL")
    given = {name: None if value == "none" else value for name, value in thresholds.items() if value is not None}
    fits: dict[str, Result] = {}
    if fit_ranks and isinstance(folder, Path):
        if "fitted" in given:
            raise click.UsageError("give either --fitted or --fit-ranks, which sets it")
        ranks = fit.fit_ranks(folder, precision or PRECISION, given, reset=reset)
        fits["acceptance"], given["fitted"] = ranks, ranks.config()
    if fit_cutouts and isinstance(folder, Path):
        if "min_cutout" in given:
            raise click.UsageError("give either --min-cutout or --fit-cutouts, which sets it")
        gate = fit.fit_cutouts(folder, precision or PRECISION)
        fits["cutouts"], given["min_cutout"] = gate, gate.bound
    print_result(_Selected(fits=fits, summary=reselect(folder, given, reset=reset)), as_json)
