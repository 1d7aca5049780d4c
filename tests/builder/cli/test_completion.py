"""Values that the shell completes."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from builder.cli.main import cli
from builder.config.load import profile_names
from mycanvas.export import FORMATS


def completed(arguments: list[str], begun: str) -> list[str]:
    found = ShellComplete(cli, {}, "mycanvas", "_MYCANVAS_COMPLETE").get_completions(arguments, begun)
    return [item.value for item in found]


@pytest.mark.parametrize("command", ["build", "models"])
def test_profiles_are_completed(command: str) -> None:
    assert completed([command, "--profile"], "") == profile_names()
    assert completed([command, "--profile"], "mod") == ["modern"]


def test_formats_are_completed() -> None:
    assert completed(["export", "data", "--format"], "") == list(FORMATS)
    assert completed(["export", "data", "--format"], "c") == ["coco", "custom-diffusion"]


def test_commands_are_completed() -> None:
    assert completed([], "in") == ["init", "inspect"]
