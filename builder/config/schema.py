"""What a build is asked to do: TOML on top of a profile, checked by pydantic."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails

from builder.config.model_config import (
    HOW,
    ClipConfig,
    DiffusionConfig,
    Fraction,
    LlmConfig,
    Location,
    RembgConfig,
    Table,
    VlmConfig,
)
from builder.pipeline.backends import CLASSIC
from builder.sources import ON_HUB
from mycanvas.errors import ConfigError
from mycanvas.io.messages import explain
from mycanvas.io.toml import flatten, merge, read_toml
from mycanvas.models import cores

MAX_OBJECTS = 5
"""The most concepts that meet in one scene (Gen4Gen's largest split)."""

DEFAULT_SAMPLES = 300

PATHS = ("concepts", "backgrounds", "output", "file", "examples")
"""Keys of files and folders; in a file they are relative to it."""

Cosine = Annotated[float, Field(ge=-1, le=1)]
Size = Annotated[int, Field(ge=1, le=MAX_OBJECTS)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


class SegmentConfig(Table):
    """[segment]: photo -> cut-out.

    min_side: an object whose longest side has fewer pixels in its photo is not used.
    min_quality: cut-outs that trust themselves less are not used.
    keep_best: use a concept's best cut-out even if none reaches min_quality.
    """

    backend: Literal["tricut", "rembg"] = "tricut"
    min_side: Annotated[int, Field(ge=1)] = 64
    min_quality: float = 0.863
    keep_best: bool = False
    rembg: RembgConfig = RembgConfig()

    def together(self) -> int:
        """How many photos are cut out in one go."""
        return self.rembg.batch_size if self.backend == "rembg" else 1


class LayoutConfig(Table):
    """[layout]: where each object stands.

    max_overlap: the largest share of an object that those in front of it may hide.
    scale: how large the whole group is drawn, as a factor.
    """

    backend: Literal["solver", "llm"] = "solver"
    max_overlap: Fraction = 0.25
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    llm: LlmConfig = LlmConfig()


class RepaintConfig(Table):
    """[repaint]: canvas -> finished picture.

    harmonise: how far object colours move towards the background's. shadow: how dark contact shadows are. Both are
        blend's: diffusion leaves objects as photographed, and would paint over a shadow.
    """

    backend: Literal["blend", "diffusion"] = "blend"
    harmonise: Fraction = 0.45
    shadow: Fraction = 0.55
    diffusion: DiffusionConfig = DiffusionConfig()


class CaptionConfig(Table):
    """[caption]: picture -> words."""

    backend: Literal["template", "vlm"] = "template"
    max_words: Annotated[int, Field(ge=12, le=30)] = 30
    vlm: VlmConfig = VlmConfig()


class ScoreConfig(Table):
    """[score]: what select judges a scene by."""

    backend: Literal["classical", "clip"] = "classical"
    clip: ClipConfig = ClipConfig()


class SelectConfig(Table):
    """[select]: which candidates are kept; can change without building again.

    min_*, max_*: bounds on the score of that name. per_composition: the most scenes kept of one composition.
    duplicate_bits: scenes of one composition whose fingerprints differ in this many bits or fewer count as the same.
    """

    min_cutout: Fraction | None = None
    min_visible: Fraction | None = 0.6
    max_overlap: Fraction | None = 0.3
    min_size: Fraction | None = None
    max_border: Fraction | None = 0.2
    min_sharpness: Fraction | None = None
    max_seam: Fraction | None = None
    max_exposure: Fraction | None = None
    min_alignment: Cosine | None = None
    min_identity: Cosine | None = None
    min_found: Fraction | None = None
    max_invented: Annotated[float, Field(ge=0)] | None = None
    min_quality: Fraction | None = None
    per_composition: Annotated[int, Field(ge=1)] | None = None
    duplicate_bits: Annotated[int, Field(ge=-1, le=64)] = 3

    def bounds(self) -> dict[str, tuple[float | None, float | None]]:
        """(lowest, highest) allowed value for each score that has a bound."""
        given = {name: value for name, value in self if name.startswith(("min_", "max_")) and value is not None}
        scores = sorted({name[4:] for name in given})
        return {score: (given.get(f"min_{score}"), given.get(f"max_{score}")) for score in scores}


def _folder_or_hub(value: object) -> Path | str:
    if isinstance(value, str) and (value.startswith(ON_HUB) or "://" not in value):
        return value if value.startswith(ON_HUB) else Path(value)
    if not isinstance(value, Path):
        raise ValueError(f"expected a folder, or {ON_HUB}owner/name, got {value!r}")
    return value


class BuildConfig(Table):
    """The whole configuration of a build.

    profile: the one that it started from. license: SPDX identifier of the dataset, for its card.
    concepts: the folder of photo folders, or "hf://owner/name", a dataset on the Hub.
    backgrounds: a folder of scenes of photos; None for procedural scenes.
    samples: scenes generated in all, spread over the compositions. samples_per_composition: instead of `samples`.
    compositions: which concepts meet, by name; empty: drawn. sizes: how many concepts a drawn composition may have.
    resolution: width and height of a scene in pixels. shard_size: scenes in one unit of work.
    device, dtype: where models run ("auto", "cpu", "cuda", "cuda:1", "mps") and in which precision.
    memory: "low" keeps the models of one stage at a time, for cards that cannot hold them all.
    """

    profile: str = "classic"
    license: str | None = None
    concepts: Annotated[Path | str, PlainValidator(_folder_or_hub)]
    output: Location = Path("mycanvas_data")
    backgrounds: Location | None = None
    samples: Annotated[int, Field(ge=1)] = DEFAULT_SAMPLES
    samples_per_composition: Annotated[int, Field(ge=1)] | None = None
    compositions: Annotated[tuple[Names, ...], Field(strict=False)] = ()
    sizes: Annotated[tuple[Size, ...], Field(min_length=1, strict=False)] = (2, 3, 4, 5)
    resolution: Annotated[int, Field(ge=128, le=4096)] = 1024
    seed: Annotated[int, Field(ge=0)] = 0
    workers: Annotated[int, Field(ge=1)] = Field(default_factory=cores)
    shard_size: Annotated[int, Field(ge=1)] = 16
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    memory: Literal["high", "low"] = "high"
    segment: SegmentConfig = SegmentConfig()
    layout: LayoutConfig = LayoutConfig()
    repaint: RepaintConfig = RepaintConfig()
    caption: CaptionConfig = CaptionConfig()
    score: ScoreConfig = ScoreConfig()
    select: SelectConfig = SelectConfig()

    @model_validator(mode="after")
    def _one_number_of_samples(self) -> Self:
        if {"samples", "samples_per_composition"} <= self.model_fields_set and self.samples_per_composition:
            raise ValueError("samples and samples_per_composition exclude each other; give one of them")
        return self

    def identity(self) -> dict[str, Any]:
        """Everything that the candidates' bytes depend on, flat ("layout.scale" -> 1.0).

        Neither how work is spread, nor what is selected, nor where folders lie: photos and examples count by content.
        Of tables of models, those in use.
        """
        apart = {"profile", "license", "output", "workers", "select", "concepts", "backgrounds", "device", "memory"}
        values = self.model_dump(mode="json", exclude=apart if self.learned() else {*apart, "dtype"})
        return {name: value for name, value in flatten(values).items() if self._counts(name)}

    def _counts(self, name: str) -> bool:
        """Whether bytes depend on "repaint.diffusion.steps": not if another backend is in use."""
        stage, *rest = name.split(".")
        return len(rest) < 2 or (rest[0] == self.backends()[stage] and rest[-1] not in {*HOW, "examples"})

    def backends(self) -> dict[str, str]:
        """Stage -> the backend that it uses."""
        return {stage: str(getattr(self, stage).backend) for stage in CLASSIC}

    def learned(self) -> tuple[str, ...]:
        """The stages that run models."""
        return tuple(stage for stage, backend in self.backends().items() if backend != CLASSIC[stage])

    def digest(self) -> str:
        """sha256 of `identity`, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def load_config(path: Path | None, profile: str | None, overrides: Mapping[str, Any]) -> BuildConfig:
    """The configuration from a profile, a TOML file on top of it, and the command line on top of both.

    Args:
        path: a build.toml, or None. Relative folders in it are relative to the file.
        profile: the name of a file in builder/profiles; None: the one that the TOML names, else "classic".
        overrides: top-level values that win over both; None means "not given".

    Raises:
        ConfigError: an unknown profile or key, a value out of range, or a file that is not TOML.
    """
    written = _read_toml(path) if path is not None else {}
    profile = str(profile or written.get("profile", "classic"))
    values = merge(_profile(profile), {**written, "profile": profile})
    values = merge(values, {key: value for key, value in overrides.items() if value is not None})
    return parse_config(values)


def profile_selection(profile: str) -> dict[str, Any]:
    """The [select] of a profile."""
    return SelectConfig.model_validate(_profile(profile).get("select", {})).model_dump()


def parse_config(values: Mapping[str, Any]) -> BuildConfig:
    """A checked configuration from plain values.

    Raises:
        ConfigError: naming each wrong key with its nearest known one, and each wrong value with what was expected.
    """
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as wrong:
        raise ConfigError("\n".join(_explain(error) for error in wrong.errors())) from None


def _explain(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{place} is missing; give it in build.toml or as --{place}"
    return explain(error, _keys_beside(error["loc"]))


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    section: type[BaseModel] = BuildConfig
    for part in location[:-1]:
        annotation = section.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        section = annotation
    return list(section.model_fields)


def _profile(name: str) -> dict[str, Any]:
    folder = resources.files("builder.config") / "profiles"
    known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in known:
        raise ConfigError(f"unknown profile {name!r}; known profiles: {', '.join(known)}")
    with resources.as_file(folder / f"{name}.toml") as path:
        return read_toml(path)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return _located(read_toml(path), path.parent)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def _located(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values with their paths, and models' "./name", taken from the folder of the file that names them.

    "~" is the user's home.
    """
    located: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            located[key] = _located(value, folder)
        elif isinstance(value, str) and value.startswith(ON_HUB):
            located[key] = value
        elif isinstance(value, str) and value and (key in PATHS or value.startswith(("./", "../", "~/"))):
            base = folder if key in PATHS else folder.absolute()
            located[key] = str(base / os.path.expanduser(value))
        else:
            located[key] = value
    return located
