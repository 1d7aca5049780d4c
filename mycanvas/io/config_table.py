"""The strict base of every table of build.toml, and the types that its fields share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mycanvas.io.text import is_utf8, shown

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def _check_given(value: object) -> object:
    if value == "":
        raise ValueError('expected a path, got ""; the current folder is "."')
    return value


def check_utf8(path: Path) -> Path:
    """Refuse a path that is not UTF-8, which no configuration and no dataset can hold."""
    if not is_utf8(str(path)):
        raise ValueError(f"the path {shown(str(path))} is not UTF-8; rename its folder or file")
    return path


Location = Annotated[Path, BeforeValidator(_check_given), Field(strict=False), AfterValidator(check_utf8)]
"""A path, which a TOML file holds as text."""
ModelName = Annotated[str, Field(min_length=1)]
"""A model: "owner/name" or "owner/name@revision" on the Hub, or a folder: "./models/name", "/data/name"."""


class Table(BaseModel):
    """One table: immutable, and strict about keys and types.

    An unknown key is an error, and so is a value of another type, such as true for a number. TOML has no null: ""
    resets a field that may be None, so that a file can remove a value that its profile sets.

    The text below a field is its meaning in the reference of options (builder/config/reference.py).

    runtime_fields: those that change how fast a result comes, not the result; a build may change them and resume.
    """

    runtime_fields: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _reset_empty(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        optional = {name for name, field in cls.model_fields.items() if field.default is None}
        return {name: None if value == "" and name in optional else value for name, value in values.items()}
