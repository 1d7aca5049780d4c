"""The scores that need models: computed by hand with fake models, and run with tiny real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from builder.config import load_config
from builder.records import (
    Box,
    Candidate,
    Captioned,
    Rejected,
    Rgb,
    Rgba,
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
from tests.builder.stages.score.fakes import CAT, DOG, FakeDetector, FakeEncoder, hit, scene


def measure(captioned: Captioned, *found: Detection, encoder: FakeEncoder | None = None) -> Mapping[str, float]:
    (result,) = score(
        [captioned], Clip(encoder or FakeEncoder(), FakeDetector(found), ClipConfig()), ScoreConfig(), seed=0
    )
    assert isinstance(result, Candidate)
    return result.scores


def shifted(box: Box, right: float = 0.0, down: float = 0.0) -> Box:
    return (box[0] + right, box[1] + down, box[2], box[3])


SECOND_DOG = shifted(DOG, down=60)

AROUND_BOTH_DOGS = (10.0, 20.0, 40.0, 100.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([hit("dog", DOG), hit("cat", CAT)], (1.0, 0.0), id="each at its place"),
        pytest.param([hit("dog", DOG)], (0.5, 0.0), id="the cat is missing"),
        pytest.param([], (0.0, 0.0), id="nothing is found"),
        pytest.param([hit("dog", shifted(DOG, right=30)), hit("cat", CAT)], (0.5, 1.0), id="the dog is elsewhere"),
        pytest.param([hit("dog", shifted(DOG, right=10)), hit("cat", CAT)], (1.0, 0.0), id="the dog is a little aside"),
        pytest.param([hit("dog", CAT), hit("cat", DOG)], (0.0, 2.0), id="swapped"),
        pytest.param([hit("dog", DOG), hit("cat", CAT), hit("dog", SECOND_DOG)], (1.0, 1.0), id="a dog was invented"),
        pytest.param(
            [hit("dog", DOG), hit("cat", CAT), hit("dog", SECOND_DOG, 0.2)], (1.0, 0.0), id="an uncertain dog"
        ),
        pytest.param([hit("dog", DOG, 0.15), hit("cat", CAT, 0.15)], (1.0, 0.0), id="found with little confidence"),
        pytest.param(
            [hit("dog", DOG), hit("cat", CAT), hit("dog", (20, 20, 15, 15))], (1.0, 0.0), id="and the dog's head"
        ),
        pytest.param(
            [hit("dog", DOG), hit("cat", CAT), hit("cat", DOG)], (1.0, 0.0), id="the dog detected as a cat too"
        ),
    ],
)
def test_found_and_invented_with_two_classes(found: list[Detection], expected: tuple[float, float]) -> None:
    scores = measure(scene(), *found)

    assert (scores["found"], scores["invented"]) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([hit("dog", SECOND_DOG), hit("dog", DOG)], (1.0, 0.0), id="both, in either order"),
        pytest.param([hit("dog", DOG)], (0.5, 0.0), id="one of them"),
        pytest.param([hit("dog", DOG), hit("dog", shifted(DOG, right=5))], (0.5, 0.0), id="one of them, twice"),
        pytest.param([hit("dog", DOG), hit("dog", SECOND_DOG), hit("dog", CAT)], (1.0, 1.0), id="and a third"),
        pytest.param(
            [hit("dog", DOG), hit("dog", SECOND_DOG), hit("dog", AROUND_BOTH_DOGS)], (1.0, 0.0), id="and as a pair"
        ),
    ],
)
def test_found_and_invented_with_one_class(found: list[Detection], expected: tuple[float, float]) -> None:
    scores = measure(scene(("dog", "dog"), (DOG, SECOND_DOG)), *found)

    assert (scores["found"], scores["invented"]) == expected


def test_overlap_and_certainty_come_from_the_configuration() -> None:
    found = [hit("dog", shifted(DOG, right=10)), hit("cat", CAT), hit("dog", SECOND_DOG, 0.4)]
    strict = ClipConfig(overlap=0.7, certainty=0.5)

    (result,) = score([scene()], Clip(FakeEncoder(), FakeDetector(found), strict), ScoreConfig(), seed=0)

    assert isinstance(result, Candidate)
    assert (result.scores["found"], result.scores["invented"]) == (0.5, 1.0)


def padded(pixels: Rgb) -> Image.Image:
    """A picture in the middle of a grey square."""
    image = Image.fromarray(pixels)
    return ImageOps.pad(image, (max(image.size),) * 2, color=(128, 128, 128))


def on_grey(rgba: Rgba) -> Rgb:
    grey = Image.new("RGBA", rgba.shape[1::-1], (128, 128, 128, 255))
    return np.asarray(Image.alpha_composite(grey, Image.fromarray(rgba)).convert("RGB"))


@pytest.mark.parametrize("seed", range(4))
def test_alignment_identity_and_quality_follow_their_formulas(seed: int) -> None:
    captioned, encoder = scene(seed=seed), FakeEncoder()
    image = captioned.scene.image
    (vector,) = encoder.images([image]).astype(np.float64)
    caption, good, bad = encoder.texts([captioned.caption, "Good photo.", "Bad photo."]).astype(np.float64)
    logits = np.exp([10 * vector @ good, 10 * vector @ bad])
    cosines = []
    for (x, y, w, h), cutout in zip((DOG, CAT), captioned.scene.canvas.layout.setting.cutouts, strict=True):
        crop = image[int(y) : int(y + h), int(x) : int(x + w)]
        one, other = encoder.images([np.asarray(padded(crop)), np.asarray(padded(on_grey(cutout.rgba)))])
        cosines.append(float(one @ other))

    scores = measure(captioned)

    assert scores["alignment"] == pytest.approx(vector @ caption, abs=6e-5)
    assert scores["quality"] == pytest.approx(logits[0] / logits.sum(), abs=6e-5)
    assert scores["identity"] == pytest.approx(min(cosines), abs=0.002)  # PIL rounds when it blends


def test_identity_is_high_for_the_cut_out_and_low_for_another_object() -> None:
    captioned = scene()
    image = captioned.scene.image.copy()
    for (x, y, w, h), cutout in zip((DOG, CAT), captioned.scene.canvas.layout.setting.cutouts, strict=True):
        image[int(y) : int(y + h), int(x) : int(x + w)] = on_grey(cutout.rgba)
    kept = replace(captioned, scene=replace(captioned.scene, image=image))
    dog_repainted = image.copy()
    dog_repainted[20:60, 10:50] = np.random.default_rng(9).integers(0, 256, (40, 40, 3))

    assert measure(kept)["identity"] > 0.99
    assert measure(replace(kept, scene=replace(kept.scene, image=dog_repainted)))["identity"] < 0.5


def test_scene_has_the_classical_scores_too() -> None:
    captioned = scene()
    (classical,) = Classical().score([captioned], seed=0)
    assert not isinstance(classical, Rejected)

    scores = measure(captioned)

    assert set(scores) == set(SCORES)
    assert all(type(value) is float for value in scores.values())
    assert {name: scores[name] for name in classical} == classical


def test_alignment_and_quality_are_missing_without_a_text_encoder() -> None:
    scores = measure(scene(), encoder=FakeEncoder(logit_scale=None))

    assert set(SCORES) - set(scores) == {"alignment", "quality"}
    assert scores["identity"] == measure(scene())["identity"]


def test_cut_out_is_encoded_once_for_all_scenes() -> None:
    encoder, detector = FakeEncoder(), FakeDetector([])
    clip = Clip(encoder, detector, ClipConfig(batch_size=2))

    list(score([scene()] * 5, clip, ScoreConfig(), seed=0))
    list(score([scene()], clip, ScoreConfig(), seed=0))

    assert encoder.encoded == 6 * (1 + 2) + 2
    assert detector.labels == [["dog", "cat"]] * 6


class NanEncoder(FakeEncoder):
    """Returns NaN for pictures of a given width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def images(self, pictures: Sequence[Picture]) -> Embeddings:
        rows = super().images(pictures)
        rows[[np.asarray(picture).shape[1] == self.width for picture in pictures]] = np.nan
        return rows


def test_scene_with_non_finite_values_is_rejected_and_others_are_kept() -> None:
    scenes = [scene(seed=0), scene(boxes=(DOG, (70.0, 20.0, 30.0, 64.0)), seed=1), scene(seed=2), scene(seed=3)]
    hidden = replace(scenes[2].scene.canvas, boxes=(DOG, (0.0, 0.0, 0.0, 0.0)))
    scenes[2] = replace(scenes[2], scene=replace(scenes[2].scene, canvas=hidden))
    clip = Clip(NanEncoder(64), FakeDetector([], [], None), ClipConfig())

    first, second, third, fourth = score(scenes, clip, ScoreConfig(), seed=0)

    assert isinstance(first, Candidate)
    reason = 'returned values that are not finite; try dtype = "float32"'
    assert second == Rejected(sample_id="s1", stage="score", reason=f"the encoder {reason}")
    assert isinstance(third, Rejected)
    assert "shows nowhere" in third.reason
    assert fourth == Rejected(sample_id="s3", stage="score", reason=f"the detector {reason}")


PAIRS = [("clip", "owlvit"), ("siglip", "owlv2"), ("dinov2", "grounding_dino")]


@pytest.fixture(params=PAIRS, ids="+".join)
def config(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> ClipConfig:
    encoder, detector = (str(tiny_model(name)) for name in request.param)
    return ClipConfig(encoder=encoder, detector=detector, batch_size=3)


def test_scores_of_real_models_do_not_depend_on_the_batch(config: ClipConfig) -> None:
    scenes = [scene(seed=seed) for seed in range(4)] + [scene(("teapot",), (CAT,), seed=4)]
    clip = Clip.load(config, Runtime(device="cpu"))

    batch = list(score(scenes, clip, ScoreConfig(), seed=0))
    backwards = list(score(scenes[::-1], clip, ScoreConfig(), seed=0))[::-1]
    alone = [
        next(iter(score([one], Clip.load(config, Runtime(device="cpu")), ScoreConfig(), seed=0))) for one in scenes
    ]

    for one, other, third in zip(batch, backwards, alone, strict=True):
        assert isinstance(one, Candidate)
        assert isinstance(other, Candidate)
        assert isinstance(third, Candidate)
        assert one.scores == pytest.approx(other.scores, abs=2e-4)
        assert one.scores == pytest.approx(third.scores, abs=2e-4)
        assert set(SCORES) - set(one.scores) == ({"alignment", "quality"} if "dinov2" in config.encoder else set())
        assert 0 <= one.scores["found"] <= 1
        assert -1 <= one.scores["identity"] <= 1


@pytest.mark.parametrize("profile", ["gen4gen", "modern"])
def test_profiles_drop_scenes_with_missing_or_invented_objects(profile: str) -> None:
    config = load_config(None, profile, {"concepts": "photos"}).select
    good = [hit("dog", DOG), hit("cat", CAT)]
    candidates = [
        Judged(id=name, composition=name, scores={"found": each["found"], "invented": each["invented"]}, fingerprint=0)
        for name, each in {
            "good": measure(scene(), *good),
            "lost": measure(scene(), good[0]),
            "more": measure(scene(), *good, hit("dog", SECOND_DOG)),
        }.items()
    ]

    assert select(candidates, config).kept == ("good",)
    assert select(candidates, config).dropped == {"lost": "found < 1", "more": "invented > 0"}
    assert select(candidates, SelectConfig()).kept == ("good", "lost", "more")
