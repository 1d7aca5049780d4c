from __future__ import annotations

from pathlib import Path

import pytest

from mycanvas.errors import StoreError
from mycanvas.io.reports import check_output, write_numbers, write_prompts


def test_earlier_reports_and_new_folders_are_accepted(tmp_path: Path) -> None:
    write_numbers(tmp_path / "scores.json", {"a": 1})

    check_output(tmp_path, ["scores.json", "report.html"])
    check_output(tmp_path / "new" / "folder", ["scores.json"])

    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("content", ["{}", "", '{"mycanvas": "1"}', "x" * 2000 + "<title>MyCanvas scores"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "scores.json").write_text(content)

    with pytest.raises(StoreError, match=r"scores\.json exists and is not a report of mycanvas"):
        check_output(tmp_path, ["scores.json"])


def test_folder_with_the_name_of_a_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.json").mkdir()

    with pytest.raises(StoreError, match="is not a report of mycanvas"):
        check_output(tmp_path, ["scores.json"])


def test_file_in_the_path_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="a part of this path is not a folder"):
        check_output(tmp_path / "file" / "report", ["scores.json"])


def test_prompts_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "prompts.jsonl"
    write_prompts(path, "a\n")
    write_prompts(path, "a\n")

    with pytest.raises(StoreError, match="exists with other content; delete it, or choose another --output"):
        write_prompts(path, "b\n")
    assert path.read_text() == "a\n"


def test_folder_in_place_of_a_prompts_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; expected the name of a file"):
        write_prompts(tmp_path, "{}")
