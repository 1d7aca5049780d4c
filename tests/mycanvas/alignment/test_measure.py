"""Caption-image alignment: numbers against a plain loop, rows left out, memory, and the plot."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mycanvas.alignment.measure import Alignment, alignment_cells, left_out_lines, measure_alignment
from mycanvas.alignment.pairs import Pair
from mycanvas.alignment.plot import draw_alignments
from mycanvas.errors import ConfigError, InputError, ModelError
from mycanvas.io.images import decode_rgb
from mycanvas.models.encoders import load_encoder

CAPTIONS = ("a cat in a garden", "a photo of a mug", "the dog", "a ring of a realistic teapot")


def encoded(seed: int, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def pair(picture: bytes | None, caption: str | None) -> Pair:
    return Pair(read=None if picture is None else partial(bytes, picture), caption=caption)


class Fixed:
    """An encoder that yields given cosines, in the order of the calls."""

    logit_scale = 1.0

    def __init__(self, cosines: Sequence[float]) -> None:
        self._left = list(cosines)

    def images(self, pictures: Sequence[object]) -> NDArray[np.float32]:
        found, self._left = self._left[: len(pictures)], self._left[len(pictures) :]
        return np.array([(cosine, np.sqrt(1 - cosine**2)) for cosine in found], np.float32)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([(1, 0)] * len(texts), np.float32)


def aligned(name: str, cosines: Sequence[float]) -> Alignment:
    return Alignment(name=name, cosines=np.array(cosines, np.float32), words=4.0, left_out={})


def test_cosines_equal_those_of_one_pair_at_a_time(tiny_model: Callable[[str], Path]) -> None:
    encoder = load_encoder(tiny_model("clip"), batch_size=7)
    rows = [(encoded(index), CAPTIONS[index % len(CAPTIONS)]) for index in range(75)]
    found = measure_alignment("it", (pair(*row) for row in rows), encoder, threads=3)

    assert found.left_out == {}
    assert found.words == pytest.approx(np.mean([len(caption.split()) for _, caption in rows]))
    alone = [float(encoder.images([decode_rgb(picture)])[0] @ encoder.texts([text])[0]) for picture, text in rows]
    assert np.abs(found.cosines - alone).max() < 1e-5
    assert np.std(alone) > 1e-3


def test_incomplete_rows_are_counted_and_do_not_affect_others() -> None:
    good = encoded(0)

    def gone() -> bytes:
        raise InputError("gone")

    pairs = [
        pair(good, "a cat"),
        pair(None, "only a link"),
        pair(b"no picture at all", "broken bytes"),
        pair(good[:-200], "cut off"),
        Pair(read=gone, caption="moved away"),
        pair(good, None),
        pair(good, "a big dog"),
    ]
    found = measure_alignment("it", pairs, Fixed([0.3, 0.2]))

    assert found.cosines.tolist() == pytest.approx([0.3, 0.2])
    assert found.left_out == {"without a caption": 1, "without an image": 1, "with an unreadable image": 3}
    assert found.words == pytest.approx((2 + 3 + 2 + 2 + 2 + 3) / 6)


def test_dataset_of_urls_has_captions_and_no_alignment() -> None:
    found = measure_alignment("laion", [pair(None, "a cat"), pair(None, "a cat on a mat")], Fixed([]))

    assert alignment_cells([found], 0.28)[1] == ["laion", "0", *["-"] * 8, "3.5"]
    assert left_out_lines([found]) == ["laion: rows left out: 2 without an image"]
    assert found.as_json(0.28)["mean"] is None
    assert "laion: no pairs" in draw_alignments([found], "clip", 0.28)


def test_numbers_equal_numpy_s_and_the_threshold_is_exclusive() -> None:
    cosines = [0.28, 0.2791, 0.3107, 0.3512, 0.2914, 0.3016]
    found = measure_alignment("it", [pair(encoded(0), "a cat")] * len(cosines), Fixed(cosines))
    numbers = found.as_json(0.28)

    assert numbers["n"] == 6
    assert numbers["mean"] == pytest.approx(np.mean(cosines), abs=1e-6)
    assert numbers["sd"] == pytest.approx(np.std(cosines, ddof=1), abs=1e-6)
    assert list(numbers["percentiles"].values()) == pytest.approx(np.percentile(cosines, [5, 25, 50, 75, 95]), abs=1e-6)
    assert numbers["fraction_below"] == pytest.approx(1 / 6)
    assert numbers["histogram"]["from"] == [round(0.27 + index / 100, 2) for index in range(9)]
    assert numbers["histogram"]["counts"] == [1, 1, 1, 1, 1, 0, 0, 0, 1]
    spread = [np.mean(cosines), np.std(cosines, ddof=1), *np.percentile(cosines, [5, 25, 50, 75, 95])]
    assert alignment_cells([found], 0.28)[1] == [*("it", "6", *(f"{value:.3f}" for value in spread), "16.7 %", "2.0")]
    assert left_out_lines([found]) == []
    assert "< 0.28" not in alignment_cells([found], None)[0]


def test_rows_are_read_at_most_two_chunks_ahead_of_the_encoder() -> None:
    taken = 0
    most_ahead = 0
    measured = 0

    class Counting(Fixed):
        def images(self, pictures: Sequence[object]) -> NDArray[np.float32]:
            nonlocal most_ahead, measured
            most_ahead = max(most_ahead, taken - measured)
            measured += len(pictures)
            return super().images(pictures)

    def rows() -> Iterator[Pair]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield pair(small, "a cat")

    small = encoded(0, (4, 4))
    found = measure_alignment("it", rows(), Counting([0.1] * 1000))

    assert len(found.cosines) == 1000
    assert most_ahead <= 64  # being encoded, and being decoded


def test_images_are_decoded_in_parallel() -> None:
    both_started = threading.Barrier(2, timeout=20)
    picture = encoded(0)

    def read() -> bytes:
        both_started.wait()  # breaks if one decoding waits for the other
        return picture

    pairs = [Pair(read=read, caption="a cat")] * 2
    assert len(measure_alignment("it", pairs, Fixed([0.1, 0.2]), threads=2).cosines) == 2


def test_large_images_are_shrunk_when_decoded() -> None:
    seen: list[tuple[int, int]] = []

    class Watching(Fixed):
        def images(self, pictures: Sequence[object]) -> NDArray[np.float32]:
            seen.extend(picture.size for picture in pictures if isinstance(picture, Image.Image))
            return super().images(pictures)

    sizes = ((3000, 1500), (1024, 100), (8, 2500))
    pairs = [pair(encoded(0, size, "JPEG"), "a cat") for size in sizes]
    measure_alignment("it", pairs, Watching([0.1] * 3))

    assert seen == [(1024, 512), (1024, 100), (3, 1024)]


def test_encoder_without_text_or_with_nan_is_an_error(tiny_model: Callable[[str], Path]) -> None:
    one = [pair(encoded(0), "a cat")]

    with pytest.raises(ConfigError, match="has no text model"):
        measure_alignment("it", one, load_encoder(tiny_model("dinov2")))
    with pytest.raises(ModelError, match="it: the encoder returned no finite numbers for a pair; try --dtype float32"):
        measure_alignment("it", one, Fixed([np.nan]))
    with pytest.raises(InputError, match="it has no rows"):
        measure_alignment("it", [], Fixed([]))


def test_plot_has_one_histogram_per_dataset_on_the_same_axes() -> None:
    both = [aligned("ours", [0.31, 0.325, 0.33, 0.335]), aligned("<LAION> & co", [0.2, 0.21, 0.22, 0.29])]
    svg = draw_alignments(both, "CLIP B/32", 0.28)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own

    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "ours: 4 pairs, mean 0.325, 0.0 % below 0.28" in texts
    assert "<LAION> & co: 4 pairs, mean 0.230, 75.0 % below 0.28" in texts
    assert "cosine of picture and caption by CLIP B/32 (dashed: 0.28)" in texts
    bars = [box.attrib for box in root.iter("{http://www.w3.org/2000/svg}rect") if "x" in box.attrib]
    place = {
        colour: [float(b["x"]) for b in bars if b["fill"] == colour and float(b["height"])]
        for colour in {b["fill"] for b in bars}
    }
    ours, laion = place["#0072B2"], place["#E69F00"]
    assert len(ours) == 3
    assert len(laion) == 4
    assert max(laion) < min(ours)
    tall = {round(float(b["height"]), 1) for b in bars if b["fill"] == "#0072B2"}
    assert max(tall) == pytest.approx(
        2 * min(value for value in tall if value), abs=0.2
    )  # half of the pairs, a quarter
