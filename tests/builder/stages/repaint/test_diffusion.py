"""Repainting by diffusion keeps the objects, and paints each scene as if it were alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from builder.config import parse_config
from builder.records import (
    Background,
    BackgroundRef,
    Canvas,
    Concept,
    Cutout,
    Layer,
    Layout,
    Placement,
    Rejected,
    Rgb,
    Sample,
    Scene,
    Setting,
)
from builder.stages.repaint import repaint
from builder.stages.repaint.base import RepaintConfig
from builder.stages.repaint.diffusion import Diffusion, DiffusionConfig, flatten, words_of
from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.inpainting import Painting, load_inpainter
from mycanvas.models.runtime import Runtime

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

TinyModel = Callable[[str], Path]


def ball(index: int, x: int, y: int, side: int = 60) -> Layer:
    """A textured ball with a soft edge."""
    alpha = np.zeros((side, side), np.float32)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 4, 1.0, -1)
    alpha = np.clip(cv2.GaussianBlur(alpha, (0, 0), 1.2), 0, 1)
    rgb = np.random.default_rng(index).integers(60, 200, (side, side, 3), dtype=np.uint8)
    return Layer(index=index, x=x, y=y, rgb=rgb, alpha=alpha)


def canvas(sample_id: str = "a", size: int = 136, phrase: str = "in a garden") -> Canvas:
    """Two balls, one in front of the other, before noise. 136 is a multiple of 8 and not of 16."""
    layers = (ball(0, 10, 20), ball(1, 45, 40))
    nouns = ("ball", "dog")
    concepts = tuple(Concept(name=n, token=f"<{n}>", class_noun=n, height_cm=None, photos=()) for n in nouns)
    background = np.random.default_rng(7).integers(90, 220, (size, size, 3), dtype=np.uint8)
    setting = Setting(
        sample=Sample(
            id=sample_id,
            concepts=concepts,
            photo_ids=("p", "q"),
            background=BackgroundRef(scene="garden", phrase=phrase),
        ),
        cutouts=(Cutout(photo_id="p", rgba=np.zeros((1, 1, 4), np.uint8), quality=1),) * 2,
        background=Background(pixels=background, horizon=0.4, ground=0.6),
    )
    places = tuple(Placement(x=layer.x, y=layer.y, width=1, height=1, depth=0) for layer in layers)
    return Canvas(
        layout=Layout(setting=setting, placements=places),
        layers=layers,
        mask=np.zeros((size, size), np.uint8),
        boxes=((0, 0, 1, 1),) * 2,
        visible=(1.0, 1.0),
    )


def settings(folder: Path, refiner: Path | None = None, **more: object) -> DiffusionConfig:
    values = {"model": str(folder), "refiner": refiner and str(refiner), "steps": 4, **more}
    return DiffusionConfig.model_validate(values)


def painted(config: DiffusionConfig, canvases: Sequence[Canvas], seed: int = 0) -> list[Rgb]:
    backend = Diffusion.load(config, Runtime(device="cpu"))
    scenes = list(repaint(canvases, backend, RepaintConfig(), seed))
    assert all(isinstance(scene, Scene) for scene in scenes)
    return [scene.image for scene in scenes if isinstance(scene, Scene)]


class Plain:
    """Stands for a pipeline: paints one colour, and remembers what it was given."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value
        self.given: list[Painting] = []

    def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
        self.given += batch
        return np.stack([np.full((*painting.mask.shape, 3), self.value, np.float32) for painting in batch])


def by_hand(pipeline: Plain, config: DiffusionConfig, canvases: Sequence[Canvas]) -> list[Rgb | Rejected]:
    return list(Diffusion(pipeline, config).repaint(canvases, 0))  # type: ignore[arg-type]  # a fake


def original(scene: Canvas) -> NDArray[np.float32]:
    return flatten(scene.layers, scene.mask.shape[0]).over(scene.layout.setting.background.pixels.astype(np.float32))


@pytest.mark.parametrize("size", [128, 136, 141])
@pytest.mark.parametrize("model", ["sdxl", "sd15", "z_image", "flux_fill"])
def test_inside_objects_every_pixel_is_the_photos_own(tiny_model: TinyModel, model: str, size: int) -> None:
    scene = canvas(size=size)
    foreground = flatten(scene.layers, size)
    inside = cv2.erode((foreground.alpha >= 1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    config = settings(tiny_model(model), guidance=0.0) if model == "z_image" else settings(tiny_model(model))

    (picture,) = painted(config, [scene])

    assert picture.shape == (size, size, 3)
    assert inside.sum() > 2000
    np.testing.assert_array_equal(picture[inside], np.rint(original(scene)).astype(np.uint8)[inside])
    assert np.abs(picture.astype(float) - original(scene))[foreground.alpha == 0].mean() > 5


def test_the_merge_is_one_alpha_blend_and_only_the_rim_softens() -> None:
    scene = canvas()
    alpha = flatten(scene.layers, 136).alpha

    (sharp,) = by_hand(Plain(), DiffusionConfig(smooth=1), [scene])
    (soft,) = by_hand(Plain(), DiffusionConfig(smooth=5), [scene])

    assert not isinstance(sharp, Rejected)
    assert not isinstance(soft, Rejected)
    expected = flatten(scene.layers, 136).over(np.full((136, 136, 3), 127.5, np.float32))
    assert np.abs(sharp - expected).max() <= 0.51
    assert np.abs(soft.astype(float) - sharp).max() > 5
    np.testing.assert_array_equal(soft[alpha == 0], sharp[alpha == 0])


def test_what_is_painted_over_is_all_but_the_objects_and_reaches_a_whole_multiple() -> None:
    scene, pipeline = canvas(size=141), Plain()

    by_hand(pipeline, DiffusionConfig(), [scene])

    (given,) = pipeline.given
    alpha = flatten(scene.layers, 141).alpha
    assert given.image.shape == (144, 144, 3)
    np.testing.assert_array_equal(given.mask[:141, :141], alpha < 0.5)
    assert given.mask[141:].all()
    assert given.mask[:, 141:].all()
    np.testing.assert_array_equal(given.image[:141, :141], np.rint(original(scene)).astype(np.uint8))


def test_noise_replaces_the_background_and_not_the_objects() -> None:
    scene, pipeline = canvas(size=144), Plain()

    by_hand(pipeline, DiffusionConfig(start="noise"), [scene])

    alpha = flatten(scene.layers, 144).alpha
    differs = np.abs(pipeline.given[0].image - original(scene))
    assert differs[alpha == 0].mean() > 30
    assert differs[alpha == 1].max() <= 0.51


@pytest.mark.parametrize("model", ["sdxl", "z_image", "flux_fill"])
def test_a_scene_in_a_batch_is_the_scene_alone(tiny_model: TinyModel, model: str) -> None:
    scenes = [canvas("a"), canvas("b"), canvas("c", phrase="on a beach")]
    guidance = 0.0 if model == "z_image" else 6.0

    together = painted(settings(tiny_model(model), batch_size=3, guidance=guidance), scenes)
    alone = painted(settings(tiny_model(model), batch_size=1, guidance=guidance), scenes)
    backwards = painted(settings(tiny_model(model), batch_size=2, guidance=guidance), scenes[::-1])

    for one, two, three in zip(together, alone, backwards[::-1], strict=True):
        assert np.abs(one.astype(int) - two).max() <= 1
        assert np.abs(one.astype(int) - three).max() <= 1


def test_the_same_seed_gives_the_same_picture_and_another_another(tiny_model: TinyModel) -> None:
    config = settings(tiny_model("sdxl"), tiny_model("refiner"))

    (first,), (again,), (other,) = (painted(config, [canvas()], seed=seed) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_the_refiner_changes_the_picture_the_more_the_earlier_it_takes_over(tiny_model: TinyModel) -> None:
    models = tiny_model("sdxl"), tiny_model("refiner")
    (plain,) = painted(settings(models[0], steps=8), [canvas()])
    late, early = (
        painted(settings(*models, steps=8, refiner_start=start), [canvas()])[0].astype(int) for start in (0.75, 0.25)
    )

    assert 1 < np.abs(plain - late).mean() < np.abs(plain - early).mean()


@pytest.mark.parametrize("scheduler", ["default", "dpm", "lcm"])
def test_the_refiner_goes_on_as_the_model_left_off(tiny_model: TinyModel, scheduler: str) -> None:
    config = settings(tiny_model("sdxl"), tiny_model("refiner"), scheduler=scheduler)

    loaded = load_inpainter(config, Runtime(device="cpu"))

    assert loaded.refiner is not None
    assert loaded.refiner.vae is loaded.pipeline.vae
    assert loaded.refiner.text_encoder_2 is loaded.pipeline.text_encoder_2
    assert loaded.refiner.scheduler is not loaded.pipeline.scheduler
    assert type(loaded.refiner.scheduler) is type(loaded.pipeline.scheduler)
    assert loaded.refiner.scheduler.config == loaded.pipeline.scheduler.config


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("sdxl", "StableDiffusionXLInpaintPipeline"),
        ("z_image", "ZImageInpaintPipeline"),
        ("flux_fill", "FluxFillPipeline"),
    ],
)
def test_a_repository_is_loaded_by_its_own_class_or_its_sibling_for_inpainting(
    tiny_model: TinyModel, model: str, expected: str
) -> None:
    loaded = load_inpainter(settings(tiny_model(model)), Runtime(device="cpu"))

    assert type(loaded.pipeline).__name__ == expected


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_a_checkpoint_that_lacks_weights_is_refused_by_name(tiny_model: TinyModel, tmp_path: Path, part: str) -> None:
    torn = shutil.copytree(tiny_model("sdxl"), tmp_path / "torn")
    (file,) = (torn / part).glob("*.safetensors")
    weights = load_file(file)
    lost = sorted(weights)[3]
    del weights[lost]
    save_file(weights, file, metadata={"format": "pt"})

    with pytest.raises(ModelError, match=rf"lacks 1 of its weights, such as {part}\..*{lost}"):
        load_inpainter(settings(torn), Runtime(device="cpu"))


@pytest.mark.parametrize("scheduler", ["euler", "dpm", "lcm", "lightning"])
def test_schedulers_by_choice(tiny_model: TinyModel, scheduler: str) -> None:
    (own,) = painted(settings(tiny_model("sd15")), [canvas()])
    (chosen,) = painted(settings(tiny_model("sd15"), scheduler=scheduler), [canvas()])

    assert np.abs(own.astype(int) - chosen).max() > 1


def test_slicing_attention_changes_nothing_and_tiling_the_vae_only_what_lies_behind(tiny_model: TinyModel) -> None:
    (plain,) = painted(settings(tiny_model("sd15")), [canvas()])
    (sliced,) = painted(settings(tiny_model("sd15"), attention_slicing=True), [canvas()])
    (tiled,) = painted(settings(tiny_model("sd15"), vae_tiling=True), [canvas()])

    solid = cv2.erode((flatten(canvas().layers, 136).alpha >= 1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.abs(plain.astype(int) - sliced).max() <= 1
    assert np.abs(plain.astype(int) - tiled).max() > 1
    np.testing.assert_array_equal(plain[solid], tiled[solid])


@pytest.mark.parametrize(
    ("phrase", "background"), [("in a garden", "a garden"), ("on the grass", "the grass"), ("at home", "home")]
)
def test_a_prompt_may_name_the_background_and_the_things(phrase: str, background: str) -> None:
    assert words_of(canvas(phrase=phrase)) == {"background": background, "phrase": phrase, "concepts": "ball, dog"}


def test_a_pipeline_that_paints_at_a_size_of_its_own_is_brought_back() -> None:
    class Doubles(Plain):
        def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
            pictures = np.zeros((len(batch), 288, 288, 3), np.float32)
            pictures[:, :, 144:] = 1  # its right half
            return pictures

    (picture,) = by_hand(Doubles(), DiffusionConfig(), [canvas(size=144)])

    assert not isinstance(picture, Rejected)
    behind = flatten(canvas(size=144).layers, 144).alpha == 0
    assert picture[:, :72][behind[:, :72]].max() == 0
    assert picture[:, 72:][behind[:, 72:]].min() == 255


@pytest.mark.parametrize(
    ("value", "reason"), [(float("nan"), "no finite numbers"), (0.0, "black picture"), (float("inf"), "no finite")]
)
def test_what_is_no_picture_is_rejected_and_its_neighbours_are_not(value: float, reason: str) -> None:
    class Broken(Plain):
        def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
            pictures = super().paint(batch)
            pictures[1] = value
            return pictures

    before, broken, after = by_hand(Broken(), DiffusionConfig(), [canvas("a"), canvas("b"), canvas("c")])

    assert isinstance(broken, Rejected)
    assert broken.sample_id == "b"
    assert reason in broken.reason
    assert not isinstance(before, Rejected)
    assert not isinstance(after, Rejected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "a photo of {place}"}, r"\{place\} stands for nothing"),
        ({"prompt": "a {background.__class__}"}, "stands for nothing"),
        ({"prompt": "a photo {"}, "a brace that is meant is doubled"),
        ({"steps": 1, "strength": 0.9}, "1 steps at strength 0.9 are none"),
        ({"refiner": "./r", "strength": 0.25}, "the model starts at 75% of the way"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"smooth": 1_000_000}, "smooth: expected a whole number of at most 255"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({"concepts": "a", "repaint": {"backend": "diffusion", "diffusion": change}})


def test_pipelines_that_do_not_fit_are_refused_by_name(tiny_model: TinyModel) -> None:
    sd15, z_image, refiner = (str(tiny_model(name)) for name in ("sd15", "z_image", "refiner"))
    wrong = [
        ({"model": sd15, "pipeline": "NoSuchPipeline"}, "has no pipeline 'NoSuchPipeline'"),
        ({"model": sd15, "pipeline": "StableDiffusionPipeline"}, "takes no mask"),
        ({"model": sd15, "refiner": refiner}, "cannot hand its latents over"),
        ({"model": z_image, "scheduler": "lcm"}, "matches flows"),
        ({"model": sd15, "offload": True}, "device is cpu here"),
    ]

    for values, message in wrong:
        with pytest.raises(ConfigError, match=message):
            Diffusion.load(DiffusionConfig.model_validate(values), Runtime(device="cpu"))


def test_a_model_without_a_class_for_inpainting_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_model("sd15"), tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps(index | {"_class_name": "DDIMPipeline"}))

    with pytest.raises(ConfigError, match="is a DDIMPipeline, and diffusers"):
        load_inpainter(settings(other), Runtime(device="cpu"))


def test_a_folder_without_a_pipeline_is_named(tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match=r"is not a pipeline of diffusers"):
        Diffusion.load(settings(tiny_model("clip")), Runtime(device="cpu"))
