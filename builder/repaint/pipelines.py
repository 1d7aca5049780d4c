"""Inpainting pipelines of diffusers, each loaded by the class that fits its weights and called in true batches."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.backends import Runtime
from builder.errors import ConfigError, MissingExtra, ModelError
from builder.model_config import DiffusionConfig
from builder.records import Rgb
from mycanvas.models import pick_device, pick_dtype
from mycanvas.models.loading import LOCAL, quiet_transformers

if TYPE_CHECKING:
    import torch

MULTIPLE = 16
"""Sides of a picture must be multiples of this: 8 for a VAE, twice that where a transformer joins its cells."""

GUIDANCE: Mapping[str, str] = {
    "QwenImageInpaintPipeline": "true_cfg_scale",
    "QwenImageEditInpaintPipeline": "true_cfg_scale",
}
"""What a pipeline calls its classifier-free guidance, where that is not `guidance_scale`."""

SCHEDULERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "dpm": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "lcm": ("LCMScheduler", {}),
    "lightning": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
}
"""Class and settings; for models that predict noise. SDXL-Lightning's card asks for trailing steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Painting:
    """One picture to be painted over.

    image: uint8 [S, S, 3], S a multiple of MULTIPLE. mask: bool [S, S], true where it is painted over.
    seed: of all that is drawn for it.
    """

    image: Rgb
    mask: NDArray[np.bool_]
    prompt: str
    seed: int


class Inpainter:
    """A pipeline, and perhaps SDXL's refiner behind it."""

    def __init__(self, pipeline: Any, refiner: Any | None, config: DiffusionConfig) -> None:
        self._pipeline = pipeline
        self._refiner = refiner
        self._config = config

    def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
        """float32 [N, S, S, 3] in [0, 1]; each depends on its own painting only, but for rounding."""
        import torch

        config = self._config
        name = type(self._pipeline).__name__
        size = batch[0].mask.shape[0]
        asked = {
            "prompt": [painting.prompt for painting in batch],
            "negative_prompt": [config.negative_prompt] * len(batch),
            "image": [Image.fromarray(painting.image) for painting in batch],
            "mask_image": [Image.fromarray(painting.mask.astype(np.uint8) * 255) for painting in batch],
            "height": size,
            "width": size,
            "num_inference_steps": config.steps,
            "strength": config.strength,
            GUIDANCE.get(name, "guidance_scale"): config.guidance,
            "generator": _generators(batch, 0),
        }
        painted: NDArray[np.float32]
        with torch.inference_mode(), _quiet():
            if self._refiner is None:
                painted = _called(self._pipeline, asked, output_type="np")
                return painted
            latents = _called(self._pipeline, asked, output_type="latent", denoising_end=config.refiner_start)
            refined = asked | {"image": latents, "generator": _generators(batch, 1)}
            painted = _called(self._refiner, refined, output_type="np", denoising_start=config.refiner_start)
            return painted


def _called(pipeline: Any, asked: Mapping[str, Any], **more: Any) -> Any:
    """What a pipeline makes of those arguments that it has."""
    known = inspect.signature(pipeline.__call__).parameters
    try:
        return pipeline(**{name: value for name, value in {**asked, **more}.items() if name in known}).images
    except (ValueError, TypeError) as error:
        raise ModelError(f"{type(pipeline).__name__} cannot repaint a scene: {error}") from error


def _generators(batch: Sequence[Painting], part: int) -> list[torch.Generator]:
    """One for each picture, on the processor: the same noise whatever the device, and whoever is in the batch.

    part: 0 for the pipeline, 1 for the refiner, so that they do not draw the same.
    """
    import torch

    return [torch.Generator("cpu").manual_seed((painting.seed + part) % 2**63) for painting in batch]


def load_inpainter(config: DiffusionConfig, runtime: Runtime) -> Inpainter:
    """The pipelines that the configuration names, on their device.

    Raises:
        MissingExtra: diffusers is not installed.
        ModelError: a model cannot be loaded.
        ConfigError: a class, scheduler or refiner that does not fit.
    """
    folder = runtime.model(config.model)
    pipeline = _loaded(folder, _class_of(folder, config), config, runtime)
    if config.scheduler != "default":
        pipeline.scheduler = _scheduler(pipeline, config.scheduler)
    refiner = None
    if config.refiner is not None:
        if "denoising_end" not in inspect.signature(pipeline.__call__).parameters:
            raise ConfigError(
                f"repaint.diffusion.refiner: {type(pipeline).__name__} cannot hand its latents over to it; "
                "leave it out, or use an SDXL model"
            )
        # Refines the whole picture: the inpainting class would noise the latents around its mask a second time.
        refiner = _loaded(runtime.model(config.refiner), "StableDiffusionXLImg2ImgPipeline", config, runtime)
    return Inpainter(pipeline, refiner, config)


def _class_of(folder: Path, config: DiffusionConfig) -> str:
    """The class to load with: the one that is asked for, else the repository's own if it paints over a mask."""
    import diffusers

    if config.pipeline is not None:
        found = getattr(diffusers, config.pipeline, None)
        if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
            raise ConfigError(
                f"repaint.diffusion.pipeline: diffusers {diffusers.__version__} has no pipeline {config.pipeline!r}"
            )
        if "mask_image" not in inspect.signature(found.__call__).parameters:
            raise ConfigError(f"repaint.diffusion.pipeline: {config.pipeline} takes no mask; name one for inpainting")
        return config.pipeline
    try:
        own = str(json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{config.model} is not a pipeline of diffusers: no readable model_index.json") from error
    return own if "mask_image" in _parameters(getattr(diffusers, own, None)) else "AutoPipelineForInpainting"


def _parameters(pipeline: Any) -> Mapping[str, Any]:
    return {} if pipeline is None else inspect.signature(pipeline.__call__).parameters


def _loaded(folder: Path, name: str, config: DiffusionConfig, runtime: Runtime) -> Any:
    """A pipeline in memory, set up as the configuration wants it."""
    import diffusers

    device = pick_device(runtime.device)
    try:
        with _quiet():
            pipeline = getattr(diffusers, name).from_pretrained(
                folder,
                dtype=pick_dtype(runtime.dtype, device),
                variant=config.variant,
                use_safetensors=True,
                **LOCAL,
            )
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise ModelError(
            f"the pipeline in {folder} cannot be loaded as {name}: {error}; "
            "repaint.diffusion.pipeline names another class"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    if config.attention_slicing:
        pipeline.enable_attention_slicing()
    if config.vae_tiling:
        pipeline.vae.enable_tiling()
    if config.compile:
        for part in ("unet", "transformer"):
            if getattr(pipeline, part, None) is not None:
                getattr(pipeline, part).compile()
    if config.offload:
        if device.type == "cpu":
            raise ConfigError("repaint.diffusion.offload moves models between a GPU and memory; device is cpu here")
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)


def _scheduler(pipeline: Any, name: str) -> Any:
    import diffusers

    own = pipeline.scheduler
    if "FlowMatch" in type(own).__name__:
        raise ConfigError(
            f'repaint.diffusion.scheduler: {type(pipeline).__name__} matches flows; wanted "default", got {name!r}'
        )
    kind, settings = SCHEDULERS[name]
    return getattr(diffusers, kind).from_config(own.config, **settings)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' progress bars and remarks, which are not the user's concern."""
    try:
        from diffusers.utils import logging
    except ImportError as missing:
        raise MissingExtra(missing.name or "diffusers", extra="models") from missing

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with quiet_transformers():
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
