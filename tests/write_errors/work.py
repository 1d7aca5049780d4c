"""The kinds of work whose writes fail: commands and functions, each with the state that it begins from."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.publish.publication import check_publishable, prepare
from builder.records import CutoutReview
from mycanvas.errors import MyCanvasError
from mycanvas.export import FORMATS, OPTIONS, PACKAGES
from mycanvas.io.files import access_error
from mycanvas.ratings.entries import Flag, Rating
from mycanvas.ratings.events import Event
from mycanvas.ratings.store import RatingStore
from tests.conftest import draw_shape
from tests.write_errors.failing_disk import MODES, Mode

NAMES = ("ball", "box")
THOROUGH = frozenset({"coco", "custom-diffusion", "imagefolder", "mds", "pairs", "webdataset"})
"""Formats that are written in ways of their own; the others write whole files as one of these does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One kind of work.

    run: does it in this process; it ends as a command does, by SystemExit. before: the state that it begins from: the
    names of works that are done first. change: what is done to that state then. by_files: whether two runs of it leave
    files of the same bytes; else they print the same. but: count only the calls of its worker processes. only: words in
    the paths of the calls that fail. modes: the ways in which they fail.
    """

    name: str
    run: Callable[[], None]
    before: tuple[str, ...] = ()
    change: Callable[[], None] | None = None
    by_files: bool = True
    but: bool = False
    only: str = ""
    modes: tuple[Mode, ...] = MODES


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The folders of a campaign: that of the photos, and the one in which all is written, and writes fail."""

    photos: Path
    root: Path

    @property
    def out(self) -> Path:
        """The output of the build."""
        return self.root / "out"

    def environment(self) -> dict[str, str]:
        """The variables by which the user's folders are in the place, and temporary files too."""
        return {
            "MYCANVAS_CACHE": str(self.root / "cache"),
            "MYCANVAS_REVIEWS": str(self.root / "reviews"),
            "TMPDIR": str(self.root / "tmp"),
            "HOME": str(self.root / "home"),
            "HF_HUB_OFFLINE": "1",
        }


def draw_photos(folder: Path) -> None:
    """Draw the photos of the concepts, and the settings of the build beside them."""
    for index, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        draw_shape(folder / name / "0.png", index, 0)
    (folder / "build.toml").write_text("shard_size = 2\nresolution = 128\n[select]\nduplicate_bits = -1\n")


def works(place: Place) -> Iterator[Work]:
    """All kinds of work, each after those that it begins from."""
    command = _Commands(place)
    build = command.build(3)
    yield Work(name="cache", run=build, only=f"{place.root}/cache/")
    yield Work(name="build", run=build, before=("cache",), change=command.remove)
    yield Work(name="growing", run=command.build(5), before=("build",))
    yield Work(name="select", run=command.main("select", place.out, "--min-visible", "0.2"), before=("build",))
    yield Work(name="parquet", run=command.parquet, before=("build",))
    yield Work(name="push", run=command.push, before=("build",))
    yield Work(name="clean", run=command.main("clean", place.out, "--yes"), before=("build", "select", "parquet"))
    yield Work(name="ratings", run=command.rate, before=("build",), by_files=False)
    yield Work(name="cut-out reviews", run=command.decide, before=("build",), by_files=False)
    yield Work(name="inspect", run=command.main("inspect", place.out), before=("build",))
    present = (name for name in FORMATS if name not in PACKAGES or find_spec(PACKAGES[name][0]))
    for name in sorted(present, key=lambda name: (name not in THOROUGH, name)):
        options = ["--pairs", "same"] if "pairs" in OPTIONS[name] else []  # a concept has one photo
        run = command.main("export", place.out, "--format", name, "--output", place.root / "export", *options)
        modes = MODES if name in THOROUGH else MODES[:1]
        yield Work(name=f"export {name}", run=run, before=("build",), modes=modes)
    workers = command.build(3, workers=2)
    yield Work(name="workers", run=workers, before=("build",), change=command.unmake, but=True)


class _Commands:
    """Works as functions without arguments."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.out = place.out

    def main(self, *words: object) -> Callable[[], None]:
        return lambda: main([str(word) for word in words])

    def build(self, samples: int, workers: int = 1) -> Callable[[], None]:
        photos = self.place.photos
        words = ["build", photos / "build.toml", "--concepts", photos, "--output", self.out, "--workers", workers]
        return self.main(*words, "--samples", samples)

    def push(self) -> None:
        main(["push", str(self.out), "me/x", "--license", "CC0-1.0", "--dry-run"])

    def remove(self) -> None:
        """Remove the build, of which the user's cache keeps cut-outs and backgrounds."""
        shutil.rmtree(self.out)

    def unmake(self) -> None:
        """Remove all that was made of the plan."""
        for name in (".build/candidates", "data", "concepts"):
            shutil.rmtree(self.out / name)
        for name in (".build/selected.json", "README.md"):
            (self.out / name).unlink()

    def parquet(self) -> None:
        def write() -> None:
            folder = BuildFolder.open(self.out)
            prepare(folder, check_publishable(folder, "CC0-1.0"), "me/x", "CC0-1.0", keep=True)

        _as_command(write)

    def rate(self) -> None:
        """Add ranks and a flag, and undo one: each time as often as until it is there."""
        store = RatingStore(BuildFolder(self.out).review_file)
        entries = (
            Rating(rater="ana", item="a", score=4),
            Flag(rater="ana", item="a", reason="artefact"),
            Rating(rater="ben", item="a", score=2),
        )

        def write() -> None:
            store.prepare()
            for index, entry in enumerate(entries):
                store.add(Event(id=_uuid(index), entry=entry, session="s", at="2026-11-29T00:00:00+00:00"))
            store.undo("ben", id=_uuid(9))
            print(store.ratings(), store.flags())

        _as_command(write)

    def decide(self) -> None:
        """Refuse one cut-out, and replace the mask of the other."""
        photos = [_sha256((self.place.photos / name / "0.png").read_bytes()) for name in NAMES]
        mask = io.BytesIO()
        Image.new("L", (160, 160), 255).save(mask, "PNG")
        png = mask.getvalue()

        def write() -> None:
            reviews = build_reviews(BuildFolder(self.out))
            reviews.put(CutoutReview(photo=photos[0], verdict="refuse", at="2026-11-29T00:00:00+00:00"))
            reviews.put(CutoutReview(photo=photos[1], verdict="use", mask=_sha256(png), at="2026-11-29"), png)
            found = reviews.every().values()
            print([(each.photo, each.verdict, each.mask) for each in found])

        _as_command(write)


def _as_command(write: Callable[[], None]) -> None:
    """Report an error as the command line does."""
    try:
        write()
    except (MyCanvasError, OSError) as error:
        print(f"error: {access_error(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        sys.exit(1)


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
