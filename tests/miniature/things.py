"""The personal things, strangers of the same classes, and the compositions in which things meet."""

from __future__ import annotations

from collections.abc import Iterator

from builder.seeds import rng_for
from tests.miniature.toys import COLOURS, KINDS, PATTERNS, Look

PER_KIND = 2
"""Personal things of each class."""
SIZES = (2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5)
"""Number of things in each composition."""


def _draw_looks() -> Iterator[Look]:
    """Patterned toys, six of each class; no two have the same body colour, second colour and pattern."""
    rng = rng_for(0, "things", "miniature")
    used = set()
    for kind in KINDS:
        for _ in range(3 * PER_KIND):
            while True:
                body, second = rng.choice(list(COLOURS), 2, replace=False).tolist()
                names = (body, second, str(rng.choice(list(PATTERNS)[1:])))
                if names not in used:
                    break
            used.add(names)
            yield Look(kind=kind, body=names[0], second=names[1], pattern=names[2])


_LOOKS = tuple(_draw_looks())
"""Six of each class: two things, two strangers, two on which settings are chosen."""


def _third(which: int) -> dict[str, Look]:
    """Names like "mug1", "mug2"."""
    return {
        f"{look.kind}{number % PER_KIND + 1}": look
        for number, look in enumerate(look for index, look in enumerate(_LOOKS) if index // PER_KIND % 3 == which)
    }


THINGS = _third(0)
"""The personal things by name."""
STRANGERS = _third(1)
"""A stranger for each thing, by the thing's name: of the same class, other colours and pattern."""
TRIAL = _third(2)
"""Things on which learning rates and numbers of steps are chosen; in no composition."""
HELD_OUT = frozenset(look.names for look in (*THINGS.values(), *STRANGERS.values(), *TRIAL.values()))
"""Colours and pattern of all of them: no other toy has these."""


def compositions() -> tuple[tuple[str, ...], ...]:
    """The names of the things of each composition, sorted, of different classes; all things are used about as often."""
    rng = rng_for(0, "compositions", "miniature")
    uses = dict.fromkeys(THINGS, 0)
    found = []
    for size in SIZES:
        chosen: list[str] = []
        for name in sorted(rng.permutation(list(THINGS)).tolist(), key=uses.__getitem__):
            if len(chosen) < size and THINGS[name].kind not in {THINGS[one].kind for one in chosen}:
                chosen.append(name)
                uses[name] += 1
        found.append(tuple(sorted(chosen)))
    return tuple(found)
