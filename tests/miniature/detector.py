"""The detector: a small network that finds the ten classes, trained on toys that are none of the personal things.

It predicts a map of centres for each class (Zhou et al. 2019, "Objects as points").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from builder.seeds import rng_for
from mycanvas.models.detectors import Asked, Detector, PretrainedDetector, Raw
from tests.miniature.base import as_tensor
from tests.miniature.loop import Schedule, fit
from tests.miniature.pictures import SIDE, Picture, pretraining_picture
from tests.miniature.toys import KINDS

CELL = 2
"""Pixels of a cell of the maps."""
MAP = SIDE // CELL
LEAST = 0.05
"""Minimum confidence of a detection that is returned."""
OVERLAP = 0.5
"""Of two detections of a class with a larger IoU, only the more confident one is kept."""
BATCH = 32
"""Pictures in one call of the trained network."""


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A convolution with its normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU(inplace=True)
    )


class Network(nn.Module):
    """Pictures [N, 3, SIDE, SIDE] -> logits of centres [N, K, MAP, MAP], and sizes and offsets [N, 4, MAP, MAP]."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(block(3, 24), block(24, 48, 2))
        self.coarse = nn.Sequential(block(48, 96, 2), block(96, 96), block(96, 96, 2), block(96, 96), block(96, 96))
        self.middle = nn.Sequential(block(96, 48))
        self.join = block(96, 64)
        self.head = nn.Conv2d(64, len(KINDS) + 4, 1)
        nn.init.constant_(self.head.bias[: len(KINDS)], -3.0)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.fine(pictures)
        coarse = functional.interpolate(self.middle(self.coarse(fine)), size=fine.shape[-2:], mode="bilinear")
        out = self.head(self.join(torch.cat([fine, coarse], 1)))
        return out[:, : len(KINDS)], out[:, len(KINDS) :]


def train_detector(schedule: Schedule, file: Path, report: Callable[[str], object] = print) -> Detector:
    """Train the detector, or resume from its checkpoint."""
    torch.manual_seed(0)
    network = Network()
    fit(network, lambda step: _loss(network, step, schedule.batch), schedule, file, report=report)
    return PretrainedDetector(partial(_ask, network.eval()), OVERLAP, BATCH)


def roughened(pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A picture, float32 [H, W, 3] in 0 to 255, with the flaws of generated ones: blur, noise, other contrast."""
    if rng.random() < 0.5:
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.3, 0.9)))
    pixels = (pixels - 128) * rng.uniform(0.8, 1.15) + 128 + rng.normal(0, 8, 3)
    return np.clip(pixels + rng.normal(0, rng.uniform(0, 8), pixels.shape), 0, 255).astype(np.float32)


def _loss(network: Network, step: int, batch: int) -> torch.Tensor:
    rng = rng_for(0, str(step), "miniature detector")
    pictures = [pretraining_picture(rng, several=0.6) for _ in range(batch)]
    pixels = np.stack([roughened(one.pixels.astype(np.float32), rng) for one in pictures])
    targets = [_target(one) for one in pictures]
    heat, places, centres = (torch.from_numpy(np.stack(each)) for each in zip(*targets, strict=True))
    logits, predicted = network(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    chance = logits.sigmoid()
    found = (heat == 1).float()
    right = found * (1 - chance).square() * functional.logsigmoid(logits)
    wrong = (1 - found) * (1 - heat) ** 4 * chance.square() * functional.logsigmoid(-logits)
    count = centres.sum()
    distance = ((predicted - places).abs() * centres[:, None]).sum()
    return -(right + wrong).sum() / count + 0.5 * distance / count


def _target(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The maps of one picture: centres by class, sizes and offsets, and where these count."""
    heat = np.zeros((len(KINDS), MAP, MAP), np.float32)
    places, centres = np.zeros((4, MAP, MAP), np.float32), np.zeros((MAP, MAP), np.float32)
    rows, columns = np.mgrid[:MAP, :MAP]
    for look, (x, y, width, height) in zip(picture.looks, picture.boxes, strict=True):
        across, down = (x + width / 2) / CELL, (y + height / 2) / CELL
        column, row = min(int(across), MAP - 1), min(int(down), MAP - 1)
        spread = max(0.7, min(width, height) / CELL / 6)
        bump = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * spread**2))
        plane = heat[KINDS.index(look.kind)]
        np.maximum(plane, bump, out=plane)
        places[:, row, column] = np.log(width / CELL), np.log(height / CELL), across - column, down - row
        centres[row, column] = 1
    return heat, places, centres


@torch.inference_mode()
def _ask(network: Network, batch: Sequence[Asked]) -> list[Raw | None]:
    """The peaks of each picture among its labels."""
    small = np.stack([cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture, _ in batch])
    logits, places = network(as_tensor(small))
    heat = logits.sigmoid()
    peaks = heat * (functional.max_pool2d(heat, 3, 1, 1) == heat)
    return [
        _found(peak, place, labels, picture.shape[0] / SIDE, picture.shape[1] / SIDE)
        for (picture, labels), peak, place in zip(batch, peaks.numpy(), places.numpy(), strict=True)
    ]


def _found(
    peaks: NDArray[np.float32], places: NDArray[np.float32], labels: Sequence[str], down: float, across: float
) -> Raw:
    """The peaks of one picture as corners in its pixels. down, across: its pixels per pixel of the network's input."""
    found: Raw = []
    for kind, row, column in np.argwhere(peaks > LEAST).tolist():
        if KINDS[kind] in labels:
            logs, offset = places[:2, row, column], places[2:, row, column]
            half_width, half_height = (np.exp(np.clip(logs, -1, 4)) / 2 * CELL).tolist()
            x, y = (column + float(offset[0])) * CELL, (row + float(offset[1])) * CELL
            corners = (
                (x - half_width) * across,
                (y - half_height) * down,
                (x + half_width) * across,
                (y + half_height) * down,
            )
            found.append((KINDS[kind], corners, float(peaks[kind, row, column])))
    return found
