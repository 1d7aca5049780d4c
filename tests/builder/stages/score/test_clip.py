"""The scores that need models: worked out by hand with a detector that was told what to say, and run on tiny ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from builder.config import load_config
from builder.records import (
    Background,
    BackgroundRef,
    Box,
    Candidate,
    Canvas,
    Captioned,
    Concept,
    Cutout,
    Layout,
    Rejected,
    Rgb,
    Rgba,
    Sample,
    Scene,
    Setting,
)
from builder.stages.score import score
from builder.stages.score.base import ScoreConfig
from builder.stages.score.classical import Classical
from builder.stages.score.clip import Clip, ClipConfig
from builder.stages.select import Judged, SelectConfig, select
from mycanvas.models.checkpoint import Picture
from mycanvas.models.detectors import Detection
from mycanvas.models.encoders import Embeddings
from mycanvas.models.runtime import Runtime
from mycanvas.schema import SCORES

SIDE = 128
DOG, CAT = (10.0, 20.0, 40.0, 40.0), (70.0, 20.0, 30.0, 60.0)


def scene(nouns: Sequence[str] = ("dog", "cat"), boxes: Sequence[Box] = (DOG, CAT), seed: int = 0) -> Captioned:
    """Noise with objects of noise in their boxes, each made of a cut-out of its box's size."""
    draw = np.random.default_rng(seed)
    image = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for value, (x, y, width, height) in enumerate(boxes, start=1):
        mask[int(y) : int(y + height), int(x) : int(x + width)] = value
    cutouts = tuple(
        Cutout(
            photo_id=f"{noun}/0.jpg",
            rgba=draw.integers(0, 256, (int(height), int(width), 4), dtype=np.uint8),
            quality=0.9,
        )
        for noun, (_, _, width, height) in zip(nouns, boxes, strict=True)
    )
    concepts = tuple(
        Concept(name=f"{noun}{i}", token=f"<{noun}{i}>", class_noun=noun, height_cm=None, photos=())
        for i, noun in enumerate(nouns)
    )
    sample = Sample(
        id=f"s{seed}",
        concepts=concepts,
        photo_ids=tuple(cutout.photo_id for cutout in cutouts),
        background=BackgroundRef(scene="room", phrase="in a room"),
    )
    setting = Setting(
        sample=sample, cutouts=cutouts, background=Background(pixels=np.zeros_like(image), horizon=0.4, ground=0.5)
    )
    layout = Layout(setting=setting, placements=())
    canvas = Canvas(layout=layout, layers=(), mask=mask, boxes=tuple(boxes), visible=(1.0,) * len(boxes))
    return Captioned(scene=Scene(canvas=canvas, image=image), caption=f"A dog and a cat {seed}.", prompt="")


def unit(rows: NDArray[np.float64]) -> Embeddings:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Sketch:
    """Looks at pictures in 6 x 6 grey cells, and reads a text as the pattern that its letters seed."""

    def __init__(self, logit_scale: float | None = 10.0) -> None:
        self.logit_scale = logit_scale
        self.seen = 0

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        self.seen += len(pictures)
        cells = [np.asarray(Image.fromarray(np.asarray(each)).convert("L").resize((6, 6))) for each in pictures]
        return unit(np.array(cells, np.float64).reshape(-1, 36) - 128)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        assert self.logit_scale is not None, "an encoder that reads no text was given some"
        return unit(np.array([np.random.default_rng(list(text.encode())).normal(size=36) for text in texts]))


class Told:
    """A detector that finds in each picture what it was told."""

    def __init__(self, *found: Sequence[Detection] | None) -> None:
        self.found = found
        self.asked: list[list[str]] = []

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[Detection] | None]:
        self.asked += [list(names) for names in labels]
        return [self.found[0]] * len(pictures) if len(self.found) == 1 else self.found


def a(label: str, box: Box, certainty: float = 0.9) -> Detection:
    return Detection(label=label, box=box, score=certainty)


def measure(captioned: Captioned, *found: Detection, encoder: Sketch | None = None) -> Mapping[str, float]:
    (result,) = score([captioned], Clip(encoder or Sketch(), Told(found), ClipConfig()), ScoreConfig(), seed=0)
    assert isinstance(result, Candidate)
    return result.scores


def moved(box: Box, right: float = 0.0, down: float = 0.0) -> Box:
    return (box[0] + right, box[1] + down, box[2], box[3])


SECOND_DOG = moved(DOG, down=60)
AROUND_BOTH_DOGS = (10.0, 20.0, 40.0, 100.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([a("dog", DOG), a("cat", CAT)], (1.0, 0.0), id="each where it was put"),
        pytest.param([a("dog", DOG)], (0.5, 0.0), id="the cat is missing"),
        pytest.param([], (0.0, 0.0), id="nothing is found"),
        pytest.param([a("dog", moved(DOG, right=30)), a("cat", CAT)], (0.5, 1.0), id="the dog is elsewhere"),
        pytest.param([a("dog", moved(DOG, right=10)), a("cat", CAT)], (1.0, 0.0), id="the dog is a little aside"),
        pytest.param([a("dog", CAT), a("cat", DOG)], (0.0, 2.0), id="swapped"),
        pytest.param([a("dog", DOG), a("cat", CAT), a("dog", SECOND_DOG)], (1.0, 1.0), id="a dog was invented"),
        pytest.param([a("dog", DOG), a("cat", CAT), a("dog", SECOND_DOG, 0.2)], (1.0, 0.0), id="a shade like a dog"),
        pytest.param([a("dog", DOG, 0.15), a("cat", CAT, 0.15)], (1.0, 0.0), id="found, with little certainty"),
        pytest.param([a("dog", DOG), a("cat", CAT), a("dog", (20, 20, 15, 15))], (1.0, 0.0), id="and the dog's head"),
        pytest.param([a("dog", DOG), a("cat", CAT), a("cat", DOG)], (1.0, 0.0), id="the dog taken for a cat as well"),
    ],
)
def test_what_is_found_and_invented_of_two_classes(found: list[Detection], expected: tuple[float, float]) -> None:
    scores = measure(scene(), *found)

    assert (scores["found"], scores["invented"]) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([a("dog", SECOND_DOG), a("dog", DOG)], (1.0, 0.0), id="both, in either order"),
        pytest.param([a("dog", DOG)], (0.5, 0.0), id="one of them"),
        pytest.param([a("dog", DOG), a("dog", moved(DOG, right=5))], (0.5, 0.0), id="one of them, twice"),
        pytest.param([a("dog", DOG), a("dog", SECOND_DOG), a("dog", CAT)], (1.0, 1.0), id="and a third"),
        pytest.param([a("dog", DOG), a("dog", SECOND_DOG), a("dog", AROUND_BOTH_DOGS)], (1.0, 0.0), id="and as a pair"),
    ],
)
def test_what_is_found_and_invented_of_one_class(found: list[Detection], expected: tuple[float, float]) -> None:
    scores = measure(scene(("dog", "dog"), (DOG, SECOND_DOG)), *found)

    assert (scores["found"], scores["invented"]) == expected


def test_the_overlap_that_counts_and_the_certainty_are_the_configuration_s() -> None:
    found = [a("dog", moved(DOG, right=10)), a("cat", CAT), a("dog", SECOND_DOG, 0.4)]
    strict = ClipConfig(overlap=0.7, certainty=0.5)

    (result,) = score([scene()], Clip(Sketch(), Told(found), strict), ScoreConfig(), seed=0)

    assert isinstance(result, Candidate)
    assert (result.scores["found"], result.scores["invented"]) == (0.5, 1.0)


def boxed(pixels: Rgb) -> Image.Image:
    """In the middle of a grey square."""
    image = Image.fromarray(pixels)
    return ImageOps.pad(image, (max(image.size),) * 2, color=(128, 128, 128))


def on_grey(rgba: Rgba) -> Rgb:
    grey = Image.new("RGBA", rgba.shape[1::-1], (128, 128, 128, 255))
    return np.asarray(Image.alpha_composite(grey, Image.fromarray(rgba)).convert("RGB"))


@pytest.mark.parametrize("seed", range(4))
def test_alignment_identity_and_quality_are_what_their_formulas_say(seed: int) -> None:
    captioned, encoder = scene(seed=seed), Sketch()
    image = captioned.scene.image
    (seen,) = encoder.images([image]).astype(np.float64)
    caption, good, bad = encoder.texts([captioned.caption, "Good photo.", "Bad photo."]).astype(np.float64)
    logits = np.exp([10 * seen @ good, 10 * seen @ bad])
    alike = []
    for (x, y, w, h), cutout in zip((DOG, CAT), captioned.scene.canvas.layout.setting.cutouts, strict=True):
        crop = image[int(y) : int(y + h), int(x) : int(x + w)]
        one, other = encoder.images([np.asarray(boxed(crop)), np.asarray(boxed(on_grey(cutout.rgba)))])
        alike.append(float(one @ other))

    scores = measure(captioned)

    assert scores["alignment"] == pytest.approx(seen @ caption, abs=6e-5)
    assert scores["quality"] == pytest.approx(logits[0] / logits.sum(), abs=6e-5)
    assert scores["identity"] == pytest.approx(min(alike), abs=0.002)  # PIL rounds when it blends


def test_an_object_that_looks_like_its_cut_out_has_a_high_identity_and_another_in_its_place_a_low_one() -> None:
    captioned = scene()
    image = captioned.scene.image.copy()
    for (x, y, w, h), cutout in zip((DOG, CAT), captioned.scene.canvas.layout.setting.cutouts, strict=True):
        image[int(y) : int(y + h), int(x) : int(x + w)] = on_grey(cutout.rgba)
    kept = replace(captioned, scene=replace(captioned.scene, image=image))
    dog_repainted = image.copy()
    dog_repainted[20:60, 10:50] = np.random.default_rng(9).integers(0, 256, (40, 40, 3))

    assert measure(kept)["identity"] > 0.99
    assert measure(replace(kept, scene=replace(kept.scene, image=dog_repainted)))["identity"] < 0.5


def test_a_scene_has_the_classical_scores_too() -> None:
    captioned = scene()
    (classical,) = Classical().score([captioned], seed=0)
    assert not isinstance(classical, Rejected)

    scores = measure(captioned)

    assert set(scores) == set(SCORES)
    assert all(type(value) is float for value in scores.values())
    assert {name: scores[name] for name in classical} == classical


def test_an_encoder_that_reads_no_text_leaves_alignment_and_quality_out() -> None:
    scores = measure(scene(), encoder=Sketch(logit_scale=None))

    assert set(SCORES) - set(scores) == {"alignment", "quality"}
    assert scores["identity"] == measure(scene())["identity"]


def test_a_cut_out_is_encoded_once_however_many_scenes_show_it() -> None:
    encoder, detector = Sketch(), Told([])
    clip = Clip(encoder, detector, ClipConfig(batch_size=2))

    list(score([scene()] * 5, clip, ScoreConfig(), seed=0))
    list(score([scene()], clip, ScoreConfig(), seed=0))

    assert encoder.seen == 6 * (1 + 2) + 2
    assert detector.asked == [["dog", "cat"]] * 6


class Numb(Sketch):
    """Has no numbers for pictures as wide as a given one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        rows = super().images(pictures)
        rows[[np.asarray(picture).shape[1] == self.width for picture in pictures]] = np.nan
        return rows


def test_a_scene_that_a_model_has_no_numbers_for_is_rejected_and_its_neighbours_are_not() -> None:
    scenes = [scene(seed=0), scene(boxes=(DOG, (70.0, 20.0, 30.0, 64.0)), seed=1), scene(seed=2), scene(seed=3)]
    hidden = replace(scenes[2].scene.canvas, boxes=(DOG, (0.0, 0.0, 0.0, 0.0)))
    scenes[2] = replace(scenes[2], scene=replace(scenes[2].scene, canvas=hidden))
    clip = Clip(Numb(64), Told([], [], None), ClipConfig())

    first, second, third, fourth = score(scenes, clip, ScoreConfig(), seed=0)

    assert isinstance(first, Candidate)
    reason = 'gave no finite numbers; try dtype = "float32"'
    assert second == Rejected(sample_id="s1", stage="score", reason=f"the encoder {reason}")
    assert isinstance(third, Rejected)
    assert "shows nowhere" in third.reason
    assert fourth == Rejected(sample_id="s3", stage="score", reason=f"the detector {reason}")


PAIRS = [("clip", "owlvit"), ("siglip", "owlv2"), ("dinov2", "grounding_dino")]


@pytest.fixture(params=PAIRS, ids="+".join)
def config(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> ClipConfig:
    encoder, detector = (str(tiny_model(name)) for name in request.param)
    return ClipConfig(encoder=encoder, detector=detector, batch_size=3)


def test_real_models_judge_a_scene_by_itself_only(config: ClipConfig) -> None:
    scenes = [scene(seed=seed) for seed in range(4)] + [scene(("teapot",), (CAT,), seed=4)]
    clip = Clip.load(config, Runtime(device="cpu"))

    together = list(score(scenes, clip, ScoreConfig(), seed=0))
    backwards = list(score(scenes[::-1], clip, ScoreConfig(), seed=0))[::-1]
    alone = [
        next(iter(score([one], Clip.load(config, Runtime(device="cpu")), ScoreConfig(), seed=0))) for one in scenes
    ]

    for one, other, third in zip(together, backwards, alone, strict=True):
        assert isinstance(one, Candidate)
        assert isinstance(other, Candidate)
        assert isinstance(third, Candidate)
        assert one.scores == pytest.approx(other.scores, abs=2e-4)
        assert one.scores == pytest.approx(third.scores, abs=2e-4)
        assert set(SCORES) - set(one.scores) == ({"alignment", "quality"} if "dinov2" in config.encoder else set())
        assert 0 <= one.scores["found"] <= 1
        assert -1 <= one.scores["identity"] <= 1


@pytest.mark.parametrize("profile", ["gen4gen", "modern"])
def test_the_profiles_keep_no_scene_with_a_missing_or_an_invented_thing(profile: str) -> None:
    config = load_config(None, profile, {"concepts": "photos"}).select
    good = [a("dog", DOG), a("cat", CAT)]
    candidates = [
        Judged(id=name, composition=name, scores={"found": each["found"], "invented": each["invented"]}, fingerprint=0)
        for name, each in {
            "good": measure(scene(), *good),
            "lost": measure(scene(), good[0]),
            "more": measure(scene(), *good, a("dog", SECOND_DOG)),
        }.items()
    ]

    assert select(candidates, config).kept == ("good",)
    assert select(candidates, config).dropped == {"lost": "found < 1", "more": "invented > 0"}
    assert select(candidates, SelectConfig()).kept == ("good", "lost", "more")
