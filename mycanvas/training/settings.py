"""The options of a training; `mycanvas train` has one of the same name for each field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mycanvas.errors import ConfigError
from mycanvas.io.messages import nearest
from mycanvas.prompts import PROMPTINGS
from mycanvas.training.methods import METHODS

SOURCES = ("photos", "scenes", "both", "collage")


class _Checked:
    """Options with least values."""

    __slots__ = ()

    def check_least(self, least: float, *names: str) -> None:
        """Raise ConfigError for an option that is given and lower."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ConfigError(f"expected --{name.replace('_', '-')} of at least {least:g}, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings(_Checked):
    """Everything that the trained weights depend on, beside the data and the model's files.

    composition: to learn: "cat2+dog6". model: "owner/name@revision" on the Hub, or a folder. method: in METHODS.
    source: source photos, scenes, both, or collages in place of the scenes of both: cut-outs on plain ground, as
        Seg-Mix of MuDI (arXiv 2404.04243), the control that shows what scenes add.
    scenes_per_photo: how often scenes, or collages, are drawn for each photo.
    class_pictures: how many of each class are made and learned too; 0: none. regularization: a folder of them to use.
    steps, learning_rate, resolution: None: the paper's number, the method's rate, the model's own size in pixels.
    batch_size: pictures in a step; as many class pictures are added. rank: of LoRA.
    background_weight: the loss's weight outside of objects, 0 to 1. dtype: see `mycanvas.models.pick_dtype`.
    """

    composition: str
    model: str
    method: str
    prompting: str = "plain"
    source: str = "both"
    scenes_per_photo: int = 3
    class_pictures: int = 70
    regularization: Path | None = None
    steps: int | None = None
    batch_size: int = 8
    learning_rate: float | None = None
    rank: int = 32
    resolution: int | None = None
    background_weight: float = 1.0
    seed: int = 0
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("prompting", PROMPTINGS), ("source", SOURCES)):
            if (given := getattr(self, name)) not in known:
                raise ConfigError(f"unknown --{name} {given!r}; {nearest(given, tuple(known))}")
        if self.dtype == "float16":
            raise ConfigError("--dtype float16 loses small gradients; expected float32 or bfloat16")
        self.check_least(1, "steps", "resolution", "scenes_per_photo", "batch_size", "rank")
        self.check_least(0, "learning_rate", "class_pictures", "seed", "background_weight")
        if self.background_weight > 1:
            raise ConfigError(f"expected --background-weight of at most 1, got {self.background_weight}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Running(_Checked):
    """How a training runs. Nothing of it changes the weights beyond rounding, and all of it may change on resuming.

    accumulate: passes of the model into which a step is split: more take less memory.
    checkpointing: compute activations again in the backward pass: slower, in less memory.
    checkpoint_every: steps between checkpoints. sample_every: steps between sample pictures; 0: only at the end.
    sample_steps: denoising steps of a sample. log: "tensorboard" or "wandb".
    """

    device: str = "auto"
    accumulate: int = 1
    checkpointing: bool = False
    checkpoint_every: int = 100
    sample_every: int = 0
    sample_steps: int = 50
    log: str | None = None

    def __post_init__(self) -> None:
        self.check_least(1, "accumulate", "checkpoint_every", "sample_steps")
        self.check_least(0, "sample_every")
