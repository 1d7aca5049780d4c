"""Inpainting pipelines of diffusers: their settings, and one call for a whole batch of pictures."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator

from mycanvas.errors import ModelError
from mycanvas.io.config_table import Count, ModelName, Table
from mycanvas.models.pipelines import quiet_diffusers
from mycanvas.models.required import RequiredModel

if TYPE_CHECKING:
    import torch

NEGATIVE_PROMPT = (
    "cartoon, painting, illustration, drawing, blurry, low quality, deformed, cropped, watermark, text, frame, "
    "extra objects, duplicate, floating objects, people, hands"
)

MULTIPLE = 16
"""The sides of a picture must be multiples of this: 8 for a VAE, 16 where a transformer joins 2 x 2 cells."""

GUIDANCE: Mapping[str, str] = {
    "QwenImageInpaintPipeline": "true_cfg_scale",
    "QwenImageEditInpaintPipeline": "true_cfg_scale",
}
"""The name of the classifier-free guidance, by pipeline class, where it is not `guidance_scale`."""


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
    def _check_steps(self) -> Self:
        if int(self.steps * self.strength) < 1:
            raise ValueError(
                f"{self.steps} steps at strength {self.strength} are less than one step; expected steps * strength >= 1"
            )
        if self.refiner is not None and self.strength <= 1 - self.refiner_start:
            raise ValueError(
                f"at strength {self.strength} the model starts at {1 - self.strength:.0%} of the steps, after its "
                f"refiner takes over at {self.refiner_start:.0%}; expected a strength above {1 - self.refiner_start:g}"
            )
        return self

    def required_models(self, role: str) -> tuple[RequiredModel, ...]:
        """The pipeline and, if set, its refiner."""
        names = filter(None, (self.model, self.refiner))
        return tuple(RequiredModel(role=role, name=name, kind="diffusers", variant=self.variant) for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Painting:
    """One picture to inpaint.

    image: uint8 [H, W, 3], H and W multiples of MULTIPLE. mask: bool [H, W], true where the picture is painted over.
    seed: of the picture's random draws.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    prompt: str
    seed: int


class Inpainter:
    """An inpainting pipeline, with SDXL's refiner after it or without."""

    def __init__(self, pipeline: Any, refiner: Any | None, config: InpaintingConfig) -> None:
        self.pipeline, self.refiner = pipeline, refiner
        self._config = config

    def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
        """Inpaint a batch of pictures of one size.

        Returns:
            float32 [N, H, W, 3] in [0, 1]; except for rounding, each picture depends on its own painting only.

        Raises:
            ModelError: the pipeline rejects its arguments.
        """
        import torch

        config = self._config
        name = type(self.pipeline).__name__
        height, width = batch[0].mask.shape
        arguments = {
            "prompt": [painting.prompt for painting in batch],
            "negative_prompt": [config.negative_prompt] * len(batch),
            "image": [Image.fromarray(painting.image) for painting in batch],
            "mask_image": [Image.fromarray(painting.mask.astype(np.uint8) * 255) for painting in batch],
            "height": height,
            "width": width,
            "num_inference_steps": config.steps,
            "strength": config.strength,
            GUIDANCE.get(name, "guidance_scale"): config.guidance,
            "generator": _generators(batch, 0),
        }
        painted: NDArray[np.float32]
        with torch.inference_mode(), quiet_diffusers():
            if self.refiner is None:
                painted = _call(self.pipeline, arguments, output_type="np")
                return painted
            latents = _call(self.pipeline, arguments, output_type="latent", denoising_end=config.refiner_start)
            self.pipeline.maybe_free_model_hooks()  # SDXL leaves its models on the GPU when it returns latents
            refined = arguments | {"image": latents, "generator": _generators(batch, 1)}
            painted = _call(self.refiner, refined, output_type="np", denoising_start=config.refiner_start)
            return painted


def _call(pipeline: Any, arguments: Mapping[str, Any], **more: Any) -> Any:
    """Call a pipeline with those of the arguments that it accepts; return its pictures or latents."""
    known = inspect.signature(pipeline.__call__).parameters
    try:
        return pipeline(**{name: value for name, value in {**arguments, **more}.items() if name in known}).images
    except (ValueError, TypeError) as error:
        raise ModelError(f"{type(pipeline).__name__} cannot repaint a scene: {error}") from error


def _generators(batch: Sequence[Painting], part: int) -> list[torch.Generator]:
    """One random generator per picture, on the CPU: the noise depends neither on the device nor on the batch.

    part: 0 for the pipeline, 1 for the refiner, so that the two draw different noise.
    """
    import torch

    return [torch.Generator("cpu").manual_seed((painting.seed + part) % 2**63) for painting in batch]
