"""Each photo is cut out once for the segmenter's settings, with the same result as without a cache."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from builder.config import BuildConfig, parse_config
from builder.pipeline.cache_keys import settings_key
from builder.pipeline.cached_segmenter import CachedSegmenter
from builder.pipeline.result_cache import MATTE, Result, ResultCache
from builder.records import Rgb
from builder.stages.segment.base import Matte
from mycanvas.models.runtime import Runtime

PHOTOS = [np.random.default_rng(seed).integers(0, 256, (40, 30 + seed, 3), np.uint8) for seed in range(3)]


class Finder:
    """Takes a photo's red channel for its matte; counts the photos that it was given."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, photos: Sequence[Rgb]) -> list[Matte]:
        self.count += len(photos)
        return [
            Matte(alpha=photo[..., 0].astype(np.float32) / np.float32(256), quality=1 / 3, lost={"see-through": 1 / 7})
            for photo in photos
        ]


def mattes(photos: Sequence[Rgb], folder: Path | None, settings: str = "tricut") -> tuple[list[Matte], int]:
    """The mattes of photos, by a segmenter with the cache in a folder, and how many of them were not in the cache."""
    finder = Finder()
    cache = ResultCache(folder) if folder else None
    return list(CachedSegmenter(finder, cache, settings).matte(photos)), finder.count


def same(one: Sequence[Matte], other: Sequence[Matte]) -> bool:
    facts = [[(matte.quality, matte.lost) for matte in mattes] for mattes in (one, other)]
    return facts[0] == facts[1] and all(
        a.alpha.dtype == b.alpha.dtype and np.array_equal(a.alpha, b.alpha) for a, b in zip(one, other, strict=True)
    )


def test_mattes_are_the_same_without_a_cache_and_with_an_empty_a_partial_and_a_full_one(tmp_path: Path) -> None:
    off, _ = mattes(PHOTOS, None)

    first, found_first = mattes(PHOTOS[1:2], tmp_path)
    partial, found_partial = mattes(PHOTOS, tmp_path)
    full, found_full = mattes(PHOTOS, tmp_path)

    assert (found_first, found_partial, found_full) == (1, 2, 0)
    assert same(first, off[1:2])
    assert same(partial, off)
    assert same(full, off)
    assert all(abs(matte.alpha - photo[..., 0] / 256).max() < 1 / 255 for matte, photo in zip(off, PHOTOS, strict=True))


def test_another_photo_and_other_settings_are_found_again(tmp_path: Path) -> None:
    mattes(PHOTOS[:1], tmp_path)
    changed = PHOTOS[0].copy()
    changed[5, 7, 2] ^= 1

    assert mattes([changed], tmp_path)[1] == 1
    assert mattes([PHOTOS[0].reshape(30, 40, 3)], tmp_path)[1] == 1
    assert mattes(PHOTOS[:1], tmp_path, "rembg")[1] == 1
    assert mattes(PHOTOS[:1], tmp_path)[1] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        Result(facts={"quality": 0.5, "lost": {}}, files={"alpha": b"AAAA"}),
        Result(facts={"quality": 0.5, "lost": {}}, files={"alpha": zlib.compress(bytes(7))}),
        Result(facts={"quality": 0.5, "lost": {}}, files={"alpha": zlib.compress(bytes(10**6))}),
        Result(facts={"quality": "high", "lost": {}}, files={"alpha": zlib.compress(bytes(40 * 30))}),
        Result(facts={"quality": 10**400, "lost": {}}, files={"alpha": zlib.compress(bytes(40 * 30))}),
        Result(facts={"quality": 0.5, "lost": []}, files={"alpha": zlib.compress(bytes(40 * 30))}),
        Result(facts={}, files={}),
    ],
    ids=["no alpha", "short alpha", "long alpha", "no quality", "huge quality", "no flaws", "nothing"],
)
def test_entry_that_is_no_matte_of_the_photo_is_found_and_written_again(tmp_path: Path, wrong: Result) -> None:
    expected, _ = mattes(PHOTOS[:1], tmp_path)
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    ResultCache(tmp_path).put(file.stem, MATTE, wrong)

    again, found = mattes(PHOTOS[:1], tmp_path)

    assert found == 1
    assert same(again, expected)
    assert file.read_bytes() == before


def config(backend: str, **changes: object) -> BuildConfig:
    segment = {"backend": backend, **{key: changes.pop(key) for key in ("rembg", "min_quality") if key in changes}}
    return parse_config({"concepts": "photos", "segment": segment, **changes})


def test_settings_that_change_no_matte_share_the_cache() -> None:
    runtime = Runtime()
    key = settings_key(config("tricut"), runtime)

    assert settings_key(config("tricut", resolution=256, seed=7, output="o", min_quality=0.5), runtime) == key
    assert settings_key(config("tricut", rembg={"rounds": 1}, memory="low"), Runtime(device="cuda", threads=3)) == key


def test_settings_models_and_segmenters_that_change_mattes_have_their_own_keys() -> None:
    def of_network(revision: str, rounds: int, device: str = "cpu") -> str:
        table = config("rembg", rembg={"rounds": rounds})
        return settings_key(table, Runtime(device=device, revisions={"isnet-general-use": revision}))

    keys = [settings_key(config("tricut"), Runtime()), of_network("a", 3), of_network("b", 3), of_network("a", 1)]
    keys.append(of_network("a", 3, "cuda"))

    assert len(set(keys)) == len(keys)
    assert of_network("a", 3) in keys
