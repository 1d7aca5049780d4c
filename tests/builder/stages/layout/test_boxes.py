"""A reply's boxes are corrected within fixed limits; placements that are accepted meet every bound."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.records import Placement
from builder.stages.layout.ask import Unusable
from builder.stages.layout.base import find_flaw, min_area
from builder.stages.layout.boxes import SCALE, SHIFT, SIZE_SLACK, ask_for_boxes, place
from builder.stages.layout.examples import BUILT_IN
from tests.builder.stages.layout.scenes import GROUND, SIZE, box, boxes, cutout, setting

GRID = 512


def put(said: str, **values: object) -> tuple[Placement, ...]:
    return place(json.loads(said), setting(**values), GRID, 0.25)  # type: ignore[arg-type]


numbers = st.one_of(st.integers(-50, 600), st.floats(allow_nan=False, allow_infinity=False))
any_box = st.builds(box, numbers, numbers, numbers, numbers)
likely_box = st.builds(box, st.integers(0, 400), st.integers(100, 400), st.integers(80, 250), st.integers(80, 250))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(any_box, likely_box), st.floats(0.2, 5), st.booleans()), min_size=1, max_size=5),
    st.sampled_from([64, 333, 512]),
)
def test_accepted_placements_meet_every_bound(things: list[tuple[dict[str, float], float, bool]], grid: int) -> None:
    scene = setting([cutout(aspect, cut_off=cut) for _, aspect, cut in things])
    said = {concept.name: each for concept, (each, _, _) in zip(scene.sample.concepts, things, strict=True)}

    try:
        placements = place(said, scene, grid, 0.25)
    except Unusable:
        return

    assert find_flaw(scene, placements, 0.25) is None
    for placement, (_, _, cut) in zip(placements, things, strict=True):
        bottom = (placement.y + placement.height) / SIZE
        assert bottom == 1 if cut else bottom >= GROUND - 1 / SIZE


def test_object_keeps_its_proportions_and_stands_on_the_middle_of_its_boxs_lower_edge() -> None:
    wide, tall = put(
        json.dumps({"cat": box(20, 180, 240, 180), "dog6": box(300, 120, 180, 240)}),
        cutouts=[cutout(2.0), cutout(0.5)],
        sizes=(0.5, 1.0),
    )

    assert (wide.x, wide.y + wide.height, wide.width, wide.height) == (10, 180, 120, 60)
    assert (tall.x + tall.width / 2, tall.y + tall.height, tall.width, tall.height) == (195, 180, 60, 120)


def test_objects_lower_in_the_picture_are_nearer() -> None:
    cat, dog, mug = put(boxes(cat=box(20, 220, 140, 140), mug=box(340, 270, 140, 140)))

    assert cat.depth > dog.depth > mug.depth >= 0


def test_depth_is_the_distance_beyond_the_lower_edge_in_distances_to_it() -> None:
    """On a ground plane with its horizon at 0.2, an object's height halves where its depth is 1."""
    cat, dog, _ = put(boxes(cat=box(20, 272, 140, 140), dog6=box(180, 307.2, 140, 153.6), mug=box(340, 272, 140, 140)))

    assert cat.depth == pytest.approx(0.8 / (412 / 512 - 0.2) - 1)
    assert dog.depth == pytest.approx(0.8 / (0.9 - 0.2) - 1)


@pytest.mark.parametrize("over", [1, 25])
def test_box_up_to_a_twentieth_off_the_canvas_is_moved_onto_it(over: int) -> None:
    right, _, _ = put(boxes(cat=box(-over, 250, 140, 140)))
    _, _, left = put(boxes(mug=box(372 + over, 250, 140, 140)))
    low = {"dog6": box(180, 372, 140, 140), "mug": box(340, 372, 140, 140)}
    below, _, _ = put(boxes(cat=box(20, 372 + over, 140, 140), **low))

    assert right.x == 0
    assert left.x + left.width == SIZE
    assert below.y + below.height == SIZE
    assert over <= SHIFT * GRID


@pytest.mark.parametrize(
    "said",
    [
        boxes(cat=box(-27, 250, 140, 140)),
        boxes(mug=box(400, 250, 140, 140)),
        boxes(cat=box(20, 400, 140, 140)),
        boxes(cat=box(20, -27, 140, 500)),
    ],
)
def test_box_further_off_the_canvas_is_refused(said: str) -> None:
    with pytest.raises(Unusable, match="leaves the grid of 512 x 512") as refused:
        put(said)

    assert refused.value.kind == "off canvas"


def test_object_up_to_a_twentieth_above_the_ground_is_moved_onto_it() -> None:
    cat, *_ = put(boxes(cat=box(20, 95, 140, 140)))

    assert cat.y + cat.height == SIZE * GROUND
    with pytest.raises(Unusable, match="ends above the ground; the ground begins at y = 256"):
        put(boxes(cat=box(20, 90, 140, 140)))


def test_cut_off_object_must_stand_on_the_lower_edge() -> None:
    cut = [cutout(cut_off=True), cutout(), cutout()]
    lower = {name: box(20 + 160 * i, 350, 140, 140) for i, name in enumerate(("cat", "dog6", "mug"))}

    cat, *_ = put(json.dumps(lower), cutouts=cut)

    assert cat.y + cat.height == SIZE
    with pytest.raises(Unusable, match="cat is cut off below"):
        put(boxes(), cutouts=cut)


def test_small_object_is_enlarged_by_at_most_a_quarter() -> None:
    side = min_area(3, GRID, GRID) ** 0.5 / SCALE
    said = {name: box(40 + 160 * i, 300, side + 1, side + 1) for i, name in enumerate(("cat", "dog6", "mug"))}
    smaller = {name: {**each, "width": side - 1} for name, each in said.items()}

    for placement in put(json.dumps(said)):
        assert min_area(3, SIZE, SIZE) <= placement.width * placement.height < min_area(3, SIZE, SIZE) * 1.05
    with pytest.raises(Unusable, match="its box must be 103 wide and 103 high") as refused:
        put(json.dumps(smaller))
    assert refused.value.kind == "too small"


@pytest.mark.parametrize(("wrong", "right"), [(1.1, True), (1.5, True), (2.0, True), (4.2, False)])
def test_slightly_wrong_sizes_are_corrected_and_very_wrong_ones_refused(wrong: float, right: bool) -> None:
    """All stand on one line, so that equal sizes must be drawn equal; wrong: how many times too large the cat is."""
    side = 85 * wrong
    said = json.dumps({"cat": box(20, 400 - side, side, side), "dog6": box(400, 315, 85, 85)})
    two = [cutout(), cutout()]

    if not right:
        with pytest.raises(Unusable, match="beside the others"):
            put(said, cutouts=two, sizes=(1.0, 1.0))
        return
    cat, dog = put(said, cutouts=two, sizes=(1.0, 1.0))

    assert cat.height / dog.height == pytest.approx(max(1, wrong / SCALE**2), rel=0.06)
    assert cat.height / dog.height < SIZE_SLACK**2


def test_question_states_the_rules_that_answers_are_checked_against() -> None:
    scene = setting([cutout(0.5), cutout(cut_off=True)], sizes=(1.0, 0.5))

    question = ask_for_boxes(scene, BUILT_IN, 640, 0.25, 0)

    rules, asked = question.turns[0], question.turns[-1]
    assert "640 x 640" in rules
    assert "at least 16384 cells" in rules  # (640 / 5) squared
    assert asked.splitlines() == [
        "Scene: in a yard",
        "The ground begins at y = 320.",
        "Objects:",
        '- "cat": cat, width = 0.50 x height, size 100%',
        '- "dog6": dog, width = 1.00 x height, size 50%, cut off below: y + height = 640',
    ]
    assert question.schema["required"] == ["cat", "dog6"]
    assert question.schema["properties"]["cat"]["properties"]["x"] == {"type": "integer", "minimum": 0, "maximum": 640}


def test_examples_use_the_configured_grid_and_follow_the_rules() -> None:
    for seed in range(10):
        turns = ask_for_boxes(setting(), BUILT_IN, 200, 0.25, seed).turns
        for question, answer in zip(turns[:-1:2], turns[1::2], strict=True):
            ground = int(re.findall(r"ground begins at y = (\d+)", question)[-1])
            said = json.loads(answer)
            assert all(f'"{name}": ' in question for name in said)
            for each in said.values():
                assert min(each.values()) >= 0
                assert each["x"] + each["width"] <= 200
                assert ground <= each["y"] + each["height"] <= 200
                assert each["width"] * each["height"] >= 0.95 * min_area(len(said), 200, 200)


def test_examples_differ_between_scenes_and_are_the_same_each_time_for_one() -> None:
    scene = setting()
    other = replace(scene, sample=replace(scene.sample, id="other"))
    first, again, another = (ask_for_boxes(each, BUILT_IN, 512, 0.25, 0).turns for each in (scene, scene, other))

    assert first == again
    assert first[1:] != another[1:]


def test_question_for_another_shape_has_a_grid_of_that_shape() -> None:
    scene = setting([cutout(0.5), cutout(cut_off=True)], sizes=(1.0, 0.5), size=(384, 256))

    question = ask_for_boxes(scene, BUILT_IN, 600, 0.25, 0)

    rules, asked = question.turns[0], question.turns[-1]
    assert "a wide photograph" in rules
    assert "a grid of 600 x 400" in rules
    assert "x + width is at most 600 and y + height at most 400" in rules
    assert "at least 9600 cells" in rules  # (600 / 5) (400 / 5)
    assert "The ground begins at y = 200." in asked
    assert "width = 0.50 x height" in asked
    assert "y + height = 400" in asked
    limits = question.schema["properties"]["cat"]["properties"]
    assert {name: limit["maximum"] for name, limit in limits.items()} == {
        "x": 600,
        "y": 400,
        "width": 600,
        "height": 400,
    }
    for said in map(json.loads, question.turns[1:-1:2]):
        for each in said.values():
            assert each["x"] + each["width"] <= 600
            assert each["y"] + each["height"] <= 400


@pytest.mark.parametrize("size", [(384, 256), (256, 384)])
def test_object_of_another_shape_keeps_its_proportions_on_the_middle_of_its_boxs_lower_edge(
    size: tuple[int, int],
) -> None:
    scene = setting([cutout(2.0), cutout(0.5)], sizes=(0.5, 1.0), size=size)
    across, down = (side * 2 for side in size)  # the grid below has two cells a pixel
    left = box(0.05 * across, 0.5 * down, 0.4 * across, 0.4 * across / 2 + 10)
    right = box(0.6 * across, 0.9 * down - 0.6 * across, 0.3 * across, 0.6 * across)

    wide, tall = place({"cat": left, "dog6": right}, scene, max(across, down), 0.25)

    for placement, aspect, said in ((wide, 2.0, left), (tall, 0.5, right)):
        assert placement.width == pytest.approx(placement.height * aspect, abs=1)
        assert placement.y + placement.height == pytest.approx((said["y"] + said["height"]) / 2, abs=1)
        assert placement.x + placement.width / 2 == pytest.approx((said["x"] + said["width"] / 2) / 2, abs=1)
