from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from mycanvas.io.images import decode_rgb, quiet_decoding
from tests.builder.sources.test_photos import linear_profile


def test_decoding_in_threads_keeps_the_warning_filters() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(buffer, "JPEG")
    before = list(warnings.filters)

    with quiet_decoding(), ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(decode_rgb, [buffer.getvalue()] * 400))

    assert len(pictures) == 400
    assert warnings.filters == before


def test_16_bit_images_are_scaled_and_not_clipped() -> None:
    grey = np.arange(256, dtype=np.uint16).repeat(4).reshape(32, 32)
    buffer = io.BytesIO()
    Image.fromarray(grey * 257).save(buffer, "PNG")

    assert (decode_rgb(buffer.getvalue()) == grey[..., None]).all()


def test_colours_are_converted_by_the_profile() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (55, 55, 55)).save(buffer, "PNG", icc_profile=linear_profile())

    assert decode_rgb(buffer.getvalue())[0, 0].tolist() == [128] * 3
