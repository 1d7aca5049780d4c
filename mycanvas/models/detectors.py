"""Open-vocabulary detection: find objects in a picture by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mycanvas.boxes import Box, suppress, within
from mycanvas.errors import ModelError
from mycanvas.models import in_batches
from mycanvas.models.checkpoint import Checkpoint, Picture, as_rgb, load_checkpoint, model_type

Asked = tuple[NDArray[np.uint8], list[str]]
"""A picture, [H, W, 3], and the distinct labels to find in it."""
Corners = tuple[float, float, float, float]
"""left, top, right, bottom in pixels; may be outside the picture."""
Raw = list[tuple[str, Corners, float]]
"""label, corners and confidence of each object that a model found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """A detected object.

    label: as given to `detect`. box: COCO x, y, width, height in pixels, within the picture. score: confidence, 0 to 1.
    """

    label: str
    box: Box
    score: float


class Detector(Protocol):
    """Finds objects by their names."""

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[Detection] | None]:
        """The detections of each picture, most confident first; None where the model's output has NaN.

        Args:
            pictures: of any sizes.
            labels: labels to find in each picture; duplicates are ignored.
        """
        ...


def load_detector(
    folder: Path,
    *,
    threshold: float = 0.1,
    overlap: float = 0.5,
    template: str = "a photo of a {}",
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 8,
) -> Detector:
    """Load the detector whose checkpoint is in a folder: OWL-ViT, OWLv2 or Grounding DINO.

    Args:
        folder: the `path` of a Snapshot that `mycanvas.models.fetch` returned.
        threshold: confidence that a detection must exceed.
        overlap: of detections of one label with a larger IoU, only the most confident is kept.
        template: the query, with the label in place of {}; "a photo of a {}" is among those that OWL-ViT was trained
            on. Grounding DINO was trained on bare names, and gets these.
        device: as for `mycanvas.models.pick_device`.
        dtype: as for `mycanvas.models.pick_dtype`; bfloat16 places boxes to about 1/256 of a picture's side.
        batch_size: pictures in one call of the model; halved when a GPU's memory runs out.

    Raises:
        MissingExtra: torch or transformers is not installed.
        ModelError: the checkpoint cannot be loaded, or is of another architecture.
        ConfigError: the device is not available.
    """
    kind = model_type(folder)
    if kind not in FAMILIES:
        raise ModelError(f"{folder} holds a model of type {kind!r}; detectors are of type {', '.join(FAMILIES)}")
    checkpoint = load_checkpoint(folder, "AutoModelForZeroShotObjectDetection", device=device, dtype=dtype)
    return PretrainedDetector(partial(FAMILIES[kind], checkpoint, threshold, template), overlap, batch_size)


class PretrainedDetector:
    """A detector of transformers. ask: calls the model once on a batch; returns all detections above the threshold."""

    def __init__(self, ask: Callable[[Sequence[Asked]], Sequence[Raw | None]], overlap: float, batch_size: int) -> None:
        self._ask = ask
        self._overlap = overlap
        self._batch_size = batch_size

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[Detection] | None]:
        """The detections of each picture; see Detector."""
        asked = [(as_rgb(picture), list(dict.fromkeys(names))) for picture, names in zip(pictures, labels, strict=True)]
        named = in_batches([each for each in asked if each[1]], self._batch_size, self._ask)
        return [self._tidy(picture, next(named)) if names else [] for picture, names in asked]

    def _tidy(self, picture: NDArray[np.uint8], raw: Raw | None) -> list[Detection] | None:
        """Clip boxes to the picture, and drop boxes outside it and duplicates."""
        if raw is None:
            return None
        height, width = picture.shape[:2]
        boxes = within([(x, y, right - x, bottom - y) for _, (x, y, right, bottom), _ in raw], width, height)
        found: list[Detection] = []
        for label in dict.fromkeys(label for label, _, _ in raw):
            mine = [i for i, (name, _, _) in enumerate(raw) if name == label and boxes[i, 2:].all()]
            for kept in suppress(boxes[mine], [raw[i][2] for i in mine], self._overlap):
                x, y, w, h = boxes[mine[kept]].tolist()
                found.append(Detection(label=label, box=(x, y, w, h), score=raw[mine[kept]][2]))
        return sorted(found, key=lambda detection: -detection.score)


def _owl(checkpoint: Checkpoint, threshold: float, template: str, batch: Sequence[Asked]) -> list[Raw | None]:
    """OWL-ViT (Minderer et al. 2022) and OWLv2 (2023): each box gets its most confident label."""
    import torch

    queries = max(len(labels) for _, labels in batch)
    texts = [
        template.replace("{}", labels[i]) if i < len(labels) else "" for _, labels in batch for i in range(queries)
    ]
    tokens = checkpoint.tokenizer(
        texts,
        padding="max_length",
        truncation=True,
        max_length=checkpoint.model.config.text_config.max_position_embeddings,
        return_tensors="pt",
    )
    # The model ignores a query that starts with 0. The library's own padding, " ", is a real query and finds objects.
    tokens["input_ids"][[not text for text in texts]] = 0
    pictures = [picture for picture, _ in batch]
    with torch.inference_mode():
        outputs = checkpoint.model(**checkpoint.pixels(pictures), **tokens.to(checkpoint.device))
        outputs.logits, outputs.pred_boxes = outputs.logits.float(), outputs.pred_boxes.float()
        found = checkpoint.image_processor.post_process_object_detection(
            outputs, threshold, target_sizes=[picture.shape[:2] for picture in pictures]
        )
    return [
        _named([labels[i] for i in one["labels"].tolist()], one["boxes"], one["scores"]) if finite else None
        for (_, labels), one, finite in zip(batch, found, _finite(outputs), strict=True)
    ]


def _grounding_dino(
    checkpoint: Checkpoint, threshold: float, template: str, batch: Sequence[Asked]
) -> Sequence[Raw | None]:
    """Grounding DINO (Liu et al. 2023): a label's confidence is the highest of its tokens'.

    The library's own post-processing labels boxes by the tokens above a threshold: with half a label, or two in one.
    """
    import torch

    pictures = [picture for picture, _ in batch]
    sizes = [picture.shape[:2] for picture in pictures]
    if len(set(sizes)) > 1:  # the processor would pad them to one size, which changes the detections
        return [one for each in batch for one in _grounding_dino(checkpoint, threshold, template, [each])]
    names = checkpoint.tokenizer
    tokens = names(
        ["".join(f"{label.lower().replace('.', ' ')}. " for label in labels) for _, labels in batch],
        padding=True,
        truncation=True,
        max_length=checkpoint.model.config.max_text_len,
        return_tensors="pt",
    ).to(checkpoint.device)
    with torch.inference_mode():
        outputs = checkpoint.model(**checkpoint.pixels(pictures), **tokens)
    (height, width), full_stop = sizes[0], names.convert_tokens_to_ids(".")
    middle, size = (outputs.pred_boxes.float() * torch.tensor([width, height] * 2).to(checkpoint.device)).split(2, -1)
    corners, certain = torch.cat([middle - size / 2, middle + size / 2], dim=-1), outputs.logits.float().sigmoid()
    apart = torch.tensor([names.cls_token_id, names.sep_token_id, names.pad_token_id, full_stop]).to(checkpoint.device)
    results: list[Raw | None] = []
    for i, finite in enumerate(_finite(outputs)):
        ids, labels = tokens["input_ids"][i], batch[i][1]
        # Each label ends with a full stop, so the number of full stops before a token is its label's index.
        whose = (ids == full_stop).cumsum(0).masked_fill(torch.isin(ids, apart), -1)
        each = [certain[i][:, : len(ids)][:, whose == label] for label in range(len(labels))]
        scores, best = torch.stack([one.amax(-1) if one.numel() else one.sum(-1) for one in each], -1).max(-1)
        kept = scores > threshold
        raw = _named([labels[k] for k in best[kept].tolist()], corners[i][kept], scores[kept])
        results.append(raw if finite else None)
    return results


def _finite(outputs: Any) -> list[bool]:
    """Whether the model's output has no NaN, for each picture. Its infinities mark unused queries."""
    parts = (outputs.logits, outputs.pred_boxes)
    return [not any(part[i].isnan().any() for part in parts) for i in range(len(outputs.logits))]


def _named(labels: Sequence[str], corners: Any, scores: Any) -> Raw:
    return list(zip(labels, map(tuple, corners.tolist()), scores.tolist(), strict=True))


FAMILIES: Mapping[str, Callable[[Checkpoint, float, str, Sequence[Asked]], Sequence[Raw | None]]] = {
    "owlvit": _owl,
    "owlv2": _owl,
    "grounding-dino": _grounding_dino,
}
"""By the architecture's name in transformers."""
