"""Load a configuration: a profile, overridden by a build.toml, overridden by the command line."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from builder.config.schema import BACKENDS, AssembledConfig, BuildConfig
from builder.stages.select import SelectConfig
from mycanvas.errors import ConfigError
from mycanvas.io.files import reason_of
from mycanvas.io.messages import explain
from mycanvas.io.text import brief_repr
from mycanvas.io.toml import located, merge, read_toml

log = logging.getLogger("mycanvas")

PATHS = ("concepts", "backgrounds", "output", "file", "examples")
"""Keys whose values are paths; in a build.toml they are relative to its folder."""

_PROFILES = resources.files("builder.config") / "profiles"


def load_config(path: Path | None, profile: str | None, overrides: Mapping[str, Any]) -> BuildConfig:
    """Load a configuration from a profile, a TOML file that overrides it, and values that override both.

    A table that the file or the values give to a backend that is not in use is reported in a warning.

    Args:
        path: a build.toml, or None. Relative folders in it, and the default of `output`, are relative to the file.
        profile: the name of a file in builder/config/profiles; None: the one named in the TOML file, else "classic".
        overrides: top-level values of the command line; None means "not given".

    Raises:
        ConfigError: an unknown profile or key, a value out of range, or a file that is not TOML.
    """
    from_file = _read_toml(path) if path is not None else {}
    profile = str(profile or from_file.get("profile", "classic"))
    given = merge(from_file, {key: value for key, value in overrides.items() if value is not None})
    config = parse_config(merge(_profile(profile), {**given, "profile": profile}))
    for stage, name in _unused_tables(config, given):
        log.warning(
            '[%s.%s] is not used: %s.backend is "%s"; to use it, write backend = "%s" under [%s]',
            *(stage, name, stage, config.backend_name(stage), name, stage),
        )
    if config.keep is not None and "samples" in given:
        log.warning("samples = %s has no effect with keep, which makes as many as it takes", given["samples"])
    return config


def _unused_tables(config: BuildConfig, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The stage and the name of each backend that has settings among the given values and is not in use."""
    for stage, backends in BACKENDS.items():
        tables = given.get(stage)
        if isinstance(tables, Mapping):
            yield from ((stage, name) for name in backends if tables.get(name) and name != config.backend_name(stage))


def profile_selection(profile: str) -> dict[str, Any]:
    """Read the [select] of a profile, with the defaults of the keys that it does not set."""
    return SelectConfig.model_validate(_profile(profile).get("select", {})).model_dump()


def parse_config(values: Mapping[str, Any]) -> BuildConfig:
    """Validate plain values as a configuration.

    Raises:
        ConfigError: lists all unknown keys, each with the nearest known one, and all invalid values, each with what was
            expected.
    """
    try:
        return AssembledConfig.model_validate(values)
    except ValidationError as wrong:
        raise ConfigError("\n".join(_explain(error) for error in wrong.errors())) from None


def _explain(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{place} is missing; give it in build.toml or as --{place}"
    return explain(error, _known_keys(error["loc"]))


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    """List the known keys of the table that a location is in."""
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
        raise ConfigError(f"unknown profile {brief_repr(name)}; known profiles: {', '.join(known)}")
    with resources.as_file(_PROFILES / f"{name}.toml") as path:
        return read_toml(path)


def _read_toml(path: Path) -> dict[str, Any]:
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder; expected a build.toml. For a folder of photos, use --concepts {path}")
    try:
        values = {"output": str(BuildConfig.model_fields["output"].default), **read_toml(path)}
        return located(values, path.parent, PATHS)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {reason_of(error, 'read')}") from error
