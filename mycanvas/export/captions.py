"""Captions as trainers read them: one line, and a number of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mycanvas.errors import InputError

_PIECES = re.compile(r"[^\W\d_]+|\d|(?:[^\w\s]|_)+")
"""The pieces that CLIP's tokenizer never joins: letters, one digit, other characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEncoder:
    """The text encoder of a model that is trained. tokens: of a caption that it reads; the rest is cut off."""

    name: str
    tokens: int


CLIP = TextEncoder(name="CLIP", tokens=75)
"""Of SDXL, without the tokens for start and end."""
Z_IMAGE = TextEncoder(name="Z-Image's Qwen3", tokens=512)
"""OneTrainer, musubi-tuner, DiffSynth, SimpleTuner and diffusers' pipeline cut captions at this length by default."""


def one_line(caption: str, name: str) -> str:
    """A caption without line breaks: several trainers take each line for another caption.

    Args:
        caption: as stored.
        name: of its picture, for messages.

    Raises:
        InputError: it is empty; trainers would use an empty caption, or another picture's.
    """
    text = " ".join(caption.split())
    if not text:
        raise InputError(f"{name} has an empty caption; every picture needs one to train with")
    return text


def least_clip_tokens(text: str) -> int:
    """The fewest tokens that CLIP's tokenizer can make of a text, without start and end.

    It is exact where every word is one token of its vocabulary, as common words are; rare words have two or three.
    """
    return len(_PIECES.findall(text))
