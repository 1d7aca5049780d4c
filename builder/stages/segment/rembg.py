"""The saliency networks that rembg distributes, run by ONNX Runtime in batches, and looked at critically.

rembg runs one photo at a time and stretches each map to 0..1, so that even a bare wall has its object. Here the map is
judged before it is stretched. Gen4Gen cuts out with IS-Net (Qin et al., ECCV 2022) in three rounds, each fed the
foreground of the one before (arXiv 2402.15504).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, Self, get_args

import cv2
import numpy as np
from pydantic import Field, field_validator

from builder.records import Alpha, Rgb
from builder.stages.segment.base import Matte, Segmenter
from builder.stages.segment.saliency import Map
from builder.stages.segment.sessions import LOOKS, UPLOADING, Look, Session, Stack, normalise
from builder.stages.segment.tricut import AGREEMENT, CLEARNESS, SEARCH_SIDE, contrast, iou, residue, resize, shrink
from mycanvas.errors import MissingExtra, ModelError
from mycanvas.io.config_table import Count, Location, Table
from mycanvas.io.messages import nearest
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

PEAK, CONTRAST = 0.5, 0.25
"""A map that is nowhere surer than this, or whose highest and lowest value are this near, shows no object."""
FAINT = 10 / 255
"""Alpha up to which a pixel shows nothing of the object (rembg's, for matting): networks leave a haze on a photo."""
SPECK = 0.01
"""Parts of the object are at least this large, as a share of the largest one."""
UNSURE = 0.25
"""Saliency from here to 1 minus this says neither object nor background."""


class RembgConfig(Table):
    """[segment.rembg]: a saliency network of rembg, run by ONNX Runtime on this machine."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    model: Session = "isnet-general-use"
    """Name of a session of rembg."""
    file: Location | None = None
    """An ONNX file to run instead, at the size and with the normalisation of `model`."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 3
    """How often the network runs, each time on the foreground that it found before (Gen4Gen: 3)."""
    matting: bool = False
    """Estimate the alpha of the edge in closed form."""
    batch_size: Count = 4
    """Photos in one call of the network; halved when memory runs out."""

    @field_validator("model", mode="before")
    @classmethod
    def _runs_here(cls, model: object) -> object:
        if model in UPLOADING:
            raise ValueError(f"{model} sends photos to a service; {nearest('', get_args(Session))}")
        if model not in get_args(Session):
            raise ValueError(
                f"{model!r} is no session of rembg that is used here; {nearest(str(model), get_args(Session))}"
            )
        return model

    @field_validator("file")
    @classmethod
    def _is_onnx(cls, file: Path | None) -> Path | None:
        if file is not None and file.suffix != ".onnx":
            raise ValueError(f"expected the path of an ONNX file, which ends in .onnx, got {str(file)!r}")
        return file

    def name(self) -> str:
        """What is run: the name of a session, or the path of a file."""
        return str(self.file or self.model)


class Runs(Protocol):
    """A network; see `mycanvas.models.onnx.Network`."""

    together: int | None

    def run(self, stack: Stack) -> Stack:
        """float32 [N, S, S] maps of float32 [N, 3, S, S] photos; ModelError where that fails."""
        ...


class Rembg(Segmenter):
    """A saliency network as segmenter."""

    Config = RembgConfig
    learned = True

    @staticmethod
    def batch_size(config: RembgConfig) -> int:
        """Photos in one call of the network."""
        return config.batch_size

    @staticmethod
    def required_models(config: RembgConfig) -> tuple[RequiredModel, ...]:
        """The network's file."""
        return (RequiredModel(role="segment", name=config.name(), kind="onnx"),)

    @classmethod
    def load(cls, config: RembgConfig, runtime: Runtime) -> Self:
        """Load the network that the configuration names, from a file that was fetched.

        Raises:
            MissingExtra: ONNX Runtime is not installed.
            ModelError: the file is no network that finds objects at the size of `config.model`.
        """
        try:
            from mycanvas.models.onnx import Network
        except ImportError as missing:
            raise MissingExtra("rembg", extra="models") from missing
        look = LOOKS[config.model]
        file = runtime.model(config.name())
        return cls(Network(file, look.size, device=runtime.device, threads=runtime.threads), look, config)

    def __init__(self, network: Runs, look: Look, config: RembgConfig) -> None:
        self._network, self._look, self._config = network, look, config
        self._together = network.together or config.batch_size

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order. Its alpha is 0 where there is no object.

        Raises:
            ModelError: the network fails, even on one photo.
        """
        step = self._config.batch_size
        for start in range(0, len(photos), step):
            batch = photos[start : start + step]
            for photo, maps in zip(batch, self._rounds(batch), strict=True):
                yield self._matte(photo, maps)

    def _rounds(self, photos: Sequence[Rgb]) -> list[list[Map]]:
        """What the network saw in each round; a photo whose last map shows no object is not looked at again."""
        seen: list[list[Map]] = [[] for _ in photos]
        going = list(range(len(photos)))
        for _ in range(self._config.rounds):
            fed = [_foreground(photos[index], seen[index]) for index in going]
            for index, found in zip(going, self._maps(fed), strict=True):
                seen[index].append(found)
            going = [index for index in going if not is_empty(seen[index][-1])]
        return seen

    def _maps(self, photos: Sequence[Rgb]) -> list[Map]:
        """How surely each pixel is object, float32 [S, S] in [0, 1] for each photo.

        What fails for several photos is tried with half as many: memory ran out, or the graph holds a fixed shape.
        """
        maps: list[Map] = []
        while len(maps) < len(photos):
            batch = photos[len(maps) : len(maps) + self._together]
            try:
                maps.extend(self._run(np.stack([normalise(photo, self._look) for photo in batch])))
            except ModelError:
                if self._network.together or len(batch) == 1:
                    raise
                self._together = len(batch) // 2
        return maps

    def _run(self, stack: Stack) -> Stack:
        """The stack's maps; where the network takes a certain number only, the last photo fills it up."""
        filling = max(0, (self._network.together or 0) - len(stack))
        answer = self._network.run(np.concatenate([stack, stack[-1:].repeat(filling, axis=0)]))[: len(stack)]
        if not self._look.logits:
            return np.clip(answer, 0, 1)
        from scipy.special import expit  # a quarter of a second that most commands do not need

        maps: Stack = expit(answer)
        return maps

    def _matte(self, photo: Rgb, maps: Sequence[Map]) -> Matte:
        if is_empty(maps[-1]):
            return Matte(alpha=np.zeros(photo.shape[:2], np.float32), quality=0.0)
        alpha = _without_haze(_enlarged(stretched(maps[-1]), photo.shape))
        if self._config.matting and alpha.any():
            from builder.stages.segment.matting import matted

            alpha = matted(photo, alpha)
        return Matte(alpha=alpha, quality=trust(photo, maps, alpha))


def is_empty(found: Map) -> bool:
    """Whether a map that is not stretched shows no object: nowhere sure, nearly the same everywhere, or not finite."""
    return not (found.max() >= PEAK and found.max() - found.min() >= CONTRAST)


def stretched(found: Map) -> Map:
    """The map of a photo with an object, from 0 to 1 (Gen4Gen and rembg)."""
    low, high = found.min(), found.max()
    values: Map = (found - low) / (high - low)
    return values


def trust(photo: Rgb, maps: Sequence[Map], alpha: Alpha) -> float:
    """How far to trust a matte, 0 to 1: 0.7 times the mean of its witnesses + 0.3 (contrast - residue).

    The weights and the second term are TriCut's. The witnesses are the IoU of each earlier round with the last one, and
    the first map's stability: the IoU of what is object at 0.75 with what is at 0.25 (the stability score of Segment
    Anything, Kirillov et al., ICCV 2023), low where the network was undecided. Later maps do not count there, as they
    saw the object alone.
    """
    small = shrink(photo, SEARCH_SIDE)
    found = resize(alpha >= 0.5, small.shape) >= 0.5
    if not found.any() or found.all():
        return 0.0
    last = stretched(maps[-1]) >= 0.5
    stability = iou(maps[0] >= 1 - UNSURE, maps[0] >= UNSURE)
    witnesses = [stability, *(iou(stretched(earlier) >= 0.5, last) for earlier in maps[:-1])]
    clearness = contrast(small, found) - residue(small, found)
    return max(0.0, AGREEMENT * float(np.mean(witnesses)) + CLEARNESS * clearness)


def _foreground(photo: Rgb, seen: Sequence[Map]) -> Rgb:
    """What the next round looks at: the photo on black, alpha applied once and not once a round; at first all of it."""
    if not seen:
        return photo
    shown: Rgb = np.rint(photo * _enlarged(stretched(seen[-1]), photo.shape)[..., None]).astype(np.uint8)
    return shown


def _enlarged(found: Map, shape: tuple[int, ...]) -> Alpha:
    """The map at the photo's size. Not by Lanczos as rembg: that rings beside an edge, and leaves a rim there."""
    height, width = shape[:2]
    way = cv2.INTER_AREA if height <= len(found) and width <= len(found) else cv2.INTER_LINEAR
    alpha: Alpha = np.clip(cv2.resize(found, (width, height), interpolation=way), 0, 1)
    return alpha


def _without_haze(alpha: Alpha) -> Alpha:
    """The alpha without its faintest values, and without parts of which nothing is solid, or next to nothing."""
    clear = np.clip((alpha - FAINT) / (1 - 2 * FAINT), 0, 1)
    count, labels = cv2.connectedComponents((clear > 0).astype(np.uint8))
    solid = np.bincount(labels[clear >= 0.5], minlength=count)
    return np.where((solid > SPECK * solid.max())[labels], clear, np.float32(0))
