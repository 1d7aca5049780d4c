"""A small build of the shapes, and the sums of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from builder.config import BuildConfig, parse_config

SAMPLES, SIDE = 16, 160
TIGHT = {"max_overlap": 0.1, "min_visible": 0.9, "max_border": 0.1}
"""A [select] whose bounds cause attempts."""

KILLED = """
import fnmatch, json, os, signal, sys
import datasets
import builder.pipeline.build
from builder.cli.main import main

moments, output, *arguments = json.loads(sys.argv[1])

def kill_at(event, pattern):
    def watch(name, details):
        if name != event or (name == "open" and not details[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        path = details[1] if name in {"os.rename", "os.link"} else details[0]
        if not isinstance(path, int) and fnmatch.fnmatch(os.fspath(path), os.path.join(output, pattern)):
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

statuses = []
for event, pattern in moments:
    child = os.fork()
    if not child:
        kill_at(event, pattern)
        main(arguments)
        os._exit(0)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(statuses))
"""
"""Runs the same build once for each moment, each in a fork of its own, so that all share the time of the imports."""


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
