"""The fitted acceptance score: simulated raters with a known bound, random ranks, and too little to fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mycanvas.errors import InputError
from mycanvas.ratings.acceptance import AcceptanceFit, RankedScene, fit_acceptance, folds
from tests.mycanvas.ratings.raters import INTERCEPT, WEIGHTS, known_bound, rated


def contains(fit: AcceptanceFit, bound: float) -> bool:
    low, high = fit.bound_fit.bound_interval
    return low is not None and low <= bound and (high is None or bound < high + 0.01)  # bounds are steps of 0.01


def refused(scenes: Sequence[RankedScene]) -> bool:
    try:
        fit_acceptance(scenes, 0.9)
    except InputError as error:
        return "does not predict what people accept" in str(error)
    return False


def test_interval_of_the_bound_contains_the_known_one() -> None:
    known = known_bound(0.9)
    fits = [fit_acceptance(rated(seed, 300, 30), 0.9) for seed in range(12)]

    assert 0.6 < known < 0.9
    assert sum(contains(fit, known) for fit in fits) >= 11
    assert all(fit.bound_fit.auc_interval[0] > 0.6 for fit in fits)


def test_weights_of_many_scenes_are_the_known_ones() -> None:
    fit = fit_acceptance(rated(0, 4000, 40), 0.9)

    for name, weight in WEIGHTS.items():
        assert fit.weights.get(name, 0.0) == pytest.approx(weight, abs=0.5)
    assert fit.intercept == pytest.approx(INTERCEPT, abs=0.3)
    assert fit.bound == pytest.approx(known_bound(0.9), abs=0.06)
    assert fit.left_out["cutout"] == "the same in every scene"
    assert fit.left_out["identity"] == fit.left_out["found"] == "not measured"


@pytest.mark.parametrize("seed", range(8))
def test_random_ranks_are_refused_with_the_figure(seed: int) -> None:
    with pytest.raises(
        InputError,
        match=r"its AUC is 0\.\d\d \(95 % interval 0\.\d\d to 0\.\d\d\), and that of chance is 0\.50; .* Nothing was",
    ):
        fit_acceptance(rated(seed, 150, 20, at_random=True), 0.9)


@pytest.mark.long
def test_rates_of_many_simulations() -> None:
    known = known_bound(0.9)
    rates = {}
    for scenes, compositions in ((100, 5), (100, 20), (300, 30), (1000, 40)):
        covered = found = random = 0
        for seed in range(200):
            try:
                covered += contains(fit_acceptance(rated(seed, scenes, compositions), 0.9), known)
                found += 1
            except InputError as error:
                assert "no bound on acceptance reaches" in str(error)  # noqa: PT017
            random += refused(rated(seed, scenes, compositions, at_random=True))
        rates[scenes, compositions] = covered / found
        print(f"{scenes} scenes of {compositions} compositions: bound covered {covered / found:.1%} of {found} fits,")
        print(f"  random ranks refused {random / 200:.1%}")
        assert random / 200 > 0.9
    assert min(rates.values()) > 0.88


def test_weight_against_the_known_direction_is_zero() -> None:
    scenes = [
        replace(scene, scores={**scene.scores, "size": 1 - (scene.scores["visible"] or 0)})
        for scene in rated(1, 300, 20)
    ]
    scenes = [replace(scene, scores={**scene.scores, "visible": 0.5}) for scene in scenes]

    fit = fit_acceptance(scenes, 0.7)

    assert fit.left_out["size"] == "no effect in its known direction"
    assert set(fit.weights) <= {"sharpness", "overlap", "seam", "exposure"}


def test_value_that_one_scene_lacks_counts_as_the_mean() -> None:
    scenes = rated(2, 300, 20)
    scenes[0] = replace(scenes[0], scores={**scenes[0].scores, "visible": None})

    assert fit_acceptance(scenes, 0.9).weights["visible"] > 0


def test_fit_is_the_same_each_time_and_for_any_order() -> None:
    scenes = rated(3, 200, 20)

    assert fit_acceptance(scenes, 0.9) == fit_acceptance(scenes, 0.9)


def test_folds_keep_compositions_together_and_are_of_similar_size() -> None:
    groups = [f"c{index % 23}" for index in range(230)]
    found = folds(groups, 0)

    assert all(len({fold for fold, name in zip(found, groups, strict=True) if name == each}) == 1 for each in groups)
    assert sorted(list(found).count(fold) for fold in range(5)) == [40, 40, 50, 50, 50]


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        (rated(0, 99, 20), "99 ranked scenes; expected at least 100: rank more with mycanvas review"),
        ([], "0 ranked scenes; expected at least 100"),
        ([replace(scene, accepted=True) for scene in rated(0, 120, 20)], "of 120 ranked scenes 120 are accepted"),
        (rated(0, 120, 4), "of 4 compositions; expected at least 5"),
        (
            [replace(scene, accepted=scene.composition == "c0") for scene in rated(0, 200, 8)],
            "all accepted, or all refused, scenes are of a few compositions",
        ),
        ([replace(scene, scores={"cutout": 1.0}) for scene in rated(0, 120, 20)], "there is nothing to fit"),
    ],
)
def test_too_little_to_fit_is_refused(scenes: list[RankedScene], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        fit_acceptance(scenes, 0.9)


def test_precision_that_no_bound_reaches_is_said_with_the_curve() -> None:
    scenes = rated(0, 300, 20)
    scenes[::5] = [replace(scene, accepted=False) for scene in scenes[::5]]
    with pytest.raises(InputError) as error:
        fit_acceptance(scenes, 0.95)

    first, *table = str(error.value).splitlines()
    assert re.fullmatch(
        r"no bound on acceptance reaches the precision 0\.95; the best is 0\.[89]\d at 0\.\d+\. "
        "Give a lower --precision. Nothing was changed",
        first,
    )
    assert table[0].split() == ["acceptance", "kept", "precision", "recall"]


def test_curve_and_bound_are_printed_compactly() -> None:
    fit = fit_acceptance(rated(0, 300, 30), 0.9)
    lines = fit.lines()
    curve = [line.split() for line in lines if re.match(r"0\.\d\d", line)]

    assert lines[0] == f"acceptance, fitted to 300 ranked scenes of 30 compositions, {fit.accepted} of them accepted:"
    assert len(curve) <= 11
    assert [row[0] for row in curve if "<" in row] == [f"{fit.bound:.2f}"]
    assert curve[0][-1] == "1.00"  # the recall of everything
    assert "without weight, the same in every scene: cutout" in lines
    assert f"bound {fit.bound:.2f} (95 % interval " in "\n".join(lines)
