"""Let each write of each kind of work fail, one at a time, and compare what is left with undisturbed work.

A run is one work with one failed call. Its outcome is one of

    reported   exit code 1 and one message with the path and the reason
    endured    it ends as undisturbed work does, with the same result
    fault      anything else: a traceback, a message without path or reason, a signal, another result

After each run, nothing torn is under a final name and no unfinished file is left; and the same work, undisturbed, ends
with the files of undisturbed work. Else the run is a fault too. That work is done once for each state that a failed
call leaves: most calls leave one that another call has left.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.contracts.small_builds import bytes_of
from tests.write_errors.child import import_what_it_imports, run_in_child
from tests.write_errors.failing_disk import MODES, FailingDisk, Mode
from tests.write_errors.state import USERS, Whole, flaws_of_message, left_files
from tests.write_errors.work import Place, Work


@dataclass(kw_only=True, slots=True)
class Report:
    """The runs of one work and one mode. calls: of the undisturbed work. kinds: runs by the kind of the failed call."""

    work: str
    mode: str
    calls: int
    runs: int = 0
    reported: int = 0
    endured: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    unreached: int = 0
    faults: list[str] = field(default_factory=list)


class Campaign:
    """The scratch folder of all runs.

    Args:
        place: where the work is done.
        scratch: for the states from which works begin, and their outputs.
    """

    def __init__(self, place: Place, scratch: Path) -> None:
        self.place, self.scratch = place, scratch
        self.disk = FailingDisk(place.root)
        self._outputs = scratch / "stdout", scratch / "stderr"
        self._works: dict[str, Work] = {}
        self._resumed: dict[frozenset[tuple[str, str]], tuple[str, ...]] = {}

    @property
    def states(self) -> int:
        """The number of different states that failed calls left, from each of which the work was done again."""
        return len(self._resumed)

    def learn(self, work: Work) -> None:
        """Know a work from which others may begin."""
        self._works[work.name] = work

    def run(self, work: Work, every: int = 1) -> Iterator[Report]:
        """Let calls of a work fail, in each of its modes.

        Args:
            work: the work; those that it begins from were learned before.
            every: let every call of so many fail; other ones in each mode.
        """
        start = self._start_of(work)
        self._restore(start)
        import_what_it_imports(work.run, self.scratch / "modules")
        self._restore(start)
        gc.freeze()  # forks then share the memory of all that was imported
        calls: list[str] = []
        with self.disk.listing(calls, but=work.but):
            code = self._do(work)
        if code:
            raise RuntimeError(f"{work.name}, undisturbed: exit code {code}: {self._errors()}")
        whole = Whole.of(self.place.root, self._printed(), start)
        numbers = [number for number, call in enumerate(calls, 1) if work.only in call]
        for place, mode in enumerate(work.modes):
            report = Report(work=work.name, mode=mode.name, calls=len(numbers))
            for number in numbers[place * every // len(MODES) :: every]:
                self._restore(start)
                self._one(work, mode, number, whole, report)
            yield report

    def _start_of(self, work: Work) -> Path:
        """The state that a work begins from; made once."""
        start = self.scratch / " ".join(["start", *work.before, *([work.name] if work.change else [])])
        if start.exists():
            return start
        self._restore(None)
        for name in work.before:
            import_what_it_imports(self._works[name].run, self.scratch / "modules")
            if self._do(self._works[name]):
                raise RuntimeError(f"{name}: {self._errors()}")
        if work.change:
            work.change()
        _copy(self.place.root, start)
        return start

    def _restore(self, start: Path | None) -> None:
        shutil.rmtree(self.place.root, ignore_errors=True)
        if start:
            _copy(start, self.place.root)
            return
        for name in USERS:
            (self.place.root / name).mkdir(parents=True)

    def _do(self, work: Work) -> int:
        def begin() -> None:
            self.disk.leave_out()
            work.run()

        return run_in_child(begin, *self._outputs)

    def _errors(self) -> str:
        return self._outputs[1].read_text(encoding="utf-8", errors="replace")

    def _printed(self) -> str:
        return self._outputs[0].read_text(encoding="utf-8", errors="replace")

    def _one(self, work: Work, mode: Mode, number: int, whole: Whole, report: Report) -> None:
        hits: list[str] = []
        with self.disk.failing(number, mode, hits, but=work.but):
            code = self._do(work)
        if not hits:
            report.unreached += 1
            return
        report.runs += 1
        kind = hits[0].split()[0]
        report.kinds[kind] = report.kinds.get(kind, 0) + 1
        flaws = list(self._flaws(code, mode, whole, hits[0], work))
        if code == 0 and not flaws:
            report.endured += 1
        elif not flaws:
            report.reported += 1
        else:
            where = hits[0].replace(str(self.place.root), "")
            report.faults.append(f"{work.name}, {mode.name}, call {number}, {where}: {'; '.join(flaws)}")

    def _flaws(self, code: int, mode: Mode, whole: Whole, hit: str, work: Work) -> Iterator[str]:
        """Why a run is a fault, if it is."""
        errors, root = self._errors(), self.place.root
        if "Traceback" in errors or code not in {0, 1}:
            yield f"exit code {code}: {errors[-1500:]}"
        elif code == 1:
            yield from flaws_of_message(errors, mode, root)
        files = bytes_of(root)
        yield from whole.torn(root, files)
        if not hit.startswith("remove "):
            yield from (f"left {name}" for name in left_files(root, files))
        if code == 0:
            yield from whole.differences(files, self._printed(), "after it ended with code 0", by_files=work.by_files)
        state = frozenset([(work.name, ""), *files.items()])
        if state not in self._resumed:
            self._resumed[state] = tuple(self._resume(whole, work))
        yield from self._resumed[state]

    def _resume(self, whole: Whole, work: Work) -> Iterator[str]:
        """Do the work undisturbed, from what a failed call left; yields what is wrong then."""
        if code := self._do(work):
            yield f"undisturbed, exit code {code}: {self._errors()[-1500:]}"
            return
        files = bytes_of(self.place.root)
        yield from whole.differences(files, self._printed(), "after the undisturbed work", by_files=work.by_files)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its hard links."""
    subprocess.run(["cp", "-a", os.fspath(source), os.fspath(target)], check=True)  # noqa: S607
