"""The experiment's steps in order; each is done once, in a folder, and a killed run resumes in the step it was in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mycanvas.dataset import open_dataset
from mycanvas.english import with_article
from mycanvas.io.files import write_text
from mycanvas.metrics.manifest import MANIFEST
from mycanvas.metrics.summary import Arm
from tests.miniature.base import Base, pretrain
from tests.miniature.detector import train_detector
from tests.miniature.encoder import train_encoder
from tests.miniature.loop import Schedule
from tests.miniature.photos import build_scenes, write_grounds, write_things
from tests.miniature.pictures import Captions
from tests.miniature.scoring import Judges, score, write_scenes
from tests.miniature.things import STRANGERS, THINGS, compositions
from tests.miniature.toys import KINDS

RECOGNISED, LEAST_RECOGNISED = 0.8, 0.6
"""Fraction of class pictures whose class the detector must find, and below which the experiment stops."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of everything, so that tests can run the whole chain in seconds."""

    shared: Schedule
    branch: Schedule
    detector: Schedule
    encoder: Schedule
    compositions: tuple[tuple[str, ...], ...] = field(default_factory=compositions)
    scenes: int = 24
    strangers: int = 8
    per_class: int = 16
    workers: int = 1


REAL = Sizes(
    shared=Schedule(steps=6000, lr=1e-3, decay=None),
    branch=Schedule(steps=8000, lr=1e-3, decay=6000),
    detector=Schedule(steps=3000, lr=2e-3),
    encoder=Schedule(steps=3000, lr=2e-3),
)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A run of the experiment. folder: of everything that it makes. report: called with each line of progress."""

    folder: Path
    sizes: Sizes = REAL
    report: Callable[[str], object] = print

    def things(self) -> None:
        """Write the photos of things and strangers, and the grounds."""
        with self._timed("things"):
            used = sorted({thing for names in self.sizes.compositions for thing in names})
            for name, looks in (("things", THINGS), ("strangers", STRANGERS)):
                if not (self.folder / name / "concepts.toml").exists():
                    write_things(self.folder / name, {thing: looks[thing] for thing in used})
            if not (self.folder / "grounds" / "backgrounds.toml").exists():
                write_grounds(self.folder / "grounds")

    def scenes(self) -> None:
        """Build the scenes of things, and those of strangers in their places."""
        for name, count in (("things", self.sizes.scenes), ("strangers", self.sizes.strangers)):
            with self._timed(f"scenes of {name}"):
                output = self.folder / f"{name}_scenes"
                build_scenes(
                    self.folder / name,
                    self.folder / "grounds",
                    output,
                    self.sizes.compositions,
                    count,
                    self.sizes.workers,
                )

    def base(self, captions: Captions) -> Base:
        """Train the base model: "none" is the part that both share."""
        shared = self.folder / "base_none.safetensors"
        with self._timed(f"base {captions}"):
            if captions == "none":
                return pretrain("none", self.sizes.shared, shared, report=self.report)
            file = self.folder / f"base_{captions}.safetensors"
            return pretrain(captions, self.sizes.branch, file, shared, report=self.report)

    def judges(self) -> Judges:
        """Train the detector and the encoder."""
        with self._timed("detector"):
            detector = train_detector(self.sizes.detector, self.folder / "detector.safetensors", self.report)
        with self._timed("encoder"):
            encoder = train_encoder(self.sizes.encoder, self.folder / "encoder.safetensors", self.report)
        return Judges(detector=detector, encoder=encoder)

    def recognised(self, base: Base, judges: Judges) -> Mapping[str, float]:
        """The fraction of pictures of each class in which the detector finds this class before any other."""
        found = {}
        with self._timed("recognised"):
            for kind in KINDS:
                prompts = [f"photo of {with_article(kind)}"] * self.sizes.per_class
                pictures = base.generate(prompts, range(self.sizes.per_class))
                detections = judges.detector.detect(list(pictures), [KINDS] * len(pictures))
                right = [bool(each) and each[0].label == kind for each in detections if each is not None]
                found[kind] = sum(right) / len(pictures)
        return found

    def floor_and_ceiling(self, judges: Judges) -> tuple[Arm, Arm]:
        """The scores of strangers and of things in scenes, against the photos of the things."""
        things = open_dataset(self.folder / "things_scenes").mapped()
        arms = []
        with self._timed("floor and ceiling"):
            for name in ("strangers", "things"):
                folder = self.folder / "pictures" / name
                if not (folder / MANIFEST).exists():
                    write_scenes(open_dataset(self.folder / f"{name}_scenes").mapped(), folder)
                arms.append(score(name, folder, things, judges))
        floor, ceiling = arms
        return floor, ceiling

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Report the core-seconds of a step, and add them to times.json."""
        began = time.process_time()
        yield
        spent = time.process_time() - began
        self.report(f"{name}: {spent:.1f} core-seconds")
        file = self.folder / "times.json"
        times = json.loads(file.read_text()) if file.exists() else {}
        times[name] = round(times.get(name, 0) + spent, 1)
        write_text(file, json.dumps(times, indent=1))


def mean(fractions: Sequence[float]) -> float:
    """The mean of some fractions."""
    return sum(fractions) / len(fractions)
