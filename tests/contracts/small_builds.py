"""A small build of the shapes, and the sums of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from builder.config import BuildConfig, parse_config

SAMPLES, SIDE = 16, 160


def config_for(shapes: Path, grounds: Path, output: Path, **changes: object) -> BuildConfig:
    values = {"concepts": shapes, "backgrounds": grounds, "output": output, "samples": SAMPLES}
    return parse_config({**values, "resolution": SIDE, "shard_size": 4, "workers": 1, **changes})


def bytes_of(output: Path) -> dict[str, str]:
    """The sha256 of every file that a build leaves."""
    files = sorted(path for path in output.rglob("*") if path.is_file())
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def but_where(files: dict[str, str]) -> dict[str, str]:
    """Without the file that holds the output's own path and the number of workers."""
    return {name: digest for name, digest in files.items() if name != ".build/config.json"}
