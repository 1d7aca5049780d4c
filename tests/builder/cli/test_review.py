"""`mycanvas review`: what it prints, and what it refuses."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.review.server import PORT, listen
from mycanvas.errors import ConfigError
from tests.builder.review.chromium import Server, free_port


@pytest.fixture(scope="module")
def whole_dataset(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(6, 128)


def error(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str]:
    with pytest.raises(SystemExit) as ended:
        main(["review", *map(str, arguments), "--no-browser"])
    return ended.value.code, capsys.readouterr().err


def test_folder_without_a_build_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = error(capsys, tmp_path)

    assert code == 1
    assert str(tmp_path) in message
    assert "Traceback" not in message


def test_taken_port_is_named_and_without_one_the_next_is_used() -> None:
    port = free_port()
    with listen(port) as first:
        assert first.getsockname() == ("127.0.0.1", port)
        with pytest.raises(ConfigError, match=rf"port {port} is taken.*give another --port, or leave it out"):
            listen(port)
    with listen(None) as one, listen(None) as other:
        assert PORT <= one.getsockname()[1] < other.getsockname()[1]


def test_missing_gradio_names_the_extra(whole_dataset: Path) -> None:
    code = f"""
import sys
sys.modules["gradio"] = None
from builder.cli.main import main
main(["review", {str(whole_dataset)!r}, "--no-browser"])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)

    assert found.returncode == 1
    assert "gradio is not installed; run: pip install 'mycanvas[review]'" in found.stderr
    assert "Traceback" not in found.stderr


def test_wrong_study_ends_with_its_error(
    whole_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.toml").write_text('prompts = "images.jsonl"\n')

    code, message = error(capsys, whole_dataset, "--study", tmp_path / "study.toml")

    assert code == 2
    assert "arms is missing" in message


@pytest.mark.parametrize("name", ["Eve\x1b[31m\n", " ", "a" * 81])
def test_rater_without_a_proper_name_is_refused(
    whole_dataset: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code, message = error(capsys, whole_dataset, "--rater", name)

    assert code == 2
    assert "--rater" in message
    assert "expected a name" in message
    assert "\x1b" not in message


def test_damaged_ranks_are_reported_at_the_start(
    whole_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(whole_dataset, tmp_path / "out"))
    (copy / ".build" / "review.sqlite").write_bytes(b"not a database at all" * 200)

    code, message = error(capsys, copy)

    assert code == 1
    assert "review.sqlite is damaged; restore it from a copy" in message


def test_review_of_an_unfinished_build_names_the_build_as_the_next_step(whole_dataset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole_dataset, tmp_path / "out"))
    (copy / ".build" / "config.json").unlink()
    with Server(copy) as server:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            connection.request("GET", "/")  # it serves
            connection.getresponse().read()
        assert server.stop() == 0

    text = "".join(server.lines)
    assert "use the decisions:  run the same `mycanvas build` again, which finishes it" in text
    assert "mycanvas select" not in text


def test_it_says_where_what_and_what_next_and_locks_nothing(whole_dataset: Path) -> None:
    with Server(whole_dataset) as server:
        with socket.create_connection(("127.0.0.1", server.port)):
            main(["select", str(whole_dataset)])
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/../../../../etc/passwd")
        answer = connection.getresponse()
        assert (answer.status, b"root:" in answer.read()) == (403, False)
        connection.close()
        assert server.stop() == 0

    text = "".join(server.lines)
    assert "Cut-outs" in text
    assert "Scenes" in text
    assert str(whole_dataset / ".build" / "review.sqlite") in text
    assert str(whole_dataset / ".build" / "reviews") in text
    assert f"mycanvas select {whole_dataset}" in text.split("open:")[1]
    assert server.address.startswith(f"http://127.0.0.1:{server.port}/")
