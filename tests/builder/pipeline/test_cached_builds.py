"""Builds that share cut-outs through the user's cache make the same bytes as builds without it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import main
from builder.config import BuildConfig, parse_config
from builder.pipeline.build import build
from builder.pipeline.matte_cache import cache_files
from mycanvas.errors import InputError
from mycanvas.io.checked import write_checked
from tests.builder.stages.segment.bright_objects import bright_photo, disc
from tests.contracts.small_builds import but_where, bytes_of


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which does not exist yet."""
    monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mattes"


@pytest.fixture
def config(tmp_path: Path, grounds: Path, tiny_model: Callable[[str], Path]) -> Callable[..., BuildConfig]:
    """The configuration of a build of three bright objects, by the name of its output and what else changes."""
    for index, name in enumerate(("ball", "moon", "pill")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        alpha = disc((220, 260), 60 + 8 * index, (125, 110))
        Image.fromarray(bright_photo(alpha, 230 + 10 * index)).save(tmp_path / "photos" / name / "0.png")
    rembg = {"model": "u2net", "file": shutil.copy(tiny_model("saliency"), tmp_path / "tiny.onnx")}
    segment = {"backend": "rembg", "min_quality": 0.5, "rembg": rembg}
    every = {"duplicate_bits": -1, "min_visible": 0, "max_overlap": 1, "max_border": 1}

    def made(output: str, **changes: object) -> BuildConfig:
        folders = {"concepts": tmp_path / "photos", "backgrounds": grounds, "output": tmp_path / output}
        values = {"samples": 2, "sizes": [2], "resolution": 128, "workers": 1, "segment": segment, "select": every}
        return parse_config({**folders, **values, **changes})

    return made


def test_bytes_of_a_build_are_the_same_without_a_cache_and_with_an_empty_and_a_full_one(
    cache: Path, config: Callable[..., BuildConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(config("cold"))
    written = {file.path: file.path.read_bytes() for file in cache_files(cache)}
    build(config("warm"))
    assert {file.path: file.path.read_bytes() for file in cache_files(cache)} == written
    monkeypatch.setenv("MYCANVAS_CACHE", "off")
    build(config("off"))

    assert len(written) == 3
    cold = but_where(bytes_of(tmp_path / "cold"))
    assert any(name.startswith("data/") for name in cold)
    assert but_where(bytes_of(tmp_path / "warm")) == cold
    assert but_where(bytes_of(tmp_path / "off")) == cold


def test_build_with_another_resolution_and_seed_uses_the_cache(cache: Path, config: Callable[..., BuildConfig]) -> None:
    build(config("first"))
    for file in cache_files(cache):
        entry = {
            key: value for key, value in json.loads(file.path.read_bytes()).items() if key not in {"format", "checksum"}
        }
        write_checked(file.path, entry | {"quality": 0.25})

    with pytest.raises(InputError, match=r"the best has 0\.250"):
        build(config("second", resolution=160, seed=5))

    assert len(cache_files(cache)) == 3


def test_size_of_the_cache_is_bounded_after_a_build(
    cache: Path, config: Callable[..., BuildConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(config("first"))
    largest = max(file.size for file in cache_files(cache))
    monkeypatch.setenv("MYCANVAS_CACHE_SIZE", f"{2 * largest / 1000}kB")

    build(config("second"))

    assert len(cache_files(cache)) == 2


def test_unusable_cache_is_one_warning(
    cache: Path, config: Callable[..., BuildConfig], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("a file")

    build(config("out"))

    (message,) = [message for message in caplog.messages if "cache" in message]
    assert message.startswith("the cache of cut-outs is not used in full: cannot ")
    assert str(cache) in message
    assert (tmp_path / "out" / "README.md").is_file()


def test_clean_lists_and_frees_the_cache_and_nothing_else(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.mkdir(parents=True)
    names = [f"{'ab' * 32}.json", f".{'cd' * 32}.json.0123456789abcdef.unfinished"]
    for name in (*names, "mine.json"):
        (cache / name).write_bytes(b"123456789" * 100)
        os.utime(cache / name, (0, 0))

    main(["clean", "--cache"])
    listed = capsys.readouterr().out
    assert len(list(cache.iterdir())) == 3
    main(["clean", "--cache", "--yes", "--json"])
    deleted = json.loads(capsys.readouterr().out)
    main(["clean", "--cache"])

    assert "2 files  1.8 kB" in listed
    assert "1.8 kB to free; add --yes to delete these files" in listed
    assert {os.path.basename(name) for files in deleted["files"].values() for name in files} == set(names)
    assert [path.name for path in cache.iterdir()] == ["mine.json"]
    assert f"nothing to free in {cache}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cache"], 'MYCANVAS_CACHE is "off": there is no cache'),
        ([], "expected either DIR, the folder of a build, or --cache"),
        (["out", "--cache"], "expected either DIR, the folder of a build, or --cache"),
    ],
)
def test_wrong_use_of_clean_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["clean", *arguments])

    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
