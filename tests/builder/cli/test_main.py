"""The group of commands: help, exit codes, and the rule that only the command line prints."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli.main import cli, main
from mycanvas.io.text import printable

COMMANDS = tuple(cli.commands)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_in_its_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    main([command, "--help"])

    assert f"mycanvas {command}" in capsys.readouterr().out.split("Example:")[1]


@pytest.mark.parametrize(("given", "expected"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_waiting_threads_spin_shortly_unless_the_user_says_otherwise(given: dict[str, str], expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    program = "import atexit, os, sys; sys.argv[1:] = ['--version']\n"
    program += "atexit.register(lambda: print(os.environ['GOMP_SPINCOUNT']))\n"
    program += "from builder.cli.entry_point import run; run()"

    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.split()[-1] == expected


def test_every_command_has_a_module_of_its_name() -> None:
    modules = {path.stem for path in (ROOT / "builder/cli").glob("*.py")}

    assert set(COMMANDS) == modules - {
        "__init__",
        "main",
        "options",
        "output",
        "interrupt",
        "logs",
        "entry_point",
        "preview",
    }


def test_every_command_is_listed_with_a_whole_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    words = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    listed = {first: rest for first, *rest in words if first in COMMANDS}

    assert set(listed) == set(COMMANDS)
    assert all(rest[-1].endswith(".") and not rest[-1].endswith("...") for rest in listed.values())


def test_help_imports_no_heavy_package() -> None:
    """`mycanvas --help` stays under half a second, which depends on what it imports."""
    code = (
        "import sys, mycanvas; from builder.cli.main import main; main(['--help']); "
        "print(*sorted({'datasets', 'pyarrow', 'cv2', 'PIL', 'numpy', 'pydantic', 'tabulate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == ""


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "builder", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("mycanvas, version ")


@pytest.mark.parametrize("command", ["no-such-command", "--no-such-option"])
def test_wrong_usage_ends_with_code_2_and_prints_no_data(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command])
    printed = capsys.readouterr()

    assert ended.value.code == 2
    assert "Error: No such" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("word", ["\x1b[2J", "--\x9b31m", "\u202e"])
def test_wrong_usage_is_told_without_control_characters(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit):
        main(["inspect", "a", word])

    said = capsys.readouterr().err
    assert printable(said) == said
    assert said.endswith("\n")


def test_only_the_command_line_prints() -> None:
    files = [path for room in ("mycanvas", "builder", "dataset_card") for path in (ROOT / room).rglob("*.py")]
    printing = {path for path in files if any(_prints(node) for node in ast.walk(ast.parse(path.read_text())))}

    assert ROOT / "builder/cli/output.py" in printing
    assert {path.parent for path in printing} == {ROOT / "builder/cli"}


def _prints(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {
        *("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"),
    }
