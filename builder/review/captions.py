"""Captions that people write."""

from __future__ import annotations

import re

from builder.review.scenes import RankedScene
from mycanvas.english import plural
from mycanvas.errors import InputError

MAX_WORDS = 30


def check_caption(text: str, scene: RankedScene) -> None:
    """Refuse a caption that does not name the class of each concept, or is too long.

    Raises:
        InputError: saying which class is missing.
    """
    for noun in dict.fromkeys(scene.class_names):
        if not re.search(rf"\b(?:{re.escape(noun)}|{re.escape(plural(noun))})\b", text, re.IGNORECASE):
            raise InputError(f"the caption does not name the {noun}; expected each of {', '.join(scene.class_names)}")
    if len(text.split()) > MAX_WORDS:
        raise InputError(f"the caption has {len(text.split())} words; expected at most {MAX_WORDS}")
