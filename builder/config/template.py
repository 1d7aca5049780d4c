"""The build.toml that `mycanvas init` writes: every option as a comment with its meaning, range and default."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from builder.config.reference import REQUIRED, Option, options
from mycanvas.io.toml import toml_string

WIDTH = 100
"""Longest line of a comment."""

WORKERS = "4"
"""Example of `workers`, the one option whose default depends on the machine."""

_HEAD = """\
# The configuration of a build: mycanvas build build.toml
# A line that begins with "#" and a key is an option that is not set; remove the "#" to set it. Paths are relative to
# this file. Defaults are those of the profile "classic"; another profile has others.
"""


def build_toml(given: Mapping[str, str]) -> str:
    """The text of a build.toml.

    Args:
        given: options at the top that are set, with their values; all others are comments.
    """
    lines = [_HEAD.rstrip()]
    table = ""
    for option in sorted(options(), key=lambda option: bool(option.table or option.name not in given)):
        if option.table != table:
            table = option.table
            lines += ["", "", f"[{table}]"]
        lines += ["", *_comment(option), _setting(option, given)]
    return "\n".join(lines) + "\n"


def _comment(option: Option) -> list[str]:
    wrapper = textwrap.TextWrapper(WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
    default = "Required." if option.text == REQUIRED else f"Default: {option.text}."
    return [*wrapper.wrap(option.meaning), *wrapper.wrap(f"Values: {option.range}. {default}")]


def _setting(option: Option, given: Mapping[str, str]) -> str:
    """The option with its default, as a comment; without "#" where it is given."""
    if not option.table and option.name in given:
        return f"{option.name} = {toml_string(given[option.name])}"
    return f"# {option.name} = {option.default or WORKERS}"
