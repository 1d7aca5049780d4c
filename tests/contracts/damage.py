"""The damage campaign: damage each kind of file of a build, run each command, and compare with the undamaged build.

    HF_HUB_OFFLINE=1 python -m tests.contracts.damage SCRATCH [EVERY]

EVERY: of all cases, only each EVERYth is run. Prints one JSON object: the number of runs by outcome, and the faults.

A run is one command on one damaged copy. Its outcome is one of

    same      the command gives what it gives for the whole build
    kept      as the same; the card that was damaged is kept, as if a person had edited it
    refused   it fails with an error of ours, or one that the loader documents, which names a part of the build
    later     `load` gives other pictures, and `inspect` refuses the same folder by name
    fault     anything else: another exception, an error without a name, silently other rows
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets

import mycanvas
from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.publish.publication import check_publishable, prepare
from tests.conftest import draw_shape

CARD = "README.md"
KINDS = (
    CARD,
    "data/objects_le3-*.arrow",
    "data/objects_5-*.arrow",
    "concepts/*.arrow",
    ".build/build.json",
    ".build/config.json",
    ".build/sources.json",
    ".build/plan/*.json",
    ".build/plan/*.arrow",
    ".build/selected.json",
    ".build/backgrounds/*.json",
    ".build/backgrounds/*.npy",
    ".build/candidates/*.arrow",
    ".build/candidates/*.json",
    ".build/cutouts/*.json",
    ".build/cutouts/*.cutout.npy",
    ".build/cutouts/*.mask.png",
    ".build/cutouts/*.photo.jpg",
    ".build/push/*.json",
    ".build/push/*.parquet",
    ".build/shards/*.arrow",
)
COMMANDS = ("build", "select", "inspect", "load", "export", "push")

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


class Campaign:
    """A whole build, and what each command gives for it."""

    def __init__(self, scratch: Path) -> None:
        self.photos, self.whole, self.place = scratch / "photos", scratch / "whole", scratch / "out"
        for index, name in enumerate(("ball", "box", "cone", "ring", "slab")):
            (self.photos / name).mkdir(parents=True)
            for view in range(2):
                draw_shape(self.photos / name / f"{view}.png", index, view)
        self.restore()
        built, errors, problem = self.run("build")
        assert built, errors or problem
        folder = BuildFolder.open(self.place)
        prepare(
            folder, check_publishable(folder, "CC0-1.0"), "me/x", "CC0-1.0", keep=True
        )  # as a killed push leaves it
        shutil.move(self.place, self.whole)
        self.expected = {command: self.fresh(command) for command in COMMANDS}

    def fresh(self, command: str) -> tuple[Any, str, str]:
        self.restore()
        return self.run(command)

    def restore(self) -> None:
        """A copy of the whole build, with its links."""
        shutil.rmtree(self.place, ignore_errors=True)
        if not self.whole.exists():
            return
        shutil.copytree(self.whole, self.place)
        stored = {file.stem: file for file in self.place.glob(".build/shards/*.arrow")}
        for file in self.place.glob("[!.]*/*.arrow"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            file.unlink()
            file.hardlink_to(stored[digest])

    def run(self, command: str) -> tuple[Any, str, str]:
        """Run a command; return what it gives (None if it failed with an error of ours), its errors, its exception."""
        out, err, problem = io.StringIO(), io.StringIO(), ""
        result: Any = None
        logging.root.handlers.clear()
        exported = self.place.parent / "export"
        shutil.rmtree(exported, ignore_errors=True)
        arguments = {
            "build": ["--concepts", self.photos, "--output", self.place, "--samples", 40, "--resolution", 128,
                      "--workers", 1, "--json"],
            "select": [self.place, "--json"],
            "inspect": [self.place, "--json"],
            "export": [self.place, "--format", "coco", "--output", exported],
            "push": [self.place, "me/x", "--dry-run", "--license", "CC0-1.0", "--json"],
        }  # fmt: skip
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                if command == "load":
                    result = self.loaded()
                else:
                    main([command, *map(str, arguments[command])])
                    result = self.files(exported) if command == "export" else out.getvalue()
            except SystemExit as ended:
                if ended.code in (0, None):
                    result = self.files(exported) if command == "export" else out.getvalue()
                elif ended.code != 1:
                    problem = f"exit code {ended.code}"
            except (FileNotFoundError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
                if command == "load":
                    err.write(f"{error}: {error.__cause__}")
                else:
                    problem = repr(error)
            except BaseException as error:
                problem = repr(error)
        if command in {"build", "select"} and result is not None:
            result = self.dataset()
        return result, err.getvalue(), problem

    def loaded(self) -> dict[str, str]:
        """The rows of each configuration as a program reads them."""
        cache = self.place.parent / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        found = {}
        for config in ("all", "default", "concepts"):
            splits = datasets.load_dataset("mycanvas", config, data_dir=str(self.place), cache_dir=str(cache))
            for split, rows in splits.items():
                content = repr(rows.with_format("arrow")[:].to_pydict()).encode()
                found[f"{config}/{split}"] = hashlib.sha256(content).hexdigest()
        return found

    def dataset(self) -> dict[str, str]:
        names = sorted([self.place / "README.md", *self.place.glob("data/*"), *self.place.glob("concepts/*")])
        return {str(file.relative_to(self.place)): hashlib.sha256(file.read_bytes()).hexdigest() for file in names}

    def files(self, folder: Path) -> dict[str, str]:
        files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
        return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def outcome(self, command: str) -> tuple[str, str]:
        """Run a command on the damaged copy; return the outcome and what was seen."""
        damaged = (self.place / CARD).read_bytes() if (self.place / CARD).is_file() else b""
        result, errors, problem = self.run(command)
        if problem or "Traceback" in errors:
            return "fault", (problem or errors)[:900]
        if result is None:
            named = str(self.place) in errors
            return ("refused", errors) if named else ("fault", f"no name: {errors}")
        expected = self.expected[command][0]
        if result == expected:
            return "same", errors
        if (
            command in {"build", "select"}
            and {**result, CARD: expected[CARD]} == expected
            and (self.place / CARD).read_bytes() == damaged
        ):
            return "kept", errors
        if command == "load":
            result, errors, problem = self.run("inspect")
            if result is None and not problem and str(self.place) in errors:
                return "later", errors
        return "fault", f"another result: {result} instead of {expected} ({errors})"[:900]


def cases(whole: Path) -> Iterator[tuple[str, str, str, str]]:
    """Each kind of file, with the file and the other one of a swap, and each damage."""
    for kind in KINDS:
        files = sorted(str(file.relative_to(whole)) for file in whole.glob(kind))
        for name in DAMAGES:
            other = files[-1] if name == "swap" else ".build/config.json" if "arrow" in kind else "README.md"
            if name.startswith("swap") and other == files[0]:
                continue
            yield kind, files[0], other, name


def run_campaign(scratch: Path, every: int) -> dict[str, Any]:
    campaign = Campaign(scratch)
    counts: Counter[str] = Counter()
    faults = []
    runs = [(case, command) for case in cases(campaign.whole) for command in COMMANDS]
    for number, ((kind, file, other, name), command) in enumerate(runs):
        if number % every:
            continue
        campaign.restore()
        DAMAGES[name](campaign.place / file, campaign.place / other, random.Random(f"{kind} {name}"))  # noqa: S311
        outcome, seen = campaign.outcome(command)
        counts[outcome] += 1
        if outcome == "fault":
            faults.append(f"{name} of {kind}, {command}: {seen}")
    return {"runs": sum(counts.values()), **counts, "faults": faults}


if __name__ == "__main__":
    assert mycanvas.__version__
    print(json.dumps(run_campaign(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1), indent=1))
