"""`mycanvas ratings`: tabulate people's ratings of scenes and of generated images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import PATH, json_option
from builder.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from mycanvas.io.tables import Table
    from mycanvas.ratings.entries import AnyEntry, PairChoice, Preference, Rating


@click.command()
@click.argument("dataset", metavar="[DATASET]", type=PATH, required=False)
@click.option("--quality", type=PATH, help="Ranks 1 to 5 of the dataset's scenes; fields rater, item, score.")
@click.option(
    "--preferences",
    type=PATH,
    help="Scores 1 to 10 of generated images; fields rater, item, score, arm, split[, question].",
)
@click.option(
    "--choices",
    type=PATH,
    help="Choices between the images of two arms; fields rater, item, arms, chosen, split[, question].",
)
@click.option("--output", type=PATH, help="Folder for the tables as JSON, and for the ratings of DATASET's reviews.")
@json_option
def ratings(
    dataset: Path | None,
    quality: Path | None,
    preferences: Path | None,
    choices: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Tabulate people's ratings.

    Of a DATASET, those that `mycanvas review` stored in it, unless a file is given. Files are
    JSON Lines, one rating per line. --quality counts scenes of each rank and needs the DATASET that
    was rated; --preferences and --choices compare the arms of a study and need no dataset.

    \b
    Example:
      mycanvas ratings mycanvas_data --output scores
      mycanvas ratings mycanvas_data --quality ratings.jsonl
      mycanvas ratings --preferences preferences.jsonl --choices choices.jsonl
    """
    from builder.pipeline.build_folder import BuildFolder
    from mycanvas.dataset import planned_splits
    from mycanvas.errors import ConfigError, InputError
    from mycanvas.io.reports import check_output
    from mycanvas.ratings.files import check_replaceable, read_choices, read_preferences, read_ratings, write_entries
    from mycanvas.ratings.store import RatingStore
    from mycanvas.ratings.tables import warn_of_unknown

    if not (dataset or quality or preferences or choices):
        raise ConfigError("missing DATASET, --quality FILE, --preferences FILE or --choices FILE: ratings to tabulate")
    if quality and not dataset:
        raise ConfigError("missing DATASET: --quality FILE ranks its scenes")
    if dataset and not (quality or preferences or choices):
        BuildFolder.open(dataset)  # only a build has stored ratings
    store = RatingStore(BuildFolder(dataset).review_file) if dataset else None
    ranks = read_ratings(quality) if quality else store.ratings() if store else ()
    scores = read_preferences(preferences) if preferences else store.preferences() if store else ()
    chosen = read_choices(choices) if choices else store.choices() if store else ()
    splits = planned_splits(dataset) if dataset and ranks else {}
    warn_of_unknown((rating.item for rating in ranks), splits)
    counting = [rating for rating in ranks if rating.item in splits]
    if not (counting or scores or chosen):
        raise InputError(
            f"{dataset} has no ratings of its scenes; give some with mycanvas review, or give --quality FILE"
        )
    tables = [
        *(_scene_tables(dataset, counting, splits) if dataset and counting else []),
        *_study_tables(scores, chosen),
    ]
    if output:
        files: dict[str, Sequence[AnyEntry]] = {} if quality else {"ratings.jsonl": ranks}
        files |= {} if preferences else {"preferences.jsonl": scores}
        files |= {} if choices else {"choices.jsonl": chosen}
        check_output(output, [f"{table.key}.json" for table in tables])
        for name, entries in files.items():
            check_replaceable(output / name, entries)
    if as_json:
        print_json({table.key: table.values for table in tables})
    else:
        print_lines(["\n\n".join("\n".join(table.lines()) for table in tables)])
    if output:
        for table in tables:
            print_lines([f"report: {table.write(output)}"], err=as_json)
        for name, entries in files.items():
            if entries:
                write_entries(output / name, entries)
                print_lines([f"ratings: {output / name}"], err=as_json)


def _scene_tables(dataset: Path, ranks: Sequence[Rating], splits: Mapping[str, str]) -> list[Table]:
    from builder.pipeline.annotations import scene_scores
    from mycanvas.ratings.report import agreement_report, quality_report

    return [quality_report(ranks, splits), agreement_report(ranks, scene_scores(dataset))]


def _study_tables(scores: Sequence[Preference], choices: Sequence[PairChoice]) -> list[Table]:
    from mycanvas.ratings.report import comparison_report, preference_report

    compared = comparison_report(scores, choices)
    return [*([preference_report(scores)] if scores else []), *([compared] if compared else [])]
