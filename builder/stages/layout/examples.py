"""Example scenes with boxes, which the prompt shows a language model before asking for boxes of its own."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.stages.layout.base import min_area
from mycanvas.errors import InputError
from mycanvas.io.files import os_errors
from mycanvas.io.regular import read_regular
from mycanvas.io.text import brief_repr

SHOWN = 3
"""Number of examples in one prompt."""
READ = 300
"""Largest number of examples read from a COCO dataset."""
LARGEST_OVERLAP = 0.1
"""Largest fraction of the smaller box that another may cover in a COCO example: replies must keep boxes apart, too."""
LARGEST_FILE = 1 << 30
"""Largest file that is read, in bytes; COCO's largest, instances_train2017.json, has 449 MB."""

Part = tuple[float, float, float, float]
"""A box in fractions of the picture: x, y, width and height from 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A scene with its boxes.

    where: the scene in words. boxes: an object's name ("dog2") -> its class noun ("dog") and its box.
    """

    where: str
    boxes: Mapping[str, tuple[str, Part]]


def _example(where: str, **boxes: Part) -> Example:
    named = {name: (name.rstrip("0123456789").replace("_", " "), box) for name, box in boxes.items()}
    return Example(where=where, boxes=named)


BUILT_IN = (
    _example("on a wooden table", mug=(0.10, 0.52, 0.24, 0.27)),
    _example("in a garden", dog=(0.08, 0.38, 0.33, 0.46), ball=(0.52, 0.66, 0.22, 0.22)),
    _example("on a beach", chair=(0.55, 0.30, 0.34, 0.50), cooler=(0.10, 0.56, 0.32, 0.30)),
    _example(
        "on the grass", dog=(0.05, 0.34, 0.28, 0.48), dog2=(0.66, 0.36, 0.29, 0.50), kite=(0.37, 0.62, 0.25, 0.25)
    ),
    _example(
        "on a kitchen floor",
        bucket=(0.07, 0.42, 0.26, 0.34),
        broom=(0.40, 0.16, 0.16, 0.64),
        cat=(0.62, 0.52, 0.30, 0.36),
    ),
    _example(
        "in a living room",
        lamp=(0.06, 0.18, 0.17, 0.58),
        armchair=(0.27, 0.34, 0.36, 0.46),
        teddy_bear=(0.67, 0.58, 0.20, 0.28),
        vase=(0.84, 0.48, 0.13, 0.30),
    ),
    _example(
        "on a terrace",
        table=(0.34, 0.36, 0.30, 0.34),
        chair=(0.06, 0.32, 0.24, 0.42),
        chair2=(0.70, 0.32, 0.24, 0.42),
        watering_can=(0.12, 0.78, 0.20, 0.16),
        pot=(0.60, 0.76, 0.16, 0.18),
    ),
)
"""Our own examples, made by eye: no object leaves the picture, lower ones are nearer, neighbours keep apart."""


def read_examples(folder: Path | None) -> tuple[Example, ...]:
    """Read examples from COCO's instances_*.json and captions_*.json in a folder; without a folder, return our own.

    Of several pairs of files the smallest is read. A picture is used if its annotations satisfy the rules for replies:
    1 to 5 objects, each at least as large as the paper's minimum, none overlapping by more than LARGEST_OVERLAP.

    Raises:
        InputError: the folder has no pair of files, the files cannot be read, or no picture in them can be used.
    """
    if folder is None:
        return BUILT_IN
    instances, captions = _pair(folder)
    try:
        annotated, described = _read(instances), _read(captions)
        found = list(_pictures(annotated, described))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(
            f"{instances} and {captions.name} are not COCO's annotations: {brief_repr(error, 200)}"
        ) from error
    if not found:
        raise InputError(f"no picture in {instances} has 1 to 5 large objects apart from each other, and a caption")
    # Evenly from the whole file, whose beginning may show only one kind of object.
    step = max(1, len(found) // READ)
    return tuple(found[::step][:READ])


def digest_of_examples(folder: Path) -> str:
    """A SHA-256 digest, in hexadecimal, of the files that `read_examples` reads in a folder.

    Raises:
        InputError: the folder has no pair of files.
    """
    return hashlib.sha256(b"".join(map(_digest, _pair(folder)))).hexdigest()


def _digest(file: Path) -> bytes:
    with os_errors(file, "read"), file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _pair(folder: Path) -> tuple[Path, Path]:
    with os_errors(folder, "read"):
        pairs = [
            (instances, captions)
            for instances in sorted(folder.glob("instances_*.json"))
            if (captions := instances.with_name(instances.name.replace("instances_", "captions_", 1))).is_file()
        ]
        if not pairs:
            raise InputError(f"no instances_*.json with its captions_*.json in {folder}; correct layout.llm.examples")
        return min(pairs, key=lambda pair: pair[0].stat().st_size)


def _read(file: Path) -> Any:
    with os_errors(file, "read"):
        if file.stat().st_size > LARGEST_FILE:
            raise InputError(f"{file} has more than {LARGEST_FILE >> 20} MB; give a smaller one in layout.llm.examples")
        return json.loads(read_regular(file))


def _pictures(annotated: Any, described: Any) -> Iterator[Example]:
    classes = {category["id"]: str(category["name"]) for category in annotated["categories"]}
    words: dict[Any, str] = {}
    for caption in described["annotations"]:
        words.setdefault(caption["image_id"], " ".join(str(caption["caption"]).split()))
    objects: defaultdict[Any, list[Any]] = defaultdict(list)
    for annotation in annotated["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    for picture in annotated["images"]:
        present = objects[picture["id"]]
        if picture["id"] not in words or not 1 <= len(present) <= 5 or any(each.get("iscrowd") for each in present):
            continue
        # Each side by itself: the picture takes the shape of the canvas that is asked for.
        parts = [_part(each["bbox"], float(picture["width"]), float(picture["height"])) for each in present]
        if _can_be_used(parts):
            nouns = [classes[each["category_id"]] for each in present]
            yield Example(where=words[picture["id"]], boxes=_named(nouns, parts))


def _part(box: Sequence[float], width: float, height: float) -> Part:
    x, y, w, h = map(float, box)
    return x / width, y / height, w / width, h / height


def _can_be_used(parts: Sequence[Part]) -> bool:
    for x, y, w, h in parts:
        whole = all(map(math.isfinite, (x, y, w, h))) and min(x, y) >= 0 and max(x + w, y + h) <= 1 + 1e-6
        if not whole or w * h < min_area(len(parts), 1, 1):
            return False
    return all(
        _overlap(one, other) <= LARGEST_OVERLAP for index, one in enumerate(parts) for other in parts[index + 1 :]
    )


def _overlap(one: Part, other: Part) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0) / min(one[2] * one[3], other[2] * other[3])


def _named(classes: Sequence[str], parts: Sequence[Part]) -> dict[str, tuple[str, Part]]:
    """Number the names of objects of one class: "dog", "dog2"."""
    named: dict[str, tuple[str, Part]] = {}
    for noun, part in zip(classes, parts, strict=True):
        same = sum(other == noun for other, _ in named.values())
        named[f"{noun}{same + 1}" if same else noun] = (noun, part)
    return named
