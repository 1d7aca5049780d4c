"""Choices that the paper leaves open about its scores, named, with defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mycanvas.errors import ConfigError

SameClass = Literal["distinct", "same"]
Negative = Literal["raw", "zero"]
Text = Literal["background", "prompt"]
References = Literal["whole", "masked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How scores are computed where the paper does not say.

    threshold: the confidence, 0 to 1, that a detection must exceed; 0.1 is the default of OWL-ViT's own code.
    padding: fraction of a box's width and height that is added on each side before it is cropped.
    same_class: k concepts of one class get its k most confident boxes ("distinct"), or all get the most confident one,
        as the paper literally says ("same"). Only CP-CLIP uses "same".
    negative: cosines count as they are ("raw"), or those below 0 count as 0 ("zero").
    text: what TI-CLIP compares with: the background without the objects, as the paper's definition says, or the whole
        prompt without its concept tokens, as another section of it says.
    references: source photos as they are ("whole"), or their objects alone, on grey ("masked").
    only_used: compare only with the source photos whose objects scenes may show, not with all photos of a concept.
    certainty: minimum confidence for a surplus detection to count as an extra object.
    covered: maximum fraction, 0 to 1, of a surplus detection that other boxes may cover; above it, the detection is a
        part of those objects.
    """

    threshold: float = 0.1
    padding: float = 0.0
    same_class: SameClass = "distinct"
    negative: Negative = "raw"
    text: Text = "background"
    references: References = "whole"
    only_used: bool = False
    certainty: float = 0.3
    covered: float = 0.5

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: a value is out of range.
        """
        for name in ("threshold", "certainty", "covered"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.padding <= 10:
            raise ConfigError(f"padding must be from 0 to 10 times a box's size, got {self.padding}")
        choices = {"same_class": SameClass, "negative": Negative, "text": Text, "references": References}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"{name} must be one of {', '.join(get_args(kind))}, got {getattr(self, name)!r}")
