"""The encoder: tells toys apart by class, colours and pattern, and grounds by their phrases.

Trained on toys that are none of the personal things: pictures of one toy attract, those of others repel (Khosla et al.
2020, "Supervised contrastive learning"); a picture attracts the phrase of its ground (Radford et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from builder.seeds import rng_for
from mycanvas.boxes import Box
from mycanvas.io.images import Rgb
from mycanvas.models.checkpoint import as_rgb
from mycanvas.models.encoders import Embeddings
from tests.miniature.base import as_tensor
from tests.miniature.detector import block, roughened
from tests.miniature.grounds import PHRASES
from tests.miniature.loop import Schedule, fit
from tests.miniature.pictures import SIDE, compose, new_look
from tests.miniature.toys import KINDS, Look

INPUT = 32
"""Width and height to which every picture is brought."""
DIMENSIONS = 64
SIGHTINGS = 4
"""Crops of each toy in a batch; each also has one whole photo."""
TEMPERATURE = 0.1
GROUND_WEIGHT = 0.3
WORDS = tuple(dict.fromkeys(" ".join(PHRASES.values()).split()))


class Network(nn.Module):
    """Pictures [N, 3, INPUT, INPUT] and bags of words [N, W] -> unit vectors [N, DIMENSIONS]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block(3, 32), block(32, 64, 2), block(64, 64), block(64, 96, 2), block(96, 96), block(96, 128, 2)
        )
        self.head = nn.Linear(128 * 16, DIMENSIONS)
        self.words = nn.Linear(len(WORDS), DIMENSIONS)
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.head(self.body(pictures).flatten(1)), dim=1)

    def texts(self, bags: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.words(bags), dim=1)


class ToyEncoder:
    """The trained network as an `Encoder` of mycanvas.metrics."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def logit_scale(self) -> float:
        """Factor on cosines of picture and text."""
        return float(self._network.scale.detach().exp())

    @torch.inference_mode()
    def images(self, pictures: Sequence[Rgb]) -> Embeddings:
        """One unit vector per picture."""
        if not pictures:
            return np.zeros((0, DIMENSIONS), np.float32)
        small = np.stack([_resized(as_rgb(picture)) for picture in pictures])
        return self._network(as_tensor(small)).numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Embeddings:
        """One unit vector per text; words that are in no ground's phrase do not count."""
        return self._network.texts(torch.from_numpy(np.stack([_bag(text) for text in texts]))).numpy()


def train_encoder(schedule: Schedule, file: Path, report: Callable[[str], object] = print) -> ToyEncoder:
    """Train the encoder, or resume from its checkpoint."""
    torch.manual_seed(1)
    network = Network()
    fit(network, lambda step: _loss(network, step, schedule.batch), schedule, file, report=report)
    return ToyEncoder(network.eval())


def _loss(network: Network, step: int, count: int) -> torch.Tensor:
    rng = rng_for(0, str(step), "miniature encoder")
    toys = [new_look(rng, KINDS[number % len(KINDS)]) for number in range(count)]
    crops = [found for _ in range(SIGHTINGS) for found in _sightings(toys, rng)]
    photos = [_whole([toy], rng) for toy in toys]
    scenes = [_whole(_some(toys, rng), rng) for _ in range(count // 2)]
    pixels = np.stack([*(pixels for _, pixels in crops), *(pixels for pixels, _ in (*photos, *scenes))])
    vectors = network(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    owners = torch.tensor([*(number for number, _ in crops), *range(count)])
    bags = network.texts(torch.from_numpy(np.stack([_bag(phrase) for phrase in PHRASES.values()])))
    names = list(PHRASES)
    grounds = torch.tensor([names.index(name) for _, name in (*photos, *scenes)])
    ground = functional.cross_entropy(network.scale.exp() * vectors[len(crops) :] @ bags.T, grounds)
    return _contrast(vectors[: len(owners)], owners) + GROUND_WEIGHT * ground


def _contrast(vectors: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """Minus the log-likelihood of a picture of the same toy among all others."""
    itself = torch.eye(len(vectors), dtype=torch.bool)
    logits = (vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -1e4)
    same = (owners[:, None] == owners[None]) & ~itself
    chances = logits.log_softmax(1)
    return -(chances.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()


def _sightings(toys: Sequence[Look], rng: np.random.Generator) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Crops of all toys, each with its number, from pictures of one to five of them."""
    order = rng.permutation(len(toys)).tolist()
    while order:
        shown = order[: int(rng.integers(1, 6))]
        order = order[len(shown) :]
        picture = compose([toys[number] for number in shown], str(rng.choice(list(PHRASES))), rng)
        pixels = roughened(picture.pixels.astype(np.float32), rng)
        for number, box in zip(shown, picture.boxes, strict=True):
            yield number, _resized(_cropped(pixels, box, rng))


def _cropped(pixels: NDArray[np.float32], box: Box, rng: np.random.Generator) -> NDArray[np.float32]:
    """The crop of a box that is a little off, as a detector's is."""
    x, y, width, height = box
    left, top = x + rng.normal(0, 0.07) * width, y + rng.normal(0, 0.07) * height
    right, bottom = left + width * np.exp(rng.normal(0.03, 0.1)), top + height * np.exp(rng.normal(0.03, 0.1))
    left, top = (int(np.clip(end, 0, SIDE - 4)) for end in (left, top))
    right, bottom = (int(np.clip(np.ceil(end), start + 4, SIDE)) for end, start in ((right, left), (bottom, top)))
    return pixels[top:bottom, left:right]


def _some(toys: Sequence[Look], rng: np.random.Generator) -> list[Look]:
    """Zero to four of the toys."""
    return [toys[index] for index in rng.permutation(len(toys))[: int(rng.integers(5))].tolist()]


def _whole(toys: Sequence[Look], rng: np.random.Generator) -> tuple[NDArray[np.float32], str]:
    """A whole picture of toys and the name of its ground."""
    name = str(rng.choice(list(PHRASES)))
    picture = compose(toys, name, rng)
    return _resized(roughened(picture.pixels.astype(np.float32), rng)), name


def _resized(picture: NDArray[np.float32] | Rgb) -> NDArray[np.float32]:
    shrinks = max(picture.shape[:2]) > INPUT
    return cv2.resize(picture, (INPUT, INPUT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _bag(text: str) -> NDArray[np.float32]:
    """How often each of WORDS is in a text, of unit sum."""
    words = text.lower().split()
    counts = np.array([words.count(word) for word in WORDS], np.float32)
    return counts / max(float(counts.sum()), 1.0)
