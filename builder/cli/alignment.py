"""`mycanvas alignment`: measure how well the captions of datasets fit their images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.options import PATH, encoder_option, json_option, runtime_options
from builder.cli.output import print_lines, print_result


@click.command()
@click.argument("datasets", metavar="[NAME=]DATASET...", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Maximum rows of each dataset.")
@click.option("--split", multiple=True, metavar="[NAME=]SPLIT", help="Split to read.  [default: train, else all]")
@click.option(
    "--image-column", multiple=True, metavar="[NAME=]COLUMN", help="Column of images.  [default: by type and name]"
)
@click.option(
    "--caption-column", multiple=True, metavar="[NAME=]COLUMN", help="Column of captions.  [default: by type and name]"
)
@click.option(
    "--weak-below",
    type=click.FloatRange(-1, 1),
    help="Report the fraction of pairs with a lower cosine.  [default: 0.28 for CLIP B/32]",
)
@encoder_option("CLIP or SigLIP 2")
@runtime_options
@click.option("--output", type=PATH, help="Folder for alignment.json and alignment.svg.")
@json_option
def alignment(datasets: tuple[str, ...], output: Path | None, as_json: bool, **options: Any) -> None:
    """Measure how well captions fit their images.

    Prints the cosine of images and captions. A DATASET is a folder, a file (Parquet, Arrow, JSON, CSV,
    WebDataset), or owner/name[:config] on the Hub. --split and the columns apply to every dataset, or
    with NAME= to one of them.

    \b
    Example:
      mycanvas alignment ours=mycanvas_data laion=laion.parquet --output scores
      mycanvas alignment mycanvas_data owner/captions --caption-column owner/captions=text
    """
    from mycanvas.alignment.run import FILES, measure_datasets
    from mycanvas.io.reports import check_output

    if output:
        check_output(output, FILES)
    measured = measure_datasets(datasets, **options)
    print_result(measured.table(), as_json)
    if output:
        print_lines([f"report: {measured.write(output)}"], err=as_json)
