"""YOLO detection: `images/<split>/`, `labels/<split>/` and `data.yaml`; a concept is a class, named by its token.

Labels are boxes, not outlines: YOLO's outlines have no holes. Use the COCO export for exact masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mycanvas.dataset import Scene
from mycanvas.export.masks import size_of
from mycanvas.export.source import Source

_HEAD = "# Trainers insist on a split for validation; the dataset has none that is held out, so val is train.\n"


def write_yolo(source: Source, output: Path) -> None:
    """Write images, labels, and last `data.yaml` with the class names."""
    import yaml

    classes = {token: number for number, token in enumerate(source.classes)}
    for split in source.counts:
        images, labels = output / "images" / split, output / "labels" / split
        for folder in (images, labels):
            folder.mkdir(parents=True, exist_ok=True)
        for scene in source.scenes(split):
            (images / f"{scene.id}.jpg").write_bytes(scene.image)
            (labels / f"{scene.id}.txt").write_text("".join(_lines(scene, classes)), encoding="utf-8")
    folders = [f"images/{split}" for split in source.counts]
    data = {"train": folders, "val": list(folders), "names": {number: token for token, number in classes.items()}}
    text = _HEAD + yaml.safe_dump(data, sort_keys=False)
    (output / "data.yaml").write_text(text, encoding="utf-8")


def _lines(scene: Scene, classes: Mapping[str, int]) -> Iterator[str]:
    """Class, centre, width and height of each object, as fractions of the image's sides."""
    width, height = size_of(scene)
    for token, (x, y, w, h) in zip(scene.concept_tokens, scene.boxes, strict=True):
        centre = (x + w / 2) / width, (y + h / 2) / height
        yield f"{classes[token]} {centre[0]:.8f} {centre[1]:.8f} {w / width:.8f} {h / height:.8f}\n"
