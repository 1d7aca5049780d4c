"""Load the inpainting pipelines of diffusers, each with the class that fits its weights."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mycanvas.errors import ConfigError
from mycanvas.models.device import pick_device, pick_dtype
from mycanvas.models.inpainting import Inpainter, InpaintingConfig
from mycanvas.models.pipelines import is_pipeline, load_pipeline, read_index
from mycanvas.models.runtime import Runtime

SCHEDULERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "dpm": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "lcm": ("LCMScheduler", {}),
    "lightning": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
}
"""Scheduler class and settings, for models that predict noise. SDXL-Lightning's card prescribes trailing steps."""


def load_inpainter(config: InpaintingConfig, runtime: Runtime) -> Inpainter:
    """Load the pipelines that the configuration names onto their device.

    Raises:
        MissingExtra: diffusers is not installed.
        ModelError: a model cannot be loaded.
        ConfigError: the pipeline class, scheduler or refiner does not fit the model.
    """
    folder = runtime.model(config.model)
    pipeline = _load_pipeline(folder, _pipeline_class(folder, config), config, runtime)
    if config.scheduler != "default":
        pipeline.scheduler = _scheduler(pipeline, config.scheduler)
    if config.refiner is None:
        return Inpainter(pipeline, None, config)
    if "denoising_end" not in inspect.signature(pipeline.__call__).parameters:
        raise ConfigError(
            f"repaint.diffusion.refiner: {type(pipeline).__name__} cannot pass its latents on to a refiner; "
            "remove repaint.diffusion.refiner, or use an SDXL model"
        )
    shared = {part: getattr(pipeline, part) for part in ("vae", "text_encoder_2", "tokenizer_2")}
    # The image-to-image class: the inpainting class would add noise to the latents around its mask a second time.
    refiner = _load_pipeline(runtime.model(config.refiner), "StableDiffusionXLImg2ImgPipeline", config, runtime, shared)
    # The refiner continues from the pipeline's latents, whose scale differs between schedulers.
    refiner.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    return Inpainter(pipeline, refiner, config)


def _pipeline_class(folder: Path, config: InpaintingConfig) -> str:
    """Name the class to load: the configured one, else the repository's own class or its inpainting variant.

    diffusers' AutoPipelineForInpainting lacks Flux Fill, Flux Kontext, Flux 2 Klein and Chroma.
    """
    import diffusers

    if config.pipeline is not None:
        if not is_pipeline(config.pipeline):
            raise ConfigError(
                f"repaint.diffusion.pipeline: diffusers {diffusers.__version__} has no pipeline {config.pipeline!r}"
            )
        if not _takes_mask(config.pipeline):
            raise ConfigError(
                f"repaint.diffusion.pipeline: {config.pipeline} does not accept a mask; name an inpainting class"
            )
        return config.pipeline
    own: str = read_index(folder)["_class_name"]
    for name in (own, own.replace("Pipeline", "InpaintPipeline")):
        if _takes_mask(name):
            return name
    raise ConfigError(
        f"repaint.diffusion.model: {config.model} is a {own}, and diffusers {diffusers.__version__} has no inpainting "
        "class for it; name another model, or an inpainting class with repaint.diffusion.pipeline"
    )


def _takes_mask(name: str) -> bool:
    import diffusers

    return is_pipeline(name) and "mask_image" in inspect.signature(getattr(diffusers, name).__call__).parameters


def _load_pipeline(
    folder: Path, name: str, config: InpaintingConfig, runtime: Runtime, shared: Mapping[str, Any] | None = None
) -> Any:
    """Load a pipeline and apply the settings. shared: parts that another pipeline has loaded already."""
    device = pick_device(runtime.device)
    remedy = "set repaint.diffusion.pipeline to load it with another class"
    dtype = pick_dtype(runtime.dtype, device)
    pipeline = load_pipeline(folder, name, dtype=dtype, variant=config.variant, given=shared or {}, remedy=remedy)
    pipeline.set_progress_bar_config(disable=True)
    if config.attention_slicing:
        pipeline.enable_attention_slicing()
    if hasattr(getattr(pipeline, "vae", None), "use_slicing"):
        pipeline.vae.enable_slicing()  # decoding a whole batch at once would exhaust a GPU's memory
    if config.vae_tiling:
        pipeline.vae.enable_tiling()
    if config.compile:
        _compile(pipeline)
    if config.offload:
        if device.type == "cpu":
            raise ConfigError(
                "repaint.diffusion.offload moves models between a GPU and main memory, and device is cpu here; "
                "set it to false"
            )
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)


def _compile(pipeline: Any) -> None:
    """Compile the denoiser. A block that the model repeats is compiled once, which saves minutes."""
    for part in ("unet", "transformer"):
        model = getattr(pipeline, part, None)
        if model is not None:
            model.compile_repeated_blocks() if getattr(model, "_repeated_blocks", None) else model.compile()


def _scheduler(pipeline: Any, name: str) -> Any:
    import diffusers

    own = pipeline.scheduler
    if "FlowMatch" in type(own).__name__:
        raise ConfigError(
            f"repaint.diffusion.scheduler: {type(pipeline).__name__} is a flow-matching model; "
            f'expected "default", got {name!r}'
        )
    kind, settings = SCHEDULERS[name]
    return getattr(diffusers, kind).from_config(own.config, **settings)
