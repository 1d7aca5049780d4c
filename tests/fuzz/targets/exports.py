"""Exports of datasets whose rows come from anywhere: names, captions and credits may be any text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import datasets
import yaml
from PIL import Image

from mycanvas.export import FORMATS, export
from mycanvas.export.selection import Selection
from mycanvas.schema import SCORES, concepts_schema, dataset_schema
from tests.fuzz.draws import name, text
from tests.fuzz.target import Target, require
from tests.mycanvas.conftest import encoded, write_shard
from tests.mycanvas.export.conftest import CARD, photo_row, picture, square

TRIED = sorted(set(FORMATS) - {"mds", "layers"})
"""mds needs a package of its own, and layers a build."""
READERS = {".json": json.loads, ".toml": tomllib.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load}


def targets(scratch: Path) -> Iterator[Target]:
    """The targets of this file; `scratch` is an empty folder."""
    folder = scratch / "exports"
    yield Target(name="exports", draw=_draw, check=lambda given: _check(folder, *given), inputs=2_000, seconds=60.0)


def _draw(random: Random) -> tuple[str, dict[str, str]]:
    fields = ("concept", "photo", "token", "noun", "caption", "background", "composition", "attribution")
    words = {field: text(random, most=3) if random.random() < 0.5 else name(random) for field in fields}
    if random.random() < 0.7:
        words |= {"token": "<dog6>", "caption": f"a {words['noun']} {words['background']}"}
    return random.choice(TRIED), words


def _check(folder: Path, form: str, words: dict[str, str]) -> None:
    """Files are written to the output folder only, and those that programs read can be read."""
    shutil.rmtree(folder, ignore_errors=True)
    source, output = folder / "source", folder / "output"
    _write(source, words)
    with patch.object(datasets.config, "HF_DATASETS_CACHE", folder / "cache"):
        try:
            export(source, form, output, Selection())
        finally:
            require(set(os.listdir(folder)) <= {"source", "output", "cache"}, "nothing is written elsewhere")
    found = [path for path in output.rglob("*") if not path.is_dir()]
    require(found, "an export has files")
    for path in found:
        require(path.is_file() and not path.is_symlink(), "an export has regular files only")
        require(path.resolve().is_relative_to(output.resolve()), "files are in the output folder")
        if path.suffix in READERS:
            READERS[path.suffix](path.read_text(encoding="utf-8"))
        if path.suffix == ".jsonl":
            require(
                all(isinstance(json.loads(line), dict) for line in path.read_text("utf-8").split("\n") if line), "rows"
            )
        if path.suffix == ".sh":
            checked = subprocess.run(["sh", "-n", path], check=False, capture_output=True)  # noqa: S607
            require(checked.returncode == 0, "scripts are valid")


def _write(folder: Path, words: dict[str, str]) -> None:
    image, mask = Image.new("RGB", (16, 12), "grey"), Image.new("P", (16, 12), 1)
    scene: dict[str, Any] = {
        "id": "s0",
        "image": picture(encoded(image, "JPEG")),
        "mask": picture(encoded(mask, "PNG")),
        "caption": words["caption"],
        "prompt": words["caption"].replace(words["noun"], f"{words['token']} {words['noun']}", 1),
        "long_caption": words["caption"],
        "boxes": [[0, 0, 16, 12]],
        "concept_tokens": [words["token"]],
        "class_names": [words["noun"]],
        "background": words["background"],
        "composition": words["composition"],
        "num_objects": 1,
        "source_images": [f"{words['concept']}/{words['photo']}"],
        "scores": dict.fromkeys(SCORES, 0.5),
        "rank": None,
        "provenance": "{}",
    }
    own = {"concept": words["concept"], "concept_token": words["token"], "class_name": words["noun"]}
    credit = {"attribution": words["attribution"], "mask": square()}
    photos = [photo_row(f"{words['concept']}/{number}{words['photo']}", **own, **credit) for number in ("", "1")]
    write_shard(folder / "data/objects_le3-00000-of-00001.arrow", [scene], dataset_schema())
    write_shard(folder / "concepts/train-00000-of-00001.arrow", photos, concepts_schema())
    (folder / "README.md").write_text(CARD)
