"""An estimate of the length of captions in tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PIECES = re.compile(r"[^\W\d_]+|\d|(?:[^\w\s]|_)+")
"""The pieces that CLIP's tokenizer never joins: letters, one digit, other characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEncoder:
    """The text encoder of a model that is trained. tokens: the most that it reads of a caption; the rest is cut off."""

    name: str
    tokens: int


CLIP = TextEncoder(name="CLIP", tokens=75)
"""The text encoder of SDXL; its tokens for start and end are not counted."""
Z_IMAGE = TextEncoder(name="Z-Image's Qwen3", tokens=512)
"""OneTrainer, musubi-tuner, DiffSynth, SimpleTuner and diffusers' pipeline cut captions at this length by default."""


def least_clip_tokens(text: str) -> int:
    """The fewest tokens that CLIP's tokenizer can make of a text, without start and end.

    It is exact where every word is one token of its vocabulary, as common words are; rare words have two or three.
    """
    return len(_PIECES.findall(text))
