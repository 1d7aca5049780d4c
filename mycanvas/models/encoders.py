"""Pictures and texts -> unit vectors whose dot product measures how similar they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mycanvas.errors import ConfigError, ModelError
from mycanvas.models import in_batches
from mycanvas.models.checkpoint import Checkpoint, Picture, load_checkpoint, model_type

if TYPE_CHECKING:
    import torch

Embeddings = NDArray[np.float32]
"""float32 [N, D]: unit vectors. A row is NaN if the model's output has no direction: NaN, infinities or zeros."""


class Encoder(Protocol):
    """Embeds pictures, and texts if it supports them, in one space."""

    @property
    def logit_scale(self) -> float | None:
        """Factor by which the model scales cosines of picture and text before a softmax; None if it reads no text."""
        ...

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        """One row per picture, in order. Each depends on its own picture only."""
        ...

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """One row per text, in order; a text longer than the model's limit is truncated.

        Raises:
            ConfigError: the encoder reads no text.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a family of models expects its texts, as in its training.

    padding: the tokenizer's `padding` argument. lowercase: lower-case the text first. masked: mask the padding out.
    """

    padding: bool | str = True
    lowercase: bool = False
    masked: bool = True


SIGLIP = Reading(padding="max_length", lowercase=True, masked=False)
"""Trained on texts padded to full length, with the padding treated like any other token (big_vision)."""

FAMILIES: Mapping[str, Reading | None] = {
    "clip": Reading(),
    "siglip": SIGLIP,
    "siglip2": SIGLIP,
    "dinov2": None,
    "dinov2_with_registers": None,
}
"""By the architecture's name in transformers; None: no text. SigLIP 2 of fixed resolution has the name "siglip"."""


def load_encoder(folder: Path, *, device: str = "auto", dtype: str = "auto", batch_size: int = 32) -> Encoder:
    """Load the encoder whose checkpoint is in a folder: CLIP (any size), SigLIP, SigLIP 2 or DINOv2.

    Args:
        folder: the `path` of a Snapshot that `mycanvas.models.fetch` returned.
        device: as for `mycanvas.models.pick_device`.
        dtype: as for `mycanvas.models.pick_dtype`; the vectors are float32 in any case.
        batch_size: pictures, or texts, in one call of the model; halved when a GPU's memory runs out.

    Raises:
        MissingExtra: torch or transformers is not installed.
        ModelError: the checkpoint cannot be loaded, or is of another architecture.
        ConfigError: the device is not available.
    """
    kind = model_type(folder)
    if kind not in FAMILIES:
        raise ModelError(f"{folder} holds a model of type {kind!r}; encoders are of type {', '.join(FAMILIES)}")
    reading = FAMILIES[kind]
    checkpoint = load_checkpoint(folder, "AutoModel", device=device, dtype=dtype, text=reading is not None)
    return PretrainedEncoder(checkpoint, reading, batch_size)


class PretrainedEncoder:
    """An encoder of transformers; `reading` is None for one that reads no text."""

    def __init__(self, checkpoint: Checkpoint, reading: Reading | None, batch_size: int) -> None:
        self._checkpoint = checkpoint
        self._reading = reading
        self._batch_size = batch_size

    @property
    def logit_scale(self) -> float | None:
        """The checkpoint's scale, or None if it reads no text."""
        return None if self._reading is None else float(self._checkpoint.model.logit_scale.detach().float().exp())

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        """float32 [N, D], one row per picture."""
        return self._stacked(in_batches(pictures, self._batch_size, self._some_images))

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """float32 [N, D], one row per text.

        Raises:
            ConfigError: this encoder reads no text.
        """
        if self._reading is None:
            kind = self._checkpoint.model.config.model_type
            raise ConfigError(f"an encoder of type {kind!r} has no text model; use CLIP or SigLIP for texts")
        return self._stacked(in_batches(texts, self._batch_size, self._some_texts))

    def _some_images(self, pictures: Sequence[Picture]) -> Embeddings:
        import torch

        model = self._checkpoint.model
        with torch.inference_mode():
            embed = model if self._reading is None else model.get_image_features
            return _directions(embed(**self._checkpoint.pixels(pictures)).pooler_output)

    def _some_texts(self, texts: Sequence[str]) -> Embeddings:
        import torch

        checkpoint, reading = self._checkpoint, self._reading
        assert reading is not None  # noqa: S101 - `texts` has checked it
        tokens = checkpoint.tokenizer(
            [text.lower() for text in texts] if reading.lowercase else list(texts),
            padding=reading.padding,
            truncation=True,
            max_length=checkpoint.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(checkpoint.device)
        mask = tokens["attention_mask"] if reading.masked else None
        with torch.inference_mode():
            features = checkpoint.model.get_text_features(input_ids=tokens["input_ids"], attention_mask=mask)
            return _directions(features.pooler_output)

    def _stacked(self, embedded: Iterable[Embeddings]) -> Embeddings:
        rows = list(embedded)
        return np.stack(rows) if rows else np.zeros((0, _width(self._checkpoint.model.config)), np.float32)


def _directions(features: torch.Tensor) -> Embeddings:
    """[N, D] of any precision -> unit vectors; rows without a direction become NaN, without a warning."""
    wide = features.float()
    found: Embeddings = (wide / wide.norm(dim=-1, keepdim=True)).cpu().numpy()
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found


def _width(config: Any) -> int:
    """D, from the configuration of a checkpoint."""
    if config.model_type == "clip":
        return int(config.projection_dim)
    return int(getattr(config, "vision_config", config).hidden_size)
