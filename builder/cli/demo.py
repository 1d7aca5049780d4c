"""`mycanvas demo`: render toys, build a dataset from their photos and load it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from builder.cli.options import CONTACT_SHEET, DEFAULT_DATASET, PATH, RESOLUTION, SIZES
from builder.cli.output import print_lines, print_result

DEFAULT_TOYS = Path("mycanvas_toys")
DEFAULT_SAMPLES = 120


@click.command()
@click.option("--output", type=PATH, default=DEFAULT_DATASET, show_default=True, help="Folder for the dataset.")
@click.option("--toys", type=PATH, default=DEFAULT_TOYS, show_default=True, help="Folder for the toys' photos.")
@click.option(
    "--samples", type=click.IntRange(1), default=DEFAULT_SAMPLES, show_default=True, help="Scenes to generate."
)
@click.option("--resolution", metavar=SIZES, default="1024", show_default=True, help=RESOLUTION)
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
def demo(output: Path, toys: Path, samples: int, resolution: str, workers: int | None) -> None:
    """Build a dataset from rendered toys, and load it by name.

    \b
    Example:
      mycanvas demo --output mycanvas_data
    """
    from builder.config import load_config
    from builder.demo.render import PICTURES, TOYS, check_toys, render_toys
    from builder.inspect.summary import draw_sheet, write_sheet
    from builder.pipeline.build import build
    from builder.pipeline.inputs import check_output
    from mycanvas.errors import ConfigError
    from mycanvas.io.files import is_inside
    from mycanvas.io.progress import Progress

    values = {"concepts": toys / "concepts", "output": output, "samples": samples, "resolution": resolution}
    config = load_config(None, None, {**values, "workers": workers, "license": "CC0-1.0"})
    if is_inside(output, toys) or is_inside(toys, output):
        raise ConfigError(f"expected --output and --toys outside of each other, got {output} and {toys}")
    check_toys(toys)
    check_output(config, TOYS)
    with Progress("rendering", PICTURES, "photo") as progress:
        render_toys(toys, progress.update, config.workers)
    summary = build(config)
    print_result(summary, as_json=False)
    sheet = output / CONTACT_SHEET
    write_sheet(sheet, partial(draw_sheet, summary.folder))
    _load_and_print(output)
    print_lines([f"contact sheet: {sheet}"])


def _load_and_print(folder: Path) -> None:
    """Load the dataset by name, and print its splits and its first row."""
    import datasets

    import mycanvas  # noqa: F401  (registers the name)

    loaded = datasets.load_dataset("mycanvas", data_dir=str(folder))
    split = next(iter(loaded))
    row = loaded[split][0]
    print_lines([str(loaded), f"{split}[0]: {row['image'].size[0]} x {row['image'].size[1]}, {row['prompt']!r}"])
