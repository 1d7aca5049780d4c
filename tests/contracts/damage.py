"""The damage campaign: damage each kind of file of a build, run each command, and compare with the undamaged build.

    python -m tests.contracts.damage [SCRATCH] [EVERY]

SCRATCH: a folder for all files; a temporary one unless given. EVERY: of all cases, only each EVERYth is run. Prints one
JSON object, the number of runs by outcome and the faults, and ends with 1 if there is a fault.

A run is one command on one damaged copy, of a build in a folder or of one at a URL. Its outcome is one of

    same      the command gives what it gives for the whole build
    kept      as the same; the card that was damaged is kept, as if a person had edited it
    refused   it fails with an error of ours, or one that the loader documents, which names a part of the build
    warned    `inspect` shows the build without a decision about a cut-out, which a warning names as damaged
    later     `load` gives other pictures, and `inspect` refuses the same folder by name
    fault     anything else: another exception, an error without a name, silently other rows
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.contracts.damaged_builds import DamagedBuild, DamagedStore

DECISIONS = (".build/reviews/*.json", ".build/review.sqlite")
"""Files of people's decisions: without one, there is no decision, as after a person deleted it."""

Damage = Callable[[Path, Path, random.Random], None]


def flip(file: Path, _other: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content)  # in place: a shard has two names


def cut(file: Path, _other: Path, draw: random.Random) -> None:
    os.truncate(file, draw.randrange(1, file.stat().st_size))


def empty(file: Path, _other: Path, _draw: random.Random) -> None:
    os.truncate(file, 0)


def delete(file: Path, _other: Path, _draw: random.Random) -> None:
    file.unlink()


def swap(file: Path, other: Path, _draw: random.Random) -> None:
    content = other.read_bytes()
    other.unlink()
    file.rename(other)
    file.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "flip": flip, "flip 2": flip, "flip 3": flip, "cut": cut, "empty": empty, "delete": delete,
    "swap": swap, "swap with another kind": swap,
}  # fmt: skip


def cases(build: DamagedBuild) -> Iterator[tuple[str, str, str, str]]:
    """Each kind of file, with the file and the other one of a swap, and each damage."""
    for kind in build.kinds:
        files = sorted(str(file.relative_to(build.whole)) for file in build.whole.glob(kind))
        for name in DAMAGES:
            other = files[-1] if name == "swap" else build.others["arrow" in kind]
            if (name.startswith("swap") and other == files[0]) or (name in {"delete", "empty"} and kind in DECISIONS):
                continue
            yield kind, files[0], other, name


def run_campaign(scratch: Path, every: int) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    faults: list[str] = []
    number = 0
    for name, make in (("folder", DamagedBuild), ("store", DamagedStore)):
        build = make(scratch / name)
        for case in cases(build):
            for command in build.commands:
                number += 1
                if number % every:
                    continue
                outcome, seen = run_case(build, case, command)
                counts[outcome] += 1
                if outcome == "fault":
                    faults.append(f"{case[3]} of {case[0]}, {command}: {seen}")
    return {"runs": sum(counts.values()), **counts, "faults": faults}


def run_case(build: DamagedBuild, case: tuple[str, str, str, str], command: str) -> tuple[str, str]:
    """Damage a file and run a command; return its outcome and what was seen."""
    kind, file, other, name = case
    build.restore()
    DAMAGES[name](build.place / file, build.place / other, random.Random(f"{kind} {name}"))  # noqa: S311
    build.after_damage(file)
    return build.outcome(command)


def main(words: list[str]) -> int:
    """Run the campaign and print its outcomes."""
    every = int(words[1]) if words[1:] else 1
    with tempfile.TemporaryDirectory(prefix="damage-") as scratch:
        found = run_campaign(Path(words[0] if words else scratch), every)
    print(json.dumps(found, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
