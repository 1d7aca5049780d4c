"""How well captions say what their pictures show: the cosine of the two, over an image-caption dataset.

The poster's motive is that LAION's pairs "often suffer from weak text-image alignment"; this measures any dataset's.
Two things to know before reading the numbers:

- LAION was filtered by this very score, of CLIP ViT-B/32: nothing below 0.3 is in LAION-400M (Schuhmann et al. 2021,
  arXiv 2111.02114), nothing below 0.28 in LAION-5B's English part (Schuhmann et al. 2022, arXiv 2210.08402). Its low
  end is cut off by construction; compare with how far its distribution reaches up, not with its share below.
- Encoders differ in what their cosines mean. THRESHOLD is meant for CLIP ViT-B/32 alone.
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
"""Cosine of CLIP ViT-B/32 below which a pair was left out of LAION-5B, from which Stable Diffusion learned."""
PERCENTILES = (5, 25, 50, 75, 95)
BIN = 0.01
"""Width of the histogram's bins."""
SIDE = 1024
"""Pixels to which longer sides are shrunk as soon as a picture is decoded; encoders look at a third of that at most."""
CHUNK = 32
"""Pairs that are decoded while as many are encoded."""

LeftOut = Literal["no picture", "unreadable picture", "no caption"]
"""Why a row is not measured. Pictures that are only named by URLs are no pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """What was measured of one dataset.

    name: what to call it. cosines: float32 [N], -1 to 1, of the pairs that have both sides, in order.
    words: of the captions on average, pictures or not; None: there are none. left_out: rows by why they are.
    """

    name: str
    cosines: NDArray[np.float32]
    words: float | None
    left_out: dict[LeftOut, int]

    def below(self, threshold: float) -> float | None:
        """The share of pairs, 0 to 1, whose cosine is smaller; None if there are no pairs."""
        return float((self.cosines < threshold).mean()) if len(self.cosines) else None

    def percentiles(self) -> list[float] | None:
        """The cosines at PERCENTILES, between neighbours linearly; None if there are no pairs."""
        return np.percentile(self.cosines.astype(np.float64), PERCENTILES).tolist() if len(self.cosines) else None

    def mean_and_sd(self) -> tuple[float | None, float | None]:
        """Of the cosines, sd as of a sample (divided by N - 1); None where there are too few pairs."""
        wide = self.cosines.astype(np.float64)
        return (float(wide.mean()) if len(wide) else None, float(wide.std(ddof=1)) if len(wide) > 1 else None)

    def histogram(self) -> tuple[list[float], list[int]]:
        """The left edges of BIN-wide bins from the smallest cosine to the largest, and the pairs in each."""
        if not len(self.cosines):
            return [], []
        bins = np.floor(self.cosines.astype(np.float64) / BIN + 1e-6).astype(int)  # 0.29 as float32 is a little less
        counts = np.bincount(bins - bins.min())
        return [round((bins.min() + index) * BIN, 6) for index in range(len(counts))], counts.tolist()

    def as_json(self, threshold: float | None) -> dict[str, Any]:
        """Every number of it, of JSON's types."""
        mean, sd = self.mean_and_sd()
        found = self.percentiles()
        edges, counts = self.histogram()
        return {
            "name": self.name,
            "n": len(self.cosines),
            "mean": mean,
            "sd": sd,
            "percentiles": None
            if found is None
            else {str(p): value for p, value in zip(PERCENTILES, found, strict=True)},
            "threshold": threshold,
            "share_below": None if threshold is None else self.below(threshold),
            "words_per_caption": self.words,
            "left_out": self.left_out,
            "histogram": {"bin": BIN, "from": edges, "counts": counts},
        }


def measure_alignment(name: str, pairs: Iterable[Pair], encoder: Encoder, *, threads: int | None = None) -> Alignment:
    """The cosine of each picture and its caption; what cannot be measured is counted and left out.

    Pictures are decoded in threads while others are encoded; what is in memory does not grow with the dataset, but for
    four bytes a pair.

    Args:
        name: what to call the dataset.
        pairs: as `open_pairs` gives them.
        encoder: of pictures and texts; captions longer than it reads are cut.
        threads: that decode; None: one per core, at most 16.

    Raises:
        ConfigError: the encoder reads no text.
        ModelError: it gave no finite numbers for a pair.
        InputError: the dataset cannot be read to the end, or gave no row.
    """
    left_out: Counter[LeftOut] = Counter()
    captions = words = rows = 0
    found: list[NDArray[np.float32]] = []
    for chunk in _looked_at(pairs, threads or min(16, cores())):
        written = [pair.caption for pair, _ in chunk if pair.caption]
        rows += len(chunk)
        captions += len(written)
        words += sum(len(each.split()) for each in written)
        whole = [(seen, pair.caption) for pair, seen in chunk if not isinstance(seen, str) and pair.caption]
        left_out.update(seen for _, seen in chunk if isinstance(seen, str))
        if whole:
            pictures, texts = zip(*whole, strict=True)
            found.append((encoder.images(pictures) * encoder.texts(texts)).sum(axis=1))
            if not np.isfinite(found[-1]).all():
                raise ModelError(f"{name}: the encoder gave no finite numbers for a pair; try --dtype float32")
    if not rows:
        raise InputError(f"{name} has no rows")
    cosines = np.concatenate(found) if found else np.zeros(0, np.float32)
    mean = words / captions if captions else None
    return Alignment(name=name, cosines=cosines, words=mean, left_out=dict(sorted(left_out.items())))


def alignment_cells(alignments: Sequence[Alignment], threshold: float | None) -> list[list[str]]:
    """A row for each dataset, below a head."""
    spread = [f"{percent} %" for percent in PERCENTILES]
    below = [] if threshold is None else [f"< {threshold:g}"]
    cells = [["dataset", "pairs", "mean", "sd", *spread, *below, "words"]]
    for each in alignments:
        numbers: list[float | None] = [*each.mean_and_sd(), *(each.percentiles() or (None for _ in PERCENTILES))]
        share = [] if threshold is None else [_text(each.below(threshold), ".1%").replace("%", " %")]
        measured = (_text(number, ".3f") for number in numbers)
        cells.append([each.name, f"{len(each.cosines)}", *measured, *share, _text(each.words, ".1f")])
    return cells


def left_out(alignments: Sequence[Alignment]) -> list[str]:
    """A line for each dataset of which rows were left out: how many, and why."""
    every = {each.name: ", ".join(f"{count} {why}" for why, count in each.left_out.items()) for each in alignments}
    return [f"left out of {name}: {counts}" for name, counts in every.items() if counts]


def _text(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)


Seen = Image.Image | LeftOut


def _looked_at(pairs: Iterable[Pair], threads: int) -> Iterator[list[tuple[Pair, Seen]]]:
    """Chunks of pairs with what was seen of each; the next one is being decoded while one is encoded."""
    rows = iter(pairs)
    with quiet_decoding(), ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: list[tuple[Pair, Future[Seen]]] = []
        while chunk := [(pair, pool.submit(_look, pair)) for pair in islice(rows, CHUNK)]:
            if waiting:
                yield [(pair, seen.result()) for pair, seen in waiting]
            waiting = chunk
        if waiting:
            yield [(pair, seen.result()) for pair, seen in waiting]


def _look(pair: Pair) -> Seen:
    if pair.read is None:
        return "no picture"
    if pair.caption is None:
        return "no caption"
    try:
        picture = Image.fromarray(decode_rgb(pair.read()))
    except InputError:
        return "unreadable picture"
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture
