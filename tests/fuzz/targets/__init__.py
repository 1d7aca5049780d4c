"""All targets of the campaign: one file for each kind of input."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.targets import cards, commands, exports, json_files, names, pictures, replies, shards, toml_files

GROUPS = (toml_files, json_files, replies, names, cards, shards, exports, commands, pictures)


def all_targets(scratch: Path) -> dict[str, Target]:
    """Every target by name; `scratch` is an empty folder."""
    return {target.name: target for group in GROUPS for target in group.targets(scratch)}
