"""Score pictures with an encoder and a detector, against the photos of their concepts."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycanvas.boxes import Box
from mycanvas.errors import InputError, ModelError
from mycanvas.io.images import Rgb, decode_rgb, quiet_decoding
from mycanvas.metrics import scores
from mycanvas.metrics.pictures import Picture
from mycanvas.metrics.protocol import without_tokens
from mycanvas.metrics.registry import SCORES, Measurements
from mycanvas.metrics.results import Evaluation, LeftOut, PictureScores, SeenBox
from mycanvas.metrics.settings import Settings
from mycanvas.models import cores
from mycanvas.models.detectors import Detector
from mycanvas.models.encoders import Embeddings, Encoder

CHUNK = 8
"""Pictures that a worker decodes and gives to the models at once."""
MAX_WORKERS = 8
"""More workers would mostly wait for the models, each with CHUNK pictures in memory."""

Progress = Callable[[int], object]
Result = PictureScores | LeftOut


def evaluate(
    pictures: Sequence[Picture],
    references: Mapping[str, Embeddings],
    encoder: Encoder,
    detector: Detector,
    settings: Settings | None = None,
    *,
    chunk: int = CHUNK,
    workers: int | None = None,
    progress: Progress = lambda _: None,
) -> Evaluation:
    """Score pictures; each is read once.

    Args:
        pictures: the pictures, with the concepts they should show.
        references: embeddings of each concept's photos; see `encode_references`.
        encoder: the encoder of the references; several threads call it at once.
        detector: finds classes in pictures; several threads call it at once.
        settings: the choices that the paper leaves open.
        chunk: pictures that the models are given at a time.
        workers: threads; None: one for each core, at most MAX_WORKERS.
        progress: called with the number of pictures that are done.

    Raises:
        InputError: there are no pictures, none can be read, or a concept has no references.
        ModelError: a model returns numbers that are not finite for a picture.
    """
    settings = settings or Settings()
    if not pictures:
        raise InputError("there are no pictures to score")
    missing = {concept.name for picture in pictures for concept in picture.concepts} - references.keys()
    if missing:
        raise InputError(f"no source photos of {', '.join(sorted(missing))} to compare pictures with")
    score = _Scorer(
        references=references,
        texts=_encode_texts(pictures, encoder, settings),
        encoder=encoder,
        detector=detector,
        settings=settings,
    )
    results: list[Result] = []
    for some in _in_threads(score, pictures, chunk, workers or min(cores(), MAX_WORKERS)):
        results += some
        progress(len(some))
    scored = tuple(one for one in results if isinstance(one, PictureScores))
    left_out = tuple(one for one in results if isinstance(one, LeftOut))
    if not scored:
        first = f"{left_out[0].id}: {left_out[0].reason}"
        raise InputError(f"none of {len(pictures)} pictures can be read; the first, {first}")
    return Evaluation(pictures=scored, left_out=left_out)


def text_of(picture: Picture, settings: Settings) -> str:
    """The text that TI-CLIP compares a picture with; the whole prompt also where the background is not known."""
    return picture.background if settings.text == "background" and picture.background else without_tokens(picture)


def crop(pixels: Rgb, box: Box, padding: float = 0.0) -> Rgb:
    """Crop the pixels that a box touches, with `padding` times its size on each side, clipped to the picture."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    left, right = math.floor(x - padding * w), math.ceil(x + w + padding * w)
    top, bottom = math.floor(y - padding * h), math.ceil(y + h + padding * h)
    return pixels[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]


def _encode_texts(pictures: Sequence[Picture], encoder: Encoder, settings: Settings) -> Mapping[str, Embeddings]:
    """Encode each text once; none if the encoder reads no text."""
    if encoder.logit_scale is None:
        return {}
    texts = list(dict.fromkeys(text_of(picture, settings) for picture in pictures))
    vectors = dict(zip(texts, encoder.texts(texts), strict=True))
    wrong = next((text for text, vector in vectors.items() if not np.isfinite(vector).all()), None)
    if wrong is not None:
        raise ModelError(f"the encoder returned no finite numbers for the text {wrong!r}; try --dtype float32")
    return vectors


def _in_threads(
    score: Callable[[Sequence[Picture]], list[Result]], pictures: Sequence[Picture], chunk: int, workers: int
) -> Iterator[list[Result]]:
    """Score chunks of pictures in threads; results are in order."""
    # A Hugging Face tokenizer changes its state at its first call, so that must not run in two threads at once.
    with quiet_decoding():
        first = score(pictures[:1])
    yield first
    size = max(1, min(chunk, -(-(len(pictures) - 1) // workers)))
    chunks = [pictures[start : start + size] for start in range(1, len(pictures), size)]
    with _one_core_each() as begin, quiet_decoding(), ThreadPoolExecutor(workers, initializer=begin) as pool:
        try:
            yield from pool.map(score, chunks)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_core_each() -> Iterator[Callable[[], None]]:
    """Yield a thread initializer that limits PyTorch to one core a thread.

    PyTorch's own threads wait for each other after every operation; threads with pictures of their own do not.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scorer:
    """Scores a chunk of pictures, in order; each model is called once for all of them."""

    references: Mapping[str, Embeddings]
    texts: Mapping[str, Embeddings]
    encoder: Encoder
    detector: Detector
    settings: Settings

    def __call__(self, pictures: Sequence[Picture]) -> list[Result]:
        read = [_decode(picture) for picture in pictures]
        ready = [(one, pixels) for one, pixels in zip(pictures, read, strict=True) if not isinstance(pixels, LeftOut)]
        measured = iter(self._measure(ready))
        return [pixels if isinstance(pixels, LeftOut) else next(measured) for pixels in read]

    def _measure(self, ready: Sequence[tuple[Picture, Rgb]]) -> Iterator[PictureScores]:
        if not ready:
            return
        found = list(self._detect(ready))
        padding = self.settings.padding
        crops = [
            crop(pixels, box.box, padding) for (_, pixels), each in zip(ready, found, strict=True) for box in each.boxes
        ]
        wholes = [pixels for _, pixels in ready] if self.texts else []
        vectors = self.encoder.images([*wholes, *crops])
        start = len(wholes)
        for number, ((picture, _), each) in enumerate(zip(ready, found, strict=True)):
            own = vectors[start : start + len(each.boxes)]
            start += len(each.boxes)
            whole = vectors[number] if self.texts else None
            if not np.isfinite(own).all() or (whole is not None and not np.isfinite(whole).all()):
                raise ModelError(f"the encoder returned no finite numbers for {picture.id}; try --dtype float32")
            yield self._score(picture, each, own, whole)

    def _detect(self, ready: Sequence[tuple[Picture, Rgb]]) -> Iterator[scores.PickedBoxes]:
        settings = self.settings
        classes = [[concept.class_name for concept in picture.concepts] for picture, _ in ready]
        detected = self.detector.detect([pixels for _, pixels in ready], classes)
        for (picture, _), names, boxes in zip(ready, classes, detected, strict=True):
            if boxes is None:
                raise ModelError(f"the detector returned no finite numbers for {picture.id}; try --dtype float32")
            yield scores.pick_boxes(
                boxes, names, threshold=settings.threshold, certainty=settings.certainty, max_covered=settings.covered
            )

    def _score(
        self, picture: Picture, found: scores.PickedBoxes, crops: Embeddings, whole: Embeddings | None
    ) -> PictureScores:
        settings = self.settings
        classes = [concept.class_name for concept in picture.concepts]
        labels = [box.label for box in found.boxes]
        alike = scores.similarity(
            crops, [self.references[concept.name] for concept in picture.concepts], settings.negative
        )
        count = len(found.expected)
        pairs = scores.assign(alike[:count], labels[:count], classes)
        shown = scores.shows(alike)
        text = text_of(picture, settings)
        measured = Measurements(
            classes=classes,
            found=found,
            labels=labels,
            alike=alike,
            pairs=pairs,
            shown=shown,
            picture=whole,
            text=self.texts.get(text),
            layout=picture.boxes,
            settings=settings,
        )
        return PictureScores(
            id=picture.id,
            split=picture.split,
            composition=picture.composition,
            prompt=picture.prompt,
            text=text,
            scores={name: score.compute(measured) for name, score in SCORES.items()},
            boxes=tuple(_seen(picture, found, alike, shown, pairs)),
        )


def _decode(picture: Picture) -> Rgb | LeftOut:
    try:
        return decode_rgb(picture.read())
    except InputError as error:
        return LeftOut(id=picture.id, split=picture.split, reason=str(error))


def _seen(
    picture: Picture,
    found: scores.PickedBoxes,
    alike: NDArray[np.float64],
    shown: Sequence[int],
    pairs: Mapping[int, int],
) -> Iterator[SeenBox]:
    for i, box in enumerate(found.boxes):
        assigned = pairs.get(i)
        yield SeenBox(
            detected_class=box.label,
            box=box.box,
            confidence=box.score,
            most_similar=picture.concepts[shown[i]].name,
            similarity=float(alike[i, shown[i]]),
            assigned=None if assigned is None else picture.concepts[assigned].name,
            assigned_similarity=None if assigned is None else float(alike[i, assigned]),
        )
