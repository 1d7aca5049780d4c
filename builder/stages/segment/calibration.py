"""Settings that differ by segmenter or network: the gate on the quality of its cut-outs, and the number of rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Defaults of one segmenter or session.

    min_quality: cut-outs of lower quality are not used. repeated: the same with more than one round; None: no other.
    rounds: how often a saliency network runs on each photo.
    unlike: quality lost per unit of a cut-out's unlikeness to the other photos of its concept.
    """

    min_quality: float
    repeated: float | None = None
    rounds: int = 1
    unlike: float = 0.0

    def gate(self, rounds: int) -> float:
        """The minimum quality of cut-outs after this number of rounds."""
        return self.min_quality if rounds == 1 or self.repeated is None else self.repeated


UNCALIBRATED = Calibration(min_quality=0.75)
"""Of sessions whose cut-outs nobody has judged yet."""

CALIBRATIONS: Mapping[str, Calibration] = {
    "tricut": Calibration(min_quality=0.81, unlike=0.3),
    "isnet-general-use": Calibration(min_quality=0.78, repeated=0.84),
    "u2net": Calibration(min_quality=0.78, repeated=0.82),
}
"""By the name of a segmenter without networks, or of a session of rembg; others are UNCALIBRATED.

docs/quality.md tells how they were chosen.
"""


def calibration(name: str) -> Calibration:
    """The defaults of a segmenter or session."""
    return CALIBRATIONS.get(name, UNCALIBRATED)
