"""The tables of backends that run models: [segment.rembg], [layout.llm], [repaint.diffusion] and so on.

A model is named "owner/name" or "owner/name@revision" on the Hub, or by its folder: "./models/name", "/data/name".
What a field of HOW says changes how fast a result comes, not what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mycanvas.io.messages import nearest

HOW = frozenset({"base_url", "batch_size", "compile", "offload", "attention_slicing", "timeout"})
"""Fields that a build may change when it goes on."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
ModelName = Annotated[str, Field(min_length=1)]

NEGATIVE_PROMPT = (
    "cartoon, painting, illustration, drawing, blurry, low quality, deformed, cropped, watermark, text, frame, "
    "extra objects, duplicate, floating objects, people, hands"
)


Location = Annotated[Path, Field(strict=False)]
"""A path, which files hold as text."""


class Table(BaseModel):
    """Immutable. An unknown key is an error, and so is a value of another type, such as true for a number.

    "" takes back what a profile says, where there may be nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _takes_back(cls, values: object) -> object:
        """TOML has no null."""
        if not isinstance(values, Mapping):
            return values
        may_be_none = {name for name, field in cls.model_fields.items() if field.default is None}
        return {name: None if value == "" and name in may_be_none else value for name, value in values.items()}


Session = Literal[
    "isnet-general-use",
    "isnet-anime",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
    "birefnet-dis",
    "birefnet-hrsod",
    "birefnet-cod",
    "birefnet-massive",
    "u2net",
    "u2netp",
    "u2net_human_seg",
    "silueta",
    "bria-rmbg",
]
"""The sessions of rembg that find one object on this machine; bria-rmbg's license forbids commercial use."""
UPLOADING = ("atlascloud", "withoutbg")
"""Sessions of rembg that send each photo to a service, and are refused for that."""


class RembgConfig(Table):
    """[segment.rembg]: a saliency network of rembg, run by ONNX Runtime on this machine.

    model: the name of a session of rembg. file: an ONNX file to run instead, at the size and with the normalisation of
    `model`. rounds: how often the network looks, each time at the foreground that it found before (Gen4Gen: 3).
    matting: estimate the alpha of the edge in closed form. batch_size: photos in one call of the network; halved when
    memory runs out.
    """

    model: Session = "isnet-general-use"
    file: Location | None = None
    rounds: Annotated[int, Field(ge=1, le=10)] = 3
    matting: bool = False
    batch_size: Count = 4

    @field_validator("model", mode="before")
    @classmethod
    def _runs_here(cls, model: object) -> object:
        if model in UPLOADING:
            raise ValueError(f"{model} sends photos to a service; {nearest('', get_args(Session))}")
        if model not in get_args(Session):
            raise ValueError(
                f"{model!r} is no session of rembg that is used here; {nearest(str(model), get_args(Session))}"
            )
        return model

    @field_validator("file")
    @classmethod
    def _is_onnx(cls, file: Path | None) -> Path | None:
        if file is not None and file.suffix != ".onnx":
            raise ValueError(f"expected the path of an ONNX file, which ends in .onnx, got {str(file)!r}")
        return file

    def name(self) -> str:
        """What is run: the name of a session, or the path of a file."""
        return str(self.file or self.model)


class LlmConfig(Table):
    """[layout.llm]: a language model that proposes backgrounds, sizes and boxes.

    model: what the server calls it, or, without base_url, a transformers model that runs here.
    base_url: of an OpenAI-compatible server, such as "http://localhost:8000/v1"; its key comes from OPENAI_API_KEY.
    examples: a folder with COCO's instances_*.json and captions_*.json, to show the model; None: our own examples.
    tries: replies asked for, each after a complaint about the last, and requests sent for one reply, before giving up.
    otherwise: what then becomes of a scene: the solver places its objects, or it is rejected.
    timeout: seconds to wait for one reply. max_tokens: a longer reply is cut off.
    grid: boxes are asked for on a grid of this many cells a side (Gen4Gen: 512).
    batch_size: replies that a worker asks for at once, of a server or in one batch here.
    """

    model: ModelName = "Qwen/Qwen3-4B-Instruct-2507"
    base_url: str | None = None
    examples: Location | None = None
    tries: Annotated[int, Field(ge=1, le=20)] = 4
    otherwise: Literal["solver", "reject"] = "solver"
    timeout: Annotated[float, Field(gt=0)] = 120.0
    max_tokens: Annotated[int, Field(ge=64)] = 1024
    grid: Annotated[int, Field(ge=64, le=4096)] = 512
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8

    @field_validator("base_url")
    @classmethod
    def _is_a_plain_url(cls, url: str | None) -> str | None:
        if url is not None and not (re.fullmatch(r"https?://[^\s@/]+[^\s@]*", url) and _has_a_host(url)):
            raise ValueError(  # without what was given, which may hold a password
                "base_url must begin with http:// or https:// and hold no name or password; the key comes from the "
                'environment, as OPENAI_API_KEY. An example: "http://localhost:8000/v1"'
            )
        return url


def _has_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class DiffusionConfig(Table):
    """[repaint.diffusion]: an inpainting pipeline of diffusers paints the background anew around the objects.

    model, refiner: pipelines. pipeline: the class to load `model` with; None: the one for inpainting that fits it.
    variant: of the weights' files, such as "fp16". steps, strength, guidance: as the pipeline names them.
    refiner_start: the share of the way at which the refiner takes over.
    prompt: "{background}" stands for "a garden", "{phrase}" for "in a garden", "{concepts}" for "dog, cat".
    start: what is painted over, the background's picture or noise.
    smooth: side in pixels of the window that averages the edge of the foreground's alpha (Gen4Gen: 5).
    scheduler: "default" is the pipeline's own; "lcm" and "lightning" are for weights distilled so.
    batch_size: scenes in one call; halved when memory runs out. compile: by torch, worth its minutes on large builds.
    offload: models wait in main memory for their turn. attention_slicing: slower, in less memory.
    vae_tiling: decodes in tiles, with all but the same picture, in much less memory.
    """

    model: ModelName = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
    refiner: ModelName | None = None
    pipeline: str | None = None
    variant: str | None = None
    steps: Count = 60
    strength: Annotated[float, Field(gt=0, le=1)] = 0.9
    guidance: Annotated[float, Field(ge=0)] = 6.0
    refiner_start: Annotated[float, Field(gt=0, lt=1)] = 0.75
    prompt: str = "a realistic photo of {background}"
    negative_prompt: str = NEGATIVE_PROMPT
    start: Literal["photo", "noise"] = "photo"
    smooth: Annotated[int, Field(ge=1, le=255)] = 5
    scheduler: Literal["default", "euler", "dpm", "lcm", "lightning"] = "default"
    batch_size: Count = 4
    compile: bool = False
    offload: bool = False
    attention_slicing: bool = False
    vae_tiling: bool = False

    @field_validator("prompt")
    @classmethod
    def _names_what_there_is(cls, prompt: str) -> str:
        known = ("{background}", "{phrase}", "{concepts}")
        try:
            named = ["{" + name + "}" for _, name, _, _ in Formatter().parse(prompt) if name is not None]
        except ValueError as error:
            raise ValueError(f"{error}; a brace that is meant is doubled") from None
        for name in named:
            if name not in known:
                raise ValueError(f"{name} stands for nothing; {nearest(name, known)}")
        return prompt

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


class VlmConfig(Table):
    """[caption.vlm]: an image-text-to-text model, tuned to follow instructions, says what a scene shows.

    The default is Gen4Gen's, LLaVA-1.5. tries: captions asked for until one names every concept; then the template
    completes it. max_tokens: a longer answer is cut off. batch_size: scenes in one call; halved when memory runs out.
    """

    model: ModelName = "llava-hf/llava-1.5-7b-hf"
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    max_tokens: Annotated[int, Field(ge=16)] = 96
    batch_size: Count = 8


class ClipConfig(Table):
    """[score.clip]: an image-text encoder and an open-vocabulary detector judge each scene.

    encoder: a CLIP or SigLIP. detector: OWL-ViT, OWLv2 or Grounding DINO.
    threshold: the least confidence of a detection that counts. overlap: IoU from which it is in the right place.
    certainty: the least confidence of one that counts as invented: what was put there may look odd and still be there,
    but a scene is not to be lost to a doubt.
    """

    encoder: ModelName = "openai/clip-vit-base-patch32"
    detector: ModelName = "google/owlvit-base-patch32"
    threshold: Fraction = 0.1
    overlap: Fraction = 0.5
    certainty: Fraction = 0.3
    batch_size: Count = 16
