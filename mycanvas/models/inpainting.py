"""Inpainting pipelines of diffusers, each loaded by the class that fits its weights and called in true batches."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator

from mycanvas.errors import ConfigError, MissingExtra, ModelError
from mycanvas.io.config_table import Count, ModelName, Table
from mycanvas.models.device import pick_device, pick_dtype
from mycanvas.models.loading import LOCAL, quiet_transformers
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

if TYPE_CHECKING:
    import torch

NEGATIVE_PROMPT = (
    "cartoon, painting, illustration, drawing, blurry, low quality, deformed, cropped, watermark, text, frame, "
    "extra objects, duplicate, floating objects, people, hands"
)

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


class InpaintingConfig(Table):
    """How an inpainting pipeline is loaded and called."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"batch_size", "compile", "offload", "attention_slicing"})

    model: ModelName = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
    """The pipeline that repaints."""
    refiner: ModelName | None = None
    """A pipeline that does the last steps."""
    pipeline: str | None = None
    """Class to load `model` with; not given: the one for inpainting that fits it."""
    variant: str | None = None
    """Variant of the weights' files, such as "fp16"."""
    steps: Count = 60
    """Number of denoising steps."""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Fraction of the steps that are run: 1 repaints from noise, less keeps more of what is there."""
    guidance: Annotated[float, Field(ge=0)] = 6.0
    """Scale of classifier-free guidance: how closely the picture follows the prompt."""
    refiner_start: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """Fraction of the steps at which the refiner takes over."""
    negative_prompt: str = NEGATIVE_PROMPT
    """Words for what the picture should not show."""
    scheduler: Literal["default", "euler", "dpm", "lcm", "lightning"] = "default"
    """"default" is the pipeline's own; "lcm" and "lightning" are for weights distilled that way."""
    batch_size: Count = 4
    """Scenes in one call; halved when memory runs out."""
    compile: bool = False
    """Compile the model by torch, which takes minutes and pays off on large builds."""
    offload: bool = False
    """Keep models in main memory while another runs."""
    attention_slicing: bool = False
    """Compute attention in slices: slower, in less memory."""
    vae_tiling: bool = False
    """Decode in tiles: almost the same picture, in much less memory."""

    @model_validator(mode="after")
    def _takes_a_step(self) -> Self:
        if int(self.steps * self.strength) < 1:
            raise ValueError(f"{self.steps} steps at strength {self.strength} are none; expected steps * strength >= 1")
        if self.refiner is not None and self.strength <= 1 - self.refiner_start:
            raise ValueError(
                f"at strength {self.strength} the model starts at {1 - self.strength:.0%} of the way, and its refiner "
                f"takes over at {self.refiner_start:.0%}; expected a strength above {1 - self.refiner_start:g}"
            )
        return self

    def required_models(self, role: str) -> tuple[RequiredModel, ...]:
        """The pipeline, and its refiner where there is one."""
        names = filter(None, (self.model, self.refiner))
        return tuple(RequiredModel(role=role, name=name, kind="diffusers", variant=self.variant) for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Painting:
    """One picture to be painted over.

    image: uint8 [S, S, 3], S a multiple of MULTIPLE. mask: bool [S, S], true where it is painted over.
    seed: of all that is drawn for it.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    prompt: str
    seed: int


class Inpainter:
    """A pipeline, and perhaps SDXL's refiner behind it."""

    def __init__(self, pipeline: Any, refiner: Any | None, config: InpaintingConfig) -> None:
        self.pipeline, self.refiner = pipeline, refiner
        self._config = config

    def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
        """float32 [N, S, S, 3] in [0, 1]; each depends on its own painting only, but for rounding."""
        import torch

        config = self._config
        name = type(self.pipeline).__name__
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
            if self.refiner is None:
                painted = _called(self.pipeline, asked, output_type="np")
                return painted
            latents = _called(self.pipeline, asked, output_type="latent", denoising_end=config.refiner_start)
            self.pipeline.maybe_free_model_hooks()  # offloads what SDXL, asked for latents, leaves on the GPU
            refined = asked | {"image": latents, "generator": _generators(batch, 1)}
            painted = _called(self.refiner, refined, output_type="np", denoising_start=config.refiner_start)
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


def load_inpainter(config: InpaintingConfig, runtime: Runtime) -> Inpainter:
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
    if config.refiner is None:
        return Inpainter(pipeline, None, config)
    if "denoising_end" not in inspect.signature(pipeline.__call__).parameters:
        raise ConfigError(
            f"repaint.diffusion.refiner: {type(pipeline).__name__} cannot hand its latents over to it; "
            "leave it out, or use an SDXL model"
        )
    shared = {part: getattr(pipeline, part) for part in ("vae", "text_encoder_2", "tokenizer_2")}
    # Refines the whole picture: the inpainting class would noise the latents around its mask a second time.
    refiner = _loaded(runtime.model(config.refiner), "StableDiffusionXLImg2ImgPipeline", config, runtime, shared)
    # It goes on from the pipeline's latents, whose scale differs between schedulers.
    refiner.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    return Inpainter(pipeline, refiner, config)


def _class_of(folder: Path, config: InpaintingConfig) -> str:
    """The class to load with: the one that is asked for, else the repository's own, or its sibling for inpainting.

    diffusers' AutoPipelineForInpainting lacks Flux Fill, Flux Kontext, Flux 2 Klein and Chroma.
    """
    import diffusers

    if config.pipeline is not None:
        if not _is_pipeline(config.pipeline):
            raise ConfigError(
                f"repaint.diffusion.pipeline: diffusers {diffusers.__version__} has no pipeline {config.pipeline!r}"
            )
        if not _takes_mask(config.pipeline):
            raise ConfigError(f"repaint.diffusion.pipeline: {config.pipeline} takes no mask; name one for inpainting")
        return config.pipeline
    own: str = _index(folder)["_class_name"]
    for name in (own, own.replace("Pipeline", "InpaintPipeline")):
        if _takes_mask(name):
            return name
    raise ConfigError(
        f"repaint.diffusion.model: {config.model} is a {own}, and diffusers {diffusers.__version__} has none of its "
        "kind for inpainting; name another model, or a class with repaint.diffusion.pipeline"
    )


def _index(folder: Path) -> dict[str, Any]:
    """What a repository says that its pipeline is made of."""
    try:
        index: dict[str, Any] = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return index | {"_class_name": str(index["_class_name"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} is not a pipeline of diffusers: no readable model_index.json") from error


def _is_pipeline(name: str) -> bool:
    import diffusers

    found = getattr(diffusers, name, None)
    return inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)


def _takes_mask(name: str) -> bool:
    import diffusers

    return _is_pipeline(name) and "mask_image" in inspect.signature(getattr(diffusers, name).__call__).parameters


def _loaded(
    folder: Path, name: str, config: InpaintingConfig, runtime: Runtime, shared: Mapping[str, Any] | None = None
) -> Any:
    """A pipeline in memory, set up as the configuration wants it. shared: parts that another has loaded already."""
    import diffusers

    device = pick_device(runtime.device)
    options = {"dtype": pick_dtype(runtime.dtype, device), "variant": config.variant, "use_safetensors": True, **LOCAL}
    try:
        with _quiet():
            parts = _text_models(folder, options, shared or {})
            pipeline = getattr(diffusers, name).from_pretrained(folder, **parts, **options)
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise ModelError(
            f"the pipeline in {folder} cannot be loaded as {name}: {error}; "
            "repaint.diffusion.pipeline names another class"
        ) from error
    _refuse_unless_whole(pipeline, folder)
    pipeline.set_progress_bar_config(disable=True)
    if config.attention_slicing:
        pipeline.enable_attention_slicing()
    if hasattr(getattr(pipeline, "vae", None), "use_slicing"):
        pipeline.vae.enable_slicing()  # one picture fills a GPU; a batch of them, decoded at once, its memory
    if config.vae_tiling:
        pipeline.vae.enable_tiling()
    if config.compile:
        _compile(pipeline)
    if config.offload:
        if device.type == "cpu":
            raise ConfigError("repaint.diffusion.offload moves models between a GPU and memory; device is cpu here")
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)


def _text_models(folder: Path, options: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The shared parts and those of transformers, which would make up at random what their files lack."""
    import transformers

    parts = dict(shared)
    for part, made_by in _index(folder).items():
        library, kind = made_by if isinstance(made_by, list) else (None, None)
        found: Any = getattr(transformers, str(kind), None)
        learned = inspect.isclass(found) and issubclass(found, transformers.PreTrainedModel)
        if learned and library == "transformers" and part not in shared:
            parts[part], loaded = found.from_pretrained(folder / part, output_loading_info=True, **options)
            _refuse(folder, [f"{part}.{name}" for name in sorted(loaded["missing_keys"])])
    return parts


def _refuse_unless_whole(pipeline: Any, folder: Path) -> None:
    """What diffusers did not find it leaves without any values."""
    models = {part: model for part, model in pipeline.components.items() if hasattr(model, "named_parameters")}
    _refuse(folder, [f"{part}.{name}" for part in models for name, w in models[part].named_parameters() if w.is_meta])


def _refuse(folder: Path, missing: Sequence[str]) -> None:
    if missing:
        raise ModelError(f"the pipeline in {folder} lacks {len(missing)} of its weights, such as {missing[0]}")


def _compile(pipeline: Any) -> None:
    """Blocks that a model repeats are compiled once for all, where it says which: minutes less than the whole."""
    for part in ("unet", "transformer"):
        model = getattr(pipeline, part, None)
        if model is not None:
            model.compile_repeated_blocks() if getattr(model, "_repeated_blocks", None) else model.compile()


def _scheduler(pipeline: Any, name: str) -> Any:
    import diffusers

    own = pipeline.scheduler
    if "FlowMatch" in type(own).__name__:
        raise ConfigError(
            f'repaint.diffusion.scheduler: {type(pipeline).__name__} matches flows; expected "default", got {name!r}'
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
