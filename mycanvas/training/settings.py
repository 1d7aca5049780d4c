"""The options of a training; `mycanvas train` has one of the same name for each."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError

from mycanvas.errors import ConfigError
from mycanvas.io.config_table import Count, Fraction, Location, ModelName, Table
from mycanvas.io.messages import explain

NotNegative = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""As torch.Generator takes it."""


class Settings(Table):
    """Everything beside the data and the model's files. Fields that a resumed training may change come last."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset(
        ("device", "accumulate", "checkpointing", "checkpoint_every", "sample_every", "sample_steps", "log")
    )

    composition: str
    """To learn: "cat2+dog6"."""
    model: ModelName
    """"owner/name@revision" on the Hub, or a folder."""
    method: Literal["cd", "cd-lora", "db-lora"] = "cd"
    """A key of mycanvas.training.methods.METHODS."""
    prompting: Literal["plain", "gen4gen"] = "plain"
    """A key of mycanvas.prompts.PROMPTINGS."""
    source: Literal["photos", "scenes", "both", "collage"] = "both"
    """Source photos, scenes, both, or collages in place of the scenes of both: cut-outs on plain ground, as Seg-Mix of
    MuDI (arXiv 2404.04243), the control that shows what scenes add."""
    scenes_per_photo: Count = 3
    """How often scenes, or collages, are drawn for each photo."""
    class_pictures: NotNegative = 70
    """How many pictures of each class are made and learned too."""
    regularization: Location | None = None
    """A folder of class pictures to use in their place."""
    steps: Count | None = None
    """None: the paper's number."""
    batch_size: Count = 8
    """Pictures in a step; as many class pictures are added."""
    learning_rate: Annotated[float, Field(ge=0, le=1000)] | None = None
    """None: the method's."""
    rank: Count = 32
    """Of LoRA."""
    resolution: Count | None = None
    """Side of the pictures in pixels; None: the model's own."""
    background_weight: Fraction = 1.0
    """The loss's weight outside of objects."""
    seed: Seed = 0
    """Of all random draws."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """See `mycanvas.models.pick_dtype`."""
    device: str = "auto"
    """See `mycanvas.models.pick_device`."""
    accumulate: Count = 1
    """Passes of the model into which a step is split: more take less memory."""
    checkpointing: bool = False
    """Compute activations again in the backward pass: slower, in less memory."""
    checkpoint_every: Count = 100
    """Steps between checkpoints."""
    sample_every: NotNegative = 0
    """Steps between sample pictures; 0: only at the end."""
    sample_steps: Count = 50
    """Denoising steps of a sample."""
    log: Literal["tensorboard", "wandb"] | None = None
    """Where the loss is logged."""


def read_settings(options: dict[str, Any]) -> Settings:
    """Check the options of a training.

    Raises:
        ConfigError: one is unknown, or out of range.
    """
    try:
        return Settings.model_validate(options)
    except ValidationError as wrong:
        known = tuple(Settings.model_fields)
        raise ConfigError("\n".join(explain(error, known) for error in wrong.errors())) from wrong
