"""The schema of build.toml, assembled from the tables of the stages and of their backends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, PlainValidator, create_model, model_validator

from builder.engines import ENGINES
from builder.sources import ON_HUB
from builder.stages.backend import Backend
from builder.stages.caption import CAPTIONERS
from builder.stages.caption.base import CaptionConfig
from builder.stages.layout import LAYOUTS
from builder.stages.layout.base import LayoutConfig
from builder.stages.plan import PlanConfig
from builder.stages.repaint import REPAINTERS
from builder.stages.repaint.base import RepaintConfig
from builder.stages.score import SCORERS
from builder.stages.score.base import ScoreConfig
from builder.stages.segment import SEGMENTERS
from builder.stages.segment.base import GATE, SegmentConfig
from builder.stages.select import SelectConfig
from mycanvas.io.config_table import Location, Table, check_utf8
from mycanvas.io.store import is_url, mirror_of
from mycanvas.io.text import brief_repr, is_utf8
from mycanvas.io.toml import flatten
from mycanvas.models.device import cores

BACKENDS: Mapping[str, Mapping[str, type[Backend]]] = {
    "segment": SEGMENTERS,
    "layout": LAYOUTS,
    "repaint": REPAINTERS,
    "caption": CAPTIONERS,
    "score": SCORERS,
}
"""Stage -> its registry of backends, in the order of the stages; the first backend is the default."""

NOT_IDENTITY = frozenset(
    {"profile", "license", "concepts", "backgrounds", "output", "select"}  # inputs are identified by content
    | {"engine", "workers", "address", "device", "memory"}
)
"""Keys that do not change the bytes of a scene."""

MAY_GROW = frozenset({"samples", "samples_per_composition", "keep", "compositions"})
"""Keys that decide which scenes there are; a build may be given more of them."""
GATE_KEYS = frozenset(f"segment.{name}" for name in GATE)
"""Keys that choose cut-outs, without changing any pixel of them; they may change while a build is unfinished."""

Stage = TypeVar("Stage", bound=Table)


def _folder_or_hub(value: object) -> Path | str:
    if value == "":
        raise ValueError(f'expected a folder, or {ON_HUB}owner/name, got ""; the current folder is "."')
    if isinstance(value, str) and (value.startswith(ON_HUB) or "://" not in value):
        return value if value.startswith(ON_HUB) else check_utf8(Path(value))
    if not isinstance(value, Path):
        raise ValueError(f"expected a folder, or {ON_HUB}owner/name, got {brief_repr(value)}")
    return check_utf8(value)


def _folder_or_url(value: object) -> Path | str:
    if value == "":
        raise ValueError('expected a folder or a URL, got ""; the current folder is "."')
    if isinstance(value, str) and is_url(value):
        if value.startswith("hf://") and not value.startswith("hf://buckets/"):
            raise ValueError(
                f"expected a folder, or the URL of a store such as s3://bucket/folder, got {brief_repr(value)}; for a "
                "dataset on the Hub, build into a folder and publish it with: mycanvas push"
            )
        if not is_utf8(value):
            raise ValueError(f"the URL {brief_repr(value)} is not UTF-8")
        return value
    if not isinstance(value, str | Path):
        raise ValueError(f"expected a folder or a URL, got {brief_repr(value)}")
    return check_utf8(Path(value))


class BuildConfig(PlanConfig):
    """The whole configuration of a build.

    Each stage's table has the stage's settings, `backend`, and a table for each backend that has settings.
    """

    profile: str = "classic"
    """The profile that other defaults come from: a file in builder/config/profiles."""
    license: str | None = None
    """SPDX identifier of the dataset's license, such as "CC-BY-4.0", for its card."""
    concepts: Annotated[Path | str, PlainValidator(_folder_or_hub)]
    """Photos: a folder with a folder of photos per concept, a concepts_list.json, or "hf://owner/name" on the Hub."""
    output: Annotated[Path | str, PlainValidator(_folder_or_url)] = Path("mycanvas_data")
    """Folder for the dataset, or a URL such as s3://bucket/folder; the default is beside build.toml."""
    backgrounds: Location | None = None
    """Folder with a folder of photos per scene; not given: painted backgrounds."""
    engine: str = "local"
    """How shards are spread over workers."""
    workers: Annotated[int, Field(ge=1)] = Field(default_factory=cores)
    """Number of processes; of the engine "ray" the most there may be, by default one per core or GPU of the cluster."""
    address: str | None = None
    """Ray cluster of the engine "ray": "auto" or HOST:PORT; not given: $RAY_ADDRESS, else a cluster of this machine."""
    shard_size: Annotated[int, Field(ge=1)] = 16
    """Scenes in one unit of work."""
    device: str = "auto"
    """Where models run: "auto", "cpu", "cuda", "cuda:1" or "mps"."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of models."""
    memory: Literal["high", "low"] = "high"
    """"low" keeps the models of one stage at a time, for GPUs that cannot hold them all."""
    segment: SegmentConfig
    layout: LayoutConfig
    repaint: RepaintConfig
    caption: CaptionConfig
    score: ScoreConfig
    select: SelectConfig = SelectConfig()

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.address is not None and self.engine == "local":
            raise ValueError(f'the engine "local" has no address, got {brief_repr(self.address)}; add --engine ray')
        return self

    @property
    def folder(self) -> Path:
        """The folder in which the build works: `output`, or this machine's copy of what is at its URL."""
        return self.output if isinstance(self.output, Path) else mirror_of(self.output)

    def backend_name(self, stage: str) -> str:
        """Return the name of a stage's backend."""
        return str(getattr(self, stage).backend)

    def backend(self, stage: str) -> type[Backend]:
        """Return the class of a stage's backend."""
        return BACKENDS[stage][self.backend_name(stage)]

    def backend_table(self, stage: str) -> Table:
        """Return the settings of a stage's backend."""
        table: Table = getattr(getattr(self, stage), self.backend_name(stage), Table())
        return table

    def backends(self) -> dict[str, str]:
        """Map each stage to the name of its backend, in the order of the stages."""
        return {stage: self.backend_name(stage) for stage in BACKENDS}

    def learned(self) -> tuple[str, ...]:
        """List the stages that run models."""
        return tuple(stage for stage in BACKENDS if self.backend(stage).learned)

    def min_quality(self) -> float:
        """Return the quality from which cut-outs are used: as given, else that of the segmenter."""
        if self.segment.min_quality is not None:
            return self.segment.min_quality
        return SEGMENTERS[self.backend_name("segment")].min_quality(self.backend_table("segment"))

    def identity(self) -> dict[str, Any]:
        """Collect all settings that change the candidates' bytes, flat ("layout.scale" -> 1.0).

        Excluded are the settings of engine and workers, the selection, the paths of folders (photos and examples are
        identified by their content) and the tables of backends that are not in use. Settings
        that follow from others have their values.
        """
        exclude = NOT_IDENTITY if self.learned() else NOT_IDENTITY | {"dtype"}
        if self.keep is not None:
            exclude |= {"samples", "samples_per_composition"}
        elif self.samples_per_composition is not None:
            exclude |= {"samples"}
        values = flatten(self.model_dump(mode="json", exclude=set(exclude)))
        values["segment.min_quality"] = self.min_quality()
        for stage, name in self.backends().items():
            implied = self.backend(stage).implied(self.backend_table(stage))
            values |= {f"{stage}.{name}.{key}": value for key, value in implied.items()}
        return {name: value for name, value in values.items() if self._is_identity(name)}

    def _is_identity(self, name: str) -> bool:
        """Whether a key such as "repaint.diffusion.steps" changes bytes: only if its backend is in use."""
        stage, *rest = name.split(".")
        if len(rest) < 2:
            return True
        return rest[0] == self.backend_name(stage) and rest[-1] not in self.backend(stage).Config.runtime_fields

    def scene_identity(self) -> dict[str, Any]:
        """As `identity`, without the settings that only choose cut-outs: the plan records the cut-outs themselves."""
        return {name: value for name, value in self.identity().items() if name not in GATE_KEYS}

    def digest(self) -> str:
        """Compute the sha256, in hexadecimal, of those values of `scene_identity` that any scene depends on."""
        values = {name: value for name, value in self.scene_identity().items() if name not in MAY_GROW}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _one_of(names: Iterable[str]) -> Any:
    """Make the type of a key whose value is one of these names."""
    return Literal[tuple(names)]


def _first_line(backend: type[Backend]) -> str:
    return (backend.__doc__ or "").split("\n")[0].rstrip(".")


def _stage_table(stage: str, base: type[Stage]) -> type[Stage]:
    """Extend a stage's table by the key `backend` and a table for each backend that has settings."""
    registry = BACKENDS[stage]
    tables: dict[str, Any] = {
        name: (backend.Config, backend.Config()) for name, backend in registry.items() if backend.Config.model_fields
    }
    meaning = "; ".join(f'"{name}": {_first_line(backend)}' for name, backend in registry.items())
    fields = {"backend": (_one_of(registry), Field(next(iter(registry)), description=meaning)), **tables}
    return create_model(f"{base.__name__.removesuffix('Config')}Table", __base__=base, __module__=__name__, **fields)


SegmentTable = _stage_table("segment", SegmentConfig)
LayoutTable = _stage_table("layout", LayoutConfig)
RepaintTable = _stage_table("repaint", RepaintConfig)
CaptionTable = _stage_table("caption", CaptionConfig)
ScoreTable = _stage_table("score", ScoreConfig)

AssembledConfig: type[BuildConfig] = create_model(
    "AssembledConfig",
    __base__=BuildConfig,
    __module__=__name__,
    engine=(_one_of(ENGINES), Field(next(iter(ENGINES)), description=BuildConfig.model_fields["engine"].description)),
    segment=(SegmentTable, SegmentTable()),
    layout=(LayoutTable, LayoutTable()),
    repaint=(RepaintTable, RepaintTable()),
    caption=(CaptionTable, CaptionTable()),
    score=(ScoreTable, ScoreTable()),
)
"""The schema that validates build.toml. Its classes are names of this module, so that workers can unpickle them."""
