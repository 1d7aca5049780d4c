"""Precision and recall of the filter of scenes, against labels by eye.

The labels in scenes.csv belong to the builds in scenes.toml: each is made again, of the photos that were usable when it
was judged. A label counts as long as the fingerprint of its scene is the same up to SAME bits.
"""

from __future__ import annotations

import csv
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from builder.config import load_config
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.stages.layout import LAYOUTS
from tests.quality.careless import Careless

LABELS, BUILDS = Path(__file__).with_name("scenes.csv"), Path(__file__).with_name("scenes.toml")
SAME = 6
"""Largest change of a fingerprint of 64 bits with which a label still counts; unrelated scenes differ in about 30."""
RESOLUTION = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneBuild:
    """A build whose scenes are labelled. leave_out: ids of photos. careless: layouts with mistakes."""

    profile: str
    seed: int
    samples: int
    backgrounds: bool
    careless: bool
    leave_out: list[str]


def scene_builds() -> dict[str, SceneBuild]:
    """The builds by name."""
    tables = tomllib.loads(BUILDS.read_text(encoding="utf-8"))
    return {name: SceneBuild(**table) for name, table in tables.items()}


def make(wanted: SceneBuild, photos: Path, u2net: Path | None, folder: Path) -> BuildFolder:
    """Build the scenes in a new folder.

    Args:
        wanted: the build.
        photos: a folder with the folders concepts and backgrounds.
        u2net: the network's file, which the profile photo needs.
        folder: an empty folder for the build and its concepts.
    """
    concepts = folder / "concepts"
    _copy_concepts(photos / "concepts", concepts, wanted.leave_out)
    overrides: dict[str, Any] = {
        "concepts": str(concepts),
        "output": folder / "out",
        "samples": wanted.samples,
        "seed": wanted.seed,
        "resolution": RESOLUTION,
        "segment": {"min_quality": 0.0},
    }
    if wanted.backgrounds:
        overrides["backgrounds"] = photos / "backgrounds"
    if wanted.profile == "photo":
        overrides["segment"]["rembg"] = {"model": "u2net", "file": u2net}
    with ExitStack() as patches:
        if wanted.careless:
            overrides["workers"] = 1
            patches.enter_context(mock.patch.dict(LAYOUTS, solver=Careless))
            patches.enter_context(mock.patch("builder.stages.layout.find_flaw", return_value=None))
        return build(load_config(None, wanted.profile, overrides)).folder


def _copy_concepts(source: Path, target: Path, leave_out: list[str]) -> None:
    """Link the photos, and write a concepts.toml that leaves some out."""
    tables = tomllib.loads((source / "concepts.toml").read_text(encoding="utf-8"))
    lines = []
    for name, table in tables.items():
        (target / name).mkdir(parents=True)
        for photo in sorted((source / name).iterdir()):
            shutil.copyfile(photo, target / name / photo.name)
        own = [photo.split("/")[1] for photo in leave_out if photo.startswith(f"{name}/")]
        lines += [f"[{name}]", *(f"{key} = {value!r}" for key, value in {**table, "leave_out": own}.items())]
    (target / "concepts.toml").write_text("\n".join(lines), encoding="utf-8")


def read_labels() -> Iterator[dict[str, str]]:
    """The rows of scenes.csv."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
