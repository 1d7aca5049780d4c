"""Scores by an image-text encoder and an open-vocabulary detector, in addition to the classical ones.

Gen4Gen's filter checks that every concept is present, recognisable and in its place; here models check it.

`mycanvas.schema.SCORE_FIELDS` has the meaning of each score. Cut-outs are compared on grey.

quality is CLIP-IQA (Wang et al. 2023, "Exploring CLIP for assessing the look and feel of images", section 3.1), at the
encoder's own resolution. LAION's better known aesthetic head exists only as a pickle, and pickles are never loaded.
With an encoder that reads no text, alignment and quality are null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Self

import numpy as np

from builder.records import Box, Captioned, Cutout, Rejected, Rgb, Rgba, Setting
from builder.stages.score.base import Scorer
from builder.stages.score.classical import Classical
from mycanvas.boxes import covered, match
from mycanvas.io.config_table import Count, Fraction, ModelName, Table
from mycanvas.models import detectors, encoders
from mycanvas.models.detectors import Detection, Detector, load_detector
from mycanvas.models.encoders import Embeddings, Encoder, load_encoder
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

Key = tuple[tuple[int, ...], bytes]
"""A cut-out's shape and a digest of its content."""

GREY = 128
"""The grey that pads an object's crop to a square and is the background of cut-outs."""
GOOD_AND_BAD = ("Good photo.", "Bad photo.")
"""The antonyms of CLIP-IQA (section 3.1)."""
COVERED = 0.5
"""A detection covered by matched boxes to a larger fraction shows (parts of) their objects, and no new one."""


class ClipConfig(Table):
    """[score.clip]: an image-text encoder and an open-vocabulary detector judge each scene."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    encoder: ModelName = "openai/clip-vit-base-patch32"
    """A CLIP or SigLIP."""
    detector: ModelName = "google/owlvit-base-patch32"
    """An OWL-ViT, OWLv2 or Grounding DINO."""
    threshold: Fraction = 0.1
    """Minimum confidence of a detection that counts."""
    overlap: Fraction = 0.5
    """Minimum IoU of a detection with the object's box for it to be in the right place."""
    certainty: Fraction = 0.3
    """Minimum confidence of a detection that counts as invented: higher than `threshold`, since no scene should be
    lost to a doubt."""
    batch_size: Count = 16
    """Scenes in one call; halved when memory runs out."""


class Clip(Scorer):
    """Measures scenes with an encoder and a detector."""

    Config = ClipConfig
    learned = True

    def __init__(self, encoder: Encoder, detector: Detector, config: ClipConfig) -> None:
        self._encoder = encoder
        self._detector = detector
        self._config = config
        self._classical = Classical()
        self._sources: dict[Key, Embeddings] = {}

    @staticmethod
    def required_models(config: ClipConfig) -> tuple[RequiredModel, ...]:
        """The encoder and the detector."""
        return (
            RequiredModel(role="score", name=config.encoder, kind="transformers", types=tuple(encoders.FAMILIES)),
            RequiredModel(role="score", name=config.detector, kind="transformers", types=tuple(detectors.FAMILIES)),
        )

    @classmethod
    def load(cls, config: ClipConfig, runtime: Runtime) -> Self:
        """Load both models; see `load_encoder` and `load_detector` for the errors."""
        shared: dict[str, Any] = {"device": runtime.device, "dtype": runtime.dtype, "batch_size": config.batch_size}
        encoder = load_encoder(runtime.model(config.encoder), **shared)
        detector = load_detector(runtime.model(config.detector), threshold=config.threshold, **shared)
        return cls(encoder, detector, config)

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterator[Mapping[str, float] | Rejected]:
        """The scores of each scene, in order; not random.

        A scene is rejected if an object is not visible, or a model returns values that are not finite.
        """
        size = self._config.batch_size
        for start in range(0, len(batch), size):
            scenes = batch[start : start + size]
            measured = list(self._classical.score(scenes, seed))
            valid = [scene for scene, found in zip(scenes, measured, strict=True) if not isinstance(found, Rejected)]
            by_models = self._score_batch(valid) if valid else iter(())
            for found in measured:
                if isinstance(found, Rejected):
                    yield found
                    continue
                more = next(by_models)
                yield more if isinstance(more, Rejected) else {**found, **more}

    def _score_batch(self, scenes: Sequence[Captioned]) -> Iterator[Mapping[str, float] | Rejected]:
        """The scores by the models; each model runs once for the whole batch."""
        images = self._encoder.images([squared(scene.scene.image) for scene in scenes])
        crops = self._encoder.images([crop for scene in scenes for crop in _crops(scene)])
        sources = self._encode_sources([cutout for scene in scenes for cutout in _setting(scene).cutouts])
        nouns = [[concept.class_noun for concept in _setting(scene).sample.concepts] for scene in scenes]
        detected = self._detector.detect([scene.scene.image for scene in scenes], nouns)
        text_scores = self._text_scores([scene.caption for scene in scenes], images)
        first = 0
        for scene, names, image, detections, by_text in zip(scenes, nouns, images, detected, text_scores, strict=True):
            objects = slice(first, first + len(names))
            first = objects.stop
            likeness = (crops[objects] * sources[objects]).sum(axis=1)
            if detections is None or not np.isfinite([*image, *likeness, *by_text.values()]).all():
                model = "detector" if detections is None else "encoder"
                yield _setting(scene).rejected(
                    "score", f'the {model} returned values that are not finite; try dtype = "float32"'
                )
                continue
            found, invented = find(scene.scene.canvas.boxes, names, detections, self._config)
            scores = {**by_text, "identity": likeness.min(), "found": found, "invented": invented}
            yield {name: round(float(value), 4) for name, value in scores.items()}

    def _text_scores(self, captions: Sequence[str], images: Embeddings) -> Sequence[Mapping[str, float]]:
        """The alignment and quality of each picture; empty if the encoder reads no text."""
        scale = self._encoder.logit_scale
        if scale is None:
            return [{}] * len(captions)
        from scipy.special import expit  # takes 0.25 s to import; most commands do not need it

        texts = self._encoder.texts([*captions, *GOOD_AND_BAD])
        good, bad = texts[-2:]
        # A softmax over two is the sigmoid of their difference.
        return [
            {"alignment": float(image @ text), "quality": float(expit(scale * (image @ good - image @ bad)))}
            for image, text in zip(images, texts[:-2], strict=True)
        ]

    def _encode_sources(self, cutouts: Sequence[Cutout]) -> Embeddings:
        """One row per cut-out; each cut-out is encoded once, however many scenes show it."""
        keys = [_key(cutout.rgba) for cutout in cutouts]
        new = {key: cutout for key, cutout in zip(keys, cutouts, strict=True) if key not in self._sources}
        vectors = self._encoder.images([squared(on_grey(cutout.rgba)) for cutout in new.values()])
        self._sources |= dict(zip(new, vectors, strict=True))
        return np.stack([self._sources[key] for key in keys])


def find(
    boxes: Sequence[Box], nouns: Sequence[str], detections: Sequence[Detection], config: ClipConfig
) -> tuple[float, int]:
    """Match detections with a scene's objects; count objects found and objects invented.

    Within a class, objects and detections are paired one to one, with as many pairs as possible.

    Args:
        boxes: of the objects.
        nouns: their classes, in the same order.
        detections: of these classes.
        config: a pair needs an IoU of `overlap`; a detection without a pair counts from a confidence of `certainty`.

    Returns:
        The fraction of the objects that were found, and the number of detections of other objects.
    """
    pairs, rest = 0, []
    matched_boxes: list[Box] = []
    for noun in dict.fromkeys(nouns):
        own = [box for box, name in zip(boxes, nouns, strict=True) if name == noun]
        candidates = [detection for detection in detections if detection.label == noun]
        matched = match(own, [detection.box for detection in candidates], config.overlap)
        paired = {index for _, index in matched}
        pairs += len(matched)
        matched_boxes += [own[index] for index, _ in matched] + [candidates[index].box for index in paired]
        rest += [detection for index, detection in enumerate(candidates) if index not in paired]
    invented = [one for one in rest if one.score >= config.certainty and covered(one.box, matched_boxes) <= COVERED]
    return pairs / len(boxes), len(invented)


def on_grey(rgba: Rgba) -> Rgb:
    """Blend a cut-out over plain mid-grey."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.rint(rgba[..., :3] * alpha + GREY * (1 - alpha)).astype(np.uint8)


def squared(image: Rgb) -> Rgb:
    """Pad a picture to a grey square: encoders would crop or squash a long one."""
    height, width = image.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


def _crops(captioned: Captioned) -> Iterator[Rgb]:
    for x, y, width, height in captioned.scene.canvas.boxes:
        rows, columns = slice(int(y), int(np.ceil(y + height))), slice(int(x), int(np.ceil(x + width)))
        yield squared(captioned.scene.image[rows, columns])


def _key(rgba: Rgba) -> Key:
    return rgba.shape, blake2b(rgba.tobytes(), digest_size=16).digest()


def _setting(captioned: Captioned) -> Setting:
    return captioned.scene.canvas.layout.setting
