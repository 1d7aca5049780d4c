"""Every format: an export is whole or not there, other files are not touched, bad rows are refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mycanvas.errors import ConfigError, InputError, StoreError
from mycanvas.export import FORMATS, OPTIONS, export
from mycanvas.schema import dataset_schema
from tests.faults import room_for_files_of
from tests.mycanvas.conftest import encoded, write_shard
from tests.mycanvas.export.conftest import Row

WRITTEN_HERE = sorted(set(FORMATS) - {"layers", "mds"})
WITH_PICTURES = sorted(set(WRITTEN_HERE) - {"diffusers"})
Scene = Callable[[str], dict[str, Any]]


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an export by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewritten(dataset: Path, rows: list[dict[str, Any]], folder: Path) -> Path:
    """A dataset with other scenes."""
    shutil.copytree(dataset, folder, ignore=shutil.ignore_patterns(".build"))
    for shard in (folder / "data").iterdir():
        shard.unlink()
    write_shard(folder / "data/objects_le3-00000-of-00001.arrow", rows, dataset_schema())
    return folder


@pytest.mark.parametrize("name", WITH_PICTURES)
def test_a_full_disk_leaves_nothing_and_the_next_run_completes(
    dataset: Path, scenes: dict[str, list[Row]], out: Path, tmp_path: Path, name: str
) -> None:
    export(dataset, name, tmp_path / "undisturbed")
    largest = max(len(row["image"]) for rows in scenes.values() for row in rows)

    with (
        room_for_files_of(largest - 1),
        pytest.raises(StoreError, match=r"cannot write .*: File too large; make room, then run the same command again"),
    ):
        export(dataset, name, out)
    assert not out.exists()
    done = export(dataset, name, out)

    assert done.written
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_a_finished_export_is_not_written_again(dataset: Path, out: Path) -> None:
    first = export(dataset, "yolo", out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}

    second = export(dataset, "yolo", out)

    assert (first.written, second.written) == (True, False)
    assert first.counts == second.counts
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times


def test_a_folder_with_an_export_refuses_another_format_or_dataset(
    dataset: Path, scene: Scene, out: Path, tmp_path: Path
) -> None:
    export(dataset, "yolo", out)
    before = contents(out)

    with pytest.raises(StoreError, match="holds an export of another format; remove it, or give another --output"):
        export(dataset, "kohya", out)
    with pytest.raises(StoreError, match="an export of another dataset, or of this one before it changed; remove"):
        export(rewritten(dataset, [scene("a")], tmp_path / "other"), "yolo", out)
    assert contents(out) == before


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_a_folder_with_other_files_is_refused(dataset: Path, out: Path, name: str) -> None:
    (out / "images").mkdir(parents=True)
    (out / "images/mine.jpg").write_text("mine")

    with pytest.raises(StoreError, match=r"holds something else \(images\); give --output a new or empty folder"):
        export(dataset, name, out)

    assert contents(out) == {"images/mine.jpg": b"mine"}


def test_an_empty_output_folder_is_accepted(dataset: Path, out: Path) -> None:
    out.mkdir()

    assert export(dataset, "kohya", out).written


def test_an_output_that_is_a_file_is_refused(dataset: Path, out: Path) -> None:
    out.write_text("mine")

    with pytest.raises(StoreError, match="is a file; give --output a folder"):
        export(dataset, "kohya", out)


def test_an_unknown_format_names_the_nearest(dataset: Path, out: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no format 'web-data-set'; did you mean webdataset\?"):
        export(dataset, "web-data-set", out)
    for name in ("zzz", "voc", "parquet"):
        with pytest.raises(ConfigError, match=f"there is no format '{name}'; known: {', '.join(FORMATS)}"):
            export(dataset, name, out)
    assert not out.exists()


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path, out: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match=f"the dataset cannot be read: {folder} "):
            export(folder, "coco", out)
    assert not out.exists()


def test_a_dataset_without_a_column_is_refused(dataset: Path, scene: Scene, tmp_path: Path, out: Path) -> None:
    folder = rewritten(dataset, [scene("a")], tmp_path / "other")
    index = dataset_schema().get_field_index("prompt")
    write_shard(folder / "data/objects_le3-00000-of-00001.arrow", [scene("a")], dataset_schema().remove(index))

    with pytest.raises(InputError, match=r"objects_le3-00000-of-00001.arrow has no column prompt"):
        export(folder, "coco", out)


@pytest.mark.parametrize("name", ["../../a", "a.b", "", "x" * 81, None])
def test_an_id_that_cannot_name_a_file_is_refused(
    dataset: Path, scene: Scene, tmp_path: Path, out: Path, name: Any
) -> None:
    folder = rewritten(dataset, [scene(name)], tmp_path / "other")

    with pytest.raises(InputError, match="cannot name a file; expected at most 80 letters, digits, _ and -"):
        export(folder, "webdataset", out)
    assert not out.exists()


def test_two_scenes_with_one_id_are_refused(dataset: Path, scene: Scene, tmp_path: Path, out: Path) -> None:
    with pytest.raises(InputError, match=r"two scenes of .* have the id a"):
        export(rewritten(dataset, [scene("a"), scene("b"), scene("a")], tmp_path / "other"), "kohya", out)


@pytest.mark.parametrize(
    ("changed", "name", "said"),
    [
        ({"image": {"bytes": b"GIF89a", "path": None}}, "webdataset", "the image of scene a of .* is not a picture"),
        ({"image": {"bytes": None, "path": None}}, "webdataset", "the image of scene a of .* is not a picture"),
        (
            {"image": {"bytes": b"\xff\xd8\xff", "path": None}},
            "yolo",
            "the image of scene a of .* or its header is damaged",
        ),
        ({"mask": None}, "webdataset", "the mask of scene a of .* is not a picture"),
        ({"mask": {"bytes": b"\x89PNG", "path": None}}, "coco", "the mask of scene a of .* or its header is damaged"),
        ({"boxes": [[0, 0, 1, 1]]}, "yolo", "scene a of .* has not one token and one class name for each box"),
        ({"boxes": [], "concept_tokens": [], "class_names": []}, "coco", "scene a of .* has not one token"),
        ({"concept_tokens": None}, "coco", "scene a of .* has no concept_tokens"),
        ({"caption": None}, "webdataset", "scene a of .* has no caption"),
        ({}, "custom-diffusion", "scene a of .* shows <dog6>, which has no source photos"),
    ],
)
def test_a_row_that_cannot_be_exported_is_named(
    dataset: Path, scene: Scene, tmp_path: Path, out: Path, changed: dict[str, Any], name: str, said: str
) -> None:
    folder = rewritten(dataset, [{**scene("a"), **changed}], tmp_path / "other")

    with pytest.raises(InputError, match=said):
        export(folder, name, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (Image.new("P", (15, 12)), r"is P 15x12; expected a palette and 16x12, as its image has"),
        (Image.new("RGB", (16, 12)), r"is RGB 16x12; expected a palette"),
        (Image.new("L", (16, 12), 3), r"shows object 3; it has 2 boxes"),
    ],
)
def test_a_mask_that_does_not_fit_its_scene_is_refused(
    dataset: Path, scene: Scene, tmp_path: Path, out: Path, mask: Image.Image, said: str
) -> None:
    row = {**scene("a"), "mask": {"bytes": encoded(mask, "PNG"), "path": None}}

    with pytest.raises(InputError, match=said):
        export(rewritten(dataset, [row], tmp_path / "other"), "coco", out)


def test_a_copy_in_parquet_is_exported_to_the_same_files(dataset: Path, out: Path, tmp_path: Path) -> None:
    import datasets

    for config, place in (("default", "data"), ("concepts", "concepts")):
        (tmp_path / "hub" / place).mkdir(parents=True)
        for split, rows in datasets.load_dataset("mycanvas", config, data_dir=str(dataset)).items():
            rows.to_parquet(tmp_path / "hub" / place / f"{split}-00000-of-00001.parquet")

    export(dataset, "webdataset", out)
    export(tmp_path / "hub", "webdataset", tmp_path / "from_parquet")

    assert {**contents(out), ".mycanvas-export.json": b""} == {
        **contents(tmp_path / "from_parquet"),
        ".mycanvas-export.json": b"",
    }


def test_importing_export_imports_no_heavy_package() -> None:
    program = "import mycanvas.export, sys; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout.split()

    assert not {"builder", "datasets", "numpy", "PIL", "pyarrow", "pycocotools", "tqdm", "yaml"} & set(loaded)


@pytest.mark.parametrize("option", ["concept", "source", "regularization", "holdout", "triggers"])
def test_the_table_of_options_lists_the_formats_that_have_each(option: str) -> None:
    page = Path(__file__).parents[3].joinpath("docs/trainers.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `--{option} .*$", page, re.MULTILINE)

    listed = re.split(r"(?<!\\)\|", row)[2]

    assert re.findall(r"`([a-z0-9-]+)`", listed) == sorted(name for name, known in OPTIONS.items() if option in known)
