"""Disturb commands at random moments, resume them, and compare what they leave with what undisturbed ones leave."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.contracts.small_builds import bytes_of
from tests.kills.commands import Command
from tests.kills.places import STAGES, Folder, Place, Stages, traces
from tests.kills.works import OUTPUT, Work, draw_inputs, works

PERIOD = 0.0005
"""Seconds between two looks at a folder."""
LATEST = 0.03
"""Seconds after a change of the folder within which a disturbance comes."""
IN_STAGE, MOST_CHANGES = 0.6, 12
"""How many of the moments are counted from the beginning of a drawn stage, and by how many changes at most."""
MOST_FAULTS = 10
"""Faults after which nothing more is tried."""

Places = Callable[[str], Place]
"""Makes an empty place with a name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way to disturb a command.

    hit: does it, at once; returns whether it did. ends: the exit codes that may follow, each with words of the output.
    counts_always: whether it counts where the command ends well nevertheless.
    """

    name: str
    hit: Callable[[Command, random.Random], bool]
    ends: Mapping[int, str]
    counts_always: bool = False


def _kill_worker(command: Command, draw: random.Random) -> bool:
    while not (workers := command.workers()):
        if command.has_ended():
            return False
    try:
        draw.choice(workers).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def _terminate(command: Command, _draw: random.Random) -> bool:
    if command.has_ended():
        return False
    command.send(signal.SIGTERM)
    return True


PARENT = Way(name="parent", hit=lambda command, _: command.kill(), ends={-signal.SIGKILL: ""})
WORKER = Way(name="worker", hit=_kill_worker, ends={0: "", 1: "error: a worker process was killed"}, counts_always=True)
STOPPED = "error: stopped; run the same command again to resume"
SIGTERM = Way(name="SIGTERM", hit=_terminate, ends={0: "", 1: STOPPED, -signal.SIGTERM: ""})


class Campaign:
    """Undisturbed works, and the counts and faults of disturbed ones.

    Args:
        scratch: a folder for everything.
        seed: of all moments.

    Attributes:
        hits: numbers of disturbances, by their kind, the work and its stage.
        ends: numbers of other commands, by their kind and how they ended.
        compared: how many results were compared with undisturbed ones.
        faults: promises that were broken.
    """

    def __init__(self, scratch: Path, seed: int) -> None:
        self.scratch, self.draw = scratch, random.Random(seed)  # noqa: S311
        draw_inputs(scratch / "photos")
        (scratch / "logs").mkdir()
        self.works, self._inputs = works(scratch / "photos"), bytes_of(scratch / "photos")
        self.hits: Counter[tuple[str, str, str]] = Counter()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.compared = 0
        self.faults: list[str] = []
        self._numbers: Counter[str] = Counter()
        self._expected: dict[tuple[str, str], dict[str, str]] = {}
        self._changes: dict[tuple[str, str], int] = {}

    def folder(self, name: str) -> Folder:
        """A folder that does not exist yet, with a user's cache of its own."""
        return Folder(self.scratch / name / "out", self.scratch / name / "cache", {})

    def disturb(
        self,
        name: str,
        way: Way,
        times: int,
        more: tuple[str, ...] = (),
        places: Places | None = None,
        kind: str | None = None,
    ) -> None:
        """Disturb a work, resume it by the same command, and so on until it ends; in new places, until `times` is met.

        Args:
            name: of the work.
            way: how to disturb it.
            times: how often in all.
            more: words of its command.
            places: where; None: in folders.
            kind: of the disturbance, for the counts; None: the name of the way.
        """
        work, places, kind = self.works[name], places or self.folder, kind or way.name
        self.expected(work, places)
        left = times
        while left > 0 and not self.is_spoilt():
            place = self.fresh(work, places)
            stages, code = Stages(place.folder, work.plans), 1
            while code and not self.is_spoilt():
                command = self.start(work.words, place, *more)
                if left > 0:
                    self.wait(command, work, place, stages)
                stage = stages.now(place.folder)
                was_hit = left > 0 and way.hit(command, self.draw)
                what = f"{name}, {kind} at {stage}"
                code = self.check(command, way.ends if was_hit else {0: ""}, what)
                if was_hit and (code or way.counts_always):
                    self.hits[kind, name, stage] += 1
                    left -= 1
                self.flaws(place, what)
                place.move(self.draw)
            if not code:
                self.compare(work, place, places, f"{name}, {kind}")

    def start(self, words: tuple[str, ...], place: Place, *more: str) -> Command:
        """Start a command with words in which OUTPUT stands for the place."""
        given = [place.name if word == OUTPUT else word for word in (*words, *more)]
        return Command(given, self.scratch / "logs" / str(self._next("log")), place.environment)

    def begin(self, work: Work, place: Place) -> None:
        """Make what a work begins with, and put foreign files beside it."""
        if work.begins_with:
            base = self.works[work.begins_with]
            self.begin(base, place)
            self.finish(base, place)
            place.add_foreign_files()

    def finish(self, work: Work, place: Place) -> None:
        """Run a work undisturbed to its end."""
        command = self.start(work.words, place, *work.alone)
        self.check(command, {0: ""}, f"{work.name}, undisturbed")

    def expected(self, work: Work, places: Places) -> Mapping[str, str]:
        """The sums of what the undisturbed work leaves; counts the changes of the folder on the way."""
        place = places(f"undisturbed {work.name}".replace(" ", "-"))
        key = type(place).__name__, work.name
        if key not in self._expected:
            self.begin(work, place)
            command = self.start(work.words, place, *work.alone)
            self._changes[key] = self.watch(command, place)
            self.check(command, {0: ""}, f"{work.name}, undisturbed")
            self._expected[key] = place.sums()
            self.flaws(place, f"{work.name}, undisturbed")
        return self._expected[key]

    def watch(self, command: Command, place: Place, changes: float = float("inf")) -> int:
        """Wait until a command has ended, or a place has changed so often; returns how often it has."""
        seen, count = traces(place.folder), 0
        while count < changes and not command.has_ended():
            now = traces(place.folder)
            count += now != seen
            seen = now
            time.sleep(PERIOD)
        return count

    def wait(self, command: Command, work: Work, place: Place, stages: Stages) -> None:
        """Wait for a random moment of a work: after some changes of the place since the start, or since a stage."""
        changes = 1 + int(self._changes[type(place).__name__, work.name] * self.draw.random() ** 2)
        if self.draw.random() < IN_STAGE:
            first, changes = STAGES.index(self.draw.choice(STAGES[2:5])), self.draw.randrange(MOST_CHANGES)
            while STAGES.index(stages.now(place.folder)) < first and not command.has_ended():
                self.watch(command, place, 1)
        self.watch(command, place, changes)
        time.sleep(self.draw.uniform(0, LATEST))

    def check(self, command: Command, ends: Mapping[int, str], what: str) -> int:
        """Wait until a command ends; its exit code must be one of `ends`, and its output must have the words there."""
        try:
            code = command.end()
        except AssertionError as hang:
            self.faults.append(f"{what}: {hang}")
            return 1
        output = command.output()
        if code not in ends or ends[code] not in output or "Traceback" in output:
            self.faults.append(f"{what}: exit code {code}: {output[-1500:]}")
        return code

    def flaws(self, place: Place, what: str) -> None:
        """Note what is not whole in a place."""
        self.faults += [f"{what}: {flaw}" for flaw in place.flaws()]

    def compare(self, work: Work, place: Place, places: Places, what: str) -> None:
        """Compare what a disturbed work has left with what the undisturbed one leaves, and remove it."""
        expected, found = self.expected(work, places), place.sums()
        self.compared += 1
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                state = "missing" if name not in found else "left over" if name not in expected else "different"
                self.faults.append(f"{what}: {name} is {state}")
        self.flaws(place, what)
        place.remove()

    def check_inputs(self) -> None:
        """Note whether a photo was changed."""
        if bytes_of(self.scratch / "photos") != self._inputs:
            self.faults.append("the photos have changed")

    def fresh(self, work: Work, places: Places) -> Place:
        """A new place with what a work begins with."""
        place = places(f"{work.name}-{self._next('place')}".replace(" ", "-"))
        self.begin(work, place)
        return place

    def count(self, kind: str, work: str) -> int:
        """The number of disturbances of a kind in a work."""
        return sum(count for key, count in self.hits.items() if key[:2] == (kind, work))

    def is_spoilt(self) -> bool:
        """Whether there are too many faults to go on."""
        return len(self.faults) >= MOST_FAULTS

    def _next(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]
