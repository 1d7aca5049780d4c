"""Pictures in memory, and a fake encoder and detector that compute or look up their results quickly."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from mycanvas.dataset import Concept, Photo
from mycanvas.io.images import Rgb
from mycanvas.metrics.pictures import Picture
from mycanvas.models.checkpoint import Picture as Pixels
from mycanvas.models.checkpoint import as_rgb
from mycanvas.models.detectors import Detection
from mycanvas.models.encoders import Embeddings

DIMENSIONS = 16


class Colours:
    """An encoder: means and spreads of a picture's colours, and its size, turned at random; counts what it encodes."""

    def __init__(self, *, reads: bool = True) -> None:
        self.logit_scale = 100.0 if reads else None
        self.seen: list[bytes] = []
        self._turn = np.random.default_rng(7).normal(size=(8, DIMENSIONS))

    def images(self, pictures: Sequence[Pixels]) -> Embeddings:
        rows = [as_rgb(picture) for picture in pictures]
        self.seen += [row.tobytes() for row in rows]
        return _unit([self._row(pixels) for pixels in rows])

    def texts(self, texts: Sequence[str]) -> Embeddings:
        return _unit([np.random.default_rng(list(text.encode())).normal(size=DIMENSIONS) for text in texts])

    def _row(self, pixels: Rgb) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        flat = pixels.reshape(-1, 3) / 255
        plain = [*(flat.mean(axis=0) - 0.5), *(flat.std(axis=0) - 0.3), pixels.shape[0] / 64, pixels.shape[1] / 64]
        turned: np.ndarray[tuple[int], np.dtype[np.float64]] = np.array(plain) @ self._turn
        return turned


class FixedDetector:
    """A detector that returns given boxes, by a picture's pixels."""

    def __init__(self, boxes: Mapping[bytes, Sequence[Detection] | None]) -> None:
        self._boxes = boxes
        self.batches: list[int] = []

    def detect(
        self, pictures: Sequence[Pixels], labels: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[Detection] | None]:
        self.batches.append(len(pictures))
        found = [self._boxes[as_rgb(picture).tobytes()] for picture in pictures]
        return [
            None if boxes is None else [box for box in boxes if box.label in names]
            for boxes, names in zip(found, labels, strict=True)
        ]


def png(pixels: Rgb) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def concept(name: str, *photos: Rgb, class_name: str | None = None) -> Concept:
    files = [png(pixels) for pixels in photos]
    return Concept(
        name=name,
        token=f"<{name}>",
        class_name=class_name or name.rstrip("0123456789"),
        photos=tuple(Photo(id=f"{name}/{i}", concept=name, image=file) for i, file in enumerate(files)),
    )


def picture(name: str, concepts: Sequence[Concept], pixels: Rgb, background: str | None = "in a garden") -> Picture:
    file = png(pixels)
    objects = " and ".join(f"a {one.token} {one.class_name}" for one in concepts)
    return Picture(
        id=name, concepts=tuple(concepts), prompt=f"{objects} {background}", background=background, read=lambda: file
    )


def _unit(rows: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> Embeddings:
    found = np.array(rows, np.float64).reshape(-1, DIMENSIONS)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
