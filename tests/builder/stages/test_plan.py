from collections import Counter
from dataclasses import replace

import pytest

from builder.config import parse_config
from builder.records import BackgroundRef, Concept, Sample, Size, Theme
from builder.stages.plan import Share, draw_plan, share_out
from mycanvas.errors import ConfigError
from mycanvas.schema import split_of

NAMES = ("can", "cat", "cat2", "clock", "dog", "dog6", "teapot", "vase")
CONCEPTS = tuple(
    Concept(name=name, token=f"<{name}>", class_noun=name.rstrip("0123456789"), height_cm=None, photos=())
    for name in NAMES
)
PHOTOS = {name: [f"{name}/{view}.jpg" for view in range(3)] for name in NAMES}
YARDS = (BackgroundRef(scene="yard", phrase="in a yard"), BackgroundRef(scene="beach", phrase="on a beach"))


def plan(**values: object) -> tuple[Sample, ...]:
    names = values.pop("names", NAMES)
    config = parse_config({"concepts": "photos", **values})
    return draw_plan([c for c in CONCEPTS if c.name in names], PHOTOS, YARDS, config)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan(samples=60) == plan(samples=60)
    assert plan(samples=60) != plan(samples=60, seed=1)


@pytest.mark.parametrize("samples", [1, 3, 7, 100, 301])
def test_plan_has_exactly_the_requested_number_of_scenes(samples: int) -> None:
    drawn = plan(samples=samples)

    assert len(drawn) == samples
    assert len({sample.id for sample in drawn}) == samples


def test_scenes_are_spread_over_all_splits_and_all_concepts() -> None:
    drawn = plan(samples=300)
    splits = Counter(split_of(len(sample.concepts)) for sample in drawn)
    uses = Counter(concept.name for sample in drawn for concept in sample.concepts)

    assert min(splits.values()) >= 0.9 * max(splits.values())
    assert set(uses) == set(NAMES)
    assert min(uses.values()) >= 0.7 * max(uses.values())


def test_compositions_differ_and_have_each_concept_once() -> None:
    compositions = {sample.composition: sample.concepts for sample in plan(samples=300)}

    assert len(compositions) == 41
    assert all(len(set(members)) == len(members) for members in compositions.values())


def test_photos_belong_to_their_concepts_and_every_photo_and_background_is_used() -> None:
    drawn = plan(samples=300)

    for sample in drawn:
        assert [photo.split("/")[0] for photo in sample.photo_ids] == [concept.name for concept in sample.concepts]
    assert {photo for sample in drawn for photo in sample.photo_ids} == {
        photo for photos in PHOTOS.values() for photo in photos
    }
    assert {sample.background.scene for sample in drawn} == {"yard", "beach"}


def test_every_background_of_a_scene_is_drawn_for_some_sample() -> None:
    yards = tuple(replace(YARDS[0], variant=variant) for variant in range(3))

    drawn = draw_plan(CONCEPTS, PHOTOS, yards, parse_config({"concepts": "photos", "samples": 60}))

    assert {sample.background for sample in drawn} == set(yards)


@pytest.mark.parametrize("names", [("can",), ("can", "cat"), ("can", "cat", "dog", "vase")])
def test_fewer_concepts_than_the_largest_size_still_give_a_plan(names: tuple[str, ...]) -> None:
    drawn = plan(samples=20, names=names)

    assert len(drawn) == 20
    assert all(len(sample.concepts) <= len(names) for sample in drawn)


@pytest.mark.parametrize(("size", "possible"), [(1, 8), (2, 28), (4, 41), (5, 41)])
def test_all_possible_compositions_of_a_size_are_drawn_up_to_the_limit(size: int, possible: int) -> None:
    """At most 41 are drawn; eight concepts have 8, 28, 70 and 56 compositions of these sizes."""
    assert len({sample.composition for sample in plan(samples=600, sizes=[size])}) == possible


def test_plan_of_many_concepts_uses_almost_all_of_them() -> None:
    names = [f"thing{index:03d}x" for index in range(150)]
    concepts = [Concept(name=n, token=f"<{n}>", class_noun="thing", height_cm=None, photos=()) for n in names]
    config = parse_config({"concepts": "photos", "samples": 3000})

    drawn = draw_plan(concepts, {name: [f"{name}/0.jpg"] for name in names}, YARDS, config)

    assert len({concept.name for sample in drawn for concept in sample.concepts}) >= 130


def test_plan_has_exactly_the_configured_compositions() -> None:
    drawn = plan(compositions=[["dog6", "cat"], ["vase"]], samples_per_composition=4)

    assert Counter(sample.composition for sample in drawn) == {"cat+dog6": 4, "vase": 4}


def test_adding_a_composition_does_not_change_the_samples_of_others() -> None:
    few = plan(compositions=[["dog6", "cat"]], samples_per_composition=4)
    more = plan(compositions=[["vase", "can"], ["dog6", "cat"]], samples_per_composition=4)

    assert set(few) < set(more)


@pytest.mark.parametrize(
    ("composition", "message"),
    [
        (list(NAMES[:6]), "1 to 5 concepts, got 6"),
        ([], "1 to 5 concepts, got 0"),
        (["cat", "cat"], "each concept once"),
        (["cat", "teepot"], "did you mean teapot"),
    ],
)
def test_invalid_composition_raises_an_error_that_says_why(composition: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(compositions=[composition])


def test_theme_sets_backgrounds_and_heights_of_its_composition_only() -> None:
    config = parse_config({"concepts": "photos", "compositions": [["dog6", "cat"], ["vase"]], "samples": 60})
    theme = Theme(
        backgrounds=(("yard", "in a sunny yard"), ("yard", "in a wet yard"), ("beach", "by the sea")),
        sizes={"dog6": 1.0, "cat": 0.6},
    )

    drawn = draw_plan(CONCEPTS, PHOTOS, YARDS, config, {("cat", "dog6"): theme})
    themed = [sample for sample in drawn if sample.composition == "cat+dog6"]
    others = [sample for sample in drawn if sample.composition == "vase"]

    assert {(each.background.scene, each.background.phrase) for each in themed} == set(theme.backgrounds)
    assert {each.heights for each in themed} == {(0.6, 1.0)}
    assert {each.background for each in others} == set(YARDS)
    assert {each.heights for each in others} == {(None,)}


def test_sizes_of_scenes_are_drawn_by_seed_and_leave_the_rest_of_the_plan_alone() -> None:
    square = plan(samples=60)
    mixed = plan(samples=60, resolution=["512x512", "640x384", "384x640"])

    counts = Counter(sample.picture_size for sample in mixed)
    assert set(counts) == {Size(512, 512), Size(640, 384), Size(384, 640)}
    assert min(counts.values()) >= 10
    assert [replace(sample, picture_size=Size(1024, 1024)) for sample in mixed] == list(square)
    assert mixed == plan(samples=60, resolution=["512x512", "640x384", "384x640"])
    other = plan(samples=60, resolution=["512x512", "640x384", "384x640"], seed=1)
    assert [sample.picture_size for sample in other] != [sample.picture_size for sample in mixed]


def numbers(shares: tuple[Share, ...]) -> dict[tuple[str, ...], tuple[int, int]]:
    return {share.composition: (share.start, share.count) for share in shares}


def test_growing_goes_on_with_the_next_numbers_and_evens_out() -> None:
    config = parse_config({"concepts": "photos", "compositions": [["cat", "dog"], ["can"]], "samples": 20})

    shares = numbers(share_out(NAMES, config, {("cat", "dog"): 4, ("can",): 9}))

    assert shares == {("cat", "dog"): (4, 6), ("can",): (9, 1)}
    assert share_out(NAMES, config, {("cat", "dog"): 10, ("can",): 10}) == ()


@pytest.mark.parametrize("samples", [300, 600])
def test_new_concept_gets_compositions_of_its_own_and_earlier_ones_go_on(samples: int) -> None:
    config = parse_config({"concepts": "photos", "samples": samples})
    first = share_out(NAMES[:-1], config.model_copy(update={"samples": 240}))
    planned = {share.composition: share.count for share in first}

    shares = numbers(share_out(NAMES, config, planned))

    new = {composition for composition in shares if NAMES[-1] in composition}
    assert sum(count for _, count in shares.values()) == samples - 240
    assert 4 <= len(new) <= len(shares.keys() - planned.keys())
    assert all(start == planned.get(composition, 0) for composition, (start, _) in shares.items())


def test_composition_of_a_concept_without_photos_does_not_go_on() -> None:
    config = parse_config({"concepts": "photos", "samples": 40})

    shares = numbers(share_out(["cat", "dog", "vase"], config, {("can", "cat"): 5, ("cat", "dog"): 5}))

    assert ("can", "cat") not in shares
    assert sum(count for _, count in shares.values()) == 30
