"""Photos of bright objects on a dark ground, and networks that take brightness for saliency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx

from builder.records import Cutout, Photo, Rejected
from builder.stages.segment import segment
from builder.stages.segment.base import Matte, SegmentConfig
from builder.stages.segment.rembg import Rembg, RembgConfig
from builder.stages.segment.sessions import NetworkSpec
from mycanvas.errors import ModelError
from mycanvas.models.runtime import Runtime

TinyModel = Callable[[str], Path]

SMALL_SPEC = NetworkSpec(size=64, mean=(0.5, 0.5, 0.5), deviation=(1, 1, 1))


def disc(
    size: tuple[int, int] = (150, 200),
    radius: int = 45,
    centre: tuple[int, int] = (105, 80),
    blur: float = 0.8,
) -> np.ndarray:
    """The opacity of a disc with a blurred edge, float32 [H, W]; blur: its standard deviation in pixels."""
    canvas = np.zeros(size, np.uint8)
    cv2.circle(canvas, centre, radius, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), blur).astype(np.float32) / 255


def bright_photo(alpha: np.ndarray, object_: int = 240, ground: int = 25) -> np.ndarray:
    """A photo of a bright object on a dark, slightly noisy ground."""
    grain = np.random.default_rng(0).normal(0, 3, (*alpha.shape, 3))
    opacity = alpha[..., None]
    return np.clip(opacity * object_ + (1 - opacity) * ground + grain, 0, 255).astype(np.uint8)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def cut(photos: Sequence[Photo], config: RembgConfig, folder: Path | None = None) -> list[Cutout | Rejected]:
    runtime = Runtime(device="cpu", models={config.name(): folder or Path(config.name())})
    sized = [replace(photo, cutout_side=512) for photo in photos]
    return list(segment(sized, Rembg.load(config, runtime), SegmentConfig(), 0))


class FakeNetwork:
    """A network whose maps are its input's brightness; it records its inputs and fails for more than `room` photos."""

    fixed_batch: int | None = None

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray] | None = None, room: int = 100) -> None:
        self.answer, self.room, self.inputs = answer or (lambda stack: stack.mean(axis=1) + 0.5), room, []

    def run(self, stack: np.ndarray) -> np.ndarray:
        if len(stack) > self.room:
            raise ModelError("Failed to allocate memory")
        self.inputs.append(stack)
        return self.answer(stack).astype(np.float32)


def matte(network: FakeNetwork, *photos: np.ndarray, **table: Any) -> list[Matte]:
    return list(Rembg(network, SMALL_SPEC, RembgConfig(**table)).matte(photos))


def changed(network: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """A copy of the network with a changed file."""
    model = onnx.load(network)
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"
