"""The saliency networks that rembg distributes, run in batches by ONNX Runtime, with their maps checked.

rembg runs one photo at a time and stretches each map to 0..1, so that even a bare wall yields an object. Here the map
is checked before it is stretched. Gen4Gen cuts out with IS-Net (Qin et al., ECCV 2022) in three rounds, each applied to
the foreground of the round before (arXiv 2402.15504).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, Self, get_args

import cv2
import numpy as np
from pydantic import Field, field_validator

from builder.records import Alpha, Rgb
from builder.stages.segment.base import Matte, Segmenter
from builder.stages.segment.calibration import calibration
from builder.stages.segment.saliency import Map
from builder.stages.segment.sessions import NETWORK_SPECS, UPLOADING, NetworkSpec, Session, Stack, normalise
from builder.stages.segment.tricut import AGREEMENT, CLEARNESS, contrast, iou, residue, resize, shrink
from mycanvas.errors import MissingExtra, ModelError
from mycanvas.io.config_table import Count, Location, Table
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief, brief_repr
from mycanvas.models.onnx_files import ONNX, onnx_file, published_session
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

PEAK, CONTRAST = 0.5, 0.25
"""A map shows no object if its highest value is below PEAK, or its range of values is below CONTRAST."""
FAINT = 10 / 255
"""Up to this alpha a pixel is background: networks leave a faint haze on it. The value is rembg's for matting."""
SPECK = 0.01
"""The least size of a part of the object, as a fraction of the largest part."""
MEASURED_SIDE = 256
"""Longest side in pixels at which contrast and residue are measured."""
SOFT, SOFT_SIDE = 0.5, 256
"""Quality lost per `softness`, and the longest side in pixels at which softness is measured."""
SEE_THROUGH = "see-through"
"""Name of this loss."""
UNSURE = 0.25
"""Saliency between this value and 1 minus it counts as undecided; see `quality_of`."""


class RembgConfig(Table):
    """[segment.rembg]: a saliency network of rembg, run by ONNX Runtime on this machine."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    model: Session = "isnet-general-use"
    """Name of a session of rembg."""
    file: Location | None = None
    """An ONNX file to run: that of session `model`, or a network of the same input size and normalisation."""
    rounds: Annotated[int, Field(ge=1, le=10)] | None = None
    """How often the network runs, each time on the foreground found before (Gen4Gen: 3); not given: that of `model`."""
    matting: bool = False
    """Estimate the alpha of the edge in closed form."""
    batch_size: Count = 4
    """Photos in one call of the network; halved when memory runs out."""

    @field_validator("model", mode="before")
    @classmethod
    def _check_model(cls, model: object) -> object:
        if model in UPLOADING:
            raise ValueError(f"{model} sends photos to a service; {nearest('', get_args(Session))}")
        if str(model).endswith(ONNX):
            file = brief(str(model), 200)
            raise ValueError(f'{file} is a file; write file = "{file}", and in model the session that it belongs to')
        if model not in get_args(Session):
            raise ValueError(
                f"{brief_repr(model)} is not a supported session of rembg; {nearest(str(model), get_args(Session))}"
            )
        return model

    @field_validator("file")
    @classmethod
    def _check_file(cls, file: Path | None) -> Path | None:
        if file is not None and file.suffix != ONNX:
            raise ValueError(f"expected the path of an ONNX file ending in .onnx, got {brief_repr(str(file), 200)}")
        return file

    def name(self) -> str:
        """The name of the model: a session, or the path of a file."""
        return str(self.file or self.model)


class SaliencyNetwork(Protocol):
    """A network; see `mycanvas.models.onnx.Network`."""

    fixed_batch: int | None

    def run(self, stack: Stack) -> Stack:
        """float32 [N, S, S] maps of float32 [N, 3, S, S] photos; ModelError if it fails."""
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
    def min_quality(config: RembgConfig) -> float:
        """The quality from which cut-outs of its session are used after its number of rounds."""
        return calibration(config.model).gate(Rembg.implied(config)["rounds"])

    @staticmethod
    def implied(config: RembgConfig) -> Mapping[str, int]:
        """The number of rounds: of its session, unless given."""
        return {"rounds": config.rounds or calibration(config.model).rounds}

    @staticmethod
    def check(config: RembgConfig) -> None:
        """Check that the network's file is of the session that is configured.

        Raises:
            MissingExtra: ONNX Runtime is not installed.
            ModelError: the file belongs to another session, or is not a network of this session's input size.
        """
        file = onnx_file(config.name(), offline=True)
        if config.file and (session := published_session(file)) not in {None, config.model}:
            raise ModelError(
                f"{file} is the network of session {session}, but [segment.rembg] model is {config.model}; "
                f'set model = "{session}" or another file'
            )
        _network(config, file, device="cpu", threads=1)

    @staticmethod
    def required_models(config: RembgConfig) -> tuple[RequiredModel, ...]:
        """The network's file."""
        return (RequiredModel(role="segment", name=config.name(), kind="onnx"),)

    @classmethod
    def load(cls, config: RembgConfig, runtime: Runtime) -> Self:
        """Load the configured network from its fetched file.

        Raises:
            MissingExtra: ONNX Runtime is not installed.
            ModelError: the file is not a saliency network of the input size of `config.model`.
        """
        network = _network(config, runtime.model(config.name()), device=runtime.device, threads=runtime.threads)
        return cls(network, NETWORK_SPECS[config.model], config)

    def __init__(self, network: SaliencyNetwork, spec: NetworkSpec, config: RembgConfig) -> None:
        self._network, self._spec, self._config = network, spec, config
        self._call_size = network.fixed_batch or config.batch_size
        self._round_count = self.implied(config)["rounds"]

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order. Its alpha is all 0 if there is no object.

        Raises:
            ModelError: the network fails even on a single photo.
        """
        step = self._config.batch_size
        for start in range(0, len(photos), step):
            batch = photos[start : start + step]
            for photo, maps in zip(batch, self._rounds(batch), strict=True):
                yield self._matte(photo, maps)

    def _rounds(self, photos: Sequence[Rgb]) -> list[list[Map]]:
        """The maps of each photo, one per round; a photo whose last map shows no object gets no further round."""
        maps: list[list[Map]] = [[] for _ in photos]
        remaining = list(range(len(photos)))
        for _ in range(self._round_count):
            foregrounds = [_foreground(photos[index], maps[index]) for index in remaining]
            for index, new in zip(remaining, self._maps(foregrounds), strict=True):
                maps[index].append(new)
            remaining = [index for index in remaining if not is_empty(maps[index][-1])]
        return maps

    def _maps(self, photos: Sequence[Rgb]) -> list[Map]:
        """The saliency map of each photo, float32 [S, S] in [0, 1].

        A call that fails for several photos is repeated with half as many: memory may have run out, or the graph may
        hold a fixed shape.
        """
        maps: list[Map] = []
        while len(maps) < len(photos):
            batch = photos[len(maps) : len(maps) + self._call_size]
            try:
                maps.extend(self._run(np.stack([normalise(photo, self._spec) for photo in batch])))
            except ModelError:
                if self._network.fixed_batch or len(batch) == 1:
                    raise
                self._call_size = len(batch) // 2
        return maps

    def _run(self, stack: Stack) -> Stack:
        """The maps of a stack; for a network with a fixed batch, the stack is padded with its last photo."""
        padding = max(0, (self._network.fixed_batch or 0) - len(stack))
        output = self._network.run(np.concatenate([stack, stack[-1:].repeat(padding, axis=0)]))[: len(stack)]
        if not self._spec.logits:
            return np.clip(output, 0, 1)
        from scipy.special import expit  # takes 0.25 s to import; most commands do not need it

        maps: Stack = expit(output)
        return maps

    def _matte(self, photo: Rgb, maps: Sequence[Map]) -> Matte:
        if is_empty(maps[-1]):
            return Matte(alpha=np.zeros(photo.shape[:2], np.float32), quality=0.0)
        alpha = _remove_haze(_resized(stretched(maps[-1]), photo.shape))
        if self._config.matting and alpha.any():
            from builder.stages.segment.matting import matted

            alpha = matted(photo, alpha)
        return Matte(alpha=alpha, quality=quality_of(photo, maps, alpha), lost={SEE_THROUGH: SOFT * softness(alpha)})


def _network(config: RembgConfig, file: Path, *, device: str, threads: int) -> SaliencyNetwork:
    try:
        from mycanvas.models.onnx import Network
    except ImportError as missing:
        raise MissingExtra("rembg", extra="photo") from missing
    return Network(file, NETWORK_SPECS[config.model].size, device=device, threads=threads)


def is_empty(found: Map) -> bool:
    """Whether a map, before stretching, shows no object: low, nearly uniform, or not finite."""
    return not (found.max() >= PEAK and found.max() - found.min() >= CONTRAST)


def stretched(found: Map) -> Map:
    """Stretch a map to the range 0 to 1, as Gen4Gen and rembg do; the photo must have an object."""
    low, high = found.min(), found.max()
    values: Map = (found - low) / (high - low)
    return values


def quality_of(photo: Rgb, maps: Sequence[Map], alpha: Alpha) -> float:
    """The quality of a matte: 0.7 times its maps' mean agreement + 0.3 (contrast - residue) - 0.5 softness; at least 0.

    The weights and the second term are TriCut's. The agreement is averaged over the IoU of each earlier round with the
    last one, and the first map's stability: the IoU of its masks at thresholds 0.75 and 0.25 (the stability score of
    Segment Anything, Kirillov et al., ICCV 2023), which is low if the network was undecided. Stability uses the first
    map only, as later rounds see the object alone.
    """
    small = shrink(photo, MEASURED_SIDE)
    found = resize(alpha >= 0.5, small.shape) >= 0.5
    if not found.any() or found.all():
        return 0.0
    last = stretched(maps[-1]) >= 0.5
    stability = iou(maps[0] >= 1 - UNSURE, maps[0] >= UNSURE)
    agreements = [stability, *(iou(stretched(earlier) >= 0.5, last) for earlier in maps[:-1])]
    clearness = contrast(small, found) - residue(small, found)
    return max(0.0, AGREEMENT * float(np.mean(agreements)) + CLEARNESS * clearness - SOFT * softness(alpha))


def softness(alpha: Alpha) -> float:
    """Area in which an alpha is neither clear nor solid, as a fraction of the object's area, 0 to 1.

    A hesitant network leaves see-through parts; fur and blur leave a narrow edge.
    """
    rows, columns = np.flatnonzero((alpha > 0).any(axis=1)), np.flatnonzero((alpha > 0).any(axis=0))
    if not rows.size:
        return 0.0
    small: Alpha = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = SOFT_SIDE / max(small.shape)
    if scale < 1:
        small = np.asarray(cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
    soft = np.count_nonzero((small > 0.05) & (small < 0.95))
    return min(1.0, float(soft) / max(1.0, float(np.count_nonzero(small >= 0.5))))


def _foreground(photo: Rgb, maps: Sequence[Map]) -> Rgb:
    """The input of the next round: the photo on black under the last map (applied once); first the whole photo."""
    if not maps:
        return photo
    shown: Rgb = np.rint(photo * _resized(stretched(maps[-1]), photo.shape)[..., None]).astype(np.uint8)
    return shown


def _resized(found: Map, shape: tuple[int, ...]) -> Alpha:
    """Resize a map to the photo's size. Not with Lanczos, as rembg does: it rings at edges and leaves a rim."""
    height, width = shape[:2]
    interpolation = cv2.INTER_AREA if height <= len(found) and width <= len(found) else cv2.INTER_LINEAR
    alpha: Alpha = np.clip(cv2.resize(found, (width, height), interpolation=interpolation), 0, 1)
    return alpha


def _remove_haze(alpha: Alpha) -> Alpha:
    """Remove faint alpha, and parts with few or no solid pixels."""
    clear = np.clip((alpha - FAINT) / (1 - 2 * FAINT), 0, 1)
    count, labels = cv2.connectedComponents((clear > 0).astype(np.uint8))
    solid = np.bincount(labels[clear >= 0.5], minlength=count)
    return np.where((solid > SPECK * solid.max())[labels], clear, np.float32(0))
