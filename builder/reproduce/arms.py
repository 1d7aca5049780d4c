"""The arms of the poster's table, and the control that shows what scenes add to cut-outs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mycanvas.dataset import file_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One way of training; method, source and prompting as in `mycanvas.training.settings.Settings`."""

    name: str
    method: Literal["cd", "db-lora"]
    source: Literal["photos", "both", "collage"]
    prompting: Literal["plain", "gen4gen"] = "plain"

    @property
    def folder(self) -> str:
        """The name of its folders."""
        return file_name(self.name.replace(" + ", "_").replace(" ", "_"))


ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(name="cd + photos", method="cd", source="photos"),
        Arm(name="db-lora + photos", method="db-lora", source="photos"),
        Arm(name="cd + collage", method="cd", source="collage"),
        Arm(name="cd + MyCanvas", method="cd", source="both"),
        Arm(name="ours + MyCanvas", method="cd", source="both", prompting="gen4gen"),
    )
}
"""By name; the first is the baseline of the others, as "CD + source images" is on the poster."""
