"""Do the scores fall when they should? A dataset's own scenes, spoilt object by object, with its own boxes.

Run: python -m tests.mycanvas.metrics.sensitivity mycanvas_data docs/metrics_sensitivity.svg

The encoder is one that anyone can recompute: histograms of colours and edges. What is spoilt is a picture's pixels; the
boxes stay where they were, so that nothing falls only because a detector missed it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mycanvas.dataset import Dataset, open_dataset
from mycanvas.errors import ConfigError
from mycanvas.io.images import Rgb, decode_rgb, encode_png
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.pictures import Picture, dataset_pictures
from mycanvas.metrics.references import encode_references
from mycanvas.metrics.settings import Settings
from mycanvas.models.checkpoint import Picture as Pixels
from mycanvas.models.checkpoint import as_rgb
from mycanvas.models.detectors import Detection
from mycanvas.models.encoders import Embeddings
from tests.mycanvas.metrics.fakes import FixedDetector

SIDE = 64
SCORES = ("cp_clip", "identity", "recall")
LEAST, MOST_SPOILT = 3, 3
"""Scenes with so many objects are used, and so many of their objects are spoilt, at most."""
COUNTS = range(1, MOST_SPOILT + 1)

Window = tuple[slice, slice]
"""Rows and columns of a box."""
Spoil = Callable[[Rgb, Sequence[Window], int, Sequence[Rgb]], Rgb]
"""picture, its objects' boxes, how many of them to spoil, pictures of other objects -> the spoilt picture."""


class Histograms:
    """An encoder: histograms of a picture's Lab colours and edge directions, weighted towards its centre."""

    logit_scale = None

    def images(self, pictures: Sequence[Pixels]) -> Embeddings:
        rows = np.array([_histograms(as_rgb(picture)) for picture in pictures]).reshape(len(pictures), -1)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        raise ConfigError(f"histograms see pictures only, got {len(texts)} texts")


def _histograms(pixels: Rgb) -> NDArray[np.float64]:
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    away = np.linspace(-1, 1, SIDE)
    weight = np.exp(-2 * (away[:, None] ** 2 + away[None] ** 2)).ravel()
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)
    colours, _ = np.histogramdd(lab, bins=(4, 12, 12), range=((0, 256), (70, 190), (70, 190)), weights=weight)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(x, y).ravel() * weight
    edges, _ = np.histogram(np.arctan2(y, x).ravel() % np.pi, bins=8, range=(0, np.pi), weights=strength)
    # Hellinger: the square root of a histogram that sums to 1 has length 1.
    return np.concatenate([np.sqrt(colours.ravel() / colours.sum()), 0.3 * np.sqrt(edges / max(edges.sum(), 1e-9))])


def removed(pixels: Rgb, boxes: Sequence[Window], count: int, _: Sequence[Rgb]) -> Rgb:
    """The first `count` objects painted over with what is around them."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    for window in boxes[:count]:
        mask[window] = 255
    return cv2.inpaint(pixels, mask, 5, cv2.INPAINT_TELEA) if count else pixels


def swapped(pixels: Rgb, boxes: Sequence[Window], count: int, _: Sequence[Rgb]) -> Rgb:
    """The first `count` objects each in the place of the next; of one alone, nothing changes."""
    crops = [pixels[window] for window in boxes[:count]]
    return _pasted(pixels, boxes[:count], [*crops[1:], *crops[:1]])


def replaced(pixels: Rgb, boxes: Sequence[Window], count: int, others: Sequence[Rgb]) -> Rgb:
    """The first `count` objects each by another object, which the scene should not show."""
    return _pasted(pixels, boxes[:count], others)


WAYS: Mapping[str, Spoil] = {"removed": removed, "swapped": swapped, "replaced": replaced}


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Mean scores of scenes of which 0, 1, 2 ... objects are spoilt, by the scores' names."""

    scenes: int
    means: Mapping[str, tuple[float, ...]]


def measure(dataset: Dataset, most_scenes: int = 100) -> dict[str, Curve]:
    """The effect of each way of spoiling on the scores, on scenes whose objects all have different classes."""
    concepts = dataset.concepts()
    scenes = [
        scene
        for scene in dataset_pictures(dataset, concepts)
        if len({concept.class_name for concept in scene.concepts}) == len(scene.concepts) >= LEAST
    ][:most_scenes]
    encoder, settings = Histograms(), Settings(references="masked")
    references = encode_references(concepts.values(), encoder, settings)
    pictures = {scene.id: decode_rgb(scene.read()) for scene in scenes}

    def mean_scores(pixels: Sequence[Rgb]) -> dict[str, float]:
        shown = [_showing(scene, picture) for scene, picture in zip(scenes, pixels, strict=True)]
        boxes = zip(pixels, map(_own_boxes, scenes), strict=True)
        detector = FixedDetector({picture.tobytes(): found for picture, found in boxes})
        found = evaluate(shown, references, encoder, detector, settings).pictures
        return {score: float(np.mean([picture.scores[score] for picture in found])) for score in SCORES}

    whole, curves = mean_scores(list(pictures.values())), {}
    for name, spoil in WAYS.items():
        spoilt = ([_spoilt(scene, scenes, pictures, spoil, count) for scene in scenes] for count in COUNTS)
        means = [whole, *map(mean_scores, spoilt)]
        values = {score: tuple(mean[score] for mean in means) for score in SCORES}
        curves[name] = Curve(scenes=len(scenes), means=values)
    return curves


def _showing(scene: Picture, pixels: Rgb) -> Picture:
    file = encode_png(pixels)
    return replace(scene, read=lambda: file)


def _spoilt(scene: Picture, scenes: Sequence[Picture], pictures: Mapping[str, Rgb], spoil: Spoil, count: int) -> Rgb:
    strangers = {}
    for other in scenes:
        for concept, window in zip(other.concepts, _windows(other), strict=True):
            if concept not in scene.concepts:
                strangers.setdefault(concept.name, pictures[other.id][window])
    return spoil(pictures[scene.id], _windows(scene), count, list(strangers.values()))


def _own_boxes(scene: Picture) -> list[Detection]:
    boxes = zip(scene.concepts, scene.boxes or (), strict=True)
    return [Detection(label=concept.class_name, box=box, score=1.0) for concept, box in boxes]


def _windows(scene: Picture) -> list[Window]:
    return [
        (slice(int(y), int(np.ceil(y + height))), slice(int(x), int(np.ceil(x + width))))
        for x, y, width, height in scene.boxes or ()
    ]


def _pasted(pixels: Rgb, windows: Sequence[Window], objects: Sequence[Rgb]) -> Rgb:
    changed = pixels.copy()
    for window, other in zip(windows, objects, strict=False):
        height, width = changed[window].shape[:2]
        changed[window] = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
    return changed


INKS = {"cp_clip": ("#0b5c8c", "", "CP-CLIP"), "identity": ("#a8320a", "7 4", "identity")}
"""Colour and dashes of each line: distinct in grey, too."""
WIDE, HIGH, LEFT, TOP = 210, 170, 50, 56


def as_svg(curves: Mapping[str, Curve], about: str) -> str:
    """The curves, one panel for each way of spoiling."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + len(curves) * (WIDE + 20)} {TOP + HIGH + 62}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1c2430" role="img">',
        f"<title>{about}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for number, (way, curve) in enumerate(curves.items()):
        left = LEFT + number * (WIDE + 20)
        parts.append(f'<text x="{left + WIDE / 2}" y="{TOP - 12}" text-anchor="middle" font-weight="600">{way}</text>')
        for tick in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
            y = _y(tick)
            parts.append(f'<path d="M{left} {y}h{WIDE}" stroke="#d5dae1"/>')
            if not number:
                parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:.1f}</text>')
        for count in range(MOST_SPOILT + 1):
            x = _x(left, count)
            parts.append(f'<text x="{x}" y="{TOP + HIGH + 18}" text-anchor="middle">{count}</text>')
        for score, (ink, dashes, _) in INKS.items():
            points = " ".join(f"{_x(left, i):.1f},{_y(value):.1f}" for i, value in enumerate(curve.means[score]))
            line = f'fill="none" stroke="{ink}" stroke-width="2.5" stroke-dasharray="{dashes}"'
            parts.append(f'<polyline points="{points}" {line}/>')
    for index, (ink, dashes, name) in enumerate(INKS.values()):
        x = LEFT + 130 * index
        parts.append(f'<path d="M{x} 18h30" stroke="{ink}" stroke-width="2.5" stroke-dasharray="{dashes}"/>')
        parts.append(f'<text x="{x + 38}" y="22">{name}</text>')
    middle = LEFT + len(curves) * (WIDE + 20) / 2
    parts.append(f'<text x="{middle}" y="{TOP + HIGH + 44}" text-anchor="middle">objects spoilt in each scene</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(left: float, count: int) -> float:
    return left + 12 + count * (WIDE - 24) / MOST_SPOILT


def _y(value: float) -> float:
    return round(TOP + HIGH * (0.72 - value) / 0.57, 1)


def main() -> None:
    """Measures a dataset, prints the numbers and draws the plot where a second path is given."""
    curves = measure(open_dataset(Path(sys.argv[1])))
    for way, curve in curves.items():
        for score, values in curve.means.items():
            print(f"{way:<10}{score:<10}" + "".join(f"{value:8.3f}" for value in values), f"  {curve.scenes} scenes")
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(as_svg(curves, "Scores of scenes whose objects are removed, swapped or replaced"))


if __name__ == "__main__":
    main()
