"""Text-to-image pipelines of diffusers: the class that fits a checkpoint, and one call for a batch of pictures."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.adapters import Adapters, add_adapters
from mycanvas.models.batches import main_memory_errors
from mycanvas.models.device import pick_device, pick_dtype
from mycanvas.models.loading import LOCAL
from mycanvas.models.pipelines import (
    check_channels,
    has_safety_checker,
    is_pipeline,
    load_pipeline,
    quiet_diffusers,
    read_index,
)

LOWER = (
    "lower --resolution, use --dtype bfloat16 or --offload, a smaller model, or, slowly, the main memory: --device cpu"
)
"""How to need less memory, for messages."""

_OTHER_INPUTS = {"image", "mask_image", "video", "num_frames", "audio_length_in_s"}
"""Arguments of pipelines that make something else than pictures from text, or need more than text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How pictures are sampled; None: as the pipeline does by default.

    steps: denoising steps. guidance: scale of classifier-free guidance. resolution: side of the pictures in pixels.
    """

    steps: int | None = None
    guidance: float | None = None
    resolution: int | None = None


def pipeline_class(folder: Path) -> str:
    """The name of a checkpoint's class in diffusers, which must make pictures from text alone.

    Raises:
        ModelError: the folder is no pipeline, diffusers lacks its class, or it is of another kind, as for inpainting.
    """
    with quiet_diffusers():  # importing all pipelines logs what each lacks
        import diffusers
        from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING as KNOWN

    name: str = read_index(folder)["_class_name"]
    if not is_pipeline(name):
        raise ModelError(f"{folder} is a {name}, which diffusers {diffusers.__version__} does not have; upgrade it")
    known = name in {each.__name__ for each in KNOWN.values()} and "ControlNet" not in name
    arguments = inspect.signature(getattr(diffusers, name).__call__).parameters
    if "prompt" not in arguments or not (known or _OTHER_INPUTS.isdisjoint(arguments)):
        raise ModelError(
            f"{folder} is a {name}; expected a pipeline that makes pictures from text alone, such as "
            "StableDiffusionPipeline or StableDiffusionXLPipeline"
        )
    return name


def sampling_of(folder: Path, sampling: Sampling) -> dict[str, Any]:
    """The sampling with the defaults of a checkpoint's class, as JSON types; its resolution is None by default."""
    name = pipeline_class(folder)
    import diffusers

    defaults = inspect.signature(getattr(diffusers, name).__call__).parameters

    def value(given: float | None, argument: str) -> Any:
        return given if given is not None or argument not in defaults else defaults[argument].default

    return {
        "pipeline": name,
        "steps": value(sampling.steps, "num_inference_steps"),
        "guidance": value(sampling.guidance, _guidance(name)),
        "resolution": sampling.resolution,
    }


def tokenizers_of(folder: Path) -> tuple[Any, ...]:
    """The tokenizers of a checkpoint whose text is read by CLIP alone; none for other checkpoints.

    Raises:
        ModelError: one cannot be loaded.
    """
    import transformers

    parts = {part: entry for part, entry in read_index(folder).items() if isinstance(entry, list) and entry[0]}
    kinds = {part: str(entry[1]) for part, entry in parts.items() if "Tokenizer" in str(entry[1])}
    if not kinds or not all(kind in ("CLIPTokenizer", "CLIPTokenizerFast") for kind in kinds.values()):
        return ()
    try:
        return tuple(transformers.CLIPTokenizer.from_pretrained(folder / part, **LOCAL) for part in sorted(kinds))
    except (OSError, ValueError) as error:
        raise ModelError(f"the tokenizers in {folder} cannot be loaded: {error}") from error


class TextToImage:
    """A loaded pipeline, and how it samples."""

    def __init__(self, pipeline: Any, sampling: Sampling) -> None:
        self.pipeline = pipeline
        self._sampling = sampling

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Generate a picture from each prompt.

        Args:
            prompts: N texts.
            seeds: of the noise of each picture, 0 to 2**63 - 1.

        Returns:
            uint8 [N, H, W, 3]; except for rounding, each picture depends on its own prompt and seed only.

        Raises:
            ModelError: the pipeline rejects its arguments, or returns values that are not finite.
            torch.OutOfMemoryError: memory is full.
        """
        import torch

        name, sampling = type(self.pipeline).__name__, self._sampling
        arguments: dict[str, Any] = {
            "prompt": list(prompts),
            "num_inference_steps": sampling.steps,
            _guidance(name): sampling.guidance,
            "negative_prompt": [" "] * len(prompts) if _needs_negative(name) else None,
            "height": sampling.resolution,
            "width": sampling.resolution,
            # On the CPU: the noise depends neither on the device nor on the batch.
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "output_type": "np",
        }
        known = inspect.signature(self.pipeline.__call__).parameters
        given = {key: value for key, value in arguments.items() if value is not None and key in known}
        try:
            with torch.inference_mode(), quiet_diffusers(), main_memory_errors():
                pictures = np.asarray(self.pipeline(**given).images)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{name} cannot generate these pictures: {error}") from error
        if not np.isfinite(pictures).all():
            raise ModelError(f"{name} returned values that are not finite; use --dtype bfloat16 or float32")
        rounded: NDArray[np.uint8] = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
        return rounded


def load_text_to_image(
    folder: Path,
    adapters: Adapters,
    sampling: Sampling,
    *,
    device: str = "auto",
    dtype: str = "auto",
    offload: bool = False,
    safety_checker: bool = True,
) -> TextToImage:
    """Load a pipeline with LoRA weights and embeddings of new tokens.

    Args:
        folder: of the checkpoint.
        adapters: to load on top of it.
        sampling: how it samples.
        device: see `mycanvas.models.pick_device`.
        dtype: see `mycanvas.models.pick_dtype`.
        offload: keep parts of the pipeline in main memory while another runs.
        safety_checker: with the pipeline's own, if it has one.

    Raises:
        MissingExtra: diffusers is not installed.
        ModelError: the checkpoint cannot be loaded, is of another kind or too large, or an adapter does not fit it.
        ConfigError: the device is not available, or cannot offload.
    """
    import torch

    place = pick_device(device)
    if offload and place.type == "cpu":
        raise ConfigError("--offload moves models between a GPU and main memory, and the device is cpu here; omit it")
    given = {} if safety_checker or not has_safety_checker(folder) else {"safety_checker": None}
    pipeline = load_pipeline(folder, pipeline_class(folder), dtype=pick_dtype(dtype, place), given=given)
    check_channels(pipeline, folder)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(getattr(pipeline, "vae", None), "use_slicing"):
        pipeline.vae.enable_slicing()  # decoding a whole batch at once would exhaust a GPU's memory
    add_adapters(pipeline, adapters)
    try:
        if offload:
            pipeline.enable_model_cpu_offload(device=place)
        else:
            pipeline = pipeline.to(place)
    except torch.OutOfMemoryError as error:
        raise ModelError(f"memory is too small for the model in {folder}; use --offload, or {LOWER}") from error
    return TextToImage(pipeline, sampling)


def _guidance(name: str) -> str:
    """The argument for classifier-free guidance, by pipeline class."""
    return "true_cfg_scale" if _needs_negative(name) else "guidance_scale"


def _needs_negative(name: str) -> bool:
    """Whether a pipeline class ignores its guidance without a negative prompt."""
    return name.startswith("QwenImage")
