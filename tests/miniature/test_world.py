"""Toys, things, pictures and captions of the miniature."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from builder.seeds import rng_for
from mycanvas.schema import SPLITS, split_of
from tests.miniature.grounds import PHRASES, SEEN, UNSEEN, ground
from tests.miniature.pictures import SEVERAL, SIDE, Captions, caption, compose, pretraining_batch, pretraining_picture
from tests.miniature.things import HELD_OUT, STRANGERS, THINGS, TRIAL, compositions
from tests.miniature.toys import KINDS, PATTERNS, View, draw


def test_the_same_step_gives_the_same_pictures_and_captions() -> None:
    (one, words), (other, same_words) = (pretraining_batch(3, 4, "weak") for _ in range(2))
    different, _ = pretraining_batch(4, 4, "weak")

    assert one.shape == (4, SIDE, SIDE, 3)
    assert (one == other).all()
    assert words == same_words
    assert (one != different).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_toy_is_drawn_about_as_large_as_asked_for(kind: str) -> None:
    sprite = draw(THINGS[f"{kind}1"], View(), 40)

    assert 38 <= max(sprite.shape[:2]) <= 44
    assert 0.2 < (sprite[..., 3] > 127).mean() < 1


def test_each_pattern_shows_both_colours() -> None:
    for look in THINGS.values():
        sprite = draw(look, View(), 64).astype(int)
        solid = sprite[sprite[..., 3] == 255][:, :3]
        for colour in look.colours:
            assert (np.abs(solid - colour).max(1) < 12).mean() > 0.05, look


def test_things_strangers_and_trial_things_share_no_look() -> None:
    looks = [look.names for group in (THINGS, STRANGERS, TRIAL) for look in group.values()]

    assert len(looks) == len(set(looks)) == len(HELD_OUT) == 60
    assert {name: look.kind for name, look in THINGS.items()} == {name: look.kind for name, look in STRANGERS.items()}


def test_pretraining_shows_no_held_out_look() -> None:
    rng = rng_for(0, "test", "miniature")
    seen = {look.names for _ in range(300) for look in pretraining_picture(rng, several=1).looks}

    assert not seen & HELD_OUT
    assert len(seen) > 200


def test_compositions_have_four_of_each_split_and_every_class_once() -> None:
    found = compositions()

    assert Counter(split_of(len(names)) for names in found) == dict.fromkeys(SPLITS, 4)
    assert all(len({THINGS[name].kind for name in names}) == len(names) for names in found)
    assert {name for names in found for name in names} == set(THINGS)


@pytest.mark.parametrize(("captions", "named"), [("weak", {1}), ("full", {4})])
def test_captions_of_several_toys_name_one_or_all(captions: Captions, named: set[int]) -> None:
    rng = rng_for(0, "test", "miniature")
    picture = compose([THINGS["mug1"], THINGS["car2"], THINGS["ball1"], THINGS["star1"]], "grass", rng)
    texts = [caption(picture, rng, captions) for _ in range(60)]

    assert {sum(kind in text.split() or f"{kind}," in text for kind in KINDS) for text in texts if text} == named
    assert sum(text.endswith("on the grass") for text in texts) >= sum(bool(text) for text in texts) / 2


def test_a_tenth_of_pretraining_shows_several_toys() -> None:
    rng = rng_for(0, "test", "miniature")
    counts = [len(pretraining_picture(rng, SEVERAL).looks) for _ in range(500)]

    assert 0.07 < sum(count > 1 for count in counts) / len(counts) < 0.13


def test_several_toys_do_not_hide_each_other() -> None:
    rng = rng_for(0, "test", "miniature")
    looks = [THINGS[f"{kind}1"] for kind in KINDS[:5]]
    for boxes in (compose(looks, "grass", rng).boxes for _ in range(20)):
        for (x, y, width, height), (left, top, _, other_height) in combinations(sorted(boxes), 2):
            assert left >= x + width - 2 or abs(top + other_height - y - height) >= 14, boxes
            assert max(width, height) < 18


def test_a_caption_of_one_toy_may_name_its_colours_and_ground() -> None:
    rng = rng_for(0, "test", "miniature")
    look = THINGS["mug1"]
    picture = compose([look], "sand", rng)
    texts = {caption(picture, rng, "weak") for _ in range(60)}

    assert f"a {look.body} and {look.second} {PATTERNS[look.pattern]} mug on the sand" in texts
    assert {"", "a mug", "photo of a mug on the sand"} <= texts


def test_boxes_and_mask_are_where_the_toys_are() -> None:
    picture = compose([THINGS["ball1"]], "slate", rng_for(0, "test", "miniature"))
    ((x, y, width, height),) = picture.boxes
    rows, columns = np.nonzero(picture.mask > 127)

    assert abs(columns.min() - x) <= 1
    assert abs(rows.max() - (y + height)) <= 1.5
    assert abs(np.ptp(columns) + 1 - width) <= 1.5


def test_grounds_differ_and_training_grounds_are_not_those_of_generated_pictures() -> None:
    means = [ground(name, 0)[0].mean((0, 1)) for name in PHRASES]

    assert not set(SEEN) & set(UNSEEN)
    assert min(np.abs(one - other).max() for i, one in enumerate(means) for other in means[:i]) > 4
