"""Scores of pictures at the model's size: of scenes (ceiling), of strangers (floor) and of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from mycanvas.dataset import Dataset
from mycanvas.io.files import write_text
from mycanvas.io.images import Rgb, decode_rgb
from mycanvas.io.tables import table_lines
from mycanvas.metrics.bootstrap import Estimate, Interval, difference, estimate
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.manifest import MANIFEST, read_generated
from mycanvas.metrics.protocol import Prompt, as_lines
from mycanvas.metrics.references import encode_references
from mycanvas.metrics.settings import Settings
from mycanvas.metrics.summary import Arm, summarise
from mycanvas.models.detectors import Detector
from mycanvas.models.encoders import Encoder
from tests.miniature.pictures import SIDE

PRIMARY = ("cp_clip", "identity")
APART = 0.15
"""Lower end that the difference of ceiling and floor must have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judges:
    """The models that score pictures."""

    detector: Detector
    encoder: Encoder


def write_pictures(folder: Path, prompts: Sequence[Prompt], pictures: Sequence[Rgb]) -> None:
    """Write pictures and their manifest as `mycanvas evaluate` reads them; the manifest is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    for prompt, pixels in zip(prompts, pictures, strict=True):
        Image.fromarray(pixels).save(folder / prompt.file)
    write_text(folder / MANIFEST, as_lines(prompts))


def write_scenes(dataset: Dataset, folder: Path) -> None:
    """Write the scenes of a dataset, reduced to the model's size, as pictures to score."""
    prompts, pictures = [], []
    for scene in dataset.scenes():
        prompts.append(
            Prompt(
                file=f"{scene.id.replace('/', '-')}.png",
                composition=scene.composition,
                prompt=scene.prompt,
                background=scene.background,
            )
        )
        pictures.append(cv2.resize(decode_rgb(scene.image), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    write_pictures(folder, prompts, pictures)


def score(name: str, folder: Path, things: Dataset, judges: Judges) -> Arm:
    """Score a folder of pictures against the photos of a dataset's things."""
    concepts = things.concepts()
    pictures = read_generated(folder, concepts)
    references = encode_references(concepts.values(), judges.encoder, Settings())
    found = evaluate(pictures, references, judges.encoder, judges.detector, workers=1)
    return summarise(name, found)


def values(arm: Arm, score: str) -> tuple[list[float], list[str]]:
    """The score of every picture that has it, and its composition."""
    pictures = arm.evaluation.pictures
    found = [(value, picture.composition) for picture in pictures if (value := picture.scores[score]) is not None]
    return [float(value) for value, _ in found], [name for _, name in found]


def pooled(arm: Arm, score: str) -> Estimate:
    """The mean of a score over all splits, with its interval over compositions."""
    return estimate(*values(arm, score))


def gain(arm: Arm, base: Arm, score: str) -> tuple[float, Interval | None]:
    """The difference of the means over all splits, with its interval of a paired bootstrap over compositions."""
    return difference(*values(arm, score), *values(base, score))


def is_apart(ceiling: Arm, floor: Arm) -> bool:
    """Whether the measure tells things from strangers, as the plan requires of both primary scores."""
    for name in PRIMARY:
        high, low = pooled(ceiling, name).compositions, pooled(floor, name).compositions
        _, ends = gain(ceiling, floor, name)
        if not (high and low and ends) or high[0] <= low[1] or ends[0] < APART:
            return False
    return True


def lines(arms: Sequence[Arm], scores: Sequence[str]) -> list[str]:
    """A table: a row per arm, each score's mean over all splits and its interval over compositions."""
    rows = [[arm.name, *(shown(pooled(arm, name)) for name in scores)] for arm in arms]
    return table_lines([["", *scores], *rows], align="left")


def split_lines(arms: Sequence[Arm]) -> list[str]:
    """A table: a row per arm and primary score, a column per split."""
    rows = [
        [arm.name, name, *(shown(split.scores[name]) for split in arm.splits.values())]
        for name in PRIMARY
        for arm in arms
    ]
    return table_lines([["", "", *arms[0].splits], *rows], align="left")


COMPARISONS = (
    ("cd + scenes", "cd + photos"),
    ("ours + scenes", "cd + scenes"),
    ("cd + scenes", "cd + collage"),
    ("null", "cd + photos"),
    ("strangers", "cd + photos"),
)
"""The plan's comparisons on the base model with weak captions."""


def comparison_lines(weak: Mapping[str, Arm], full: Mapping[str, Arm]) -> list[str]:
    """The plan's comparisons: the differences of the primary scores with their intervals.

    Args:
        weak: the arms on the base model with weak captions, by name.
        full: those of the control.
    """
    gains = {
        f"{arm} minus {base}": [gain(weak[arm], weak[base], name) for name in PRIMARY] for arm, base in COMPARISONS
    }
    gains["gain of scenes: weak minus full captions"] = [_interaction(weak, full, name) for name in PRIMARY]
    return gain_lines(PRIMARY, gains)


def gain_lines(scores: Sequence[str], gains: Mapping[str, Sequence[tuple[float, Interval | None]]]) -> list[str]:
    """A table: a row per comparison, a column per score, with intervals."""
    rows = [[name, *(_signed(*one) for one in found)] for name, found in gains.items()]
    return table_lines([["", *scores], *rows], align="left")


def loses(arm: Arm, base: Arm) -> bool:
    """Whether an arm loses in identity: the whole interval of the difference is below 0."""
    _, ends = gain(arm, base, "identity")
    return ends is not None and ends[1] < 0


def _interaction(weak: Mapping[str, Arm], full: Mapping[str, Arm], score: str) -> tuple[float, Interval | None]:
    """How much more cd + scenes gains over cd + photos with weak captions, with its interval over compositions."""
    arm, base = COMPARISONS[0]
    gains = [_composition_gains(arms[arm], arms[base], score) for arms in (weak, full)]
    names = sorted(gains[0])
    changes = [gains[0][name] - gains[1][name] for name in names]
    found = estimate(changes, names)
    return found.mean, found.compositions


def _composition_gains(arm: Arm, base: Arm, score: str) -> dict[str, float]:
    """The gain of each composition."""
    means = []
    for each in (arm, base):
        found: dict[str, list[float]] = {}
        for value, name in zip(*values(each, score), strict=True):
            found.setdefault(name, []).append(value)
        means.append({name: sum(own) / len(own) for name, own in found.items()})
    return {name: means[0][name] - means[1][name] for name in means[0]}


def shown(one: Estimate) -> str:
    """A mean with its interval over compositions."""
    ends = one.compositions
    return f"{one.mean:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")


def _signed(mean: float, ends: Interval | None) -> str:
    return f"{mean:+.3f}" + (f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if ends else "")
