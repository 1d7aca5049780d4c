"""A short form of the campaign (python -m tests.fuzz), with a fixed seed, and the campaign's own parts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mycanvas.errors import InputError
from tests.fuzz.driver import Finding, run
from tests.fuzz.target import Target, require
from tests.fuzz.targets import GROUPS

SEED = 14
SHARE = 400
"""One of so many inputs of the full campaign is used."""


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__.rpartition(".")[2])
def test_random_inputs_give_a_valid_result_or_a_readable_message(group: ModuleType, tmp_path: Path) -> None:
    found: list[Finding] = []
    for target in group.targets(tmp_path):
        counts = run(target, SEED, range(max(3, target.inputs // SHARE)), found=found.append, timed=False)
        assert counts.accepted + counts.refused + counts.broken == max(3, target.inputs // SHARE)

    assert not [f"{each.target}, number {each.index}: {each.kind}: {each.message}\n{each.shown}" for each in found]


def findings(check: Callable[[str], object], seconds: float = 10.0) -> list[Finding]:
    found: list[Finding] = []
    target = Target(
        name="own",
        draw=lambda random: "ab" + "c" * random.randrange(50, 90),
        check=check,
        inputs=20,
        seconds=seconds,
    )
    run(target, SEED, range(20), found=found.append)
    return found


def test_an_error_that_is_not_ours_is_found_once_and_its_input_is_shortened() -> None:
    (finding,) = findings(lambda value: 1 / (value.count("c") < 3))

    assert finding.kind == "ZeroDivisionError in result"
    assert finding.shown == "'ccc'"


@pytest.mark.parametrize("message", ["", "a\x1b[2Jb", "x" * 5000, "wrong:\nZQX: done"])
def test_a_message_that_people_cannot_read_is_found(message: str) -> None:
    def check(_value: str) -> None:
        raise InputError(message)

    assert len(findings(check)) == 1


def test_a_broken_promise_is_found() -> None:
    (finding,) = findings(lambda value: require("c" not in value, "there is no c"))

    assert finding.shown == "'c'"
    assert "there is no c" in finding.kind


def test_an_input_that_never_ends_is_stopped() -> None:
    def check(_value: str) -> None:
        while True:
            time.sleep(0.001)

    assert [finding.kind for finding in findings(check, seconds=0.02)] == ["Hang in result"]
