"""Repainting by diffusion: objects keep their pixels, and scenes do not affect each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from builder.config import parse_config
from builder.records import (
    Canvas,
    Rejected,
    Rgb,
    Scene,
    Size,
)
from builder.stages.repaint import repaint
from builder.stages.repaint.base import RepaintConfig
from builder.stages.repaint.diffusion import Diffusion, DiffusionConfig, foreground_of, placeholders
from mycanvas.errors import ConfigError
from mycanvas.models.inpainting import Painting
from mycanvas.models.runtime import Runtime
from tests.builder.stages.repaint.balls import FakeInpainter, canvas, original

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

TinyModel = Callable[[str], Path]


def settings(folder: Path, refiner: Path | None = None, **more: object) -> DiffusionConfig:
    values = {"model": str(folder), "refiner": refiner and str(refiner), "steps": 4, **more}
    return DiffusionConfig.model_validate(values)


def painted(config: DiffusionConfig, canvases: Sequence[Canvas], seed: int = 0) -> list[Rgb]:
    backend = Diffusion.load(config, Runtime(device="cpu"))
    scenes = list(repaint(canvases, backend, RepaintConfig(), seed))
    assert all(isinstance(scene, Scene) for scene in scenes)
    return [scene.image for scene in scenes if isinstance(scene, Scene)]


def painted_by_fake(
    pipeline: FakeInpainter, config: DiffusionConfig, canvases: Sequence[Canvas]
) -> list[Rgb | Rejected]:
    return list(Diffusion(pipeline, config).repaint(canvases, 0))  # type: ignore[arg-type]  # a fake


@pytest.mark.parametrize("size", [128, 136, 141])
@pytest.mark.parametrize("model", ["sdxl", "sd15", "z_image", "flux_fill"])
def test_pixels_inside_objects_do_not_change(tiny_model: TinyModel, model: str, size: int) -> None:
    scene = canvas(size=size)
    foreground = foreground_of(scene.layers, Size(size, size))
    inside = cv2.erode((foreground.alpha >= 1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    config = settings(tiny_model(model), guidance=0.0) if model == "z_image" else settings(tiny_model(model))

    (picture,) = painted(config, [scene])

    assert picture.shape == (size, size, 3)
    assert inside.sum() > 2000
    np.testing.assert_array_equal(picture[inside], np.rint(original(scene)).astype(np.uint8)[inside])
    assert np.abs(picture.astype(float) - original(scene))[foreground.alpha == 0].mean() > 5


def test_merge_is_one_alpha_blend_and_smoothing_changes_the_edge_only() -> None:
    scene = canvas()
    alpha = foreground_of(scene.layers, Size(136, 136)).alpha

    (sharp,) = painted_by_fake(FakeInpainter(), DiffusionConfig(smooth=1), [scene])
    (soft,) = painted_by_fake(FakeInpainter(), DiffusionConfig(smooth=5), [scene])

    assert not isinstance(sharp, Rejected)
    assert not isinstance(soft, Rejected)
    expected = foreground_of(scene.layers, Size(136, 136)).over(np.full((136, 136, 3), 127.5, np.float32))
    assert np.abs(sharp - expected).max() <= 0.51
    assert np.abs(soft.astype(float) - sharp).max() > 5
    np.testing.assert_array_equal(soft[alpha == 0], sharp[alpha == 0])


def test_mask_excludes_the_objects_and_sides_are_padded_to_a_multiple() -> None:
    scene, pipeline = canvas(size=141), FakeInpainter()

    painted_by_fake(pipeline, DiffusionConfig(), [scene])

    (given,) = pipeline.given
    alpha = foreground_of(scene.layers, Size(141, 141)).alpha
    assert given.image.shape == (144, 144, 3)
    np.testing.assert_array_equal(given.mask[:141, :141], alpha < 0.5)
    assert given.mask[141:].all()
    assert given.mask[:, 141:].all()
    np.testing.assert_array_equal(given.image[:141, :141], np.rint(original(scene)).astype(np.uint8))


def test_sides_of_another_shape_are_padded_each_by_itself() -> None:
    scene, pipeline = canvas(size=141, width=200), FakeInpainter()

    (picture,) = painted_by_fake(pipeline, DiffusionConfig(), [scene])

    (given,) = pipeline.given
    assert given.image.shape == (144, 208, 3)
    assert given.mask[141:].all()
    assert given.mask[:, 200:].all()
    assert not isinstance(picture, Rejected)
    assert picture.shape == (141, 200, 3)


@pytest.mark.parametrize("model", ["sdxl", "flux_fill"])
def test_scenes_of_several_sizes_are_painted_in_order(tiny_model: TinyModel, model: str) -> None:
    scenes = [
        canvas("a"),
        canvas("b", width=192),
        canvas("c"),
        canvas("d", size=192, width=136),
        canvas("e", width=192),
    ]

    together = painted(settings(tiny_model(model), batch_size=2), scenes)

    for scene, picture in zip(scenes, together, strict=True):
        (alone,) = painted(settings(tiny_model(model), batch_size=1), [scene])
        assert picture.shape[:2] == scene.mask.shape
        assert np.abs(picture.astype(int) - alone).max() <= 1


def test_noise_replaces_the_background_only() -> None:
    scene, pipeline = canvas(size=144), FakeInpainter()

    painted_by_fake(pipeline, DiffusionConfig(start="noise"), [scene])

    alpha = foreground_of(scene.layers, Size(144, 144)).alpha
    differs = np.abs(pipeline.given[0].image - original(scene))
    assert differs[alpha == 0].mean() > 30
    assert differs[alpha == 1].max() <= 0.51


@pytest.mark.parametrize("model", ["sdxl", "z_image", "flux_fill"])
def test_picture_does_not_depend_on_its_batch(tiny_model: TinyModel, model: str) -> None:
    scenes = [canvas("a"), canvas("b"), canvas("c", phrase="on a beach")]
    guidance = 0.0 if model == "z_image" else 6.0

    together = painted(settings(tiny_model(model), batch_size=3, guidance=guidance), scenes)
    alone = painted(settings(tiny_model(model), batch_size=1, guidance=guidance), scenes)
    backwards = painted(settings(tiny_model(model), batch_size=2, guidance=guidance), scenes[::-1])

    for one, two, three in zip(together, alone, backwards[::-1], strict=True):
        assert np.abs(one.astype(int) - two).max() <= 1
        assert np.abs(one.astype(int) - three).max() <= 1


def test_picture_depends_on_the_seed_only(tiny_model: TinyModel) -> None:
    config = settings(tiny_model("sdxl"), tiny_model("refiner"))

    (first,), (again,), (other,) = (painted(config, [canvas()], seed=seed) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_earlier_refiner_changes_the_picture_more(tiny_model: TinyModel) -> None:
    models = tiny_model("sdxl"), tiny_model("refiner")
    (plain,) = painted(settings(models[0], steps=8), [canvas()])
    late, early = (
        painted(settings(*models, steps=8, refiner_start=start), [canvas()])[0].astype(int) for start in (0.75, 0.25)
    )

    assert 1 < np.abs(plain - late).mean() < np.abs(plain - early).mean()


@pytest.mark.parametrize("scheduler", ["euler", "dpm", "lcm", "lightning"])
def test_scheduler_changes_the_picture(tiny_model: TinyModel, scheduler: str) -> None:
    (own,) = painted(settings(tiny_model("sd15")), [canvas()])
    (chosen,) = painted(settings(tiny_model("sd15"), scheduler=scheduler), [canvas()])

    assert np.abs(own.astype(int) - chosen).max() > 1


def test_attention_slicing_changes_nothing_and_vae_tiling_the_background_only(tiny_model: TinyModel) -> None:
    (plain,) = painted(settings(tiny_model("sd15")), [canvas()])
    (sliced,) = painted(settings(tiny_model("sd15"), attention_slicing=True), [canvas()])
    (tiled,) = painted(settings(tiny_model("sd15"), vae_tiling=True), [canvas()])

    solid = (
        cv2.erode(
            (foreground_of(canvas().layers, Size(136, 136)).alpha >= 1).astype(np.uint8), np.ones((5, 5), np.uint8)
        )
        > 0
    )
    assert np.abs(plain.astype(int) - sliced).max() <= 1
    assert np.abs(plain.astype(int) - tiled).max() > 1
    np.testing.assert_array_equal(plain[solid], tiled[solid])


@pytest.mark.parametrize(
    ("phrase", "background"), [("in a garden", "a garden"), ("on the grass", "the grass"), ("at home", "home")]
)
def test_prompt_placeholders_are_background_phrase_and_concepts(phrase: str, background: str) -> None:
    assert placeholders(canvas(phrase=phrase)) == {"background": background, "phrase": phrase, "concepts": "ball, dog"}


def test_picture_of_another_size_is_resized() -> None:
    class Doubles(FakeInpainter):
        def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
            pictures = np.zeros((len(batch), 288, 288, 3), np.float32)
            pictures[:, :, 144:] = 1  # its right half
            return pictures

    (picture,) = painted_by_fake(Doubles(), DiffusionConfig(), [canvas(size=144)])

    assert not isinstance(picture, Rejected)
    behind = foreground_of(canvas(size=144).layers, Size(144, 144)).alpha == 0
    assert picture[:, :72][behind[:, :72]].max() == 0
    assert picture[:, 72:][behind[:, 72:]].min() == 255


@pytest.mark.parametrize(
    ("value", "reason"), [(float("nan"), "not finite"), (0.0, "black picture"), (float("inf"), "not finite")]
)
def test_black_or_non_finite_picture_is_rejected_and_others_are_kept(value: float, reason: str) -> None:
    class Broken(FakeInpainter):
        def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
            pictures = super().paint(batch)
            pictures[1] = value
            return pictures

    before, broken, after = painted_by_fake(Broken(), DiffusionConfig(), [canvas("a"), canvas("b"), canvas("c")])

    assert isinstance(broken, Rejected)
    assert broken.sample_id == "b"
    assert reason in broken.reason
    assert not isinstance(before, Rejected)
    assert not isinstance(after, Rejected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "a photo of {place}"}, r"unknown placeholder \{place\}"),
        ({"prompt": "a {background.__class__}"}, "unknown placeholder"),
        ({"prompt": "a {background:>999999999}"}, "unknown placeholder"),
        ({"prompt": "a {background!r}"}, "unknown placeholder"),
        ({"prompt": "a photo {"}, "write a literal brace twice"),
        ({"steps": 1, "strength": 0.9}, "1 steps at strength 0.9 are less than one step"),
        ({"refiner": "./r", "strength": 0.25}, "the model starts at 75% of the steps"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"smooth": 1_000_000}, "smooth: expected a whole number of at most 255"),
    ],
)
def test_invalid_settings_are_refused_before_any_work(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({"concepts": "a", "repaint": {"backend": "diffusion", "diffusion": change}})
