"""The pipelines that `load_inpainter` loads, and those that it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.inpainting import InpaintingConfig
from mycanvas.models.inpainting_loading import load_inpainter
from mycanvas.models.runtime import Runtime

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

TinyModel = Callable[[str], Path]


def settings(folder: Path, refiner: Path | None = None, **more: object) -> InpaintingConfig:
    values = {"model": str(folder), "refiner": refiner and str(refiner), "steps": 4, **more}
    return InpaintingConfig.model_validate(values)


@pytest.mark.parametrize("scheduler", ["default", "dpm", "lcm"])
def test_refiner_shares_parts_and_scheduler_settings_with_the_model(tiny_model: TinyModel, scheduler: str) -> None:
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
def test_pipeline_class_is_the_repository_s_own_or_its_inpainting_variant(
    tiny_model: TinyModel, model: str, expected: str
) -> None:
    loaded = load_inpainter(settings(tiny_model(model)), Runtime(device="cpu"))

    assert type(loaded.pipeline).__name__ == expected


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_pipeline_that_lacks_weights_is_refused_with_their_names(
    tiny_model: TinyModel, tmp_path: Path, part: str
) -> None:
    incomplete = shutil.copytree(tiny_model("sdxl"), tmp_path / "incomplete")
    (file,) = (incomplete / part).glob("*.safetensors")
    weights = load_file(file)
    missing = sorted(weights)[3]
    del weights[missing]
    save_file(weights, file, metadata={"format": "pt"})

    with pytest.raises(ModelError, match=rf"lacks 1 of its weights, such as {part}\..*{missing}"):
        load_inpainter(settings(incomplete), Runtime(device="cpu"))


def test_settings_that_do_not_fit_the_pipeline_are_refused(tiny_model: TinyModel) -> None:
    sd15, z_image, refiner = (str(tiny_model(name)) for name in ("sd15", "z_image", "refiner"))
    wrong = [
        ({"model": sd15, "pipeline": "NoSuchPipeline"}, "has no pipeline 'NoSuchPipeline'"),
        ({"model": sd15, "pipeline": "StableDiffusionPipeline"}, "does not accept a mask"),
        ({"model": sd15, "refiner": refiner}, "cannot pass its latents on"),
        ({"model": z_image, "scheduler": "lcm"}, "is a flow-matching model"),
        ({"model": sd15, "offload": True}, "device is cpu here"),
    ]

    for values, message in wrong:
        with pytest.raises(ConfigError, match=message):
            load_inpainter(InpaintingConfig.model_validate(values), Runtime(device="cpu"))


def test_model_without_an_inpainting_class_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_model("sd15"), tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps(index | {"_class_name": "DDIMPipeline"}))

    with pytest.raises(ConfigError, match="is a DDIMPipeline, and diffusers"):
        load_inpainter(settings(other), Runtime(device="cpu"))


def test_folder_without_a_pipeline_is_refused(tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match=r"is not a pipeline of diffusers"):
        load_inpainter(settings(tiny_model("clip")), Runtime(device="cpu"))
