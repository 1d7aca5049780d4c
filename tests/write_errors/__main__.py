"""The campaign: python -m tests.write_errors [--short] [--every N] [--work WORDS] [--scratch DIR] [--report FILE].

Prints the runs of each kind of work and each way to fail by their outcomes (campaign.py), and ends with 1 if one is a
fault. Needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.write_errors.failing_disk import SETTINGS, environment


def main() -> int:
    """Run the campaign, in a program whose writes can fail."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few calls of a few kinds of work")
    parser.add_argument("--every", type=int, default=1, help="let every Nth call fail, other ones in each mode")
    parser.add_argument("--work", default="", help="only works whose names contain this")
    parser.add_argument("--scratch", type=Path, help="a folder for all files; a temporary one unless given")
    parser.add_argument("--report", type=Path, help="a JSON Lines file for the outcomes, with all faults")
    given = parser.parse_args()
    if SETTINGS in os.environ:
        from tests.write_errors.program import run

        return run(given.scratch, given.work, given.report, short=given.short, every=given.every)
    with tempfile.TemporaryDirectory(prefix="write-errors-") as scratch:
        return _start_again(given.scratch or Path(scratch))


def _start_again(scratch: Path) -> int:
    """Run this program again, with the library that lets writes fail."""
    import subprocess

    words = [sys.executable, "-m", "tests.write_errors", *sys.argv[1:], "--scratch", scratch]
    return subprocess.run(words, env={**os.environ, **environment(scratch)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
