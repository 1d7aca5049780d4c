"""A dataset in other tools' formats: `mycanvas export`.

A writer takes a Source and a folder. It holds one record batch of scenes at a time, copies encoded pictures as they
are, and writes what names the others last. FiftyOne reads what `coco` writes.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mycanvas.errors import ConfigError, MissingExtra
from mycanvas.export.coco import write_coco
from mycanvas.export.custom_diffusion import write_custom_diffusion
from mycanvas.export.image_folder import write_image_folder
from mycanvas.export.kohya import write_kohya
from mycanvas.export.mds import write_mds
from mycanvas.export.output import claimed, is_finished
from mycanvas.export.source import Source, open_source
from mycanvas.export.webdataset import write_webdataset
from mycanvas.export.yolo import write_yolo

FORMATS: Mapping[str, Callable[[Source, Path], None]] = {
    "coco": write_coco,
    "custom-diffusion": write_custom_diffusion,
    "imagefolder": write_image_folder,
    "kohya": write_kohya,
    "mds": write_mds,
    "webdataset": write_webdataset,
    "yolo": write_yolo,
}

NEEDS: Mapping[str, tuple[str, str, str]] = {
    "coco": ("pycocotools", "pycocotools", "export"),
    "mds": ("streaming", "mosaicml-streaming", "mds"),
}
"""What a format's writer imports: the module, its package, and the extra that brings it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What an export did. counts: scenes by split. written: false when it was all there already."""

    format: str
    output: Path
    counts: Mapping[str, int]
    written: bool


def export(folder: Path, name: str, output: Path, check: Callable[[Path], object] = lambda _: None) -> Exported:
    """Write a dataset in another format, with a progress bar on stderr.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.
        name: a key of FORMATS.
        output: a new or empty folder; or one that this export was writing when it was interrupted.
        check: called with the dataset's folder before anything is written; raises what it finds wrong.

    Raises:
        ConfigError: there is no such format.
        InputError: the dataset cannot be read.
        StoreError: the folder holds something else, or cannot be written.
        MissingExtra: the format's own package is not installed.
    """
    from tqdm import tqdm

    import mycanvas

    if name not in FORMATS:
        near = difflib.get_close_matches(name.lower(), FORMATS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(FORMATS)}"
        raise ConfigError(f"there is no format {name!r}; {hint}")
    if name in NEEDS:
        module, package, extra = NEEDS[name]
        try:
            importlib.import_module(module)
        except ImportError as error:  # of it, or of what it stands on
            raise MissingExtra(package if error.name in {module, None} else str(error.name), extra=extra) from error
    check(folder)
    source = open_source(folder)
    what = {"format": name, "dataset": source.version(), "mycanvas": mycanvas.__version__}
    if is_finished(output, what):
        return Exported(format=name, output=output, counts=source.counts, written=False)
    total = sum(source.counts.values())
    with claimed(output, what), tqdm(total=total, desc=f"exporting {name}", unit="scene") as bar:
        FORMATS[name](replace(source, passed=bar.update), output)
    return Exported(format=name, output=output, counts=source.counts, written=True)
