from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from builder.stages.select import Candidates, FittedScore, Judged, SelectConfig, failed_scene_bound, idle_bounds, select
from builder.stages.select.near_duplicates import NearDuplicates
from mycanvas.schema import SCORES


def judged(name: str, fingerprint: int, composition: str = "cat+dog", **scores: float) -> Judged:
    return Judged(
        id=name, composition=composition, scores={"cutout": 1.1, "overlap": 0.1, **scores}, fingerprint=fingerprint
    )


def spread(count: int) -> list[int]:
    """Fingerprints that differ from each other in at least 16 bits."""
    return [sum(0xFFFF << (16 * bit) for bit in range(4) if index >> bit & 1) for index in range(count)]


ALL = SelectConfig(min_visible=None, max_overlap=None, max_border=None)


def test_scene_that_violates_a_bound_is_dropped_with_the_bound_as_reason() -> None:
    chosen = select(
        [judged("good", 0, overlap=0.3), judged("bad", 0xFFFF, overlap=0.31), judged("faint", 0xFF00, cutout=0.9)],
        SelectConfig(max_overlap=0.3, min_cutout=1.0),
    )

    assert chosen.kept == ("good",)
    assert chosen.dropped == {"bad": "overlap > 0.3", "faint": "cutout < 1"}


def test_scene_exactly_at_a_bound_is_kept() -> None:
    candidates = [judged("low", 0, cutout=1.0), judged("high", 0xFFFF, overlap=0.3)]

    assert select(candidates, SelectConfig(max_overlap=0.3, min_cutout=1.0)).kept == ("low", "high")


@pytest.mark.parametrize("score", SCORES)
def test_quota_keeps_the_larger_of_two_values_unless_the_score_measures_a_flaw(score: str) -> None:
    flaws = ("overlap", "border", "seam", "exposure", "floating", "proportion", "invented")
    candidates = [judged("a-small", 0, **{score: 0.2}), judged("b-large", 0xFFFF, **{score: 0.6})]
    config = SelectConfig(min_visible=None, max_overlap=None, max_border=None, max_floating=None, per_composition=1)

    for order in (candidates, candidates[::-1]):
        assert select(order, config).kept == ("a-small" if score in flaws else "b-large",)


def test_bound_on_a_score_that_no_scene_has_is_reported_as_idle() -> None:
    config = SelectConfig(
        min_visible=None, max_border=None, max_floating=None, max_proportion=None, max_overlap=0.3, min_identity=0.6
    )

    assert idle_bounds([judged("a", 0)], config) == ["identity"]
    assert idle_bounds([judged("a", 0), judged("b", 1, identity=0.7)], config) == []


def test_scene_without_the_bounded_score_is_kept() -> None:
    assert select([judged("a", 0)], SelectConfig(min_visible=0.9)).kept == ("a",)


def test_better_of_two_near_duplicates_is_kept() -> None:
    chosen = select([judged("worse", 0b111, cutout=1.0), judged("better", 0, cutout=1.2)], ALL)

    assert chosen.kept == ("better",)
    assert chosen.dropped == {"worse": "near-duplicate"}


def test_scenes_of_different_compositions_are_never_near_duplicates() -> None:
    assert len(select([judged("a", 0), judged("b", 0, composition="cat+vase")], ALL).kept) == 2


def test_quota_keeps_the_best_scenes_of_each_composition_in_input_order() -> None:
    names = ["d", "b", "a", "c"]
    rows = [judged(n, f, cutout=q) for n, f, q in zip(names, spread(4), (1.0, 1.3, 1.1, 1.2), strict=True)]

    chosen = select([*rows, judged("other", 0, composition="vase")], ALL.model_copy(update={"per_composition": 2}))

    assert chosen.kept == ("b", "c", "other")
    assert chosen.dropped == {"d": "quota", "a": "quota"}


def test_unit_of_a_score_does_not_affect_the_ranking() -> None:
    """Being best in two scores outranks being best in one, however large its numbers are."""
    rows = [
        judged("even", 0, size=0.2, seam=0.1, sharpness=50.0),
        judged("one-sided", 0xFFFF, size=0.1, seam=0.2, sharpness=9000.0),
    ]

    assert select(rows, ALL.model_copy(update={"per_composition": 1})).kept == ("even",)


def test_order_of_candidates_does_not_affect_which_are_kept() -> None:
    rows = [judged(str(i), f, cutout=1 + i % 3) for i, f in enumerate(spread(10))]
    config = ALL.model_copy(update={"per_composition": 4})

    assert set(select(rows, config).kept) == set(select(rows[::-1], config).kept)


def test_no_other_scene_leaves_because_of_a_refused_one_and_its_place_in_the_quota_is_free() -> None:
    names, fingerprints = ("best", "twin", "second", "third"), (0, 0b1, *spread(3)[1:])
    rows = [judged(n, f, cutout=q) for n, f, q in zip(names, fingerprints, (1.3, 1.2, 1.1, 1.0), strict=True)]
    config = ALL.model_copy(update={"per_composition": 2})
    refused = replace(rows[0], refused="cut-out refused: dog/1.jpg")

    assert select(rows, config).kept == ("best", "second")
    chosen = select([refused, *rows[1:]], config)

    assert chosen.kept == ("second", "third")
    assert chosen.dropped == {"best": "cut-out refused: dog/1.jpg", "twin": "near-duplicate"}


def test_scenes_of_an_earlier_step_come_first_whatever_their_scores() -> None:
    config = SelectConfig(duplicate_bits=3, per_composition=2)
    earlier = [judged("a", 0, size=0.1), judged("b", 0xFFFF, size=0.2)]
    later = [
        replace(judged("c", 1, size=0.9), step=1),  # a near-duplicate of a
        replace(judged("d", 0xFF00FF00, size=0.9), step=1),
    ]

    chosen = select([*earlier, *later], config)

    assert chosen.kept == select(earlier, config).kept == ("a", "b")
    assert chosen.dropped == {"c": "near-duplicate", "d": "quota"}


def test_of_the_attempts_at_a_scene_the_first_that_passes_is_kept_unless_people_rank_another() -> None:
    attempts = [
        replace(judged(name, fingerprint, visible=visible), scene="a")
        for name, fingerprint, visible in (("a", 0, 0.1), ("a-2", 0xFF, 0.9), ("a-3", 0xFFFF, 1.0))
    ]
    config = SelectConfig(min_visible=0.5)

    assert select(attempts, config).kept == ("a-2",)
    assert select(attempts, config).dropped == {"a": "visible < 0.5", "a-3": "another attempt is kept"}
    assert select([*attempts[:2], replace(attempts[2], rank=5)], config).kept == ("a-3",)


def test_keep_takes_the_best_of_each_composition_in_turn_and_more_of_it_adds_to_less() -> None:
    rows = [
        judged(f"{name}{index}", spread(5)[index], composition=name, size=index / 10)
        for name in ("cat", "dog")
        for index in range(1, 5)
    ]

    kept = [set(select(rows, ALL, keep=number).kept) for number in range(1, 9)]

    assert [len(each) for each in kept] == list(range(1, 9))
    assert all(less < more for less, more in pairwise(kept))
    assert kept[3] == {"cat4", "cat3", "dog4", "dog3"}
    assert set(select(rows, ALL, keep=7).dropped.values()) == {"not needed"}


@pytest.mark.parametrize("bits", [-1, 0, 3, 7, 20, 64])
def test_near_duplicates_are_those_that_a_comparison_with_all_finds(bits: int) -> None:
    rng = np.random.default_rng(bits + 1)
    base = rng.integers(0, 2**64, 40, np.uint64)
    flips = sum(np.uint64(1) << rng.integers(0, 64, 600, np.uint64) for _ in range(4))
    fingerprints = [*base.tolist(), *(rng.choice(base, 600) ^ flips).tolist()]
    found, distinct = NearDuplicates(bits), list[int]()

    for each in fingerprints:
        near = any((each ^ other).bit_count() <= bits for other in distinct)
        assert found.has_near(each) == near
        if not near:
            distinct.append(each)
            found.add(each)


def test_refused_scene_is_counted_as_refused_whatever_else_drops_it() -> None:
    rule = "cut-out refused: dog/1.jpg"
    rows = [
        replace(judged("low rank", 0, cutout=1.0), rank=2),
        replace(judged("flagged", 0xFF, cutout=1.0), flag="floating"),
        judged("out of bounds", 0xFF00, cutout=0.1),
    ]
    config = ALL.model_copy(update={"min_cutout": 0.5})
    assert len(select(rows, config).dropped) == 3

    chosen = select([replace(row, refused=rule) for row in rows], config)

    assert set(chosen.dropped.values()) == {rule}
    assert len(chosen.dropped) == 3


def test_scene_is_drawn_again_for_the_bounds_that_would_drop_it() -> None:
    draw = np.random.default_rng(0)
    rows = [{name: None if draw.random() < 0.2 else float(draw.random()) for name in SCORES} for _ in range(60)]
    facts = [
        Judged(id=str(index), composition=str(index), scores={**row, "cutout": None}, fingerprint=0)
        for index, row in enumerate(rows)
    ]
    weights = {"seam": 0.1, "overlap": 0.2, "border": 0.3, "sharpness": 0.7}
    fitted = FittedScore(bound=0.5, intercept=-0.4, weights=weights, means=dict.fromkeys(weights, 0.3))
    exactly = fitted.acceptance(Candidates.of(facts).scores, len(facts))
    strict = [fitted.model_copy(update={"bound": float(bound)}) for bound in exactly]

    for config in (SelectConfig(min_cutout=0.5, min_size=0.2), *(ALL.model_copy(update={"fitted": f}) for f in strict)):
        failed = {each.id: failed_scene_bound(each.scores, config) for each in facts}
        assert {name: bound for name, bound in failed.items() if bound} == select(facts, config).dropped


def test_bound_on_cut_outs_draws_no_scene_again() -> None:
    config = SelectConfig(min_cutout=0.5, min_size=0.2)

    assert failed_scene_bound({"cutout": 0.1, "size": 0.3}, config) is None
    assert failed_scene_bound({"cutout": 0.1, "size": 0.1}, config) == "size < 0.2"
