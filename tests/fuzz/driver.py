"""Draw the inputs of a target by number, use each under a time limit, and shorten those that break a promise."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from tests.fuzz.target import Broken, Target, accepted

OURS = ("/mycanvas/", "/builder/", "/dataset_card/")
"""Parts of the paths of our own code, not of its tests."""
SHORTENING = 400
"""Most attempts to make an input shorter."""


class Hang(BaseException):
    """An input takes too long. No `except Exception` of the code under test catches it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """An input that breaks a promise. kind: the same for inputs with the same cause. shown: the shortened input."""

    target: str
    index: int
    kind: str
    message: str
    shown: str
    trace: str


@dataclass(kw_only=True, slots=True)
class Counts:
    """Outcomes of the inputs of a target.

    seconds: of processor time. slowest: the same of one input, and its number. kinds: how often each finding came.
    """

    accepted: int = 0
    refused: int = 0
    broken: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)
    kinds: dict[str, int] = field(default_factory=dict)


def run(
    target: Target,
    seed: int,
    numbers: range,
    *,
    begun: Callable[[int], object] = lambda _: None,
    found: Callable[[Finding], object],
    timed: bool = True,
) -> Counts:
    """Use the inputs of a target with these numbers.

    Args:
        target: under test.
        seed: of the campaign; an input follows from the seed, the target's name and its number.
        numbers: of the inputs.
        begun: called with each number before its input is used.
        found: called with the first finding of each kind.
        timed: stop an input that takes longer than the target allows; only in a process's main thread.
    """
    counts = Counts()
    started = time.process_time()
    for number in numbers:
        begun(number)
        value = draw(target, seed, number)
        before = time.process_time()
        try:
            with _limit(target.seconds if timed else 0), _unlogged():
                whole = accepted(target, value)
        except (Exception, Hang) as error:
            counts.broken += 1
            kind = _kind(error)
            counts.kinds[kind] = counts.kinds.get(kind, 0) + 1
            if counts.kinds[kind] == 1:
                found(_finding(target, number, kind, error, value))
        else:
            counts.accepted += whole
            counts.refused += not whole
        counts.slowest = max(counts.slowest, (time.process_time() - before, number))
    counts.seconds = time.process_time() - started
    return counts


def draw(target: Target, seed: int, number: int) -> Any:
    """The input of this number."""
    return target.draw(Random(f"{seed} {target.name} {number}"))  # noqa: S311 - not for secrets


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Drop warnings of the code under test."""
    log = logging.getLogger("mycanvas")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise Hang after some seconds; 0: never."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    if not seconds:
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _kind(error: BaseException) -> str:
    """The type of an error, and the last line of our own code that it came through."""
    places = [
        frame for frame in traceback.extract_tb(error.__traceback__) if any(part in frame.filename for part in OURS)
    ]
    own = [frame for frame in places if "/tests/" not in frame.filename]
    place = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "result"
    cause = error.__context__ if isinstance(error, Broken) and error.__context__ else None
    if cause is not None:  # the message of an error of ours
        last = [frame for frame in traceback.extract_tb(cause.__traceback__) if "/tests/" not in frame.filename]
        place = f"{Path(last[-1].filename).name}:{last[-1].name}" if last else place
    return f"{type(error).__name__} in {place}{f': {error}' if isinstance(error, Broken) else ''}"


def _finding(target: Target, number: int, kind: str, error: BaseException, value: Any) -> Finding:
    short = value if isinstance(error, Hang) else shortened(value, lambda other: _fails_alike(target, other, kind))
    try:
        shown = repr(short)
    except RecursionError:
        shown = "a value that is nested deeply"
    return Finding(
        target=target.name,
        index=number,
        kind=kind,
        message=str(error.__context__ if isinstance(error, Broken) and error.__context__ else error)[:400],
        shown=shown if len(shown) <= 500 else f"{shown[:500]}… ({len(shown)} characters)",
        trace="".join(traceback.format_exception(error)[-8:])[-3000:],
    )


def _fails_alike(target: Target, value: Any, kind: str) -> bool:
    try:
        accepted(target, value)
    except Exception as error:
        return _kind(error) == kind
    return False


def shortened(value: Any, still_fails: Callable[[Any], bool]) -> Any:
    """The shortest input found that fails alike: spans are removed, long ones first; of a tuple, in each part."""
    attempts = 0

    def works(other: Any) -> bool:
        nonlocal attempts
        attempts += 1
        try:
            return attempts <= SHORTENING and still_fails(other)
        except Exception:  # of the target's own check, on an input that it never draws
            return False

    if isinstance(value, tuple | list):
        parts = list(value)
        for index, part in enumerate(parts):
            parts[index] = _cut(
                part, lambda other, at=index: works(type(value)([*parts[:at], other, *parts[at + 1 :]]))
            )
        return type(value)(parts)
    return _cut(value, works)


def _cut(value: Any, works: Callable[[Any], bool]) -> Any:
    if not isinstance(value, str | bytes):
        return value
    span = len(value)
    while span:
        at = 0
        while at < len(value):
            shorter = value[:at] + value[at + span :]
            if works(shorter):
                value = shorter
            else:
                at += span
        span //= 2
    return value
