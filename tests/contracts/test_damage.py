"""No damage to a file of a build leads to a traceback or silently to other rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.publishing import ROOT


def campaign(scratch: Path, every: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.contracts.damage", str(scratch), str(every)]
    environment = {"PATH": os.defpath, "HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_some_damages_are_named_or_repaired(tmp_path: Path) -> None:
    found = campaign(tmp_path, 61)

    assert found["faults"] == []
    assert found["runs"] >= 13
    assert found["refused"] >= 2


@pytest.mark.long
def test_all_damages_are_named_or_repaired(tmp_path: Path) -> None:
    found = campaign(tmp_path, 1)

    print(json.dumps(found))
    assert found["faults"] == []
