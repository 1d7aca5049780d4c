"""`mycanvas export`: write a dataset in the formats that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import PATH, OnceCommand, folder_argument
from builder.cli.output import print_lines

if TYPE_CHECKING:
    from mycanvas.export.source import LayersOf


def complete_formats(_context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    """The names of formats for the completion of the shell."""
    from mycanvas.export import FORMATS

    return [name for name in FORMATS if name.startswith(begun)]


def _layers(folder: Path) -> LayersOf:
    """The layers of a build's scenes. The import is here, because only one format needs the builder's stages."""
    from builder.pipeline.scene_layers import SceneLayers

    return SceneLayers(folder)


@click.command(cls=OnceCommand)
@folder_argument
@click.option(
    "--format", "name", required=True, help="Name of a format in the lists above.", shell_complete=complete_formats
)
@click.option("--output", type=PATH, required=True, help="A new or empty folder.")
@click.option(
    "--composition",
    multiple=True,
    metavar="NAME",
    help="Write only scenes of this composition; repeatable.  [default: all]",
)
@click.option("--concept", metavar="NAME", help="Masks show this concept alone; scenes without it are left out.")
@click.option(
    "--source",
    type=click.Choice(["scenes", "photos", "both"]),
    default="scenes",
    show_default=True,
    help="Pictures to train on; with both, an epoch has three scenes for each source photo.",
)
@click.option("--regularization", type=PATH, metavar="DIR", help="Class pictures, DIR/CLASS/*.jpg.")
@click.option("--holdout", type=int, default=0, metavar="N", help="Number of scenes for the trainer's validation.")
@click.option(
    "--triggers",
    type=click.Choice(["tokens", "words"]),
    default="tokens",
    show_default=True,
    help="Name of a concept in captions: its token, or a pseudo-word.",
)
@click.option(
    "--pairs",
    type=click.Choice(["cross", "same"]),
    default="cross",
    show_default=True,
    help="Reference of an object: another photo of it (cross), or the photo that was pasted (same).",
)
@click.option(
    "--references",
    type=click.Choice(["cut-out", "whole"]),
    default="cut-out",
    show_default=True,
    help="References show the object on white, or the whole photo.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the pseudo-words.")
def export(folder: Path, name: str, output: Path, **options: Any) -> None:
    """Write a dataset in a format that other tools read.

    Images of scenes are copied, not encoded again.

    \b
    coco              boxes and masks (RLE), one file per split; needs mycanvas[export]
    custom-diffusion  concepts_list.json of the source photos, and the scenes of each composition
    imagefolder       images, masks and metadata.jsonl; load_dataset("imagefolder"), diffusers' trainers
    mds               MosaicML streaming's shards; needs mycanvas[mds]
    webdataset        tar shards; webdataset
    yolo              images, boxes and data.yaml; Ultralytics, supervision

    \b
    Recipes for trainers: pictures, captions, masks if the trainer has them, a configuration, and train.sh, which
    starts the training. docs/trainers.md lists the options of each.
    ai-toolkit        ostris/ai-toolkit; masks, class pictures
    diffsynth         DiffSynth-Studio
    diffusers         diffusers' scripts, which read the dataset as it is: the command, and how much memory it takes
    kohya             sd-scripts; masks, class pictures, validation
    musubi            musubi-tuner
    onetrainer        OneTrainer; masks, class pictures, validation
    simpletuner       SimpleTuner; masks, validation

    \b
    Pairs: a reference for each object, and the scene that shows them.
    uno               JSON lists; UNO
    omnigen2          JSONL and options; OmniGen2, OpenSubject
    musubi-edit       JSONL and dataset.toml; musubi-tuner with Qwen-Image-Edit-2511, FLUX.2
    ai-toolkit-edit   folders of references and config.json; ai-toolkit with Qwen-Image-Edit-2511, FLUX.2
    pairs             Parquet with image columns, for load_dataset and mycanvas push --pairs

    \b
    Boxes and layers.
    bbox              boxes in .bbox files and multidatabackend.json; SimpleTuner's grounding
    ideogram4         captions of Ideogram 4, JSON with boxes; musubi-tuner, ai-toolkit, SimpleTuner
    layers            RGBA layers for Qwen-Image-Layered; musubi-tuner, DiffSynth-Studio

    \b
    Example:
      mycanvas export mycanvas_data --format coco --output mycanvas_coco
      mycanvas export mycanvas_data --format uno --pairs same --output mycanvas_uno
      mycanvas export mycanvas_data --format kohya --source both --triggers words --output mycanvas_kohya
    """
    from builder.pipeline.manifest import check_build
    from mycanvas.export import export as run
    from mycanvas.export.selection import Selection
    from mycanvas.io.messages import counted

    done = run(folder, name, output, Selection(**options), check=check_build, layers=_layers)
    splits = ", ".join(f"{split} {count}" for split, count in done.counts.items())
    pictures = f"{counted(sum(done.counts.values()), 'scene')} ({splits})" if splits else "source photos"
    print_lines([f"{pictures} in {output}{'' if done.written else ', as before'}", *done.usage])
