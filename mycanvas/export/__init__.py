"""Export a dataset to other tools' formats: `mycanvas export`.

A writer takes a Source, which knows the options, and an empty folder. It holds one record batch of scenes at a time,
and copies encoded pictures unchanged. Recipes for trainers share training_set.py and recipe.py; formats with references
share pairs.py. output.py moves the files into place when all are written. JSON and YAML are ASCII, because some readers
open them in the machine's own encoding. FiftyOne reads what `coco` writes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mycanvas.errors import ConfigError, MissingExtra
from mycanvas.export.ai_toolkit import write_ai_toolkit
from mycanvas.export.ai_toolkit_edit import write_ai_toolkit_edit
from mycanvas.export.bbox import NEXT_STEP, write_bbox
from mycanvas.export.coco import write_coco
from mycanvas.export.custom_diffusion import write_custom_diffusion
from mycanvas.export.diffsynth import write_diffsynth
from mycanvas.export.diffusers import write_diffusers
from mycanvas.export.ideogram4 import write_ideogram4
from mycanvas.export.image_folder import write_image_folder
from mycanvas.export.kohya import write_kohya
from mycanvas.export.layers import write_layers
from mycanvas.export.mds import write_mds
from mycanvas.export.musubi import write_musubi
from mycanvas.export.musubi_edit import write_musubi_edit
from mycanvas.export.omnigen2 import write_omnigen2
from mycanvas.export.onetrainer import write_onetrainer
from mycanvas.export.output import write_export
from mycanvas.export.pair_table import write_pair_table
from mycanvas.export.recipe import usage_of
from mycanvas.export.selection import Selection, check_options
from mycanvas.export.simpletuner import write_simpletuner
from mycanvas.export.source import LayersOf, Source, open_source
from mycanvas.export.uno import write_uno
from mycanvas.export.webdataset import write_webdataset
from mycanvas.export.yolo import write_yolo
from mycanvas.io.files import is_inside
from mycanvas.io.messages import nearest

FORMATS: Mapping[str, Callable[[Source, Path], None]] = {
    "ai-toolkit": write_ai_toolkit,
    "ai-toolkit-edit": write_ai_toolkit_edit,
    "bbox": write_bbox,
    "coco": write_coco,
    "custom-diffusion": write_custom_diffusion,
    "diffsynth": write_diffsynth,
    "diffusers": write_diffusers,
    "ideogram4": write_ideogram4,
    "imagefolder": write_image_folder,
    "kohya": write_kohya,
    "layers": write_layers,
    "mds": write_mds,
    "musubi": write_musubi,
    "musubi-edit": write_musubi_edit,
    "omnigen2": write_omnigen2,
    "onetrainer": write_onetrainer,
    "pairs": write_pair_table,
    "simpletuner": write_simpletuner,
    "uno": write_uno,
    "webdataset": write_webdataset,
    "yolo": write_yolo,
}

_SCENES = frozenset({"composition"})
_RECIPE = _SCENES | {"source", "triggers", "seed"}
_MASKED_RECIPE = _RECIPE | {"concept"}
_TRIGGERS = _SCENES | {"triggers", "seed"}
_REFERENCES = _SCENES | {"pairs", "references"}

OPTIONS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(FORMATS, _SCENES),
    "ai-toolkit": _MASKED_RECIPE | {"regularization"},
    "diffsynth": _RECIPE,
    "diffusers": frozenset(),
    "kohya": _MASKED_RECIPE | {"regularization", "holdout"},
    "musubi": _RECIPE,
    "onetrainer": _MASKED_RECIPE | {"regularization", "holdout"},
    "simpletuner": _MASKED_RECIPE | {"holdout"},
    **dict.fromkeys(("bbox", "ideogram4"), _TRIGGERS),
    **dict.fromkeys(("ai-toolkit-edit", "musubi-edit", "omnigen2", "pairs", "uno"), _REFERENCES),
}
"""The options of each format: names of fields of Selection. `export` refuses others."""

PACKAGES: Mapping[str, tuple[str, str, str]] = {
    "coco": ("pycocotools", "pycocotools", "export"),
    "mds": ("streaming", "mosaicml-streaming", "mds"),
}
"""Optional packages by format: the module that is imported, its package, and the extra that installs it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """The result of an export.

    counts: the number of chosen scenes in each split; empty if only source photos were chosen.
    written: False where the export was complete already.
    usage: lines that say how to start the training; empty: the format is no recipe for a trainer.
    """

    format: str
    output: Path
    counts: Mapping[str, int]
    written: bool
    usage: tuple[str, ...]


def export(
    folder: Path,
    name: str,
    output: Path,
    selection: Selection | None = None,
    check: Callable[[Path], object] = lambda _: None,
    layers: Callable[[Path], LayersOf] | None = None,
) -> Exported:
    """Write a dataset in another format, with its progress on stderr.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.
        name: a key of FORMATS.
        output: a new or empty folder, or one with the same export, finished or killed.
        selection: the options; None: all scenes, by their tokens.
        check: called with the dataset's folder before anything is written; raises an error if the dataset is damaged.
        layers: gives the layers of the scenes in a dataset's folder; only the format "layers" needs it.

    Raises:
        ConfigError: there is no such format, it lacks an option, the options choose nothing, or the output is in the
            dataset's folder.
        InputError: the dataset cannot be read.
        StoreError: the output holds other files, is in use by another process, or cannot be written.
        MissingExtra: the format's own package is not installed.
    """
    import mycanvas
    from mycanvas.io.progress import Progress

    selection = selection or Selection()
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}; {nearest(name.lower(), tuple(FORMATS), similarity=0.7)}")
    check_options(name, selection, OPTIONS)
    _check_package(name)
    check(folder)
    source = open_source(folder, selection)
    if is_inside(output, folder):
        raise ConfigError(
            f"the output {output} is in the dataset's folder {folder}, where readers would take it for a part of the "
            "dataset; give --output a folder elsewhere"
        )
    if name == "layers" and layers:
        source = replace(source, layers=layers(folder))
    options = {f"--{option}": value for option, value in selection.identity().items() if option in OPTIONS[name]}
    identity = {"format": name, "dataset": source.dataset.version, "mycanvas": mycanvas.__version__, **options}

    def write(empty: Path) -> None:
        with Progress(f"exporting {name}", sum(source.counts.values()), "scene") as progress:
            FORMATS[name](replace(source, scene_done=progress.update), empty)

    written = write_export(output, identity, write)
    counts = source.counts if selection.shows_scenes else {}
    usage = NEXT_STEP if name == "bbox" else usage_of(output)
    return Exported(format=name, output=output, counts=counts, written=written, usage=usage)


def _check_package(name: str) -> None:
    """Import the format's own package before anything is written."""
    if name not in PACKAGES:
        return
    module, package, extra = PACKAGES[name]
    try:
        importlib.import_module(module)
    except ImportError as error:  # the package itself, or one that it depends on
        raise MissingExtra(package if error.name in {module, None} else str(error.name), extra=extra) from error
