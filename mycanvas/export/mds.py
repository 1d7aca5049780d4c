"""MosaicML MDS: a folder of shards for each split, as StreamingDataset(local=OUT, split=...) reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mycanvas.export.source import Source

COLUMNS = {
    "image": "jpeg",
    "mask": "png",
    **dict.fromkeys(("id", "caption", "prompt", "background", "composition", "provenance"), "str"),
    **dict.fromkeys(("boxes", "concept_tokens", "class_names", "source_images", "scores", "rank"), "json"),
}
"""Name -> MDS encoding. Readers get PIL images, and Python's lists and numbers."""


def write_mds(source: Source, output: Path) -> None:
    """Write the scenes of each split, in their order."""
    from streaming import MDSWriter

    pictured = _pictured()
    for split in source.counts:
        shutil.rmtree(output / split, ignore_errors=True)  # the writer refuses what an interrupted run left
        writer = MDSWriter(columns=COLUMNS, out=str(output / split))
        try:
            for scene in source.scenes(split):
                row = {name: getattr(scene, name) for name in COLUMNS}
                writer.write({**row, "image": pictured(scene.image), "mask": pictured(scene.mask)})
        except BaseException:
            writer.cancel_future_jobs()  # as a context it would write the index of a part, which reads as a whole
            raise
        writer.finish()


def _pictured() -> Callable[[memoryview], object]:
    """Makes of encoded bytes what MDSWriter accepts as a picture.

    Its encodings "jpeg" and "png" ask a PIL image to save itself; this one saves the very bytes.
    """
    from PIL import Image

    class Encoded(Image.Image):
        def __init__(self, content: memoryview) -> None:
            super().__init__()
            self._content = content

        def save(self, fp: IO[bytes], **_: Any) -> None:  # type: ignore[override]
            fp.write(self._content)

    return Encoded
