"""`mycanvas generate`: generate the pictures that `mycanvas evaluate` scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.options import PATH, OnceCommand, json_option, runtime_options
from builder.cli.output import print_result

STRATEGIES = ("plain", "gen4gen")
"""As in mycanvas.prompts, which would slow `mycanvas --help` down."""
BATCH_SIZE = 4
"""As in mycanvas.generation.run, which would do the same."""


@click.command(cls=OnceCommand)
@click.option(
    "--model", metavar="MODEL", required=True, help="Text-to-image pipeline: owner/name[@revision], ./folder."
)
@click.option("--dataset", type=PATH, help="Generate a prompt for each composition of this dataset.")
@click.option("--prompts", type=PATH, help="Or the prompts in this file, as they are (see `mycanvas prompts`).")
@click.option("--output", type=PATH, required=True, help="Folder for the pictures and images.jsonl.")
@click.option(
    "--lora",
    "loras",
    multiple=True,
    metavar="FILE[:WEIGHT]",
    help="LoRA of any trainer, or a folder of `mycanvas train`; repeatable.",
)
@click.option(
    "--embeddings",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="Embeddings of new tokens, file or folder; repeatable.",
)
@click.option(
    "--composition",
    "compositions",
    multiple=True,
    metavar="NAME",
    help="Only this composition of the dataset; repeatable.  [default: all]",
)
@click.option(
    "--prompting",
    type=click.Choice(STRATEGIES),
    help="Strategy that the model was trained with.  [default: plain]",
)
@click.option(
    "--seeds",
    "pictures",
    type=click.IntRange(1),
    help="Pictures of each prompt.  [default: 6 with --dataset, 1 with --prompts]",
)
@click.option("--steps", type=click.IntRange(1), help="Denoising steps.  [default: the pipeline's]")
@click.option("--guidance", type=click.FloatRange(0), help="Classifier-free guidance.  [default: the pipeline's]")
@click.option("--resolution", type=click.IntRange(8), help="Side in pixels.  [default: the pipeline's]")
@click.option("--batch-size", type=click.IntRange(1), default=BATCH_SIZE, show_default=True, help="Pictures at a time.")
@click.option("--offload", is_flag=True, help="Keep parts of the model in main memory while another runs.")
@runtime_options
@json_option
def generate(
    model: str,
    output: Path,
    dataset: Path | None,
    as_json: bool,
    steps: int | None,
    guidance: float | None,
    resolution: int | None,
    **options: Any,
) -> None:
    """Generate pictures to evaluate.

    Each composition of a dataset gets a prompt with a background that none of its scenes has, and six
    pictures. Pictures that are in the folder are kept, so that an interrupted run resumes, and runs for
    other compositions, each with its own LoRA, add theirs, one run at a time. The noise of a picture
    depends on its composition and number alone, so that several models are compared on the same noise.

    \b
    Example:
      mycanvas generate --model stable-diffusion-v1-5/stable-diffusion-v1-5 --lora trained \\
        --dataset mycanvas_data --composition cat2+dog6 --prompting gen4gen --output generated
      mycanvas evaluate generated --dataset mycanvas_data
    """
    from mycanvas.dataset import open_dataset
    from mycanvas.generation.run import generate as run
    from mycanvas.models.text_to_image import Sampling

    sampling = Sampling(steps=steps, guidance=guidance, resolution=resolution)
    opened = open_dataset(dataset) if dataset else None
    print_result(run(model, output, dataset=opened, sampling=sampling, **options), as_json)
