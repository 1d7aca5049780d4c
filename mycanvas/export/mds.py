"""MosaicML MDS: one folder of shards for each split, as StreamingDataset(local=OUT, split=...) reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mycanvas.dataset import Encoded
from mycanvas.export.source import Source

COLUMNS = {
    "image": "jpeg",
    "mask": "png",
    **dict.fromkeys(("id", "caption", "prompt", "background", "composition", "provenance"), "str"),
    **dict.fromkeys(("boxes", "concept_tokens", "class_names", "source_images", "scores", "rank"), "json"),
    "long_caption": "json",  # it may be null
}
"""Column -> MDS encoding. Readers get PIL images, Python lists and numbers."""


def write_mds(source: Source, output: Path) -> None:
    """Write the scenes of each split, in order."""
    from streaming import MDSWriter

    as_picture = _picture_type()
    for split in source.counts:
        writer = MDSWriter(columns=COLUMNS, out=os.path.abspath(output / split))  # "s3:x" alone would be a URL
        try:
            for scene in source.scenes(split):
                row = {name: getattr(scene, name) for name in COLUMNS}
                writer.write({**row, "image": as_picture(scene.image), "mask": as_picture(scene.mask)})
        except BaseException:
            writer.cancel_future_jobs()  # used as a context manager it would write the index of an incomplete split
            raise
        writer.finish()


def _picture_type() -> Callable[[Encoded], object]:
    """A PIL image type that MDSWriter accepts and that saves given bytes unchanged.

    The MDS encodings "jpeg" and "png" call the `save` of a PIL image, which would encode it again.
    """
    from PIL import Image

    class EncodedImage(Image.Image):
        def __init__(self, content: Encoded) -> None:
            super().__init__()
            self._content = content

        def save(self, fp: IO[bytes], **_: Any) -> None:  # type: ignore[override]
            fp.write(self._content)

    return EncodedImage
