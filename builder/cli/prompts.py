"""`mycanvas prompts`: write the prompts from which a model generates the images to evaluate."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import PATH
from builder.cli.output import print_lines

PER_COMPOSITION = 6
"""As in mycanvas.metrics.protocol, which would slow `mycanvas --help` down."""


@click.command()
@click.argument("dataset", metavar="DATASET", type=PATH)
@click.option("--output", type=PATH, required=True, help="JSON Lines file: one image to generate per line.")
@click.option(
    "--per-composition",
    type=click.IntRange(1),
    default=PER_COMPOSITION,
    show_default=True,
    help="Prompts per composition, each with another background.",
)
def prompts(dataset: Path, output: Path, per_composition: int) -> None:
    """Write prompts to generate images from.

    Each composition of a dataset gets prompts with backgrounds that none of its scenes has. Generate an
    image per line, save it beside the prompts under the name in "file", and score the folder with
    `mycanvas evaluate`, which reads images.jsonl as the folder's manifest.

    \b
    Example:
      mycanvas prompts mycanvas_data --output generated/images.jsonl
    """
    from mycanvas.dataset import open_dataset
    from mycanvas.io.messages import counted
    from mycanvas.io.reports import write_prompts
    from mycanvas.metrics.protocol import as_lines, unseen_prompts

    written = unseen_prompts(open_dataset(dataset), per_composition)
    write_prompts(output, as_lines(written))
    count = counted(len(written), "prompt")
    print_lines([f'{count} in {output}; generate an image for each, named by its "file"'])
