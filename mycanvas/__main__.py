"""`python -m mycanvas` is the program `mycanvas`, for where that is not on the PATH.

The program belongs to `builder`, which this package never imports: its entry point is found by its name.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoints, entry_points

PROGRAM = "mycanvas"


def run(scripts: EntryPoints) -> None:
    """Run the program among these scripts.

    Raises:
        SystemExit: with the program's exit code, or with a message if it is not installed.
    """
    found = [script for script in scripts if script.name == PROGRAM]
    if not found:
        sys.exit(f"error: the program {PROGRAM} is not installed; run: pip install {PROGRAM}")
    found[0].load()()


if __name__ == "__main__":
    run(entry_points(group="console_scripts"))
