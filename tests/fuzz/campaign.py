"""Spread the inputs of all targets over processes, and replace those that die or hang."""

from __future__ import annotations

import json
import multiprocessing
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.fuzz.target import Target
from tests.fuzz.worker import LAST_WORDS, PROGRESS, RESULT, work

CHUNK = 20_000
"""Most inputs of one process."""
PATIENCE = 150.0
"""Seconds after which a process that does not come to its next input is ended: its own time limit did not stop it."""
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.fuzz.worker"])


@dataclass(kw_only=True, slots=True)
class Report:
    """Outcomes of a target. died: numbers of inputs that ended their process, with what is known of its end."""

    name: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    broken: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)
    kinds: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    died: list[tuple[int, str]] = field(default_factory=list)


def run_campaign(targets: Sequence[Target], seed: int, scale: float, workers: int) -> Iterator[Report]:
    """The reports of the targets, each when its inputs were used.

    Args:
        targets: under test.
        seed: of the campaign.
        scale: factor on the number of inputs of each target.
        workers: processes at a time.
    """
    with ThreadPoolExecutor(workers) as pool:
        jobs = {}
        for target in targets:
            total = max(1, round(target.inputs * scale))
            size = min(CHUNK, -(-total // workers))
            numbers = [range(start, min(start + size, total)) for start in range(0, total, size)]
            report, lock = Report(name=target.name, inputs=total), threading.Lock()
            jobs[target.name] = report, [pool.submit(_use, report, lock, seed, each) for each in numbers]
        for report, futures in jobs.values():
            for future in futures:
                future.result()
            yield report


def _use(report: Report, lock: threading.Lock, seed: int, numbers: range) -> None:
    """Use these inputs in a process, and those after an input that ends it in another."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder, start = Path(place), numbers.start
        while start < numbers.stop:
            process = _PROCESSES.Process(target=work, args=(report.name, seed, range(start, numbers.stop), folder))
            process.start()
            _wait(process, folder / PROGRESS)
            if _has_ended_well(folder / RESULT):
                break
            with lock:
                at = _at(folder / PROGRESS)
                report.died.append((at, f"{process.exitcode}: {_text(folder / LAST_WORDS)[:1000]}"))
            start = max(at, start) + 1
        lines = [json.loads(line) for line in _text(folder / RESULT).splitlines()]
        with lock:
            for line in lines:
                _add(report, line)


def _has_ended_well(result: Path) -> bool:
    """Whether the last process wrote its counts; a fork server may not know how one ended."""
    lines = _text(result).splitlines()
    return bool(lines) and "counts" in json.loads(lines[-1])


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _wait(process: BaseProcess, progress: Path) -> None:
    """Wait for the end of a process; end it if it stays at one input."""
    last, since = -1, time.monotonic()
    while process.is_alive():
        process.join(2)
        now = _at(progress)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            process.kill()


def _at(progress: Path) -> int:
    content = progress.read_bytes() if progress.exists() else b""
    return int(struct.unpack("<q", content)[0]) if len(content) == 8 else -1


def _add(report: Report, line: Mapping[str, Any]) -> None:
    if "finding" in line:
        if not any(each["kind"] == line["finding"]["kind"] for each in report.findings):
            report.findings.append(line["finding"])
        return
    counts = line["counts"]
    report.accepted += counts["accepted"]
    report.refused += counts["refused"]
    report.broken += counts["broken"]
    report.seconds += counts["seconds"]
    report.slowest = max(report.slowest, tuple(counts["slowest"]))
    for kind, count in counts["kinds"].items():
        report.kinds[kind] = report.kinds.get(kind, 0) + count
