"""`mycanvas evaluate`: score generated images, or a dataset's own, with the poster's metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.options import PATH, Command, encoder_option, json_option, runtime_options
from builder.cli.output import print_lines, print_result

SETTINGS: tuple[tuple[str, Any, str], ...] = (
    ("threshold", click.FloatRange(0, 1), "Confidence that a detection must exceed.  [default: 0.1]"),
    (
        "padding",
        click.FloatRange(0, 10),
        "Margin on each side of a box's crop, as a fraction of the box's size.  [default: 0]",
    ),
    (
        "same_class",
        click.Choice(["distinct", "same"]),
        "Boxes for k concepts of one class: the k most confident ones, or the same one for all.  [default: distinct]",
    ),
    ("negative", click.Choice(["raw", "zero"]), "Use negative cosines as they are, or as 0.  [default: raw]"),
    (
        "text",
        click.Choice(["background", "prompt"]),
        "Text that TI-CLIP compares the image with.  [default: background]",
    ),
    (
        "references",
        click.Choice(["whole", "masked"]),
        "Compare crops with whole source photos, or with their objects on grey.  [default: whole]",
    ),
    ("certainty", click.FloatRange(0, 1), "Minimum confidence of a surplus object.  [default: 0.3]"),
    (
        "covered",
        click.FloatRange(0, 1),
        "Maximum fraction of a surplus object covered by other boxes.  [default: 0.5]",
    ),
)
"""Options that are fields of mycanvas.metrics.settings.Settings, which documents them and has their defaults."""


def settings_options(command: Command) -> Command:
    """One option for each of SETTINGS."""
    for name, kind, text in reversed(SETTINGS):
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, help=text)(command)
    return command


@click.command()
@click.argument("arms", metavar="[[NAME=]DIR]...", nargs=-1)
@click.option("--dataset", type=PATH, help="Dataset whose concepts' photos are the reference.")
@click.option("--prompts", type=PATH, help="Prompts file; every DIR must have exactly its images.")
@click.option("--output", type=PATH, help="Folder for scores.json and report.html.")
@encoder_option("CLIP, SigLIP 2 or DINOv2")
@click.option("--detector", metavar="MODEL", help="OWL-ViT, OWLv2 or Grounding DINO.  [default: the paper's OWL-ViT]")
@runtime_options
@click.option(
    "--cache", type=PATH, help="Folder for embeddings of source photos.  [default: ~/.cache/mycanvas/embeddings]"
)
@settings_options
@click.option("--only-used", is_flag=True, help="Compare only with the source photos that scenes use.")
@json_option
def evaluate(arms: tuple[str, ...], dataset: Path | None, output: Path | None, as_json: bool, **options: Any) -> None:
    """Score generated images as the Gen4Gen poster does.

    Crops of an image are compared with the source photos of its concepts. Each DIR holds images and
    images.jsonl, one line {"file", "composition", "prompt", "background"} per image (see `mycanvas
    prompts`), or is a built dataset. The first DIR is the baseline of the others. Without DIR, the
    dataset's own scenes are scored: an upper bound for generated images.

    \b
    Example:
      mycanvas evaluate baseline=sd15 ours=sd15_mycanvas --dataset mycanvas_data --output scores
      mycanvas evaluate --dataset mycanvas_data
    """
    from mycanvas.dataset import open_dataset
    from mycanvas.errors import ConfigError
    from mycanvas.io.reports import check_output
    from mycanvas.metrics.run import FILES, score, write_report

    if dataset is None:
        raise ConfigError("missing --dataset DIR: its concepts' photos are the reference")
    if options["prompts"] and not arms:
        raise ConfigError("--prompts without DIR: it lists the images that each [NAME=]DIR must have")
    if output:
        check_output(output, FILES)
    run = score(open_dataset(dataset), arms, **options)
    print_result(run, as_json)
    if output:
        print_lines([f"report: {write_report(run, output)}"], err=as_json)
