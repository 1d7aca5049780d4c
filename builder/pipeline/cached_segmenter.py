"""A segmenter that takes from the user's cache what was found before, and adds what was not."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from builder.pipeline.result_cache import MATTE, Result, ResultCache
from builder.records import Rgb
from builder.stages.segment.base import Matte, MatteFinder


class CachedSegmenter(MatteFinder):
    """Mattes of 8 bits, with and without a cache, so that it changes no byte of a build.

    Args:
        find: finds the mattes of photos.
        cache: where mattes are kept; None: nowhere.
        settings: text that changes whenever the mattes may change; see `cache_keys.settings_key`.
    """

    def __init__(
        self, find: Callable[[Sequence[Rgb]], Sequence[Matte]], cache: ResultCache | None, settings: str
    ) -> None:
        self._find, self._cache, self._settings = find, cache, settings

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order; those that the cache lacks are found together, before the first is given."""
        if self._cache is None:
            yield from map(_in_8_bits, self._find(photos) if photos else ())
            return
        keys = [self._key(photo) for photo in photos]
        known = [_unpacked(self._cache.get(key, MATTE), photo) for key, photo in zip(keys, photos, strict=True)]
        missing = [photo for photo, matte in zip(photos, known, strict=True) if matte is None]
        found = iter(self._find(missing) if missing else ())
        for key, matte in zip(keys, known, strict=True):
            if matte is None:
                matte = _in_8_bits(next(found))
                self._cache.put(key, MATTE, _packed(matte))
            yield matte

    def _key(self, photo: Rgb) -> str:
        """A digest of a photo's pixels, which follow from its file, and of the settings."""
        digest = hashlib.sha256(f"{self._settings} {photo.shape}".encode())
        digest.update(np.ascontiguousarray(photo).data)
        return digest.hexdigest()


def _levels(matte: Matte) -> NDArray[np.uint8]:
    """The alpha of a matte times 255, uint8 [H, W]."""
    return np.rint(matte.alpha * 255).astype(np.uint8)


def _in_8_bits(matte: Matte) -> Matte:
    return replace(matte, alpha=_levels(matte).astype(np.float32) / np.float32(255))


def _packed(matte: Matte) -> Result:
    return Result(
        facts={"quality": matte.quality, "lost": dict(matte.lost)},
        files={"alpha": zlib.compress(_levels(matte).tobytes())},
    )


def _unpacked(result: Result | None, photo: Rgb) -> Matte | None:
    """The matte that `_packed` packed; None if it is not of the photo's size. Never expands more than that needs."""
    if result is None:
        return None
    expected = photo.shape[0] * photo.shape[1]
    try:
        quality = float(result.facts["quality"])
        lost = {str(name): float(value) for name, value in result.facts["lost"].items()}
        content = zlib.decompressobj().decompress(result.files["alpha"], expected + 1)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error):
        return None
    if len(content) != expected:
        return None
    levels = np.frombuffer(content, np.uint8).reshape(photo.shape[:2])
    return Matte(alpha=levels.astype(np.float32) / np.float32(255), quality=quality, lost=lost)
