"""What is wrong with a name or a value, in one line that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pydantic_core import ErrorDetails


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that was most likely meant, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def explain(error: ErrorDetails, known: Sequence[str]) -> str:
    """One of pydantic's complaints.

    Args:
        error: with the place, the complaint and the value that was given.
        known: the keys that could have stood in that place.
    """
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}; {nearest(str(error['loc'][-1]), known)}"
    return f"{place}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"
