"""The sessions of rembg that run on this machine, and the input and output of their networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.records import Rgb

Stack = NDArray[np.float32]
"""float32 [N, 3, S, S] photos, or [N, S, S] maps."""

Session = Literal[
    "isnet-general-use",
    "isnet-anime",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
    "birefnet-dis",
    "birefnet-hrsod",
    "birefnet-cod",
    "birefnet-massive",
    "u2net",
    "u2netp",
    "u2net_human_seg",
    "silueta",
    "bria-rmbg",
]
"""The sessions of rembg that find one object on this machine; bria-rmbg's license forbids commercial use."""
UPLOADING = ("atlascloud", "withoutbg")
"""Sessions of rembg that send each photo to a service; they are refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """The input and output of a network of rembg.

    size: pixels a side of its square input. mean, deviation: normalisation of each colour channel.
    logits: the output has not passed a sigmoid.
    """

    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    logits: bool = False


_HALF, _ONE = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_U2NET = NetworkSpec(size=320, mean=_MEAN, deviation=_DEVIATION)
_BIREFNET = NetworkSpec(size=1024, mean=_MEAN, deviation=_DEVIATION, logits=True)

NETWORK_SPECS: Mapping[Session, NetworkSpec] = {
    "isnet-general-use": NetworkSpec(size=1024, mean=_HALF, deviation=_ONE),
    "isnet-anime": NetworkSpec(size=1024, mean=_MEAN, deviation=_ONE),
    "birefnet-general": _BIREFNET,
    "birefnet-general-lite": _BIREFNET,
    "birefnet-portrait": _BIREFNET,
    "birefnet-dis": _BIREFNET,
    "birefnet-hrsod": _BIREFNET,
    "birefnet-cod": _BIREFNET,
    "birefnet-massive": _BIREFNET,
    "u2net": _U2NET,
    "u2netp": _U2NET,
    "u2net_human_seg": _U2NET,
    "silueta": _U2NET,
    "bria-rmbg": NetworkSpec(size=1024, mean=_MEAN, deviation=_DEVIATION),
}
"""The values in each session's `predict` of rembg 2.0.86."""


def normalise(photo: Rgb, spec: NetworkSpec) -> Stack:
    """Resize and normalise a photo to float32 [3, S, S], as rembg's `BaseSession.normalize` does."""
    small = Image.fromarray(photo).resize((spec.size, spec.size), Image.Resampling.LANCZOS)
    values = np.asarray(small, np.float32)
    mean, deviation = np.array(spec.mean, np.float32), np.array(spec.deviation, np.float32)
    scaled: Stack = (values / max(float(values.max()), 1e-6) - mean) / deviation
    return scaled.transpose(2, 0, 1)
