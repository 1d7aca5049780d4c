"""A whole build, in a folder or at a URL, and the outcome of each command where a file of a copy of it is damaged."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets

import mycanvas  # noqa: F401  (registers the loader)
from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.publish.publication import check_publishable, prepare
from builder.records import CutoutReview
from mycanvas.dataset import open_dataset
from mycanvas.ratings.entries import CaptionEdit, Flag, Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.store import RatingStore
from tests.conftest import draw_shape
from tests.contracts.decided_builds import SLIM, sha256

CARD = "README.md"
FIRST, SAMPLES = 24, 30
"""Scenes of the first step of the plan, and of both."""

Given = tuple[Any, str, str]
"""The result of a command (None if it failed with an error of ours), its messages, and any other exception."""


class DamagedBuild:
    """A whole build, its copy that is damaged, and what each command gives for the whole one.

    Args:
        scratch: a folder for all of this.
    """

    kinds: tuple[str, ...] = (
        CARD,
        "plots/*.png",
        "data/objects_le3-*.arrow",
        "data/objects_5-*.arrow",
        "concepts/*.arrow",
        ".build/build.json",
        ".build/config.json",
        ".build/sources.json",
        ".build/plan/00000.json",
        ".build/plan/00001.json",
        ".build/plan/00000.arrow",
        ".build/plan/00001.arrow",
        ".build/selected.json",
        ".build/backgrounds/*.json",
        ".build/backgrounds/*.npy",
        ".build/candidates/[0-9]????.arrow",
        ".build/candidates/*.scores.arrow",
        ".build/candidates/*.json",
        ".build/cutouts/*.json",
        ".build/cutouts/*.colours.npy",
        ".build/cutouts/*.cutout.npy",
        ".build/cutouts/*.mask.png",
        ".build/cutouts/*.photo.jpg",
        ".build/push/*.json",
        ".build/push/*.parquet",
        ".build/reviews/*.json",
        ".build/reviews/*.png",
        ".build/review.sqlite",
        ".build/shards/*.arrow",
    )
    """Patterns of the kinds of files; of each, the first file is damaged."""
    commands: tuple[str, ...] = ("build", "select", "inspect", "load", "export", "push")
    others: tuple[str, str] = (CARD, ".build/config.json")
    """Files of another kind, with which a file is exchanged: the second one with an Arrow file."""

    def __init__(self, scratch: Path) -> None:
        self.photos, self.whole, self.place = scratch / "photos", scratch / "whole", scratch / "out"
        self.variables = {"MYCANVAS_CACHE": "off", "MYCANVAS_REVIEWS": "off", "HF_HUB_OFFLINE": "1"}
        for index, name in enumerate(("ball", "box", "cone", "ring", "slab")):
            (self.photos / name).mkdir(parents=True)
            for view in range(2):
                draw_shape(self.photos / name / f"{view}.png", index, view)
        with self._environment():
            self.make()
        shutil.move(self.place, self.whole)
        self.expected = {command: self.fresh(command) for command in self.commands}

    @property
    def output(self) -> Path | str:
        """The output of the build, as commands are given it."""
        return self.place

    def make(self) -> None:
        """Build in two steps, with decisions and ranks of people, and prepare a push, as a killed one leaves it."""
        self._must("build", ("--samples", FIRST))
        folder = BuildFolder.open(self.place)
        self._decide(folder)
        _rate(folder)
        self._must("build")
        prepare(folder, check_publishable(folder, "CC0-1.0"), "me/x", "CC0-1.0", keep=True)

    def fresh(self, command: str) -> Given:
        """Run a command on an undamaged copy."""
        self.restore()
        return self.run(command)

    def restore(self) -> None:
        """Make the copy equal to the whole build, with its links."""
        shutil.rmtree(self.place, ignore_errors=True)
        subprocess.run(["cp", "-a", self.whole, self.place], check=True)  # noqa: S607

    def after_damage(self, file: str) -> None:
        """Prepare the copy, in which a file was damaged, for a command."""

    def run(self, command: str) -> Given:
        """Run a command on the copy."""
        with self._environment():
            return self._run(command)

    def outcome(self, command: str) -> tuple[str, str]:
        """Run a command on the damaged copy; return the outcome (damage.py) and what was seen."""
        card = self.place / CARD
        damaged = card.read_bytes() if card.is_file() else b""
        result, errors, problem = self.run(command)
        if problem or "Traceback" in errors:
            return "fault", (problem or errors)[:900]
        if result is None:
            named = str(self.place) in errors
            return ("refused", errors) if named else ("fault", f"no name: {errors}")
        expected = self.expected[command][0]
        if result == expected:
            return "same", errors
        edited = command in {"build", "select"} and {**result, CARD: expected.get(CARD)} == expected
        if edited and card.read_bytes() == damaged:
            return "kept", errors
        is_named = "is damaged" in errors or "the decision about another photo" in errors
        if command == "inspect" and ".build/reviews/" in errors and is_named:
            return "warned", errors
        if command == "load":
            result, errors, problem = self.run("inspect")
            if result is None and not problem and str(self.place) in errors:
                return "later", errors
        return "fault", f"another result: {result} instead of {expected} ({errors})"[:900]

    def arguments(self) -> Mapping[str, list[object]]:
        """The words of each command after its name."""
        words = ["--concepts", self.photos, "--output", self.output, "--resolution", 128, "--workers", 1, "--json"]
        push = [self.output, "me/x", "--dry-run", "--license", "CC0-1.0", "--json"]
        return {
            "build": [*words, "--samples", SAMPLES],
            "select": [self.output, "--json"],
            "inspect": [self.output, "--json"],
            "export": [self.output, "--format", "coco", "--output", self._exported],
            "push": push,
        }

    def result(self) -> dict[str, str]:
        """Sums of the files that `build` and `select` make: those of the dataset."""
        return _sums(self.place, [self.place / CARD, *self.place.glob("data/*"), *self.place.glob("concepts/*")])

    @property
    def _exported(self) -> Path:
        return self.place.parent / "export"

    def _must(self, command: str, more: tuple[object, ...] = ()) -> None:
        result, errors, problem = self._run(command, more)
        if result is None:
            raise RuntimeError(f"{command}: {problem or errors}")

    def _run(self, command: str, more: tuple[object, ...] = ()) -> Given:
        out, err, problem = io.StringIO(), io.StringIO(), ""
        result: Any = None
        logging.root.handlers.clear()
        shutil.rmtree(self._exported, ignore_errors=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                if command == "load":
                    result = self._loaded()
                else:
                    main([command, *map(str, [*self.arguments()[command], *more])])
                    result = out.getvalue()
            except SystemExit as ended:
                result = out.getvalue() if ended.code in (0, None) else None
                problem = "" if ended.code in (0, 1, None) else f"exit code {ended.code}"
            except (FileNotFoundError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
                if command == "load":
                    err.write(f"{error}: {error.__cause__}")
                else:
                    problem = repr(error)
            except BaseException as error:
                problem = repr(error)
        if result is not None and command in {"build", "select"}:
            result = self.result()
        if result is not None and command == "export":
            result = _sums(self._exported, self._exported.rglob("[!.]*"))
        return result, err.getvalue(), problem

    def _loaded(self) -> dict[str, str]:
        """The rows of each configuration as a program reads them."""
        cache = self.place.parent / "loaded"
        shutil.rmtree(cache, ignore_errors=True)
        found = {}
        for config in ("all", "default", "concepts"):
            splits = datasets.load_dataset("mycanvas", config, data_dir=str(self.output), cache_dir=str(cache))
            for split, rows in splits.items():
                content = repr(rows.with_format("arrow")[:].to_pydict()).encode()
                found[f"{config}/{split}"] = sha256(content)
        return found

    def _decide(self, folder: BuildFolder) -> None:
        """Refuse a cut-out, and give another one a mask."""
        refused, masked = (sha256((self.photos / name).read_bytes()) for name in ("ball/1.png", "box/1.png"))
        reviews = build_reviews(folder)
        reviews.put(CutoutReview(photo=refused, verdict="refuse", reason="blurred"))
        reviews.put(CutoutReview(photo=masked, verdict="use", mask=sha256(SLIM)), SLIM)

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        before = {name: os.environ.get(name) for name in self.variables}
        os.environ.update(self.variables)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


class DamagedStore(DamagedBuild):
    """A build at a URL, whose objects are files of a folder, and this machine's copy of it, in its cache."""

    kinds = (
        "store/README.md",
        "store/.build/config.json",
        "store/.build/sources.json",
        "store/.build/selected.json",
        "store/.build/states/*.json",
        "store/.build/objects/*",
        "store/.build/candidates/00000.json",
        "store/.build/candidates/*.arrow",
        "store/.build/shards/*.arrow",
        "cache/remote/*/state.json",
        "cache/remote/*/build/.build/build.json",
        "cache/remote/*/build/.build/sources.json",
        "cache/remote/*/build/.build/plan/*.json",
        "cache/remote/*/build/.build/plan/*.arrow",
        "cache/remote/*/build/.build/cutouts/*.npy",
        "cache/remote/*/build/.build/candidates/*.json",
        "cache/remote/*/build/.build/candidates/*.scores.arrow",
        "cache/remote/*/build/.build/shards/*.arrow",
        "cache/results/*.prepared",
    )
    commands = ("build", "select", "load")
    others = ("store/README.md", "store/.build/config.json")

    @property
    def output(self) -> str:
        return f"file://{self.place}/store"

    def after_damage(self, file: str) -> None:
        """Let another machine, without a copy, meet a damaged object."""
        if file.startswith("store"):
            shutil.rmtree(self.place / "cache")

    def make(self) -> None:
        """Build in two steps."""
        self.variables["MYCANVAS_CACHE"] = str(self.place / "cache")
        os.environ.update(self.variables)
        self._must("build", ("--samples", FIRST))
        self._must("build")

    def result(self) -> dict[str, str]:
        """The rows of the dataset, as other machines read them."""
        return self._loaded()


def _rate(folder: BuildFolder) -> None:
    """Rank two scenes, flag one and write a caption."""
    store, scenes = RatingStore(folder.review_file), list(open_dataset(folder.path).scenes())
    caption = f"{scenes[3].caption} again"
    for entry in (
        Rating(rater="ana", item=scenes[0].id, score=5),
        Rating(rater="ana", item=scenes[1].id, score=2),
        Flag(rater="ana", item=scenes[2].id, reason="artefact"),
        CaptionEdit(rater="ana", item=scenes[3].id, caption=caption),
    ):
        store.add(Event(id=new_id(), entry=entry))


def _sums(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.is_file() and not file.name.startswith(".")
    }
