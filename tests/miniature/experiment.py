"""The parts of the experiment: each writes into one folder, and a killed run resumes in the part it was in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from builder.engines.local import LocalEngine
from mycanvas.dataset import open_dataset
from mycanvas.dataset.composition import find_composition
from mycanvas.english import with_article
from mycanvas.errors import StoreError
from mycanvas.io.files import write_text
from mycanvas.io.images import Rgb
from mycanvas.io.messages import differences
from mycanvas.metrics.manifest import MANIFEST
from mycanvas.metrics.protocol import Prompt, as_lines
from mycanvas.metrics.summary import Arm
from mycanvas.training.data import Arm as TrainedArm
from tests.miniature.arms import (
    ARMS,
    CONTROL,
    Training,
    arm_prompts,
    draw_pictures,
    shown_to,
    train_arm,
    untrained,
    without_tokens,
)
from tests.miniature.base import Base, load_base, pretrain
from tests.miniature.detector import train_detector
from tests.miniature.encoder import train_encoder
from tests.miniature.loop import Schedule
from tests.miniature.photos import build_scenes, write_grounds, write_things
from tests.miniature.scoring import Judges, score, write_scenes
from tests.miniature.things import STRANGERS, THINGS, compositions
from tests.miniature.toys import KINDS

NOT_TRAINED = "not trained"
"""The row of pictures that the base model draws from prompts without tokens."""

SETTINGS = "settings.json"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of everything, so that tests can run the whole chain in seconds.

    scenes, strangers: scenes of each composition of things and of strangers. per_class: pictures of each class that the
    base model must draw. seeds: pictures of each prompt. workers: processes.
    """

    base: Schedule
    detector: Schedule
    encoder: Schedule
    arms: Training
    compositions: tuple[tuple[str, ...], ...] = field(default_factory=compositions)
    scenes: int = 48
    strangers: int = 8
    per_class: int = 16
    seeds: int = 4
    denoising_steps: int = 20
    workers: int = 2


REAL = Sizes(
    base=Schedule(steps=10_000, lr=2e-3, decay=7000),
    detector=Schedule(steps=800, lr=2e-3, batch=32),
    encoder=Schedule(steps=700, lr=2e-3, batch=20),
    arms=Training(steps=200, rates={"cd": 3e-4, "db-lora": 2e-3}),
)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A run of the experiment. folder: of everything that it makes. report: called with each line of progress."""

    folder: Path
    sizes: Sizes = REAL
    report: Callable[[str], object] = print

    def run(self, parts: Sequence[str]) -> None:
        """Run parts that do not depend on each other, on `workers` processes, and add up their core-seconds."""
        with LocalEngine(self.sizes.workers) as engine:
            for name, spent in engine.map(partial(_timed, self), parts):
                self.report(f"{name}: {spent:.1f} core-seconds")
                self._add_time(name, spent)

    def check_settings(self) -> None:
        """Refuse a folder whose files were made with other settings; write those of a new one.

        Raises:
            StoreError: it was, and the message says what differs; or it has files without settings.
        """
        settings = json.loads(
            json.dumps({**asdict(self.sizes), "arms of the table": {k: asdict(v) for k, v in ARMS.items()}})
        )
        file = self.folder / SETTINGS
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise StoreError(f"{self.folder} has files, but no {SETTINGS}; use a new --folder")
            write_text(file, json.dumps(settings, indent=1))
        elif lines := differences(json.loads(file.read_text()), settings):
            raise StoreError("\n".join([f"{self.folder} was made with other settings", *lines]))

    def things(self) -> None:
        """Write the photos of things and strangers, and the grounds; build the scenes of both."""
        used = sorted({thing for names in self.sizes.compositions for thing in names})
        if not (self.folder / "grounds" / "backgrounds.toml").exists():
            write_grounds(self.folder / "grounds")
        for name, looks, count in (
            ("things", THINGS, self.sizes.scenes),
            ("strangers", STRANGERS, self.sizes.strangers),
        ):
            photos = self.folder / name
            if not (photos / "concepts.toml").exists():
                write_things(photos, {thing: looks[thing] for thing in used})
            build_scenes(photos, self.folder / "grounds", self._scenes(name), self.sizes.compositions, count)

    def weak_base(self) -> None:
        """Train the base model whose captions name one toy."""
        pretrain("weak", self.sizes.base, self._base("weak"), self.report)

    def full_base(self) -> None:
        """Train the base model whose captions name all toys: the control."""
        pretrain("full", self.sizes.base, self._base("full"), self.report)

    def detector(self) -> None:
        """Train the detector."""
        train_detector(self.sizes.detector, self.folder / "detector.safetensors", self.report)

    def encoder(self) -> None:
        """Train the encoder."""
        train_encoder(self.sizes.encoder, self.folder / "encoder.safetensors", self.report)

    def arm(self, captions: str, name: str, number: int) -> None:
        """Train an arm on a composition and draw its pictures.

        Args:
            captions: of the base model.
            name: of the arm.
            number: of the composition.
        """
        own = row_name(captions, name)
        listing = self.folder / "listings" / own / f"{number:02d}.jsonl"
        if listing.exists():
            return
        arm = self.trained(captions, name, number)
        prompts = arm_prompts(arm, number, self.sizes.seeds)
        if name == NOT_TRAINED:
            prompts = [without_tokens(each, arm.composition) for each in prompts]
        folder = self.folder / "pictures" / own
        folder.mkdir(parents=True, exist_ok=True)
        for prompt, pixels in zip(prompts, self.draw(arm, prompts), strict=True):
            Image.fromarray(pixels).save(folder / prompt.file)
        write_text(listing, as_lines(prompts))

    def trained(self, captions: str, name: str, number: int) -> TrainedArm:
        """An arm that is trained on a composition, from its checkpoint if it has one."""
        base = self.base(captions)
        things, strangers = (
            find_composition(self._scenes(each), "+".join(self.sizes.compositions[number]))
            for each in ("things", "strangers")
        )
        if name == NOT_TRAINED:
            return untrained(base, things)
        checkpoint = self.folder / "arms" / row_name(captions, name) / f"{number:02d}.safetensors"
        return train_arm(base, ARMS[name], shown_to(ARMS[name], things, strangers), self.sizes.arms, checkpoint)

    def draw(self, arm: TrainedArm, prompts: Sequence[Prompt]) -> Iterator[Rgb]:
        """Pictures by an arm."""
        return draw_pictures(arm.model.base, prompts, self.sizes.denoising_steps)

    def arm_parts(self) -> list[str]:
        """The parts of all arms, those of the control last."""
        every = [("weak", name) for name in (NOT_TRAINED, *ARMS)]
        every += [("full", name) for name in (NOT_TRAINED, *CONTROL)]
        return [f"arm/{kind}/{name}/{n}" for kind, name in every for n in range(len(self.sizes.compositions))]

    def judges(self) -> Judges:
        """The trained detector and encoder."""
        return Judges(
            detector=train_detector(self.sizes.detector, self.folder / "detector.safetensors", self.report),
            encoder=train_encoder(self.sizes.encoder, self.folder / "encoder.safetensors", self.report),
        )

    def base(self, captions: str) -> Base:
        """A trained base model."""
        return load_base(self._base(captions))

    def recognised(self, base: Base, judges: Judges) -> Mapping[str, float]:
        """The fraction of pictures of each class in which the detector finds this class before any other."""
        found = {}
        for kind in KINDS:
            prompts = [f"photo of {with_article(kind)}"] * self.sizes.per_class
            pictures = base.generate(prompts, range(self.sizes.per_class), steps=self.sizes.denoising_steps)
            detections = judges.detector.detect(list(pictures), [KINDS] * len(pictures))
            found[kind] = sum(bool(each) and each[0].label == kind for each in detections) / len(pictures)
        return found

    def floor_and_ceiling(self, judges: Judges) -> tuple[Arm, Arm]:
        """The scores of strangers and of things in scenes, against the photos of the things."""
        for name in ("strangers", "things"):
            if not (self.folder / "pictures" / name / MANIFEST).exists():
                write_scenes(open_dataset(self._scenes(name)).mapped(), self.folder / "pictures" / name)
        return self.score("strangers", judges), self.score("things", judges)

    def arm_scores(self, captions: str, name: str, judges: Judges) -> Arm:
        """The scores of an arm whose pictures are all drawn."""
        own = row_name(captions, name)
        listings = sorted((self.folder / "listings" / own).glob("*.jsonl"))
        write_text(self.folder / "pictures" / own / MANIFEST, "".join(file.read_text() for file in listings))
        return self.score(own, judges)

    def score(self, own: str, judges: Judges) -> Arm:
        """The scores of a folder of pictures."""
        things = open_dataset(self._scenes("things")).mapped()
        return score(own, self.folder / "pictures" / own, things, judges)

    def _scenes(self, name: str) -> Path:
        return self.folder / f"{name}_scenes"

    def _base(self, captions: str) -> Path:
        return self.folder / f"base_{captions}.safetensors"

    def _add_time(self, name: str, spent: float) -> None:
        """Add core-seconds to times.json, those of an arm's compositions together."""
        file = self.folder / "times.json"
        times = json.loads(file.read_text()) if file.exists() else {}
        key = name.rpartition("/")[0] or name
        times[key] = round(times.get(key, 0) + spent, 1)
        write_text(file, json.dumps(times, indent=1))


def row_name(captions: str, name: str) -> str:
    """The name of a row of the table, and of its folders."""
    return f"{captions}-{name.replace(' ', '_')}"


def _timed(experiment: Experiment, part: str) -> tuple[str, float]:
    """Run a part in this process; returns its name and its core-seconds."""
    torch.set_num_threads(1)
    began = time.process_time()
    name, *arguments = part.split("/")
    if arguments:
        experiment.arm(arguments[0], arguments[1], int(arguments[2]))
    else:
        getattr(experiment, name)()
    return part, time.process_time() - began
