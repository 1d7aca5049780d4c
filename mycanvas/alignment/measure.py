"""Caption-image alignment: the cosine of each image and its caption, over an image-caption dataset.

The poster's motive is that LAION's pairs "often suffer from weak text-image alignment"; this measures any dataset's.
Two cautions about the numbers:

- LAION was filtered by this very score, of CLIP ViT-B/32: nothing below 0.3 is in LAION-400M (Schuhmann et al. 2021,
  arXiv 2111.02114), nothing below 0.28 in LAION-5B's English part (Schuhmann et al. 2022, arXiv 2210.08402). Its low
  end is cut off by construction; compare with how far its distribution reaches up, not with its share below.
- Cosines of different encoders are not comparable. THRESHOLD applies to CLIP ViT-B/32 only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mycanvas.alignment.pairs import Pair
from mycanvas.errors import InputError, ModelError
from mycanvas.io.images import decode_rgb, quiet_decoding
from mycanvas.models import cores
from mycanvas.models.encoders import Encoder

THRESHOLD = 0.28
"""Cosine of CLIP ViT-B/32 below which LAION-5B, the training set of Stable Diffusion, left a pair out."""
PERCENTILES = (5, 25, 50, 75, 95)
BIN = 0.01
"""Width of the histogram's bins."""
SIDE = 1024
"""Maximum pixels of an image's longer side after decoding; encoders use a third of that at most."""
CHUNK = 32
"""Pairs that are decoded at once, while the previous ones are encoded."""

LeftOut = Literal["without an image", "with an unreadable image", "without a caption"]
"""Reason why a row is not measured. A row whose image is only a URL counts as "without an image"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """The alignment of one dataset.

    name: of the dataset. cosines: float32 [N], -1 to 1, of the rows that have image and caption, in order.
    words: mean words per caption, of all captions; None: there are none. left_out: number of rows, by reason.
    """

    name: str
    cosines: NDArray[np.float32]
    words: float | None
    left_out: dict[LeftOut, int]

    def below(self, threshold: float) -> float | None:
        """The fraction of pairs, 0 to 1, with a lower cosine; None if there are no pairs."""
        return float((self.cosines < threshold).mean()) if len(self.cosines) else None

    def percentiles(self) -> list[float] | None:
        """The cosines at PERCENTILES, linearly interpolated; None if there are no pairs."""
        return np.percentile(self.cosines.astype(np.float64), PERCENTILES).tolist() if len(self.cosines) else None

    def mean_and_sd(self) -> tuple[float | None, float | None]:
        """Mean and sample standard deviation (divided by N - 1) of the cosines; None where there are too few pairs."""
        wide = self.cosines.astype(np.float64)
        return (float(wide.mean()) if len(wide) else None, float(wide.std(ddof=1)) if len(wide) > 1 else None)

    def histogram(self) -> tuple[list[float], list[int]]:
        """The left edges of BIN-wide bins from the smallest cosine to the largest, and the pairs in each."""
        if not len(self.cosines):
            return [], []
        bins = np.floor(self.cosines.astype(np.float64) / BIN + 1e-6).astype(int)  # 0.29 is slightly less as float32
        counts = np.bincount(bins - bins.min())
        return [round((bins.min() + index) * BIN, 6) for index in range(len(counts))], counts.tolist()

    def as_json(self, threshold: float | None) -> dict[str, Any]:
        """Every number, as JSON types."""
        mean, sd = self.mean_and_sd()
        percentiles = self.percentiles()
        edges, counts = self.histogram()
        return {
            "name": self.name,
            "n": len(self.cosines),
            "mean": mean,
            "sd": sd,
            "percentiles": percentiles and {str(p): value for p, value in zip(PERCENTILES, percentiles, strict=True)},
            "threshold": threshold,
            "fraction_below": None if threshold is None else self.below(threshold),
            "words_per_caption": self.words,
            "left_out": self.left_out,
            "histogram": {"bin": BIN, "from": edges, "counts": counts},
        }


def measure_alignment(name: str, pairs: Iterable[Pair], encoder: Encoder, *, threads: int | None = None) -> Alignment:
    """Measure the cosine of each image and its caption; rows that lack either are counted and left out.

    Images are decoded in threads while others are encoded. Memory does not grow with the dataset, except for four bytes
    per pair.

    Args:
        name: of the dataset.
        pairs: as `open_pairs` returns them.
        encoder: of images and texts; it truncates longer captions.
        threads: for decoding; None: one per core, at most 16.

    Raises:
        ConfigError: the encoder has no text model.
        ModelError: it returned no finite numbers for a pair.
        InputError: the dataset cannot be read to the end, or has no rows.
    """
    left_out: Counter[LeftOut] = Counter()
    captions = words = rows = 0
    cosines: list[NDArray[np.float32]] = []
    for chunk in _decoded_chunks(pairs, threads or min(16, cores())):
        rows += len(chunk)
        texts = [pair.caption for pair, _ in chunk if pair.caption]
        captions += len(texts)
        words += sum(len(text.split()) for text in texts)
        left_out.update(image for _, image in chunk if isinstance(image, str))
        complete = [(image, pair.caption) for pair, image in chunk if not isinstance(image, str) and pair.caption]
        if complete:
            chunk_images, chunk_texts = zip(*complete, strict=True)
            cosines.append((encoder.images(chunk_images) * encoder.texts(chunk_texts)).sum(axis=1))
            if not np.isfinite(cosines[-1]).all():
                raise ModelError(f"{name}: the encoder returned no finite numbers for a pair; try --dtype float32")
    if not rows:
        raise InputError(f"{name} has no rows")
    return Alignment(
        name=name,
        cosines=np.concatenate(cosines) if cosines else np.zeros(0, np.float32),
        words=words / captions if captions else None,
        left_out=dict(sorted(left_out.items())),
    )


def alignment_cells(alignments: Sequence[Alignment], threshold: float | None) -> list[list[str]]:
    """The cells of the table: a head, then one row per dataset."""
    spread = [f"{percent} %" for percent in PERCENTILES]
    below = [] if threshold is None else [f"< {threshold:g}"]
    cells = [["dataset", "pairs", "mean", "sd", *spread, *below, "words"]]
    for each in alignments:
        numbers: list[float | None] = [*each.mean_and_sd(), *(each.percentiles() or (None for _ in PERCENTILES))]
        share = [] if threshold is None else [_text(each.below(threshold), ".1%").replace("%", " %")]
        measured = (_text(number, ".3f") for number in numbers)
        cells.append([each.name, f"{len(each.cosines)}", *measured, *share, _text(each.words, ".1f")])
    return cells


def left_out_lines(alignments: Sequence[Alignment]) -> list[str]:
    """One line per dataset with rows that were left out: how many, and why."""
    every = {each.name: ", ".join(f"{count} {why}" for why, count in each.left_out.items()) for each in alignments}
    return [f"{name}: rows left out: {counts}" for name, counts in every.items() if counts]


def _text(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)


Decoded = Image.Image | LeftOut


def _decoded_chunks(pairs: Iterable[Pair], threads: int) -> Iterator[list[tuple[Pair, Decoded]]]:
    """Chunks of pairs with their images; the next chunk is decoded while the caller works on one."""
    rows = iter(pairs)
    with quiet_decoding(), ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: list[tuple[Pair, Future[Decoded]]] = []
        while chunk := [(pair, pool.submit(_decode, pair)) for pair in islice(rows, CHUNK)]:
            if waiting:
                yield [(pair, image.result()) for pair, image in waiting]
            waiting = chunk
        if waiting:
            yield [(pair, image.result()) for pair, image in waiting]


def _decode(pair: Pair) -> Decoded:
    if pair.read is None:
        return "without an image"
    if pair.caption is None:
        return "without a caption"
    try:
        image = Image.fromarray(decode_rgb(pair.read()))
    except InputError:
        return "with an unreadable image"
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image
