"""`mycanvas evaluate`: score generated pictures, or a dataset's own, as the poster's table does."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def _settings_options(command: Command) -> Command:
    for name, kind, text in reversed(SETTINGS):
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, help=text)(command)
    return command


@click.command()
@click.argument("arms", metavar="[[NAME=]DIR]...", nargs=-1)
@click.option("--dataset", type=FILE, help="Whose concepts are looked for; without DIRs, it is scored itself.")
@click.option("--prompts", type=FILE, help="What the pictures were to be made from; each must be there.")
@click.option("--output", type=FILE, help="Folder for scores.json and report.html.")
@click.option(
    "--encoder", help="CLIP, SigLIP 2 or DINOv2: an id on the Hub or a folder.  [default: the paper's CLIP B/32]"
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
@click.option("--write-prompts", type=FILE, help="Write to FILE what pictures to make, and score nothing.")
@click.option("--per-composition", type=click.IntRange(1), default=6, show_default=True, help="Prompts to write.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
def evaluate(
    dataset: Path | None,
    output: Path | None,
    write_prompts: Path | None,
    per_composition: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Score generated pictures against the photos of their concepts, as the Gen4Gen poster does.

    Each DIR holds pictures and images.jsonl: a line {"file", "composition", "prompt", "background"} for each; or it is
    a built dataset. The first is the baseline of the others.

    \b
    Example:
      mycanvas evaluate --dataset mycanvas_data --write-prompts prompts.jsonl
      mycanvas evaluate baseline=sd15 ours=sd15_mycanvas --dataset mycanvas_data --output scores
      mycanvas evaluate --dataset mycanvas_data          its own scenes: what generated ones could reach
    """
    from builder.errors import ConfigError
    from builder.evaluation import score, write_report
    from builder.files import write_text
    from mycanvas.metrics.protocol import as_lines, unseen_prompts
    from mycanvas.metrics.report import as_json as every_number
    from mycanvas.metrics.scenes import open_dataset
    from mycanvas.metrics.summary import lines

    if dataset is None:
        raise ConfigError("whose concepts? name the dataset that has their photos: --dataset DIR")
    if write_prompts:
        write_text(write_prompts, as_lines(unseen_prompts(open_dataset(dataset), per_composition)))
        return
    run = score(open_dataset(dataset), **options)
    click.echo(json.dumps(every_number(run), indent=1) if as_json else "\n".join(lines(run.arms)))
    if output:
        click.echo(f"report: {write_report(run, output)}", err=as_json)
