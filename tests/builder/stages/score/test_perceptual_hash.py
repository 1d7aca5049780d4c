"""Fingerprints: few differing bits for similar pictures, many for different ones."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
import pytest

from builder.records import Rgb
from builder.stages.score.perceptual_hash import fingerprint


def picture(seed: int) -> Rgb:
    """A random picture of large soft shapes."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return cv2.resize(cells, (400, 400), interpolation=cv2.INTER_CUBIC)


def changed(image: Rgb, how: str) -> Rgb:
    if how == "smaller":
        return cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA)
    if how == "brighter":
        return (image * 0.8 + 30).astype(np.uint8)
    if how == "noisy":
        noise = np.random.default_rng(9).normal(0, 4, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 60))
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("how", ["smaller", "brighter", "noisy", "jpeg"])
@pytest.mark.parametrize("seed", range(5))
def test_similar_pictures_differ_in_few_bits(seed: int, how: str) -> None:
    assert (fingerprint(picture(seed)) ^ fingerprint(changed(picture(seed), how))).bit_count() <= 3


def test_different_pictures_differ_in_many_bits() -> None:
    prints = [fingerprint(picture(seed)) for seed in range(20)]

    assert min((a ^ b).bit_count() for i, a in enumerate(prints) for b in prints[:i]) >= 12


def test_mirrored_picture_differs_in_many_bits() -> None:
    mirrored = np.ascontiguousarray(picture(0)[:, ::-1])

    assert (fingerprint(picture(0)) ^ fingerprint(mirrored)).bit_count() >= 12


def test_fingerprint_fits_arrow_uint64() -> None:
    prints = [fingerprint(picture(seed)) for seed in range(8)]

    assert pa.array(prints, pa.uint64()).to_pylist() == prints


def test_fingerprint_has_as_many_ones_as_zeros() -> None:
    assert fingerprint(picture(3)).bit_count() == 32
