"""Options and output of `mycanvas push`; tests/contracts/push tests the upload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main


class Done:
    def lines(self) -> list[str]:
        return ["2 files", "done"]

    def as_json(self) -> dict[str, Any]:
        return {"files": 2}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of each push; nothing is uploaded."""
    calls: list[dict[str, Any]] = []

    def push(folder: Path, repo_id: str, **options: Any) -> Done:
        calls.append({"folder": folder, "repo_id": repo_id, **options})
        return Done()

    monkeypatch.setattr("builder.publish.push.push", push)
    return calls


def test_options_reach_the_upload(published: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "push",
            "data",
            "jane/scenes",
            "--private",
            "--revision",
            "v2",
            "--license",
            "CC-BY-4.0",
            "--dry-run",
            "--pairs",
            "p",
        ]
    )

    assert published == [
        {
            "folder": Path("data"),
            "repo_id": "jane/scenes",
            "private": True,
            "revision": "v2",
            "license": "CC-BY-4.0",
            "all_photos": False,
            "pairs": Path("p"),
            "report": None,
            "dry_run": True,
        }
    ]
    assert capsys.readouterr().out == "2 files\ndone\n"


def test_json_replaces_the_lines(published: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    main(["push", "data", "jane/scenes", "--json"])

    assert len(published) == 1
    assert json.loads(capsys.readouterr().out) == {"files": 2}


def test_missing_repository_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["push", "data"])

    assert ended.value.code == 2
    assert "Missing argument 'USER/NAME'" in capsys.readouterr().err
