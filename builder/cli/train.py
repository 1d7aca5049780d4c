"""`mycanvas train`: train a text-to-image model on one composition of a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from builder.cli.options import PATH, OnceCommand
from builder.cli.output import print_lines

COUNT = click.IntRange(1)


@click.command(cls=OnceCommand)
@click.option("--data", type=PATH, required=True, help="Folder of a built dataset.")
@click.option("--composition", metavar="NAME", required=True, help="Composition to learn, such as cat2+dog6.")
@click.option("--model", required=True, help="Stable Diffusion 1.5 or SDXL: owner/name[@revision], or ./folder.")
@click.option("--output", type=PATH, required=True, help="A new or empty folder, or that of a training to resume.")
@click.option(
    "--method",
    type=click.Choice(["cd", "cd-lora", "db-lora"]),
    default="cd",
    show_default=True,
    help="Custom Diffusion, the same as LoRA, or DreamBooth as LoRA.",
)
@click.option(
    "--prompting",
    type=click.Choice(["plain", "gen4gen"]),
    default="plain",
    show_default=True,
    help="Custom Diffusion's prompts, or the poster's.",
)
@click.option(
    "--source",
    type=click.Choice(["photos", "scenes", "both", "collage"]),
    default="both",
    show_default=True,
    help="Pictures to learn from; collage: photos and cut-outs on plain ground, without scenes.",
)
@click.option("--scenes-per-photo", type=COUNT, default=3, show_default=True, help="Scenes drawn for each photo.")
@click.option("--steps", type=COUNT, show_default="2000; 3000 for 4 or 5 concepts", help="Training steps.")
@click.option(
    "--batch-size", type=COUNT, default=8, show_default=True, help="Pictures in a step, beside class pictures."
)
@click.option("--learning-rate", type=click.FloatRange(0), show_default="1e-5 x batch size for cd; 1e-4 for LoRA")
@click.option("--rank", type=COUNT, default=32, show_default=True, help="Rank of LoRA.")
@click.option("--resolution", type=COUNT, show_default="the model's", help="Side of the pictures in pixels.")
@click.option(
    "--class-pictures",
    type=click.IntRange(0),
    default=70,
    show_default=True,
    help="Pictures of each class that the model makes first, to keep the class; 0: none.",
)
@click.option("--regularization", type=PATH, metavar="DIR", help="Class pictures to use instead, DIR/CLASS/*.jpg.")
@click.option(
    "--background-weight",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Weight of the loss outside of objects, 0 to 1.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random draws.")
@click.option(
    "--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True, help="Precision."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1 or mps.")
@click.option("--accumulate", type=COUNT, default=1, show_default=True, help="Passes per step: more take less memory.")
@click.option("--checkpointing", is_flag=True, help="Compute activations twice: slower, in less memory.")
@click.option("--checkpoint-every", type=COUNT, default=100, show_default=True, help="Steps between checkpoints.")
@click.option(
    "--sample-every",
    type=click.IntRange(0),
    default=0,
    help="Steps between sample pictures.  [default: only at the end]",
)
@click.option("--sample-steps", type=COUNT, default=50, show_default=True, help="Denoising steps of a sample.")
@click.option("--log", type=click.Choice(["tensorboard", "wandb"]), help="Log the loss; install this package first.")
def train(data: Path, output: Path, **options: Any) -> None:
    """Train a text-to-image model on one composition of a dataset.

    The result is a folder of weights that diffusers loads, whose README.md says how. After an
    interruption, the same command resumes. On two GPUs: torchrun --nproc-per-node 2 -m mycanvas train …

    \b
    Example:
      mycanvas train --data mycanvas_data --composition cat2+dog6 --prompting gen4gen \\
        --model stable-diffusion-v1-5/stable-diffusion-v1-5 --output cat2_dog6
    """
    from mycanvas.training.run import train as run
    from mycanvas.training.settings import read_settings

    written = run(data, output, read_settings(options))
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, the first
        before = "" if written else ", as before"
        print_lines([f"weights in {output}{before}; {output / 'README.md'} says how to load them"])
