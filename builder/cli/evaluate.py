"""`mycanvas evaluate`: score generated pictures, or a dataset's own, as the poster's table does."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., None])

FILE = click.Path(path_type=Path)

SETTINGS: tuple[tuple[str, Any, str], ...] = (
    ("threshold", click.FloatRange(0, 1), "Confidence that a detection must exceed.  [default: 0.1]"),
    ("padding", click.FloatRange(0, 10), "Share of a box's size that is added on each side.  [default: 0]"),
    (
        "same_class",
        click.Choice(["distinct", "same"]),
        "k concepts of a class get k boxes, or one.  [default: distinct]",
    ),
    ("negative", click.Choice(["raw", "zero"]), "What cosines below 0 count as.  [default: raw]"),
    ("text", click.Choice(["background", "prompt"]), "What TI-CLIP compares with.  [default: background]"),
    ("references", click.Choice(["whole", "masked"]), "Source photos, or their objects on grey.  [default: whole]"),
    ("certainty", click.FloatRange(0, 1), "Confidence that a thing too many needs to count.  [default: 0.3]"),
    ("covered", click.FloatRange(0, 1), "Share of it that other boxes may cover.  [default: 0.5]"),
)
"""Options that are fields of mycanvas.metrics.settings.Settings, which says more of them and has the defaults."""

ALIGNMENT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("limit", {"type": click.IntRange(1), "default": 1000, "help": "Rows to read of each.  [default: 1000]"}),
    ("split", {"multiple": True, "metavar": "[NAME=]SPLIT", "help": "[default: train, else all]"}),
    ("image_column", {"multiple": True, "metavar": "[NAME=]COLUMN", "help": "[default: found by type and name]"}),
    ("caption_column", {"multiple": True, "metavar": "[NAME=]COLUMN", "help": "[default: found by type and name]"}),
    (
        "weak_below",
        {
            "type": click.FloatRange(-1, 1),
            "help": "Count pairs of a lower cosine.  [default: 0.28 for CLIP B/32]",
        },
    ),
)
"""Options of --alignment: what `builder.cli.evaluation_tables.align` takes of these names."""


FILES = {
    "scores": ("scores.json", "report.html"),
    "alignment": ("alignment.json", "alignment.svg"),
    "quality": ("quality.json",),
    "preference": ("preference.json",),
}
"""What each part of an evaluation writes to --output."""


def _settings_options(command: Command) -> Command:
    for name, kind, text in reversed(SETTINGS):
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, help=text)(command)
    return command


def _alignment_options(command: Command) -> Command:
    for name, options in reversed(ALIGNMENT):
        command = click.option(f"--{name.replace('_', '-')}", name, **options)(command)
    return command


@click.command()
@click.argument("arms", metavar="[[NAME=]DIR]...", nargs=-1)
@click.option("--dataset", type=FILE, help="Whose concepts are looked for; without DIRs, it is scored itself.")
@click.option("--prompts", type=FILE, help="What the pictures were to be made from; each must be there.")
@click.option("--output", type=FILE, help="Folder for scores.json, report.html and the tables' JSON.")
@click.option(
    "--encoder", help="CLIP, SigLIP 2 or DINOv2: owner/name on the Hub, or ./folder.  [default: the paper's CLIP B/32]"
)
@click.option("--detector", help="OWL-ViT, OWLv2 or Grounding DINO.  [default: the paper's OWL-ViT B/32]")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option(
    "--dtype", type=click.Choice(["auto", "float32", "bfloat16", "float16"]), default="auto", show_default=True
)
@click.option(
    "--cache", type=FILE, help="Where vectors of source photos are kept.  [default: ~/.cache/mycanvas/embeddings]"
)
@_settings_options
@click.option("--only-used", is_flag=True, help="Compare only with the source photos that scenes use.")
@click.option("--write-prompts", "prompts_file", type=FILE, help="Write what pictures to make, score nothing.")
@click.option("--per-composition", type=click.IntRange(1), default=6, show_default=True, help="Prompts to write.")
@click.option(
    "--alignment",
    multiple=True,
    metavar="[NAME=]DATASET",
    help="Print how well captions fit pictures, in a folder, a file, or owner/name[:config] on the Hub; repeatable.",
)
@_alignment_options
@click.option("--ratings", type=FILE, help="Print people's 1 to 5 of the dataset's scenes: rater, item, score.")
@click.option("--preferences", type=FILE, help="Print people's 1 to 10: rater, item, score, arm, split[, question].")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
def evaluate(
    arms: tuple[str, ...],
    dataset: Path | None,
    output: Path | None,
    prompts_file: Path | None,
    per_composition: int,
    alignment: tuple[str, ...],
    ratings: Path | None,
    preferences: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Score generated pictures as the Gen4Gen poster does.

    They are compared with the photos of their concepts. Each DIR holds pictures and images.jsonl: a line {"file",
    "composition", "prompt", "background"} for each; or it is a built dataset. The first is the baseline of the others.

    \b
    Example:
      mycanvas evaluate --dataset mycanvas_data --write-prompts prompts.jsonl
      mycanvas evaluate baseline=sd15 ours=sd15_mycanvas --dataset mycanvas_data --output scores
      mycanvas evaluate --dataset mycanvas_data          its own scenes: what generated ones could reach
      mycanvas evaluate --alignment mycanvas_data --alignment laion=owner/laion-subset --output scores
      mycanvas evaluate --dataset mycanvas_data --ratings ratings.jsonl --preferences preferences.jsonl
    """
    from builder.cli.evaluation_tables import align, preference, quality
    from mycanvas.dataset import open_dataset
    from mycanvas.errors import ConfigError
    from mycanvas.io.reports import check_output, write_prompts
    from mycanvas.metrics.protocol import as_lines, unseen_prompts
    from mycanvas.metrics.report import as_json as every_number
    from mycanvas.metrics.run import score, write_report
    from mycanvas.metrics.summary import lines

    of_alignment = {name: options.pop(name) for name, _ in ALIGNMENT}
    scored = bool(arms or prompts_file) or not (alignment or ratings or preferences)
    if dataset is None and scored:
        raise ConfigError("whose concepts? name the dataset that has their photos: --dataset DIR")
    if dataset is None and ratings:
        raise ConfigError("whose scenes were rated? name their dataset: --dataset DIR")
    if dataset and prompts_file:
        prompts = unseen_prompts(open_dataset(dataset), per_composition)
        write_prompts(prompts_file, as_lines(prompts))
        click.echo(f"{len(prompts)} prompts in {prompts_file}; make a picture of each, named as its line says")
        return
    if output:
        asked = {"scores": scored, "alignment": alignment, "quality": ratings, "preference": preferences}
        check_output(output, [file for part, files in FILES.items() if asked[part] for file in files])
    people = [quality(ratings, dataset)] if dataset and ratings else []
    people += [preference(preferences)] if preferences else []
    values: dict[str, Any] = {}
    pages: list[list[str]] = []
    reports: list[Callable[[Path], Path]] = []
    tables = []
    if alignment:
        models = {name: options[name] for name in ("encoder", "device", "dtype")}
        aligned = align(alignment, **of_alignment, **models)
        tables.append(aligned.table())
        reports.append(aligned.write)
    if dataset and scored:
        run = score(open_dataset(dataset), arms, **options)
        values |= every_number(run)
        pages.append(lines(run.arms, run.models))
        reports.append(partial(write_report, run))
    tables += people
    values |= {table.key: table.values for table in tables}
    pages += [table.lines() for table in tables]
    click.echo(json.dumps(values, indent=1) if as_json else "\n\n".join("\n".join(page) for page in pages))
    if output:
        for write in (*reports, *(table.write for table in people)):
            click.echo(f"report: {write(output)}", err=as_json)
