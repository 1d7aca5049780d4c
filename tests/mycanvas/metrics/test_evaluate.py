"""Evaluations with fake models, compared with plain loops; order and batches change nothing, bad pictures are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest

from mycanvas.dataset import Concept
from mycanvas.errors import InputError, ModelError
from mycanvas.io.images import Rgb, decode_rgb
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.pictures import Picture
from mycanvas.metrics.references import encode_references
from mycanvas.metrics.results import PictureScores
from mycanvas.metrics.settings import Settings
from mycanvas.models.detectors import Detection
from tests.mycanvas.metrics.fakes import Colours, FixedDetector, concept, picture

NAMES = ("cat", "cat2", "cat3", "cup", "dog", "dog6", "vase")
COUNT = 150


def draw(random: np.random.Generator, height: int = 40, width: int = 50) -> Rgb:
    """Stripes of noise, so that crops of one picture differ."""
    base = random.integers(0, 256, (1, width, 3)) + random.normal(0, 30, (height, width, 3))
    return np.clip(base, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def concepts() -> dict[str, Concept]:
    random = np.random.default_rng(1)
    return {name: concept(name, *(draw(random) for _ in range(1 + i % 3))) for i, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def world(concepts: dict[str, Concept]) -> tuple[list[Picture], FixedDetector]:
    """Pictures of random concepts with random boxes of their classes, some placed somewhere else."""
    random = np.random.default_rng(2)
    pictures, boxes = [], {}
    for number in range(COUNT):
        names = random.choice(NAMES, random.integers(1, 6), replace=False)
        pixels = draw(random)
        one = picture(f"{number:03d}", [concepts[name] for name in names], pixels, f"in place {number % 9}")
        pictures.append(replace(one, boxes=tuple(some_box(random) for _ in names)))
        classes = [one.class_name for one in pictures[-1].concepts]
        boxes[pixels.tobytes()] = [
            Detection(label=str(random.choice(classes)), box=some_box(random), score=float(random.uniform(0, 1)))
            for _ in range(random.integers(0, 9))
        ]
    return pictures, FixedDetector(boxes)


def some_box(random: np.random.Generator) -> tuple[float, float, float, float]:
    x, y = random.uniform(0, 35), random.uniform(0, 25)
    return x, y, random.uniform(2, 50 - x), random.uniform(2, 40 - y)


def run(
    pictures: Sequence[Picture],
    detector: FixedDetector,
    settings: Settings,
    encoder: Colours | None = None,
    *,
    chunk: int = 8,
    workers: int | None = None,
) -> Any:
    encoder = encoder or Colours()
    references = encode_references({c.name: c for s in pictures for c in s.concepts}.values(), encoder, settings)
    return evaluate(pictures, references, encoder, detector, settings, chunk=chunk, workers=workers)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(threshold=0.4, padding=0.25, same_class="same", negative="zero", text="prompt"),
        Settings(certainty=0.0, covered=1.0, negative="zero"),
    ],
)
def test_scores_equal_those_of_plain_loops(world: tuple[list[Picture], FixedDetector], settings: Settings) -> None:
    pictures, detector = world
    found = run(pictures, detector, settings).pictures

    assert len(found) == COUNT
    for one, scored in zip(pictures, found, strict=True):
        expected = written_out(one, detector, settings)
        assert {name: scored.scores[name] for name in expected} == pytest.approx(expected, abs=1e-6), one.id
    spread = [np.ptp([scored.scores[name] for scored in found]) for name in ("cp_clip", "ti_clip", "identity")]
    assert min(spread) > 0.3
    assert any(scored.scores["identity"] < scored.scores["cp_clip"] - 0.1 for scored in found)


def written_out(one: Picture, detector: FixedDetector, settings: Settings) -> dict[str, float]:
    """The scores of a picture by plain float64 loops: no matrices, no library, every assignment tried."""
    encoder = Colours()

    def cosine(a: Any, b: Any) -> float:
        value = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
        return max(value, 0.0) if settings.negative == "zero" else value

    pixels = decode_rgb(one.read())
    classes = [concept.class_name for concept in one.concepts]
    references = [encoder.images([decode_rgb(photo.image) for photo in concept.photos]) for concept in one.concepts]
    (all_boxes,) = detector.detect([pixels], [classes])
    assert all_boxes is not None
    ranked = sorted([box for box in all_boxes if box.score > settings.threshold], key=lambda box: -box.score)
    asked = [
        box for name in dict.fromkeys(classes) for box in [b for b in ranked if b.label == name][: classes.count(name)]
    ]
    extra: list[Detection] = []
    for box in ranked:
        sure = box not in asked and box.score >= settings.certainty
        if sure and share_covered(box, [*asked, *extra]) <= settings.covered:
            extra.append(box)

    def alike(box: Detection) -> list[float]:
        x, y, w, h = box.box
        px, py = settings.padding * w, settings.padding * h
        rows = slice(max(0, int(np.floor(y - py))), int(np.ceil(y + h + py)))
        columns = slice(max(0, int(np.floor(x - px))), int(np.ceil(x + w + px)))
        vector = encoder.images([pixels[rows, columns]])[0]
        return [sum(cosine(vector, photo) for photo in photos) / len(photos) for photos in references]

    table = [alike(box) for box in [*asked, *extra]]
    counted = table[: len(asked)]
    if settings.same_class == "same":
        firsts = [next((i for i, box in enumerate(asked) if box.label == name), None) for name in classes]
        counted = [table[i] for i in firsts if i is not None]
    shown = [max(range(len(classes)), key=row.__getitem__) for row in table]
    text = one.background if settings.text == "background" else one.prompt
    for concept_ in one.concepts:
        text = str(text).replace(f"{concept_.token} ", "")
    way = best_way(table, asked, classes)
    return {
        "cp_clip": sum(max(row) for row in counted) / len(classes),
        "ti_clip": cosine(encoder.images([pixels])[0], encoder.texts([str(text)])[0]),
        "identity": best_sum(table[: len(asked)], [b.label for b in asked], classes) / (len(classes) + len(extra)),
        "recall": len(set(shown)) / len(classes),
        "duplicates": len(shown) - len(set(shown)),
        "leaks": sum(classes[j] != box.label for j, box in zip(shown, [*asked, *extra], strict=True)),
        "swaps": sum((shown[k], shown[i]) == (way[i], way[k]) for i, k in combinations(range(len(asked)), 2)),
    }


def best_sum(table: list[list[float]], labels: list[str], classes: list[str]) -> float:
    """The largest sum over every way of giving each box a concept of its class."""
    return max(sum(row[j] for row, j in zip(table, way, strict=True)) for way in ways(labels, classes))


def best_way(table: list[list[float]], asked: Sequence[Detection], classes: list[str]) -> tuple[int, ...]:
    """The concept of each box, in the way that has the largest sum."""
    return max(ways([box.label for box in asked], classes), key=lambda way: sum(map(list.__getitem__, table, way)))


def ways(labels: list[str], classes: list[str]) -> list[tuple[int, ...]]:
    """Every way of giving each box a concept of its class."""
    every = permutations(range(len(classes)), len(labels))
    return [way for way in every if [classes[j] for j in way] == labels]


def share_covered(box: Detection, others: Sequence[Detection]) -> float:
    """The fraction of a box's own 300 x 300 sample points that is inside others."""
    x, y, w, h = box.box
    grid_x, grid_y = np.meshgrid(x + w * (np.arange(300) + 0.5) / 300, y + h * (np.arange(300) + 0.5) / 300)
    inside = np.zeros(grid_x.shape, bool)
    for ox, oy, ow, oh in (other.box for other in others):
        inside |= (grid_x > ox) & (grid_x < ox + ow) & (grid_y > oy) & (grid_y < oy + oh)
    return float(inside.mean())


def test_order_and_batches_of_pictures_change_no_score(world: tuple[list[Picture], FixedDetector]) -> None:
    pictures, detector = world
    together = run(pictures, detector, Settings()).pictures
    backwards = run(pictures[::-1], detector, Settings()).pictures[::-1]
    apart = run(pictures, detector, Settings(), chunk=3, workers=7).pictures
    alone = run(pictures, detector, Settings(), chunk=1, workers=1).pictures

    assert [scored.id for scored in together] == [one.id for one in pictures]
    assert max(detector.batches) == 8
    for other in (backwards, apart, alone):
        assert numbers(other) == pytest.approx(numbers(together), abs=1e-6)


def numbers(pictures: Sequence[PictureScores]) -> list[float]:
    names = ("cp_clip", "ti_clip", "identity", "recall", "duplicates", "leaks", "swaps", "agreement")
    return [scored.scores[name] for scored in pictures for name in names]


def test_every_picture_and_every_photo_is_read_and_encoded_once(concepts: dict[str, Concept]) -> None:
    random, opened, encoder = np.random.default_rng(3), [], Colours()
    pictures, boxes = [], {}
    for number in range(40):
        pixels = draw(random)
        one = picture(str(number), [concepts["cat"], concepts["dog"]], pixels)

        def read(one: Picture = one) -> bytes:
            opened.append(one.id)
            return one.read()

        pictures.append(replace(one, read=read))
        boxes[pixels.tobytes()] = [Detection(label="cat", box=(0, 0, 20, 20), score=0.9)]
    run(pictures, FixedDetector(boxes), Settings(), encoder)
    photos = [decode_rgb(photo.image).tobytes() for name in ("cat", "dog") for photo in concepts[name].photos]

    assert sorted(opened, key=int) == [str(number) for number in range(40)]
    assert len(encoder.seen) == 40 + 40 + len(photos)
    assert all(encoder.seen.count(photo) == 1 for photo in photos)


def test_an_unreadable_picture_is_left_out_and_its_neighbours_are_scored(
    world: tuple[list[Picture], FixedDetector],
) -> None:
    pictures, detector = world
    broken = replace(pictures[4], read=lambda: b"not a picture")
    found = run([*pictures[:4], broken, *pictures[5:]], detector, Settings())
    everything = run(pictures, detector, Settings())

    assert [(one.id, one.split) for one in found.left_out] == [(pictures[4].id, pictures[4].split)]
    assert "not a picture in JPEG, PNG, WEBP" in found.left_out[0].reason
    assert found.pictures == everything.pictures[:4] + everything.pictures[5:]
    with pytest.raises(InputError, match=f"none of 1 pictures can be read; the first, {broken.id}"):
        run([broken], detector, Settings())


def test_no_ti_clip_without_a_text_encoder_and_the_prompt_replaces_a_missing_background(
    world: tuple[list[Picture], FixedDetector],
) -> None:
    pictures, detector = world
    nameless = replace(pictures[0], background=None)
    (blind,) = run(pictures[:1], detector, Settings(), Colours(reads=False)).pictures
    (prompted,) = run([nameless], detector, Settings()).pictures

    assert blind.scores["ti_clip"] is None
    assert prompted.text == written_without_tokens(nameless)
    others = {"scores": {**blind.scores, "ti_clip": prompted.scores["ti_clip"]}, "text": prompted.text}
    assert replace(blind, **others, prompt=prompted.prompt) == prompted


def written_without_tokens(one: Picture) -> str:
    text = one.prompt
    for concept_ in one.concepts:
        text = text.replace(f"{concept_.token} ", "")
    return text


def test_numbers_that_are_not_finite_are_errors_that_name_the_picture(
    world: tuple[list[Picture], FixedDetector],
) -> None:
    pictures, detector = world

    class Broken(Colours):
        def images(self, pictures: Any) -> Any:
            rows = super().images(pictures)
            rows[-1] = np.nan
            return rows

    references = encode_references(pictures[0].concepts, Colours(), Settings())
    with pytest.raises(ModelError, match=r"encoder returned no finite numbers for 000"):
        evaluate(pictures[:1], references, Broken(), detector)
    with pytest.raises(ModelError, match=r"encoder returned no finite numbers for the source photo"):
        encode_references(pictures[0].concepts, Broken(), Settings())
    silent = FixedDetector({decode_rgb(pictures[0].read()).tobytes(): None})
    with pytest.raises(ModelError, match=r"detector returned no finite numbers for 000"):
        evaluate(pictures[:1], references, Colours(), silent)


def test_no_pictures_and_no_photos_are_errors(
    concepts: dict[str, Concept], world: tuple[list[Picture], FixedDetector]
) -> None:
    pictures, detector = world
    with pytest.raises(InputError, match="no pictures"):
        evaluate([], {}, Colours(), detector)
    with pytest.raises(InputError, match="no source photos of"):
        evaluate(pictures, {}, Colours(), detector)
    with pytest.raises(InputError, match="concept cat has no source photos with a mask"):
        encode_references([concepts["cat"]], Colours(), Settings(references="masked"))
