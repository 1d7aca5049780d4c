"""A process that uses some inputs of one target, with little memory: it may die, and another takes its place.

    python -m tests.fuzz.worker TARGET SEED START STOP PROGRESS RESULT

PROGRESS is a file with the number of the input in use, RESULT gets a line of JSON for each finding, and the counts.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import struct
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.driver import Finding, run
from tests.fuzz.targets import all_targets

MEMORY = 6 * 2**30
"""Bytes of address space: the largest picture that is decoded takes a gigabyte with its copies."""


def main(name: str, seed: int, numbers: range, progress: Path, result: Path) -> None:
    """Use the inputs of a target with these numbers."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ["MYCANVAS_CACHE"] = "off"
    descriptor = os.open(progress, os.O_WRONLY | os.O_CREAT)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, result.open("a", encoding="utf-8") as lines:

        def note(finding: Finding) -> None:
            lines.write(json.dumps({"finding": asdict(finding)}) + "\n")
            lines.flush()

        target = all_targets(Path(scratch))[name]
        counts = run(target, seed, numbers, begun=lambda at: os.pwrite(descriptor, struct.pack("<q", at), 0), found=note)
        lines.write(json.dumps({"counts": asdict(counts)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[4])), Path(sys.argv[5]), Path(sys.argv[6]))
