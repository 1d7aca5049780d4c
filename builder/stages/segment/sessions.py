"""The sessions of rembg that run on this machine, and how each one's network reads a photo."""

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
"""Sessions of rembg that send each photo to a service, and are refused for that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How a session of rembg reads photos and what its network answers.

    size: pixels a side, whatever the photo's shape. mean, deviation: of each colour. logits: no sigmoid at its end.
    """

    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    logits: bool = False


_HALF, _ONE = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_U2NET = Look(size=320, mean=_MEAN, deviation=_DEVIATION)
_BIREFNET = Look(size=1024, mean=_MEAN, deviation=_DEVIATION, logits=True)

LOOKS: Mapping[Session, Look] = {
    "isnet-general-use": Look(size=1024, mean=_HALF, deviation=_ONE),
    "isnet-anime": Look(size=1024, mean=_MEAN, deviation=_ONE),
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
    "bria-rmbg": Look(size=1024, mean=_MEAN, deviation=_DEVIATION),
}
"""As each session of rembg 2.0.86 does it in its `predict`."""


def normalise(photo: Rgb, look: Look) -> Stack:
    """A photo as the network reads it, float32 [3, S, S]; as rembg's `BaseSession.normalize`."""
    small = Image.fromarray(photo).resize((look.size, look.size), Image.Resampling.LANCZOS)
    values = np.asarray(small, np.float32)
    mean, deviation = np.array(look.mean, np.float32), np.array(look.deviation, np.float32)
    scaled: Stack = (values / max(float(values.max()), 1e-6) - mean) / deviation
    return scaled.transpose(2, 0, 1)
