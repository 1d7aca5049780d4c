"""One target of the campaign: how its inputs are drawn, and what must hold for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from mycanvas.errors import MyCanvasError
from mycanvas.io.text import printable
from tests.fuzz.draws import MARK

LONGEST_LINE = 1000
"""Characters of a line of a message; a path may take some hundred of them."""


class Broken(AssertionError):
    """A promise that does not hold for an input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A public function under test.

    draw: makes an input. check: uses it, and raises Broken if a promise does not hold for the result.
    refusals: errors with which the function may refuse an input; each needs a readable message.
    inputs: how many a full campaign draws. seconds: the time limit of one input.
    """

    name: str
    draw: Callable[[Random], Any]
    check: Callable[[Any], object]
    inputs: int
    refusals: tuple[type[Exception], ...] = (MyCanvasError,)
    seconds: float = 10.0


def require(holds: object, promise: str) -> None:
    """Raise Broken with the promise unless it holds."""
    if not holds:
        raise Broken(promise)


def check_message(message: str) -> None:
    """A message for people: some text, in lines of bounded length, all of them our own, that no terminal acts on."""
    require(message.strip(), "a message has text")
    require(printable(message) == message, "a message has no control characters")
    lines = message.split("\n")
    require(max(map(len, lines)) <= LONGEST_LINE, "a line of a message is short")
    require(not any(line.startswith(MARK) for line in lines), "no line of a message is made of its input")


def accepted(target: Target, value: Any) -> bool:
    """Whether a target accepts an input; False where it refuses it with a readable message.

    Raises:
        Exception: anything else that the input causes.
    """
    try:
        target.check(value)
    except target.refusals as error:
        check_message(str(error))
        return False
    return True
