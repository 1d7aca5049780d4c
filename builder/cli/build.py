"""`mycanvas build`: make a dataset from folders of photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.options import (
    DEFAULT_DATASET,
    PATH,
    PLACE,
    RESOLUTION,
    SIZES,
    config_argument,
    json_option,
    min_quality_option,
    profile_option,
)
from builder.cli.output import print_result
from builder.cli.preview import PreviewCommand, preview_option, show_preview


@click.command(cls=PreviewCommand)
@config_argument
@click.option("--concepts", help="Photos: DIR/<concept>/*.jpg, concepts_list.json, or hf://owner/name on the Hub.")
@click.option("--backgrounds", type=PATH, help="Photos: DIR/<scene>/*.jpg.  [default: painted backgrounds]")
@click.option("--output", type=PLACE, help=f"Folder or s3://… URL.  [default: {DEFAULT_DATASET}, beside build.toml]")
@profile_option("Which models to run: classic, photo, gen4gen or modern.  [default: classic]")
@click.option("--samples", type=int, help="Scenes to generate in all, spread over the compositions.  [default: 300]")
@click.option("--keep", type=int, help="Scenes to keep at the end: as many are made as that takes.")
@click.option("--resolution", metavar=SIZES, help=f"{RESOLUTION}  [default: 1024]")
@click.option("--seed", type=int, help="Seed of every random draw.  [default: 0]")
@click.option("--workers", type=int, help="Processes.  [default: one per core]")
@click.option("--engine", metavar="NAME", help="How work is spread: local, or ray for a cluster.  [default: local]")
@click.option("--address", metavar="HOST:PORT", help="Ray cluster, or auto.  [default: $RAY_ADDRESS, else here]")
@click.option("--part", metavar="I/N", help="Make only shards I, I+N, …: one of N processes that share the output.")
@min_quality_option
@click.option("--keep-best", is_flag=True, help="Keep the best cut-out of a concept that has no trusted one.")
@preview_option
@json_option
def build(
    config_file: Path | None,
    profile: str | None,
    min_quality: float | None,
    keep_best: bool,
    preview: int | None,
    part: str | None,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Build a dataset from folders of photos.

    After an interruption, the same command resumes. A finished build grows: give it more samples, concepts, photos or
    backgrounds, and only new scenes are made. For clusters and arrays of jobs, see docs/scale.md.

    With --preview N, nothing is written at --output: OUT.preview.png and OUT.cutouts.png are drawn beside it. The
    build finds the cut-outs and painted backgrounds in the cache; all other models run, or are asked, again.

    \b
    Example:
      mycanvas build --concepts photos --backgrounds gardens --samples 300 --output mycanvas_data
    """
    from builder.config import load_config
    from builder.pipeline.build import build as run

    segment: dict[str, Any] = {"keep_best": True} if keep_best else {}
    if min_quality is not None:
        segment["min_quality"] = min_quality
    overrides["segment"] = segment or None
    if preview and part is not None:
        raise click.UsageError("give --preview or --part, not both: a preview makes no dataset")
    config = load_config(config_file, profile, overrides)
    if preview:
        show_preview(config, preview, as_json)
    elif part is None:
        print_result(run(config), as_json)
    else:
        from builder.pipeline.parts import build_part, parse_part

        print_result(build_part(config, parse_part(part)), as_json)
