"""`mycanvas ratings`: tabulate people's ratings of scenes and of generated images."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import PATH, json_option
from builder.cli.output import print_json, print_lines


@click.command()
@click.argument("dataset", metavar="[DATASET]", type=PATH, required=False)
@click.option("--quality", type=PATH, help="Ranks 1 to 5 of the dataset's scenes; fields rater, item, score.")
@click.option(
    "--preferences",
    type=PATH,
    help="Scores 1 to 10 of generated images; fields rater, item, score, arm, split[, question].",
)
@click.option("--output", type=PATH, help="Folder for quality.json and preference.json.")
@json_option
def ratings(
    dataset: Path | None, quality: Path | None, preferences: Path | None, output: Path | None, as_json: bool
) -> None:
    """Tabulate people's ratings.

    Files are JSON Lines, one rating per line. --quality counts scenes of each rank and needs the
    DATASET that was rated; --preferences compares the arms of a study and needs no dataset.

    \b
    Example:
      mycanvas ratings mycanvas_data --quality ratings.jsonl --output scores
      mycanvas ratings --preferences preferences.jsonl
    """
    from mycanvas.errors import ConfigError
    from mycanvas.io.reports import check_output
    from mycanvas.ratings.report import preference_report, quality_report

    if not quality and not preferences:
        raise ConfigError("missing --quality FILE or --preferences FILE: the ratings to tabulate")
    if quality and not dataset:
        raise ConfigError("missing DATASET: --quality FILE ranks its scenes")
    if dataset and not quality:
        raise ConfigError(f"--preferences needs no dataset, got {dataset}; add --quality FILE to tabulate its ranks")
    if output:
        files = {"quality.json": quality, "preference.json": preferences}
        check_output(output, [name for name, given in files.items() if given])
    tables = [quality_report(quality, dataset)] if quality and dataset else []
    tables += [preference_report(preferences)] if preferences else []
    if as_json:
        print_json({table.key: table.values for table in tables})
    else:
        print_lines(["\n\n".join("\n".join(table.lines()) for table in tables)])
    if output:
        for table in tables:
            print_lines([f"report: {table.write(output)}"], err=as_json)
