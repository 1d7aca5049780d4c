from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from builder.records import Background, BackgroundRef, Size
from builder.stages.backgrounds import BackgroundSource, find_backgrounds, procedural_backgrounds
from mycanvas.errors import InputError

TABLE = next(ref for ref in procedural_backgrounds() if ref.scene == "wooden_table")


class Square:
    """A source of square backgrounds of one size."""

    def __init__(self, side: int, *paint: Callable[[BackgroundRef], Background]) -> None:
        self._size = Size(side, side)
        self._source = BackgroundSource([self._size], *paint)

    def load(self, ref: BackgroundRef, seed: int, sample_id: str) -> Background:
        return self._source.load(ref, self._size, seed, sample_id)


@pytest.fixture
def park(tmp_path: Path) -> BackgroundRef:
    """A photo, 800 x 600: blue sky above row 420 (0.7), grey ground below."""
    rng = np.random.default_rng(0)
    pixels = np.full((600, 800, 3), (90, 140, 220), np.uint8)
    pixels[420:] = 120
    noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    (tmp_path / "park").mkdir()
    Image.fromarray(noisy).save(tmp_path / "park" / "1.png")
    (ref,) = find_backgrounds(tmp_path).backgrounds
    return ref


@pytest.fixture(scope="module")
def painted() -> Square:
    """Shared, because the first picture of a scene takes longest."""
    return Square(256)


@pytest.mark.parametrize("resolution", [128, 512])
def test_background_is_square_and_of_the_requested_resolution(park: BackgroundRef, resolution: int) -> None:
    background = Square(resolution).load(park, 0, "a")

    assert background.pixels.shape == (resolution, resolution, 3)
    assert background.pixels.dtype == np.uint8
    assert background.pixels.flags.c_contiguous


def test_crop_of_a_painted_background_keeps_enough_ground(painted: Square) -> None:
    for sample in range(20):
        background = painted.load(TABLE, 0, str(sample))

        assert background.pixels.shape == (256, 256, 3)
        assert background.horizon < background.ground < 0.75


def test_samples_with_the_same_picture_get_different_pixels(painted: Square, park: BackgroundRef) -> None:
    for source, ref in ((painted, TABLE), (Square(128), park)):
        pictures = {source.load(ref, 0, str(sample)).pixels.tobytes() for sample in range(12)}

        assert len(pictures) == 12


def test_background_of_a_sample_does_not_depend_on_other_samples(park: BackgroundRef) -> None:
    busy = Square(128)
    for sample in "xyz":
        busy.load(park, 0, sample)

    first, second = busy.load(park, 0, "a"), Square(128).load(park, 0, "a")

    assert np.array_equal(first.pixels, second.pixels)
    assert (first.horizon, first.ground) == (second.horizon, second.ground)


def test_another_seed_gives_another_crop(park: BackgroundRef) -> None:
    source = Square(128)

    assert not np.array_equal(source.load(park, 0, "a").pixels, source.load(park, 1, "a").pixels)


def test_ground_of_a_photo_begins_where_its_colour_changes(park: BackgroundRef) -> None:
    source = Square(200)
    for sample in range(12):
        background = source.load(park, 0, str(sample))
        blue = background.pixels[..., 2].astype(int) - background.pixels[..., 0] > 60
        end_of_sky = np.flatnonzero(blue.mean(axis=1) > 0.5)[-1] / 200

        assert background.ground == pytest.approx(end_of_sky, abs=0.05)
        assert background.ground >= end_of_sky - 0.015, "an object would hang in the sky"


def test_about_half_of_the_samples_are_mirrored(tmp_path: Path) -> None:
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[:, :150] = 255
    (tmp_path / "half").mkdir()
    Image.fromarray(pixels).save(tmp_path / "half" / "1.png")
    (ref,) = find_backgrounds(tmp_path).backgrounds
    source = Square(128)

    mirrored = [source.load(ref, 0, str(sample)).pixels[64, 5, 0] < 128 for sample in range(60)]

    assert 18 <= sum(mirrored) <= 42


def test_specified_ground_is_used_and_follows_the_crop(park: BackgroundRef) -> None:
    specified = dataclasses.replace(park, horizon=0.3, ground=0.5)
    estimated = Square(128).load(park, 0, "a")

    background = Square(128).load(specified, 0, "a")

    side = 600 * (0.7 - 0.5) / (estimated.ground - background.ground) / 600
    assert 0.84 <= side <= 1.01, "both rows are measured in the same crop, 0.85 to 1 of the photo's height"
    assert background.ground - background.horizon == pytest.approx(0.2 / side, abs=0.02)


def test_background_shows_the_photos_own_colours(park: BackgroundRef) -> None:
    picture = Square(256).load(park, 0, "a").pixels

    sky, ground = picture[20].mean(axis=0), picture[-20].mean(axis=0)

    assert sky[2] - sky[0] > 80
    assert np.ptp(ground) < 12


def test_photo_that_changed_since_it_was_found_raises_an_error(park: BackgroundRef) -> None:
    assert park.photo is not None
    Image.new("RGB", (300, 300)).save(park.photo.path)

    with pytest.raises(InputError, match="changed"):
        Square(128).load(park, 0, "a")


def test_small_photo_is_enlarged_without_blocks(park: BackgroundRef) -> None:
    large = Square(1024).load(park, 0, "a").pixels

    assert np.abs(np.diff(cv2.cvtColor(large, cv2.COLOR_RGB2GRAY).astype(int), axis=1)).max() < 30


def test_picture_with_several_phrases_is_painted_once() -> None:
    made: list[BackgroundRef] = []

    def paint(ref: BackgroundRef) -> Background:
        made.append(ref)
        return Background(pixels=np.zeros((300, 300, 3), np.uint8), horizon=0.3, ground=0.5)

    source = Square(128, paint)
    for index, phrase in enumerate(("in a sunny yard", "in a wet yard", "in a yard")):
        source.load(dataclasses.replace(TABLE, phrase=phrase), 0, str(index))

    assert len(made) == 1


SHAPES = [Size(192, 128), Size(128, 192), Size(320, 128)]


@pytest.mark.parametrize("size", SHAPES, ids=str)
def test_background_of_another_shape_is_not_stretched(tmp_path: Path, size: Size) -> None:
    pixels = np.full((600, 800, 3), 120, np.uint8)
    for column in range(0, 800, 100):
        for row in range(0, 600, 100):
            cv2.circle(pixels, (column + 50, row + 50), 40, (255, 255, 255), -1)
    (tmp_path / "dots").mkdir()
    Image.fromarray(pixels).save(tmp_path / "dots" / "1.png")
    (ref,) = find_backgrounds(tmp_path).backgrounds

    background = BackgroundSource(SHAPES).load(ref, size, 0, "a")

    assert background.pixels.shape == (size.height, size.width, 3)
    light = (background.pixels[..., 0] > 190).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(light)
    whole = [part for part in parts[1:] if part[0] and part[1] and part[0] + part[2] < size.width]
    whole = [part for part in whole if part[1] + part[3] < size.height]
    assert whole
    assert all(part[2] == pytest.approx(part[3], abs=2) for part in whole)


@pytest.mark.parametrize("size", SHAPES, ids=str)
def test_ground_of_another_shape_is_where_its_colour_changes(park: BackgroundRef, size: Size) -> None:
    source = BackgroundSource([size])
    for sample in range(12):
        background = source.load(park, size, 0, str(sample))
        blue = background.pixels[..., 2].astype(int) - background.pixels[..., 0] > 60
        end_of_sky = (np.flatnonzero(blue.mean(axis=1) > 0.5)[-1] + 1) / size.height

        assert background.ground == pytest.approx(end_of_sky, abs=0.06)
        assert 0.5 < background.ground < 0.85, "room for objects to stand on, and something behind them"


@pytest.mark.parametrize("size", SHAPES, ids=str)
def test_painted_background_of_another_shape_keeps_its_ground(size: Size) -> None:
    source = BackgroundSource([size])
    for sample in range(10):
        background = source.load(TABLE, size, 0, str(sample))

        assert background.horizon < background.ground
        assert 0.4 < background.ground < 0.75
