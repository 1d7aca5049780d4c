"""Pictures, the photos of their concepts, an encoder and a detector -> every score of every picture."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycanvas.errors import InputError, ModelError
from mycanvas.metrics import scores
from mycanvas.metrics.boxes import Box
from mycanvas.metrics.detectors import Detector
from mycanvas.metrics.encoders import Embeddings, Encoder
from mycanvas.metrics.pictures import Rgb, decode
from mycanvas.metrics.protocol import without_tokens
from mycanvas.metrics.scenes import Scene
from mycanvas.metrics.settings import Settings

CHUNK = 32
"""Pictures in memory at a time, and as many again that are being decoded; the models make batches of their own size."""
THREADS = 4
"""That decode; Pillow lets go of Python's lock while it does."""

Progress = Callable[[int], object]
Texts = Mapping[str, Embeddings]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenBox:
    """A box that counts in a picture.

    found_as: class, box and confidence are the detector's. shows: the concept that it is most like. alike: how much.
    assigned: whose it is taken to be; None: it is one too many. assigned_alike: how much it is like that.
    """

    found_as: str
    box: Box
    confidence: float
    shows: str
    alike: float
    assigned: str | None
    assigned_alike: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureScores:
    """The scores of one picture; mycanvas/metrics/scores.py says what each is.

    text: what TI-CLIP compared it with. ti_clip: None: the encoder reads no text. agreement: None: nobody says where
    the objects were put.
    """

    id: str
    split: str
    composition: str
    prompt: str
    text: str
    cp_clip: float
    ti_clip: float | None
    identity: float
    recall: float
    duplicates: int
    leaks: int
    agreement: float | None
    boxes: tuple[SeenBox, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A picture that cannot be read, and why."""

    id: str
    split: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Scores of pictures, in their order, and what was left out of them."""

    pictures: tuple[PictureScores, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    """A decoded picture."""

    scene: Scene
    pixels: Rgb


def evaluate(
    scenes: Sequence[Scene],
    references: Mapping[str, Embeddings],
    encoder: Encoder,
    detector: Detector,
    settings: Settings | None = None,
    *,
    chunk: int = CHUNK,
    progress: Progress = lambda _: None,
) -> Evaluation:
    """Score pictures; each is read once.

    Args:
        scenes: the pictures, and what they should show.
        references: vectors of each concept's photos; see `encode_references`.
        encoder: the one that made the references.
        detector: finds classes in pictures.
        settings: what the paper leaves open.
        chunk: pictures that the models are given at a time.
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
    texts = _encode_texts(scenes, encoder, settings)
    done: list[PictureScores] = []
    left: list[LeftOut] = []
    for some in _decoded(scenes, chunk):
        left += [one for one in some if isinstance(one, LeftOut)]
        done += _score([one for one in some if isinstance(one, _Ready)], references, texts, encoder, detector, settings)
        progress(len(some))
    if not done:
        raise InputError(f"none of {len(scenes)} pictures can be read; the first, {left[0].id}: {left[0].reason}")
    return Evaluation(pictures=tuple(done), left_out=tuple(left))


def text_of(scene: Scene, settings: Settings) -> str:
    """What TI-CLIP compares a picture with; the whole prompt also where nobody says what its background is."""
    return scene.background if settings.text == "background" and scene.background else without_tokens(scene)


def _encode_texts(scenes: Sequence[Scene], encoder: Encoder, settings: Settings) -> Texts:
    """Each text once; none if the encoder reads no text."""
    if encoder.logit_scale is None:
        return {}
    texts = list(dict.fromkeys(text_of(scene, settings) for scene in scenes))
    vectors = dict(zip(texts, encoder.texts(texts), strict=True))
    wrong = next((text for text, vector in vectors.items() if not np.isfinite(vector).all()), None)
    if wrong is not None:
        raise ModelError(f'the encoder gave no finite numbers for the text {wrong!r}; try dtype "float32"')
    return vectors


def _decoded(scenes: Sequence[Scene], chunk: int) -> Iterator[list[_Ready | LeftOut]]:
    """Chunks of pictures, in order; while one is scored the next is decoded."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[_Ready | LeftOut]] = deque()
        rest = iter(scenes)
        try:
            while True:
                waiting.extend(pool.submit(_decode, scene) for scene in _next(rest, 2 * chunk - len(waiting)))
                if not waiting:
                    return
                yield [waiting.popleft().result() for _ in range(min(chunk, len(waiting)))]
        finally:
            for future in waiting:
                future.cancel()


def _next(scenes: Iterable[Scene], count: int) -> Iterator[Scene]:
    return (scene for _, scene in zip(range(count), scenes, strict=False))


def _decode(scene: Scene) -> _Ready | LeftOut:
    try:
        return _Ready(scene=scene, pixels=decode(scene.read()))
    except InputError as error:
        return LeftOut(id=scene.id, split=scene.split, reason=str(error))


def _score(
    ready: Sequence[_Ready],
    references: Mapping[str, Embeddings],
    texts: Texts,
    encoder: Encoder,
    detector: Detector,
    settings: Settings,
) -> Iterator[PictureScores]:
    """The scores of some pictures; each model is asked once for all of them."""
    if not ready:
        return
    found = list(_detect(ready, detector, settings))
    crops = [
        crop(one.pixels, box.box, settings.padding) for one, its in zip(ready, found, strict=True) for box in its.boxes
    ]
    wholes = [one.pixels for one in ready] if texts else []
    vectors = encoder.images([*wholes, *crops])
    start = len(wholes)
    for number, (one, its) in enumerate(zip(ready, found, strict=True)):
        own = vectors[start : start + len(its.boxes)]
        start += len(its.boxes)
        whole = vectors[number] if texts else None
        if not np.isfinite(own).all() or (whole is not None and not np.isfinite(whole).all()):
            raise ModelError(f'the encoder gave no finite numbers for {one.scene.id}; try dtype "float32"')
        yield _measure(one.scene, its, own, whole, references, texts, settings)


def _detect(ready: Sequence[_Ready], detector: Detector, settings: Settings) -> Iterator[scores.Found]:
    classes = [[concept.class_name for concept in one.scene.concepts] for one in ready]
    for one, names, detections in zip(
        ready, classes, detector.detect([one.pixels for one in ready], classes), strict=True
    ):
        if detections is None:
            raise ModelError(f'the detector gave no finite numbers for {one.scene.id}; try dtype "float32"')
        yield scores.pick_boxes(
            detections, names, threshold=settings.threshold, certainty=settings.certainty, share=settings.covered
        )


def _measure(
    scene: Scene,
    found: scores.Found,
    crops: Embeddings,
    whole: Embeddings | None,
    references: Mapping[str, Embeddings],
    texts: Texts,
    settings: Settings,
) -> PictureScores:
    classes = [concept.class_name for concept in scene.concepts]
    labels = [box.label for box in found.boxes]
    alike = scores.similarity(crops, [references[concept.name] for concept in scene.concepts], settings.negative)
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
        ti_clip=None if whole is None else scores.ti_clip(whole, texts[text], settings.negative),
        identity=scores.identity(asked, pairs, len(found.extra)),
        recall=scores.recall(shown, len(classes)),
        duplicates=scores.duplicates(shown),
        leaks=scores.leaks(shown, labels, classes),
        agreement=None if scene.boxes is None else scores.agreement(scene.boxes, classes, found.asked),
        boxes=tuple(_seen(scene, found, alike, shown, pairs)),
    )


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


def crop(pixels: Rgb, box: Box, padding: float = 0.0) -> Rgb:
    """The pixels that a box touches, with `padding` times its size on each side, within the picture."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    left, right = math.floor(x - padding * w), math.ceil(x + w + padding * w)
    top, bottom = math.floor(y - padding * h), math.ceil(y + h + padding * h)
    return pixels[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
