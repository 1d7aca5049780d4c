"""The options of an export: which part of a dataset is written, and how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mycanvas.errors import ConfigError

Pictures = Literal["scenes", "photos", "both"]
Triggers = Literal["tokens", "words"]
Pairs = Literal["cross", "same"]
ReferenceStyle = Literal["cut-out", "whole"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The options of an export. A field is named after its option on the command line.

    composition: names of compositions; empty: all.
    concept: the concept whose objects the masks show; scenes without it are left out. None: all objects.
    source: which pictures are written; with "both", repeats bring photos : scenes to 1 : 3.
    regularization: a folder of class pictures, `DIR/<class>/*.jpg`; a caption file beside one replaces its class.
    holdout: how many scenes are the validation set.
    triggers: the name of a concept in captions: its token, or a pseudo-word.
    seed: draws the pseudo-words.
    pairs: the reference of an object is another photo of its concept than the one pasted ("cross"), or that one.
    references: a reference shows the object on white ("cut-out"), or the whole photo.
    """

    composition: tuple[str, ...] = ()
    concept: str | None = None
    source: Pictures = "scenes"
    regularization: Path | None = None
    holdout: int = 0
    triggers: Triggers = "tokens"
    seed: int = 0
    pairs: Pairs = "cross"
    references: ReferenceStyle = "cut-out"

    def __post_init__(self) -> None:
        if self.holdout < 0:
            raise ConfigError(f"expected --holdout of at least 0 scenes, got {self.holdout}")
        if self.holdout and self.source == "photos":
            raise ConfigError("--holdout keeps scenes for validation, but --source photos writes none")
        if self.seed < 0:
            raise ConfigError(f"expected --seed of at least 0, got {self.seed}")
        if self.seed and self.triggers == "tokens":
            raise ConfigError("--seed draws pseudo-words; give it with --triggers words")

    @property
    def shows_scenes(self) -> bool:
        """Whether scenes are written."""
        return self.source != "photos"

    @property
    def shows_photos(self) -> bool:
        """Whether source photos are written."""
        return self.source != "scenes"

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    def identity(self) -> Mapping[str, Any]:
        """All options as JSON types; of a folder, the names, sizes and times of its files."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        folder = self.regularization
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
        stats = [[str(path.relative_to(str(folder))), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
        return {**values, "composition": sorted(set(self.composition)), "regularization": folder and stats}


def check_options(name: str, selection: Selection, formats: Mapping[str, Collection[str]]) -> None:
    """Refuse an option that a format does not have.

    Args:
        name: the format's name.
        selection: the given options.
        formats: the options of each format.

    Raises:
        ConfigError: the format lacks an option that differs from its default.
    """
    for option in selection.given():
        if option not in formats[name]:
            others = sorted(other for other, options in formats.items() if option in options)
            raise ConfigError(f"the format {name} has no --{option}; formats that have it: {', '.join(others)}")
