"""Pictures, the photos of their concepts, an encoder and a detector -> every score of every picture."""

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
from mycanvas.metrics.protocol import without_tokens
from mycanvas.metrics.results import Evaluation, LeftOut, PictureScores, SeenBox
from mycanvas.metrics.scenes import Scene
from mycanvas.metrics.settings import Settings
from mycanvas.models import cores
from mycanvas.models.detectors import Detector
from mycanvas.models.encoders import Embeddings, Encoder

CHUNK = 8
"""Pictures that a worker has in memory, and gives the models at once."""
MOST_WORKERS = 8
"""More would mostly wait for the models, each with CHUNK pictures in memory."""

Progress = Callable[[int], object]


def evaluate(
    scenes: Sequence[Scene],
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
        scenes: the pictures, and what they should show.
        references: vectors of each concept's photos; see `encode_references`.
        encoder: the one that made the references; several threads call it at once.
        detector: finds classes in pictures; several threads call it at once.
        settings: what the paper leaves open.
        chunk: pictures that the models are given at a time.
        workers: threads, each with pictures of its own; None: one for each core, MOST_WORKERS at most.
        progress: told of every picture that is done.

    Raises:
        InputError: there are no pictures, none can be read, or a concept has no references.
        ModelError: a model gives no finite numbers for a picture.
    """
    settings = settings or Settings()
    if not scenes:
        raise InputError("there are no pictures to score")
    missing = {concept.name for scene in scenes for concept in scene.concepts} - references.keys()
    if missing:
        raise InputError(f"no source photos of {', '.join(sorted(missing))} to compare pictures with")
    score = _Scorer(
        references=references,
        texts=_encode_texts(scenes, encoder, settings),
        encoder=encoder,
        detector=detector,
        settings=settings,
    )
    found: list[PictureScores | LeftOut] = []
    for some in _in_threads(score, scenes, chunk, workers or min(cores(), MOST_WORKERS)):
        found += some
        progress(len(some))
    done = tuple(one for one in found if isinstance(one, PictureScores))
    left = tuple(one for one in found if isinstance(one, LeftOut))
    if not done:
        raise InputError(f"none of {len(scenes)} pictures can be read; the first, {left[0].id}: {left[0].reason}")
    return Evaluation(pictures=done, left_out=left)


def text_of(scene: Scene, settings: Settings) -> str:
    """What TI-CLIP compares a picture with; the whole prompt also where nobody says what its background is."""
    return scene.background if settings.text == "background" and scene.background else without_tokens(scene)


def crop(pixels: Rgb, box: Box, padding: float = 0.0) -> Rgb:
    """The pixels that a box touches, with `padding` times its size on each side, within the picture."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    left, right = math.floor(x - padding * w), math.ceil(x + w + padding * w)
    top, bottom = math.floor(y - padding * h), math.ceil(y + h + padding * h)
    return pixels[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]


def _encode_texts(scenes: Sequence[Scene], encoder: Encoder, settings: Settings) -> Mapping[str, Embeddings]:
    """Each text once; none if the encoder reads no text."""
    if encoder.logit_scale is None:
        return {}
    texts = list(dict.fromkeys(text_of(scene, settings) for scene in scenes))
    vectors = dict(zip(texts, encoder.texts(texts), strict=True))
    wrong = next((text for text, vector in vectors.items() if not np.isfinite(vector).all()), None)
    if wrong is not None:
        raise ModelError(f'the encoder gave no finite numbers for the text {wrong!r}; try dtype "float32"')
    return vectors


def _in_threads(
    score: Callable[[Sequence[Scene]], list[PictureScores | LeftOut]], scenes: Sequence[Scene], chunk: int, workers: int
) -> Iterator[list[PictureScores | LeftOut]]:
    """The scores of chunks of pictures, in order; several are being worked on at once."""
    # A tokenizer of Hugging Face changes itself at its first call, which must not meet another thread's.
    with quiet_decoding():
        first = score(scenes[:1])
    yield first
    size = max(1, min(chunk, -(-(len(scenes) - 1) // workers)))
    chunks = [scenes[start : start + size] for start in range(1, len(scenes), size)]
    with _one_core_each() as begin, quiet_decoding(), ThreadPoolExecutor(workers, initializer=begin) as pool:
        try:
            yield from pool.map(score, chunks)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_core_each() -> Iterator[Callable[[], None]]:
    """Gives what a thread calls first, so that PyTorch computes in that thread alone.

    PyTorch's own threads meet after every operation, and all wait for the last; pictures need not wait for each other.
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
    """Scores a chunk of pictures, in order; each model is asked once for all of them."""

    references: Mapping[str, Embeddings]
    texts: Mapping[str, Embeddings]
    encoder: Encoder
    detector: Detector
    settings: Settings

    def __call__(self, scenes: Sequence[Scene]) -> list[PictureScores | LeftOut]:
        read = [_decode(scene) for scene in scenes]
        ready = [(scene, pixels) for scene, pixels in zip(scenes, read, strict=True) if not isinstance(pixels, LeftOut)]
        measured = iter(self._measure(ready))
        return [pixels if isinstance(pixels, LeftOut) else next(measured) for pixels in read]

    def _measure(self, ready: Sequence[tuple[Scene, Rgb]]) -> Iterator[PictureScores]:
        if not ready:
            return
        found = list(self._detect(ready))
        padding = self.settings.padding
        crops = [
            crop(pixels, box.box, padding) for (_, pixels), its in zip(ready, found, strict=True) for box in its.boxes
        ]
        wholes = [pixels for _, pixels in ready] if self.texts else []
        vectors = self.encoder.images([*wholes, *crops])
        start = len(wholes)
        for number, ((scene, _), its) in enumerate(zip(ready, found, strict=True)):
            own = vectors[start : start + len(its.boxes)]
            start += len(its.boxes)
            whole = vectors[number] if self.texts else None
            if not np.isfinite(own).all() or (whole is not None and not np.isfinite(whole).all()):
                raise ModelError(f'the encoder gave no finite numbers for {scene.id}; try dtype "float32"')
            yield self._score(scene, its, own, whole)

    def _detect(self, ready: Sequence[tuple[Scene, Rgb]]) -> Iterator[scores.Found]:
        settings = self.settings
        classes = [[concept.class_name for concept in scene.concepts] for scene, _ in ready]
        detected = self.detector.detect([pixels for _, pixels in ready], classes)
        for (scene, _), names, boxes in zip(ready, classes, detected, strict=True):
            if boxes is None:
                raise ModelError(f'the detector gave no finite numbers for {scene.id}; try dtype "float32"')
            yield scores.pick_boxes(
                boxes, names, threshold=settings.threshold, certainty=settings.certainty, share=settings.covered
            )

    def _score(self, scene: Scene, found: scores.Found, crops: Embeddings, whole: Embeddings | None) -> PictureScores:
        settings = self.settings
        classes = [concept.class_name for concept in scene.concepts]
        labels = [box.label for box in found.boxes]
        alike = scores.similarity(
            crops, [self.references[concept.name] for concept in scene.concepts], settings.negative
        )
        asked, asked_labels = alike[: len(found.asked)], labels[: len(found.asked)]
        pairs = scores.assign(asked, asked_labels, classes)
        shown = scores.shows(alike)
        text = text_of(scene, settings)
        return PictureScores(
            id=scene.id,
            split=scene.split,
            composition=scene.composition,
            prompt=scene.prompt,
            text=text,
            cp_clip=scores.cp_clip(asked, asked_labels, classes, settings.same_class),
            ti_clip=None if whole is None else scores.ti_clip(whole, self.texts[text], settings.negative),
            identity=scores.identity(asked, pairs, len(found.extra)),
            recall=scores.recall(shown, len(classes)),
            duplicates=scores.duplicates(shown),
            leaks=scores.leaks(shown, labels, classes),
            agreement=None if scene.boxes is None else scores.agreement(scene.boxes, classes, found.asked),
            boxes=tuple(_seen(scene, found, alike, shown, pairs)),
        )


def _decode(scene: Scene) -> Rgb | LeftOut:
    try:
        return decode_rgb(scene.read())
    except InputError as error:
        return LeftOut(id=scene.id, split=scene.split, reason=str(error))


def _seen(
    scene: Scene, found: scores.Found, alike: NDArray[np.float64], shown: Sequence[int], pairs: Mapping[int, int]
) -> Iterator[SeenBox]:
    for i, box in enumerate(found.boxes):
        whose = pairs.get(i)
        yield SeenBox(
            found_as=box.label,
            box=box.box,
            confidence=box.score,
            shows=scene.concepts[shown[i]].name,
            alike=float(alike[i, shown[i]]),
            assigned=None if whose is None else scene.concepts[whose].name,
            assigned_alike=None if whose is None else float(alike[i, whose]),
        )
