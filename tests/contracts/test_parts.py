"""Builds in parts (--part): each makes its shards, the last one the dataset, and nobody else comes between."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from builder.cli.main import main
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.claim import share
from builder.pipeline.context import Part
from builder.pipeline.finalize import Summary, reselect
from builder.pipeline.parts import PartReport, build_part
from mycanvas.errors import InUseError, StoreError
from tests.contracts.small_builds import SAMPLES, SIDE, TIGHT, but_where, bytes_of, config_for
from tests.ray_nodes import wait_until


def test_parts_make_the_bytes_of_one_build_in_any_order(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    config = config_for(shapes, grounds, tmp_path / "out")

    first, second, last = (build_part(config, Part(index, 3)) for index in (2, 0, 1))

    assert isinstance(first, PartReport)
    assert first.left == {"0/3": 2, "1/3": 1}
    assert isinstance(second, PartReport)
    assert second.lines()[0] == "part 0/3 is made; 1 shard of other parts left: 1/3 (1)"
    assert isinstance(last, Summary)
    assert but_where(bytes_of(tmp_path / "out")) == but_where(bytes_of(whole))


def test_parts_at_once_make_the_bytes_of_one_build(shapes: Path, grounds: Path, whole: Path, tmp_path: Path) -> None:
    config = config_for(shapes, grounds, tmp_path / "out")

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda index: build_part(config, Part(index, 3)), range(3)))

    assert any(isinstance(result, Summary) for result in results)
    assert but_where(bytes_of(tmp_path / "out")) == but_where(bytes_of(whole))


def test_build_without_part_finishes_the_parts_that_never_came(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    config = config_for(shapes, grounds, tmp_path / "out")
    build_part(config, Part(1, 9))

    build(config)

    assert but_where(bytes_of(tmp_path / "out")) == but_where(bytes_of(whole))


def test_parts_grow_a_build_to_the_bytes_of_one_process(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    outputs = [Path(shutil.copytree(whole, tmp_path / name)) for name in ("parts", "one")]
    parts, one = (config_for(shapes, grounds, output, samples=SAMPLES + 10, select=TIGHT) for output in outputs)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda index: build_part(parts, Part(index, 2)), range(2)))
    build(one)

    assert any(isinstance(result, Summary) for result in results)
    assert but_where(bytes_of(outputs[0])) == but_where(bytes_of(outputs[1]))
    assert BuildFolder(outputs[0]).plan().rows == SAMPLES + 10


def test_part_of_a_grown_build_plans_after_parts_that_are_at_work(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mycanvas")
    output = Path(shutil.copytree(whole, tmp_path / "out"))

    with ThreadPoolExecutor(1) as pool:
        with part_at_work(output):
            grown = pool.submit(build_part, config_for(shapes, grounds, output, samples=SAMPLES + 4), Part(0, 1))
            wait_until(lambda: "waiting: " in caplog.text or grown.done())
            assert not grown.done()
            assert BuildFolder(output).plan().rows == SAMPLES
        result = grown.result()

    assert isinstance(result, Summary)
    assert sum(result.funnel.planned.values()) == SAMPLES + 4


def test_part_paints_what_the_process_that_planned_did_not(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    config = config_for(shapes, grounds, tmp_path / "out", backgrounds=None, samples=6, shard_size=2)
    build_part(config, Part(1, 3))
    painted = bytes_of(tmp_path / "out" / ".build" / "backgrounds")
    shutil.rmtree(tmp_path / "out" / ".build" / "backgrounds")

    with part_at_work(tmp_path / "out"):
        report = build_part(config, Part(0, 3))

    assert isinstance(report, PartReport)
    assert report.left == {"2/3": 1}
    assert bytes_of(tmp_path / "out" / ".build" / "backgrounds") == painted


def test_last_part_says_how_more_scenes_are_kept(
    shapes: Path, grounds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(shapes, grounds, tmp_path / "out", keep=SAMPLES, select={**TIGHT, "attempts": 1})

    last = [build_part(config, Part(index, 2)) for index in range(2)][1]

    assert isinstance(last, Summary)
    kept = sum(last.funnel.kept.values())
    assert kept < SAMPLES
    assert f"{kept} of the {SAMPLES} scenes to keep are kept; run it once without --part" in caplog.text
    assert sum(build(config).funnel.kept.values()) == SAMPLES


def test_nobody_else_works_in_the_folder_while_parts_run(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    config = config_for(shapes, grounds, tmp_path / "out")
    build(config)

    with part_at_work(tmp_path / "out"):
        for command in (lambda: build(config), lambda: reselect(tmp_path / "out", {})):
            with pytest.raises(InUseError, match=r"in use by parts of its build \(--part\); wait"):
                command()


def test_part_of_another_build_is_refused_even_while_parts_run(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    build_part(config_for(shapes, grounds, output), Part(0, 2))

    with part_at_work(output), pytest.raises(StoreError, match="seed  was 0, now 1"):
        build_part(config_for(shapes, grounds, output, seed=1), Part(1, 2))


@pytest.mark.parametrize("change", ["samples", "photo", "background"])
def test_part_of_an_unfinished_build_may_not_add_to_it(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, change: str
) -> None:
    output = tmp_path / "out"
    photos, places = shutil.copytree(shapes, tmp_path / "shapes"), shutil.copytree(grounds, tmp_path / "grounds")
    build_part(config_for(photos, places, output), Part(0, 2))
    more = {"samples": SAMPLES + 4} if change == "samples" else {}
    added = {"photo": photos / "ball" / "9.png", "background": places / "yard" / "9.png"}.get(change)
    if added:
        with Image.open(sorted(added.parent.glob("*.png"))[0]) as picture:
            ImageOps.mirror(picture).save(added)

    with pytest.raises(StoreError, match=r"samples  was 16|9\.png  was added"):
        build_part(config_for(photos, places, output, **more), Part(1, 2))

    if added:
        added.unlink()
    assert isinstance(build_part(config_for(photos, places, output), Part(1, 2)), Summary)
    assert but_where(bytes_of(output)) == but_where(bytes_of(whole))


@contextmanager
def part_at_work(output: Path) -> Iterator[None]:
    """Hold the folder as a part does that makes its shards."""
    folder = BuildFolder(output)
    with share(folder, folder.request()) as planned:
        assert planned
        yield


def test_part_reports_what_is_left_as_json(
    shapes: Path, grounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--concepts", shapes, "--backgrounds", grounds, "--samples", SAMPLES, "--resolution", SIDE]
    settings = tmp_path / "build.toml"
    settings.write_text("shard_size = 4\n")

    main(["build", *map(str, [settings, *words, "--workers", 1, "--output", tmp_path / "out"]), "--part=1/2", "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert printed == {"folder": str(tmp_path / "out"), "part": "1/2", "left": {"0/2": 2}}


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/2", "0/0", "1/2/3", "½/2"])
def test_wrong_part_is_a_wrong_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["build", "--concepts", "photos", f"--part={text}"])

    assert exit_.value.code == 2
    assert f'--part must be I/N with I from 0 to N-1, such as 0/4, got "{text}"' in capsys.readouterr().err


def test_preview_of_a_part_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["build", "--concepts", "photos", "--part=0/2", "--preview=6"])

    assert exit_.value.code == 2
    assert "give --preview or --part, not both" in capsys.readouterr().err
