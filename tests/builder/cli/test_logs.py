"""Reports of the command line on stderr: -q, -v, and warnings once."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.cli.logs import start_logging
from builder.cli.main import cli, main
from builder.engines.local import LocalEngine
from mycanvas.errors import StoreError

log = logging.getLogger("mycanvas")


@pytest.fixture
def bare_root() -> Iterator[Callable[[], None]]:
    """Removes the handlers of the root logger, as in a new process; afterwards all is as before.

    pytest adds its own handlers after the fixtures of a test are made.
    """
    root = logging.getLogger()
    handlers, levels = root.handlers[:], (root.level, log.level)
    yield root.handlers.clear
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    log.setLevel(levels[1])


def reported(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> list[str]:
    """The lines of messages at each level, after a command line has set which are reported."""
    main(arguments)
    capsys.readouterr()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        log.log(level, "of level %d", level)
    logging.getLogger("library").info("of a library")
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("option", "lines"),
    [
        ([], ["of level 20", "warning: of level 30"]),
        (["-q"], ["warning: of level 30"]),
        (["--quiet"], ["warning: of level 30"]),
        (["-v"], ["of level 10", "of level 20", "warning: of level 30", "of a library"]),
    ],
)
def test_quiet_and_verbose_work_before_and_after_the_command(
    capsys: pytest.CaptureFixture[str], bare_root: Callable[[], None], option: list[str], lines: list[str], before: bool
) -> None:
    arguments = [*option, "models"] if before else ["models", *option]

    bare_root()
    assert reported(capsys, arguments) == lines


@pytest.mark.parametrize("command", cli.commands)
def test_every_command_has_both(capsys: pytest.CaptureFixture[str], command: str) -> None:
    main([command, "--help"])

    assert {"-q, --quiet", "-v, --verbose"} <= {
        line.strip().split("  ")[0] for line in capsys.readouterr().out.splitlines()
    }


def test_a_repeated_warning_is_reported_once(capsys: pytest.CaptureFixture[str], bare_root: Callable[[], None]) -> None:
    bare_root()
    start_logging()

    for name in ("cup", "dog", "cup"):
        log.warning("concept %s is left out", name)
        log.info("composing")

    assert capsys.readouterr().err.splitlines() == [
        "warning: concept cup is left out", "composing", "warning: concept dog is left out", "composing", "composing",
    ]  # fmt: skip


def test_warnings_of_workers_look_the_same_and_are_reported_once(
    capfd: pytest.CaptureFixture[str], bare_root: Callable[[], None]
) -> None:
    bare_root()
    start_logging()

    with LocalEngine(2) as engine:
        for report, messages in ((log.warning, ["no cup", "no dog", "no cup"]), (log.info, ["a", "b"])):
            assert list(engine.map(report, messages)) == [None] * len(messages)
        list(engine.map(log.debug, ["a detail"]))

    assert sorted(capfd.readouterr().err.splitlines()) == ["a", "b", "warning: no cup", "warning: no dog"]


def warn_and_fail(cause: str) -> None:
    log.warning("the disk is slow")
    raise StoreError(cause)


def test_warnings_of_a_task_that_fails_are_reported(
    capfd: pytest.CaptureFixture[str], bare_root: Callable[[], None]
) -> None:
    bare_root()
    start_logging()

    with LocalEngine(2) as engine, pytest.raises(StoreError, match="the disk is full"):
        list(engine.map(warn_and_fail, ["the disk is full"] * 2))

    assert capfd.readouterr().err == "warning: the disk is slow\n"


def test_a_quiet_build_reports_nothing_but_its_result(
    capsys: pytest.CaptureFixture[str], bare_root: Callable[[], None], shapes: Path, grounds: Path, tmp_path: Path
) -> None:
    bare_root()
    photos = shutil.copytree(shapes, tmp_path / "photos")
    (photos / "concepts.toml").write_text("[cone]\nheight_cm = 30\n[slab]\nheight_cm = 10\n")
    arguments = ["--concepts", photos, "--backgrounds", grounds, "--output", tmp_path / "out", "--samples", 4]
    main([*map(str, ["build", *arguments, "--resolution", 128, "--workers", 1, "--quiet"])])

    printed = capsys.readouterr()
    assert printed.err == ""
    assert "kept" in printed.out
