"""A configuration from a profile, a build.toml on top of it, and the command line on top of both."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from builder.config.schema import AssembledConfig, BuildConfig
from builder.sources import ON_HUB
from builder.stages.select import SelectConfig
from mycanvas.errors import ConfigError
from mycanvas.io.messages import explain
from mycanvas.io.toml import merge, read_toml

PATHS = ("concepts", "backgrounds", "output", "file", "examples")
"""Keys of files and folders; in a file they are relative to it."""

_PROFILES = resources.files("builder.config") / "profiles"


def load_config(path: Path | None, profile: str | None, overrides: Mapping[str, Any]) -> BuildConfig:
    """The configuration from a profile, a TOML file on top of it, and the command line on top of both.

    Args:
        path: a build.toml, or None. Relative folders in it are relative to the file.
        profile: the name of a file in builder/config/profiles; None: the one that the TOML names, else "classic".
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
        return AssembledConfig.model_validate(values)
    except ValidationError as wrong:
        raise ConfigError("\n".join(_explain(error) for error in wrong.errors())) from None


def _explain(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{place} is missing; give it in build.toml or as --{place}"
    return explain(error, _keys_beside(error["loc"]))


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    section: type[BaseModel] = AssembledConfig
    for part in location[:-1]:
        annotation = section.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        section = annotation
    return list(section.model_fields)


def profile_names() -> list[str]:
    """The names of all profiles, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in _PROFILES.iterdir() if entry.name.endswith(".toml"))


def _profile(name: str) -> dict[str, Any]:
    known = profile_names()
    if name not in known:
        raise ConfigError(f"unknown profile {name!r}; known profiles: {', '.join(known)}")
    with resources.as_file(_PROFILES / f"{name}.toml") as path:
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
