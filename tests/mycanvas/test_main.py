"""`python -m mycanvas` runs the installed program, without importing builder by name."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from mycanvas.__main__ import run

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def script(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="console_scripts")


def test_installed_program_is_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (value,) = tomllib.loads(PYPROJECT.read_text())["project"]["scripts"].values()
    monkeypatch.setattr(sys, "argv", ["mycanvas", "--version"])
    monkeypatch.setattr("builder.cli.entry_point.answer_signals", lambda: None)
    monkeypatch.setattr("builder.cli.entry_point.exit_on_signal", lambda: None)

    run(EntryPoints([script("pip", "pip:main"), script("mycanvas", value)]))

    assert capsys.readouterr().out.startswith("mycanvas, version ")


def test_missing_program_is_reported_with_the_command_that_installs_it() -> None:
    with pytest.raises(SystemExit) as ended:
        run(EntryPoints([script("pip", "pip:main")]))

    assert ended.value.code == "error: the program mycanvas is not installed; run: pip install mycanvas"
