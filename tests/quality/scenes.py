"""Precision and recall of the filter of scenes, against labels by eye.

The labels in scenes.csv belong to the builds in scenes.toml: each is made again, of the photos that were usable when it
was judged. A label counts as long as the fingerprint of its scene is the same up to SAME bits.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

from builder.config import load_config
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.stages.layout import LAYOUTS
from builder.stages.select import Judged, SelectConfig, select
from tests.quality.careless import Careless
from tests.quality.cutouts import USABLE, grade_of
from tests.quality.cutouts import read_labels as read_cutout_labels
from tests.quality.gates import Outcome, cross_validated, format_figures, precision_of

LABELS, BUILDS = Path(__file__).with_name("scenes.csv"), Path(__file__).with_name("scenes.toml")
SAME = 6
"""Largest change of a fingerprint of 64 bits with which a label still counts; unrelated scenes differ in about 30."""
RESOLUTION = 512
SEGMENTERS = {"photo": "u2net-1", "classic": "tricut"}
"""By profile, the segmenter's name in cutouts.csv."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedScene:
    """A labelled scene. photos: ids of its objects' photos. ok: it is acceptable."""

    scene: Judged
    photos: tuple[str, ...]
    ok: bool


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


def make(spec: SceneBuild, photos: Path, u2net: Path | None, folder: Path) -> BuildFolder:
    """Build the scenes in a new folder.

    Args:
        spec: the build.
        photos: a folder with the folders concepts and backgrounds.
        u2net: the network's file, which the profile photo needs.
        folder: an empty folder for the build and its concepts.
    """
    concepts = folder / "concepts"
    _copy_concepts(photos / "concepts", concepts, spec.leave_out)
    overrides: dict[str, Any] = {
        **_network(spec, u2net),
        "concepts": str(concepts),
        "output": folder / "out",
        "samples": spec.samples,
        "seed": spec.seed,
        "resolution": RESOLUTION,
    }
    overrides["segment"] = {**overrides.get("segment", {}), "min_quality": 0.0}
    if spec.backgrounds:
        overrides["backgrounds"] = photos / "backgrounds"
    with ExitStack() as patches:
        if spec.careless:
            overrides["workers"] = 1
            patches.enter_context(mock.patch.dict(LAYOUTS, solver=Careless))
            patches.enter_context(mock.patch("builder.stages.layout.find_flaw", return_value=None))
        return build(load_config(None, spec.profile, overrides)).folder


def _copy_concepts(source: Path, target: Path, leave_out: list[str]) -> None:
    """Copy the photos, and write a concepts.toml that leaves some out."""
    tables = tomllib.loads((source / "concepts.toml").read_text(encoding="utf-8"))
    lines = []
    for name, table in tables.items():
        (target / name).mkdir(parents=True)
        for photo in sorted((source / name).iterdir()):
            shutil.copyfile(photo, target / name / photo.name)
        own = [photo.split("/")[1] for photo in leave_out if photo.startswith(f"{name}/")]
        lines += [f"[{name}]", *(f"{key} = {value!r}" for key, value in {**table, "leave_out": own}.items())]
    (target / "concepts.toml").write_text("\n".join(lines), encoding="utf-8")


def read_labels() -> dict[tuple[str, str], tuple[bool, int]]:
    """(build, scene) -> (acceptable, fingerprint)."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return {
            (row["build"], row["scene"]): (row["ok"] == "1", int(row["fingerprint"], 16))
            for row in csv.DictReader(file)
        }


def judged_scenes(
    folder: BuildFolder, name: str, labels: Mapping[tuple[str, str], tuple[bool, int]]
) -> list[JudgedScene]:
    """The scenes of a build that have a label and have not changed since."""
    found = []
    for shard, _ in folder.markers():
        for row in folder.candidates(shard, ("id", "composition", "scores", "fingerprint", "source_images")):
            ok, fingerprint = labels.get((name, row["id"]), (False, ~row["fingerprint"]))
            if (row["fingerprint"] ^ fingerprint).bit_count() <= SAME:
                judged = Judged(
                    id=row["id"], composition=row["composition"], scores=row["scores"], fingerprint=row["fingerprint"]
                )
                found.append(JudgedScene(scene=judged, photos=tuple(row["source_images"]), ok=ok))
    return found


def kept_in_force(scenes: Sequence[JudgedScene], gate: float, config: SelectConfig) -> list[bool]:
    """Whether each scene is kept: its cut-outs reach the gate, and its scores the bounds."""
    bounds = config.model_copy(update={"min_cutout": gate, "duplicate_bits": -1})
    kept = set(select([each.scene for each in scenes], bounds).kept)
    return [each.scene.id in kept for each in scenes]


def kept_cross_validated(scenes: Sequence[JudgedScene], used: Mapping[str, bool], config: SelectConfig) -> list[bool]:
    """Whether each scene is kept with limits that were chosen on others.

    Args:
        scenes: of one build.
        used: whether a photo is used with the gate chosen on the other subjects; see `gates.cross_validated`.
        config: the other bounds.
    """
    kept = []
    for each in scenes:
        others = [other for other in scenes if other.scene.composition != each.scene.composition]
        limit = chosen_limit([(other.scene.scores["proportion"] or 1.0, other.ok) for other in others])
        bounds = config.model_copy(update={"max_proportion": limit})
        kept += kept_in_force([each], 0.0, bounds) if all(used[photo] for photo in each.photos) else [False]
    return kept


def chosen_limit(values: Sequence[tuple[float, bool]]) -> float:
    """The largest limit on a score of which less is better that judges most scenes right; (value, acceptable) each."""
    ordered = sorted(values)
    right = [
        sum(ok for _, ok in ordered[:count]) + sum(not ok for _, ok in ordered[count:])
        for count in range(len(ordered) + 1)
    ]
    count = max(range(len(right)), key=lambda index: (right[index], index))
    return ordered[count][0] - 1e-6 if count < len(ordered) else inf


def print_scenes(photos: Path, u2net: Path | None) -> None:
    """Make the labelled builds and print a line for each, with the limits in force and with limits from others."""
    labels, grades = read_labels(), read_cutout_labels()
    print(f"\n{'':20} scenes labels  acceptable  kept precision recall  interval of the precision")
    for name, spec in scene_builds().items():
        if spec.profile == "photo" and u2net is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            made = make(spec, photos, u2net, Path(folder))
            scenes = judged_scenes(made, name, labels)
            segmenter = SEGMENTERS[spec.profile]
            config = load_config(None, spec.profile, {"concepts": str(photos / "concepts"), **_network(spec, u2net)})
            outcomes = {
                photo.id: Outcome(subject=photo.concept, quality=photo.quality, usable=grade >= USABLE)
                for photo in made.sources().photos
                if photo.quality is not None and (grade := grade_of(made, photo, segmenter, grades)) is not None
            }
            used = dict(zip(outcomes, cross_validated(list(outcomes.values()), precision_of(segmenter)), strict=True))
        acceptable = sum(each.ok for each in scenes) / max(1, len(scenes))
        print(f"{name:20}{spec.samples:7}{len(scenes):7}{acceptable:12.2f}", end="")
        if not scenes:
            print()
            continue
        known = [each for each in scenes if all(photo in used for photo in each.photos)]
        left = f"{'':20}{'':7}{len(known):7}{'':12}"
        print(format_figures(kept_in_force(scenes, config.min_quality(), config.select), _outcomes(scenes)))
        kept = kept_cross_validated(known, used, config.select)
        print(f"{left}{format_figures(kept, _outcomes(known))}  limits from others")


def _outcomes(scenes: Sequence[JudgedScene]) -> list[Outcome]:
    return [Outcome(subject=each.scene.composition, quality=0.0, usable=each.ok) for each in scenes]


def _network(spec: SceneBuild, u2net: Path | None) -> dict[str, Any]:
    return {"segment": {"rembg": {"model": "u2net", "file": u2net}}} if spec.profile == "photo" else {}
