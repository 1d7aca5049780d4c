"""The labels of scenes, and the choice of a limit."""

from __future__ import annotations

from math import inf

from builder.stages.select import Judged, SelectConfig
from tests.quality.scenes import (
    JudgedScene,
    chosen_limit,
    kept_cross_validated,
    kept_in_force,
    read_labels,
    scene_builds,
)


def judged(name: str, composition: str, *, ok: bool, **scores: float) -> JudgedScene:
    scene = Judged(id=name, composition=composition, scores={"cutout": 0.9, "proportion": 1.0, **scores}, fingerprint=0)
    return JudgedScene(scene=scene, photos=tuple(f"{part}/0.jpg" for part in composition.split("+")), ok=ok)


def test_every_label_belongs_to_a_build() -> None:
    labels = read_labels()

    assert len(labels) >= 200
    assert {build for build, _ in labels} == set(scene_builds())


def test_limit_judges_most_scenes_right() -> None:
    values = [(1.0, True), (1.2, True), (1.5, False), (1.6, True), (2.0, False), (2.4, False)]

    assert 1.6 < chosen_limit(values) < 2.0
    assert chosen_limit([(1.0, True), (3.0, True)]) == inf


def test_scenes_are_kept_with_the_gate_and_the_bounds() -> None:
    scenes = [
        judged("good", "a+b", ok=True),
        judged("bad cut-out", "a+b", ok=False, cutout=0.7),
        judged("too large", "a+b", ok=False, proportion=2.5),
    ]

    assert kept_in_force(scenes, 0.8, SelectConfig()) == [True, False, False]


def test_a_composition_is_judged_with_the_limits_of_the_others() -> None:
    scenes = [
        judged("first", "a+b", ok=True, proportion=2.5),
        judged("second", "c+d", ok=False, proportion=2.0),
        judged("third", "c+d", ok=True, proportion=1.2),
    ]
    used = {f"{name}/0.jpg": True for name in "abcd"}

    assert kept_cross_validated(scenes, used, SelectConfig()) == [False, True, True]
    assert kept_cross_validated(scenes, {**used, "c/0.jpg": False}, SelectConfig()) == [False, False, False]
