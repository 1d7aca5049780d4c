"""`mycanvas evaluate`: score generated pictures, or a dataset's own, as the poster's table does."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), help="Whose concepts are looked for; alone, it is scored.")
@click.option("--write-prompts", type=click.Path(path_type=Path), help="Write what to generate to FILE, score nothing.")
@click.option("--per-composition", type=click.IntRange(1), default=6, show_default=True, help="Prompts to write.")
def evaluate(dataset: Path | None, write_prompts: Path | None, per_composition: int) -> None:
    """Score generated pictures against the photos of their concepts.

    \b
    Example:
      mycanvas evaluate --dataset mycanvas_data --write-prompts prompts.jsonl
    """
    from builder.errors import ConfigError
    from builder.files import write_text
    from mycanvas.metrics.protocol import as_lines, unseen_prompts
    from mycanvas.metrics.scenes import open_dataset

    if dataset is None:
        raise ConfigError("whose concepts? give the dataset that the pictures' models learned from: --dataset DIR")
    if write_prompts:
        write_text(write_prompts, as_lines(unseen_prompts(open_dataset(dataset), per_composition)))
