"""The inputs of a model that is trained: latents of pictures and conditions of prompts, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mycanvas.models.trainable import Conditions, StableDiffusion

Show = Callable[[], tuple[NDArray[np.uint8], NDArray[np.float32] | None]]
"""Reads a picture, uint8 [H, W, 3], and the loss's weight of each pixel, float32 [H, W]; None: 1 everywhere."""


@dataclass(slots=True)
class Cache:
    """Latents of the pictures drawn so far, and conditions of the prompts without `tokens`, which learn."""

    model: StableDiffusion
    tokens: Sequence[str]
    _latents: dict[Show, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    _conditions: dict[str, Conditions] = field(default_factory=dict)

    def latents(self, show: Show) -> tuple[torch.Tensor, torch.Tensor]:
        """[C, h, w], and the loss's weight [1, h, w]. Each is computed alone: nothing depends on the order.

        show: the same object for the same picture.
        """
        if show not in self._latents:
            pixels, weight = show()
            # Not `torch.tensor`: memory that it aligns is not used again for the next picture.
            inputs = torch.from_numpy(pixels.copy())[None]
            with torch.no_grad():
                latents = self.model.to_latents(inputs)[0].cpu()
            weights = torch.ones(1, 1, 1).expand(1, *latents.shape[1:])
            if weight is not None:
                small = cv2.resize(weight, latents.shape[:0:-1], interpolation=cv2.INTER_AREA)
                weights = torch.from_numpy(small)[None]
            self._latents[show] = latents, weights
        return self._latents[show]

    def conditions(self, prompts: Sequence[str]) -> Conditions:
        """Of prompts: those with tokens that learn in one batch, with gradients; each other once for all steps."""
        learning = [prompt for prompt in dict.fromkeys(prompts) if any(token in prompt for token in self.tokens)]
        for prompt in {*prompts} - {*learning} - {*self._conditions}:
            with torch.no_grad():
                self._conditions[prompt] = _row(self.model.encode([prompt]), 0)
        encoded = self.model.encode(learning) if learning else {}
        rows = self._conditions | {prompt: _row(encoded, index) for index, prompt in enumerate(learning)}
        return {name: torch.stack([rows[prompt][name] for prompt in prompts]) for name in rows[prompts[0]]}


def _row(conditions: Conditions, index: int) -> Conditions:
    return {name: values[index] for name, values in conditions.items()}
