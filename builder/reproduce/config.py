"""The file of `mycanvas reproduce`: a dataset, arms, and the settings of training, generating and evaluating."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

from pydantic import Field, ValidationError, create_model

from builder.reproduce.arms import ARMS, Arm
from mycanvas.errors import ConfigError
from mycanvas.generation.plan import MAX_PICTURES
from mycanvas.io.config_table import Count, Location, ModelName, Table
from mycanvas.io.files import os_errors
from mycanvas.io.messages import explain, nearest
from mycanvas.io.toml import located, read_toml
from mycanvas.metrics import settings as scoring
from mycanvas.metrics.protocol import PER_COMPOSITION
from mycanvas.models.text_to_image import Sampling
from mycanvas.training.settings import Settings

OUTPUT = "reproduction"
PATHS = ("build", "dataset", "output", "regularization")
"""Keys whose values are paths; in the file they are relative to its folder."""
GIVEN = ("composition", "method", "prompting", "source", "model", "device", "dtype")
"""Fields of trainings that follow from the composition, the arm, or keys of the whole file."""


def _without(table: type[Table], *names: str) -> type[Table]:
    """A table with the keys of another one but some."""
    kept = {name: (field.annotation, field) for name, field in table.model_fields.items() if name not in names}
    return create_model(table.__name__, __base__=Table, __module__=__name__, **cast(dict[str, Any], kept))


def _of_dataclass(record: type) -> type[Table]:
    """A table whose keys are the fields of a dataclass."""
    kinds = get_type_hints(record)
    found = {field.name: (kinds[field.name], field.default) for field in fields(record)}
    return create_model(record.__name__, __base__=Table, __module__=__name__, **cast(dict[str, Any], found))


TrainTable = _without(Settings, *GIVEN)
ScoreTable = _of_dataclass(scoring.Settings)


class GenerateTable(Table):
    """[generate]: as the options of `mycanvas generate`; not given: the pipeline's own."""

    steps: Count | None = None
    guidance: Annotated[float, Field(ge=0)] | None = None
    resolution: Count | None = None
    batch_size: Count = 4
    offload: bool = False

    def sampling(self) -> Sampling:
        """How pictures are sampled."""
        return Sampling(steps=self.steps, guidance=self.guidance, resolution=self.resolution)


class EvaluateTable(ScoreTable):  # type: ignore[misc, valid-type]
    """[evaluate]: as the options of `mycanvas evaluate`; not given: the paper's models."""

    encoder: ModelName | None = None
    detector: ModelName | None = None


class Reproduction(Table):
    """The whole file; one of `build` and `dataset` is given."""

    build: Location | None = None
    """A build.toml; its dataset is built first."""
    dataset: Location | None = None
    """A built dataset."""
    output: Location = Path(OUTPUT)
    """The folder for everything that is trained, generated and scored."""
    model: ModelName
    """The text-to-image model to train: "owner/name@revision" on the Hub, or a folder."""
    device: str = "auto"
    """Where models run: "auto", "cpu", "cuda", "cuda:1" or "mps"."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Their precision."""
    compositions: tuple[str, ...] = Field(default=(), strict=False)
    """Those to train; none: all of the dataset."""
    arms: tuple[str, ...] = Field(default=tuple(ARMS), strict=False)
    """Those to train; the first is the baseline."""
    pictures: Annotated[Count, Field(le=MAX_PICTURES)] = PER_COMPOSITION
    """Pictures of each arm and composition."""
    train: TrainTable = TrainTable()  # type: ignore[valid-type]
    generate: GenerateTable = GenerateTable()
    evaluate: EvaluateTable = EvaluateTable()


def read_config(path: Path) -> Reproduction:
    """Read the file; relative paths in it are relative to its folder.

    Raises:
        ConfigError: a key or value is wrong; the message has all of them.
        InputError: the file cannot be read.
    """
    with os_errors(path, "read"):
        values = located({"output": OUTPUT, **read_toml(path)}, path.parent, PATHS)
    try:
        config = Reproduction.model_validate(values)
    except ValidationError as wrong:
        lines = (explain(error, _known(error["loc"])) for error in wrong.errors())
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines)) from None
    if (config.build is None) == (config.dataset is None):
        raise ConfigError(f'{path}: give build = "build.toml", or the folder of a built dataset as dataset = "..."')
    for name in config.arms:
        if name not in ARMS:
            raise ConfigError(f"{path}: unknown arm {name!r}; {nearest(name, tuple(ARMS))}")
    if not config.arms or len(set(config.arms)) < len(config.arms):
        raise ConfigError(f"{path}: arms must be different names, such as {', '.join(ARMS)}")
    return config


def training(config: Reproduction, arm: Arm, composition: str) -> Settings:
    """The settings of one training."""
    return Settings(
        composition=composition,
        method=arm.method,
        source=arm.source,
        prompting=arm.prompting,
        model=config.model,
        device=config.device,
        dtype=config.dtype,
        **dict(config.train),
    )


def _known(location: tuple[str | int, ...]) -> list[str]:
    table: type[Table] = Reproduction
    for part in location[:-1]:
        kind = table.model_fields[str(part)].annotation if str(part) in table.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, Table)):
            return []
        table = kind
    return list(table.model_fields)
