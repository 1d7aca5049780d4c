from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from builder.demo.photograph import photograph
from builder.demo.render import TOYS
from builder.records import Cutout, Photo, Rejected, Rgb
from builder.stages.segment import FULL_TRUST, segment
from builder.stages.segment.base import Matte, SegmentConfig
from builder.stages.segment.outline import tear
from builder.stages.segment.tricut import TriCut, residue

CONFIG = SegmentConfig()

Drawing = tuple[Photo, np.ndarray]


def ground(size: tuple[int, int], colour: tuple[int, int, int], seed: int) -> np.ndarray:
    """A textured ground that darkens downwards, like a floor seen from above."""
    height, width = size
    grain = np.random.default_rng(seed).normal(0, 14, (height, width)).astype(np.float32)
    shade = cv2.GaussianBlur(grain, (0, 0), 1.5) * 3 + np.linspace(20, -20, height, dtype=np.float32)[:, None]
    return np.clip(np.array(colour, np.float32) + shade[..., None], 0, 255)


def draw(
    name: str,
    shape: Callable[[np.ndarray], None],
    colour: tuple[int, int, int],
    floor: tuple[int, int, int] = (120, 125, 110),
    size: tuple[int, int] = (160, 160),
) -> Drawing:
    """A shaded shape on a textured ground, antialiased; the shape draws itself in white into uint8 [H, W]."""
    canvas = np.zeros(size, np.uint8)
    shape(canvas)
    alpha = canvas[..., None].astype(np.float32) / 255
    light = np.linspace(1.15, 0.8, size[1], dtype=np.float32)[None, :, None]
    thing = np.clip(np.array(colour, np.float32) * light, 0, 255)
    pixels = alpha * thing + (1 - alpha) * ground(size, floor, seed=len(name))
    return Photo(id=name, pixels=pixels.astype(np.uint8)), canvas >= 128


def ball(canvas: np.ndarray) -> None:
    height, width = canvas.shape
    cv2.circle(canvas, (width // 2, height * 11 // 20), min(height, width) // 4, 255, -1, cv2.LINE_AA)


def low_ball(canvas: np.ndarray) -> None:
    cv2.circle(canvas, (80, 125), 50, 255, -1, cv2.LINE_AA)


def bottle(canvas: np.ndarray) -> None:
    cv2.ellipse(canvas, (77, 109), (24, 32), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (70, 43), (84, 101), 255, -1)


def mug(canvas: np.ndarray) -> None:
    cv2.rectangle(canvas, (50, 57), (100, 123), 255, -1)
    cv2.ellipse(canvas, (103, 91), (20, 23), 0, -90, 90, 255, 8, cv2.LINE_AA)


@pytest.fixture(scope="session")
def drawings() -> list[Drawing]:
    return [
        draw("ball", ball, (200, 40, 35)),
        draw("bottle", bottle, (30, 90, 190), floor=(150, 120, 90)),
        draw("mug", mug, (225, 215, 60), floor=(60, 95, 55)),
    ]


class FixedMattes:
    """Answers with what it was given, one after the other."""

    def __init__(self, *alphas: np.ndarray, quality: float = 0.9) -> None:
        self.alphas, self.quality = list(alphas), quality

    def matte(self, photos: Sequence[Rgb]) -> Iterable[Matte]:
        assert len(photos) <= len(self.alphas)
        return (Matte(alpha=self.alphas.pop(0), quality=self.quality) for _ in photos)


def photo(name: str, size: tuple[int, int] = (200, 200), alpha: np.ndarray | None = None) -> Photo:
    return Photo(id=name, pixels=np.full((*size, 3), 128, np.uint8), alpha=alpha)


def square(size: tuple[int, int] = (200, 200), half: int = 50) -> np.ndarray:
    alpha = np.zeros(size, np.float32)
    alpha[size[0] // 2 - half : size[0] // 2 + half, size[1] // 2 - half : size[1] // 2 + half] = 1
    return alpha


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def cut(photos: Sequence[Photo], side: int = 512) -> list[Cutout | Rejected]:
    return list(segment([replace(photo, cutout_side=side) for photo in photos], TriCut(), CONFIG, 0))


def test_drawn_objects_are_found_and_trusted(drawings: list[Drawing]) -> None:
    results = cut([photo for photo, _ in drawings])

    for (_, truth), result in zip(drawings, results, strict=True):
        assert isinstance(result, Cutout)
        assert iou(result.mask, truth) > 0.93, result.photo_id
        assert result.quality >= CONFIG.min_quality, result.photo_id


def test_rendered_toys_are_cut_out_along_their_exact_outline() -> None:
    ious = []
    for name, view in (("ball", 0), ("cactus", 1), ("mug", 2), ("rocket", 2)):
        pixels, alpha = photograph(TOYS[name], view, size=160)
        (result,) = cut([Photo(id=name, pixels=pixels)])
        assert isinstance(result, Cutout)
        ious.append(iou(result.mask, alpha >= 128))

    assert np.mean(ious) >= 0.9, ious


def test_a_result_depends_on_its_own_photo_only(drawings: list[Drawing]) -> None:
    photos = [photo for photo, _ in drawings]

    forwards, backwards = cut(photos[:2]), cut(photos[1::-1])[::-1]
    cv2.setRNGSeed(77)
    alone = cut(photos[:1])

    for one, other in zip([*forwards, forwards[0]], [*backwards, alone[0]], strict=True):
        assert isinstance(one, Cutout)
        assert isinstance(other, Cutout)
        assert one.quality == other.quality
        assert np.array_equal(one.rgba, other.rgba)


def test_the_number_of_threads_changes_nothing(drawings: list[Drawing]) -> None:
    before = cv2.getNumThreads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        results.append(cut([drawings[0][0]])[0])
    cv2.setNumThreads(before)

    one, four = results
    assert isinstance(one, Cutout)
    assert isinstance(four, Cutout)
    assert one.quality == four.quality
    assert np.array_equal(one.rgba, four.rgba)


def test_a_rejected_photo_costs_its_neighbours_nothing() -> None:
    nothing = np.zeros((200, 200), np.float32)
    first, wall, last = segment(
        [photo("first"), photo("wall"), photo("last")], FixedMattes(square(), nothing, square()), CONFIG, 512
    )

    assert wall == Rejected(sample_id="wall", stage="segment", reason="no object found")
    assert isinstance(first, Cutout)
    assert isinstance(last, Cutout)
    assert (first.photo_id, last.photo_id) == ("first", "last")


@pytest.mark.parametrize(
    ("alpha", "reason"),
    [
        (np.ones((200, 200), np.float32), "the object fills 100% of the photo, expected at most 95%"),
        (square(half=10), "the object is 20 px long, expected at least 64; see segment.min_side"),
    ],
)
def test_what_is_no_object_is_rejected_with_what_was_got_and_wanted(alpha: np.ndarray, reason: str) -> None:
    (result,) = segment([photo("x")], FixedMattes(alpha), CONFIG, 512)

    assert isinstance(result, Rejected)
    assert result.reason == reason


def test_a_ready_cutout_passes_through_exactly_and_is_not_segmented() -> None:
    alpha = square() * np.float32(0.8)
    ready = photo("ready", alpha=alpha)

    (result,) = segment([ready], FixedMattes(), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert result.quality == FULL_TRUST
    assert np.array_equal(result.mask, alpha >= 0.5)
    visible = result.rgba[..., 3] > 0
    assert visible.sum() == 100 * 100
    assert (result.rgba[visible] == [128, 128, 128, 204]).all()


def test_a_ready_cut_out_that_fills_its_frame_is_whole() -> None:
    (result,) = segment([photo("cropped", alpha=np.ones((200, 200), np.float32))], FixedMattes(), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert not result.cut_off


def test_ready_and_found_cutouts_keep_their_order() -> None:
    found = FixedMattes(square(half=40), square(half=60))
    results = segment([photo("a"), photo("ready", alpha=square()), photo("b")], found, CONFIG, 512)

    assert [(r.photo_id, int(r.mask.sum())) for r in results if isinstance(r, Cutout)] == [
        ("a", 80 * 80),
        ("ready", 100 * 100),
        ("b", 120 * 120),
    ]


def test_photos_without_an_object_do_not_pass_the_gate() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    empty = [
        Photo(id="plain wall", pixels=np.full((120, 120, 3), 200, np.uint8)),
        Photo(id="noise", pixels=noise),
        Photo(id="floor", pixels=ground((120, 120), (120, 120, 120), seed=1).astype(np.uint8)),
    ]

    for result in cut(empty):
        assert isinstance(result, Rejected) or result.quality < CONFIG.min_quality


def test_the_edge_holds_the_object_s_own_colour() -> None:
    alpha = np.zeros((240, 240), np.uint8)
    cv2.circle(alpha, (120, 120), 70, 255, -1, cv2.LINE_AA)
    opacity = cv2.GaussianBlur(alpha, (0, 0), 2)[..., None].astype(np.float32) / 255
    pixels = (opacity * [220, 20, 20] + (1 - opacity) * [20, 20, 220]).astype(np.uint8)

    (result,) = cut([Photo(id="disc", pixels=pixels)])

    assert isinstance(result, Cutout)
    seen = result.rgba[result.rgba[..., 3] > 12].astype(int)
    assert seen[:, 2].max() < 70, "blue of the ground is left at the edge"
    assert seen[:, 0].min() > 170


def test_a_cutout_is_cropped_to_the_side_asked_for_with_a_transparent_margin(drawings: list[Drawing]) -> None:
    (result,) = cut([drawings[0][0]], side=60)

    assert isinstance(result, Cutout)
    assert max(result.rgba.shape) == 60
    alpha = result.rgba[..., 3]
    assert np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).max() == 0
    assert result.mask.shape == drawings[0][0].pixels.shape[:2]


def test_black_bars_are_not_part_of_the_photo(drawings: list[Drawing]) -> None:
    inner, truth = drawings[0]
    barred = np.zeros((160, 260, 3), np.uint8)
    barred[:, 50:210] = inner.pixels

    (result,) = cut([Photo(id="barred", pixels=barred)])

    assert isinstance(result, Cutout)
    assert iou(result.mask[:, 50:210], truth) > 0.93


def test_an_object_that_the_frame_cuts_off_is_trusted_less() -> None:
    whole, low, high = square(half=50), np.roll(square(half=50), 50, axis=0), np.roll(square(half=50), -50, axis=0)
    results = segment([photo("whole"), photo("low"), photo("high")], FixedMattes(whole, low, high), CONFIG, 512)

    qualities = {result.photo_id: result.quality for result in results if isinstance(result, Cutout)}
    assert qualities["high"] < qualities["low"] < qualities["whole"] == 0.9


def test_an_object_that_leaves_the_photo_below_is_found_and_trusted() -> None:
    drawing, truth = draw("low ball", low_ball, (200, 40, 35))

    (result,) = cut([drawing])

    assert isinstance(result, Cutout)
    assert iou(result.mask, truth) > 0.93
    assert result.quality >= CONFIG.min_quality


@pytest.mark.parametrize("bar", [0, 30])
def test_where_the_photo_s_lower_edge_cuts_an_object_it_ends_hard(bar: int) -> None:
    drawing, truth = draw("low ball", low_ball, (200, 40, 35))
    barred = np.pad(drawing.pixels, ((bar, bar), (0, 0), (0, 0)))
    alpha = truth.astype(np.float32)
    alpha = alpha[1:-1] if bar else alpha  # a bar's blurred edge goes with it

    (result,) = segment([Photo(id="low", pixels=barred)], FixedMattes(alpha), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert result.cut_off
    opacity = result.rgba[..., 3]
    assert np.count_nonzero(opacity[-1] == 255) > 60
    assert np.concatenate([opacity[0], opacity[:, 0], opacity[:, -1]]).max() == 0


def disc(size: int, fur: float = 0.0) -> np.ndarray:
    """A disc in a square of this size; fur: the spread of its radius, as a share of it."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 0.35 * size * (1 + fur * np.random.default_rng(3).normal(size=120))
    points = size / 2 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return cv2.fillPoly(np.zeros((size, size), np.uint8), [np.rint(points).astype(np.int32)], 1).astype(bool)


def stool(size: int) -> np.ndarray:
    canvas = np.zeros((size, size), np.uint8)
    cv2.ellipse(canvas, (size // 2, size // 3), (size // 3, size // 6), 0, 0, 360, 1, -1)
    for foot in (-1, 0, 1):
        cv2.line(canvas, (size // 2, size // 3), (size // 2 + foot * size // 3, size * 9 // 10), 1, size // 20)
    return canvas.astype(bool)


def in_grass(mask: np.ndarray) -> np.ndarray:
    """What blades of grass leave to see of an object, reaching up to a sixth of its height."""
    size, rng = len(mask), np.random.default_rng(5)
    rows = np.flatnonzero(mask.any(axis=1))
    grass = np.zeros(mask.shape, np.uint8)
    for x in np.linspace(0, size, 45):
        tip = (x + rng.normal(0, 0.02) * size, rows[-1] - rng.uniform(0, len(rows) / 6))
        blade = np.array([(x - size / 60, size), (x + size / 60, size), tip])
        cv2.fillPoly(grass, [np.rint(blade).astype(np.int32)], 1)
    return mask & (grass == 0)


@pytest.mark.parametrize("size", [300, 900])
def test_an_outline_is_torn_that_is_rough_below_and_smooth_elsewhere(size: int) -> None:
    torn = in_grass(disc(size))

    assert tear(torn) > 0.001
    assert tear(torn[::-1]) == 0, "rough above"
    assert tear(disc(size)) == 0, "smooth all around"
    assert tear(disc(size, fur=0.05)) == 0, "rough all around"
    assert tear(stool(size)) == 0, "smooth between its corners"


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (200, 300), (900, 900)])
def test_what_has_little_outline_is_not_torn(size: tuple[int, int]) -> None:
    assert tear(np.ones(size, bool)) == 0
    assert tear(np.zeros(size, bool)) == 0
    assert tear(np.eye(*size, dtype=bool)) == 0


def test_a_toy_that_stands_in_grass_is_found_but_does_not_pass_the_gate() -> None:
    pixels, alpha = photograph(TOYS["mug"], 0, size=320)
    seen = in_grass(alpha >= 128)
    grain = np.random.default_rng(1).normal(0, 25, (320, 320, 1))
    grown = np.where(seen[..., None], pixels, np.clip(np.array((70, 130, 45)) + grain, 0, 255)).astype(np.uint8)

    clear, hidden = cut([Photo(id="clear", pixels=pixels), Photo(id="hidden", pixels=grown)])

    assert isinstance(clear, Cutout)
    assert isinstance(hidden, Cutout)
    assert iou(hidden.mask, seen) > 0.95
    assert hidden.quality < CONFIG.min_quality <= clear.quality


def test_a_part_left_out_of_an_object_is_noticed() -> None:
    pixels = np.full((120, 120, 3), (120, 125, 110), np.uint8)
    pixels[40:80, 40:80], pixels[80:86, 40:80] = (200, 40, 35), (30, 30, 35)
    whole, body = np.zeros((2, 120, 120), bool)
    whole[40:86, 40:80] = body[40:80, 40:80] = True

    assert residue(pixels, whole) < 0.02
    assert residue(pixels, body) > 0.15


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 400), (30, 2000), (2000, 20)])
def test_odd_sizes_give_a_result(size: tuple[int, int]) -> None:
    drawing, _ = draw("odd", ball, (200, 40, 35), size=size)

    assert len(cut([drawing])) == 1
