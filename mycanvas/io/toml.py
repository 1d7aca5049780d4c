"""TOML that a person wrote, in whatever editor, and tables laid upon each other."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mycanvas.errors import ConfigError


def read_toml(path: Path) -> dict[str, Any]:
    """The values in a TOML file; a byte order mark, as Notepad writes it, is passed over.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is not UTF-8, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The values of both, table by table; where both have one, that of `above`."""
    merged = dict(base)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"layout": {"scale": 1}} -> {"layout.scale": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
