"""Builds that share cut-outs through the user's cache make the same bytes as builds without it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import main
from builder.config import BuildConfig, parse_config
from builder.pipeline.build import build
from builder.pipeline.prepare import PaintTask, paint
from builder.pipeline.result_cache import MATTE, ResultCache, cache_files
from builder.records import BackgroundRef
from mycanvas.errors import InputError
from tests.builder.stages.segment.bright_objects import bright_photo, disc
from tests.contracts.small_builds import but_where, bytes_of


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which does not exist yet."""
    monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "results"


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


def cutouts_of(output: Path) -> dict[str, bytes]:
    """The files of the cut-outs of a build by name."""
    return {file.name: file.read_bytes() for file in (output / ".build" / "cutouts").iterdir()}


def test_bytes_of_a_build_are_the_same_without_a_cache_and_with_an_empty_and_a_full_one(
    cache: Path, config: Callable[..., BuildConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(config("cold"))
    written = {file.path: file.path.read_bytes() for file in cache_files(cache)}
    build(config("warm"))
    assert {file.path: file.path.read_bytes() for file in cache_files(cache)} == written
    monkeypatch.setenv("MYCANVAS_CACHE", "off")
    build(config("off"))

    assert sorted(path.suffix for path in written) == [".matte"] * 3 + [".prepared"] * 3
    cold = but_where(bytes_of(tmp_path / "cold"))
    assert any(name.startswith("data/") for name in cold)
    assert but_where(bytes_of(tmp_path / "warm")) == cold
    assert but_where(bytes_of(tmp_path / "off")) == cold


def test_build_with_another_resolution_uses_the_mattes(cache: Path, config: Callable[..., BuildConfig]) -> None:
    build(config("first"))
    results = ResultCache(cache)
    for key in {file.path.stem for file in cache_files(cache) if file.path.suffix == MATTE}:
        matte = results.get(key, MATTE)
        assert matte
        results.put(key, MATTE, replace(matte, facts={**matte.facts, "quality": 0.25}))

    with pytest.raises(InputError, match=r"the best has 0\.250"):
        build(config("second", resolution=160, seed=5))

    assert len(cache_files(cache)) == 9


def test_build_with_another_seed_and_output_reads_no_photo(
    cache: Path, config: Callable[..., BuildConfig], tmp_path: Path
) -> None:
    build(config("first"))
    for file in cache_files(cache):
        if file.path.suffix == MATTE:
            file.path.unlink()

    build(config("second", seed=5))

    assert {file.path.suffix for file in cache_files(cache)} == {".prepared"}
    assert cutouts_of(tmp_path / "second") == cutouts_of(tmp_path / "first")


def test_painted_backgrounds_are_taken_from_the_cache(cache: Path, tmp_path: Path) -> None:
    snow = BackgroundRef(scene="snow", phrase="", variant=1)
    for name in ("first", "second"):
        report = paint(PaintTask(folder=tmp_path / name, background=snow, cache=cache))
        assert report.problem is None
    (entry,) = cache_files(cache)
    used = entry.path.read_bytes()
    entry.path.write_bytes(used[:-1])
    paint(PaintTask(folder=tmp_path / "third", background=snow, cache=cache))

    first, *others = (bytes_of(tmp_path / name) for name in ("first", "second", "third"))
    assert len(first) == 2
    assert others == [first, first]
    assert entry.path.read_bytes() == used, "a damaged entry is made again"


def test_size_of_the_cache_is_bounded_after_a_build(
    cache: Path, config: Callable[..., BuildConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(config("first"))
    size = sum(file.size for file in cache_files(cache))
    monkeypatch.setenv("MYCANVAS_CACHE_SIZE", f"{(size - 1) / 1000}kB")

    build(config("second"))

    assert sum(file.size for file in cache_files(cache)) < size
    assert sorted(file.path.suffix for file in cache_files(cache)) == [".matte"] * 3 + [".prepared"] * 2


def test_unusable_cache_is_one_warning(
    cache: Path, config: Callable[..., BuildConfig], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("a file")

    build(config("out"))

    (message,) = [message for message in caplog.messages if "cache" in message]
    assert message.startswith("the cache of cut-outs and backgrounds is not used in full: cannot ")
    assert str(cache) in message
    assert (tmp_path / "out" / "README.md").is_file()


def test_clean_lists_and_frees_the_cache_and_nothing_else(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.mkdir(parents=True)
    names = [f"{'ab' * 32}.matte", f".{'cd' * 32}.prepared.0123456789abcdef.unfinished"]
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
