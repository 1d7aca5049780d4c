"""A write that fails, on a full or a failing disk, loses nothing: some writes of some commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.publishing import ROOT
from tests.write_errors.failing_disk import compiler

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or compiler() is None, reason="needs Linux and a C compiler: a library makes writes fail"
)


def campaign(scratch: Path, *words: str) -> list[dict[str, Any]]:
    """The outcomes of a campaign."""
    report = scratch / "report.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "tests.write_errors", *words, "--report", report],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in report.read_text("utf-8").splitlines()]


def test_some_failed_writes_of_some_commands_lose_nothing(tmp_path: Path) -> None:
    found = campaign(tmp_path, "--short")

    assert {each["work"] for each in found} == {"build", "select", "ratings", "export coco"}
    assert {each["mode"] for each in found} == {"ENOSPC", "EIO", "full disk"}
    assert [each["faults"] for each in found] == [[]] * len(found)
    assert sum(each["reported"] for each in found) >= 12


@pytest.mark.long
def test_every_failed_write_of_every_command_loses_nothing(tmp_path: Path) -> None:
    found = campaign(tmp_path)

    print(json.dumps(found))
    assert all(each["runs"] + each["unreached"] == each["calls"] and not each["faults"] for each in found)
