"""Scenes of noise, a fake encoder and a fake detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.records import (
    Background,
    BackgroundRef,
    Box,
    Canvas,
    Captioned,
    Concept,
    Cutout,
    Layout,
    Placement,
    Sample,
    Scene,
    Setting,
)
from mycanvas.models.checkpoint import Picture
from mycanvas.models.detectors import Detection
from mycanvas.models.encoders import Embeddings

SIDE = 128

DOG, CAT = (10.0, 20.0, 40.0, 40.0), (70.0, 20.0, 30.0, 60.0)


def scene(nouns: Sequence[str] = ("dog", "cat"), boxes: Sequence[Box] = (DOG, CAT), seed: int = 0) -> Captioned:
    """A scene of noise; each object has a cut-out of its box's size."""
    draw = np.random.default_rng(seed)
    image = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for value, (x, y, width, height) in enumerate(boxes, start=1):
        mask[int(y) : int(y + height), int(x) : int(x + width)] = value
    cutouts = tuple(
        Cutout(
            photo_id=f"{noun}/0.jpg",
            rgba=draw.integers(0, 256, (int(height), int(width), 4), dtype=np.uint8),
            quality=0.9,
        )
        for noun, (_, _, width, height) in zip(nouns, boxes, strict=True)
    )
    concepts = tuple(
        Concept(name=f"{noun}{i}", token=f"<{noun}{i}>", class_noun=noun, height_cm=None, photos=())
        for i, noun in enumerate(nouns)
    )
    sample = Sample(
        id=f"s{seed}",
        concepts=concepts,
        photo_ids=tuple(cutout.photo_id for cutout in cutouts),
        background=BackgroundRef(scene="room", phrase="in a room"),
    )
    setting = Setting(
        sample=sample, cutouts=cutouts, background=Background(pixels=np.zeros_like(image), horizon=0.4, ground=0.5)
    )
    places = tuple(Placement(x=int(x), y=int(y), width=int(w), height=int(h), depth=0.0) for x, y, w, h in boxes)
    layout = Layout(setting=setting, placements=places)
    canvas = Canvas(layout=layout, layers=(), mask=mask, boxes=tuple(boxes), visible=(1.0,) * len(boxes))
    return Captioned(scene=Scene(canvas=canvas, image=image), caption=f"A dog and a cat {seed}.", prompt="")


def unit(rows: NDArray[np.float64]) -> Embeddings:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class FakeEncoder:
    """Encodes a picture as 6 x 6 grey cells, and a text as noise seeded by its bytes."""

    def __init__(self, logit_scale: float | None = 10.0) -> None:
        self.logit_scale = logit_scale
        self.encoded = 0

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        self.encoded += len(pictures)
        cells = [np.asarray(Image.fromarray(np.asarray(each)).convert("L").resize((6, 6))) for each in pictures]
        return unit(np.array(cells, np.float64).reshape(-1, 36) - 128)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        assert self.logit_scale is not None, "this encoder reads no text"
        return unit(np.array([np.random.default_rng(list(text.encode())).normal(size=36) for text in texts]))


class FakeDetector:
    """Returns given detections for each picture, and records the labels."""

    def __init__(self, *found: Sequence[Detection] | None) -> None:
        self.found = found
        self.labels: list[list[str]] = []

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[Detection] | None]:
        self.labels += [list(names) for names in labels]
        return [self.found[0]] * len(pictures) if len(self.found) == 1 else self.found


def hit(label: str, box: Box, certainty: float = 0.9) -> Detection:
    return Detection(label=label, box=box, score=certainty)
