"""A process that uses some inputs of one target, with little memory: it may die, and another takes its place."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import struct
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.driver import Finding, run
from tests.fuzz.targets import all_targets

MEMORY = 6 * 2**30
"""Bytes of address space: the largest picture that is decoded takes a gigabyte with its copies."""
NICE = 10
PROGRESS, RESULT, LAST_WORDS = "progress", "result", "last_words"


def work(name: str, seed: int, numbers: range, folder: Path) -> None:
    """Use the inputs of a target with these numbers.

    Args:
        name: the target's.
        seed: of the campaign.
        numbers: of the inputs.
        folder: PROGRESS in it gets the number of the input in use; RESULT a line of JSON for each finding, and one for
            the counts; LAST_WORDS the place in the code where the process dies.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    os.environ["MYCANVAS_CACHE"] = "off"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    descriptor = os.open(folder / PROGRESS, os.O_WRONLY | os.O_CREAT)
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as scratch,
        (folder / RESULT).open("a", encoding="utf-8") as lines,
        (folder / LAST_WORDS).open("w") as last_words,
    ):
        faulthandler.enable(last_words)

        def note(finding: Finding) -> None:
            lines.write(json.dumps({"finding": asdict(finding)}) + "\n")
            lines.flush()

        target = all_targets(Path(scratch))[name]
        counts = run(
            target, seed, numbers, begun=lambda at: os.pwrite(descriptor, struct.pack("<q", at), 0), found=note
        )
        lines.write(json.dumps({"counts": asdict(counts)}) + "\n")
