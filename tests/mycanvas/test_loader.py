from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pytest
from datasets import Image, Value, load_dataset, load_dataset_builder

from mycanvas import SPLITS
from mycanvas.io.checked import checked, write_checked
from mycanvas.schema import concepts_features, features

Write = Callable[[Path, Iterable[str]], Path]


def ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def links(dataset: datasets.Dataset) -> list[Path]:
    return [Path(file["filename"]) for file in dataset.cache_files]


# What is loaded


def test_default_has_the_splits_that_the_build_filled_in_their_order(built: Path) -> None:
    scenes = load_dataset("mycanvas", data_dir=str(built))

    assert {split: ids(rows) for split, rows in scenes.items()} == {
        "objects_le3": ["a0", "a1", "a2", "a3", "a4"],
        "objects_4": ["b0", "b1"],
    }
    assert list(scenes) == list(SPLITS[:2])
    assert scenes["objects_4"].features == features()


def test_all_has_the_same_scenes_as_one_train_split(built: Path) -> None:
    scenes = load_dataset("mycanvas", "all", data_dir=str(built))

    assert {split: ids(rows) for split, rows in scenes.items()} == {"train": ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]}


def test_concepts_has_the_source_photos_with_masks_where_an_object_was_found(built: Path) -> None:
    photos = load_dataset("mycanvas", "concepts", data_dir=str(built), split="train")

    found, nothing = photos
    assert np.asarray(found["mask"]).min() == 255
    assert nothing["mask"] is None
    assert ids(photos) == ["dog6/00.jpg", "dog6/01.jpg"]
    assert photos.features == concepts_features()


def test_a_row_is_read_as_it_was_written(built: Path, scene: Callable[[str], dict[str, Any]]) -> None:
    row = load_dataset("mycanvas", data_dir=str(built), split="objects_4")[1]

    written = scene("b1")
    assert row["image"].mode == "RGB"
    assert row["image"].size == (16, 12)
    assert np.unique(np.asarray(row["mask"])).tolist() == [0, 1, 2]
    pictures = {"image", "mask"}
    assert {key: row[key] for key in row.keys() - pictures} == {key: written[key] for key in written.keys() - pictures}


def test_splits_can_be_sliced_and_joined(built: Path) -> None:
    some = load_dataset("mycanvas", data_dir=str(built), split="objects_le3[2:4]+objects_4[:50%]")

    assert ids(some) == ["a2", "a3", "b0"]


@pytest.mark.parametrize("config", ["default", "all", "concepts"])
def test_streaming_gives_the_same_rows(built: Path, config: str) -> None:
    stored = load_dataset("mycanvas", config, data_dir=str(built))

    streamed = load_dataset("mycanvas", config, data_dir=str(built), streaming=True)

    assert {split: list(rows) for split, rows in streamed.items()} == {
        split: list(rows) for split, rows in stored.items()
    }


def test_the_builder_can_be_looked_at_without_loading(built: Path) -> None:
    builder = load_dataset_builder("mycanvas", "all", data_dir=str(built))

    assert builder.config.name == "all"
    assert datasets.get_dataset_config_names("mycanvas", data_dir=str(built)) == ["default", "all", "concepts"]
    assert datasets.get_dataset_split_names("mycanvas", data_dir=str(built)) == ["objects_le3", "objects_4"]


def test_data_files_name_their_own_splits(built: Path) -> None:
    scenes = load_dataset("mycanvas", data_files={"few": str(built / "data/objects_4-*.arrow")})

    assert {split: ids(rows) for split, rows in scenes.items()} == {"few": ["b0", "b1"]}


def test_other_features_may_be_asked_for(built: Path) -> None:
    def load(**columns: Any) -> datasets.Dataset:
        expected = datasets.Features({**features(), **columns})
        return load_dataset("mycanvas", data_dir=str(built), split="objects_4", features=expected)

    encoded, wide = load(image=Image(decode=False)), load(num_objects=Value("int64"))

    assert encoded[0]["image"]["bytes"].startswith(b"\xff\xd8")
    assert wide.features["num_objects"] == Value("int64")
    assert ids(wide) == ["b0", "b1"]


# Where it is loaded from


def test_local_shards_are_linked_and_not_copied(built: Path, own_cache: Path) -> None:
    scenes = load_dataset("mycanvas", data_dir=str(built))

    linked = [link.resolve() for rows in scenes.values() for link in links(rows)]
    assert linked == [*sorted(built.glob("data/objects_le3-*")), *built.glob("data/objects_4-*")]
    assert not [path for path in own_cache.rglob("*.arrow") if not path.is_symlink()]


def test_a_copy_is_written_where_one_is_asked_for(built: Path, tmp_path: Path) -> None:
    builder = load_dataset_builder("mycanvas", data_dir=str(built))

    builder.download_and_prepare(str(tmp_path / "arrow"))
    builder.download_and_prepare(str(tmp_path / "parquet"), file_format="parquet")

    assert [path.is_symlink() for path in (tmp_path / "arrow").glob("*.arrow")] == [False, False]
    assert [path.is_symlink() for path in (tmp_path / "parquet").glob("*.parquet")] == [False, False]


def test_links_that_a_killed_run_left_are_replaced(built: Path) -> None:
    unfinished = Path(load_dataset_builder("mycanvas", data_dir=str(built)).cache_dir + ".incomplete")
    unfinished.mkdir(parents=True)
    (unfinished / "mycanvas-objects_4.arrow").symlink_to("gone")

    assert ids(load_dataset("mycanvas", data_dir=str(built), split="objects_4")) == ["b0", "b1"]


@pytest.mark.parametrize("streaming", [False, True])
def test_parquet_shards_are_read_as_well(tmp_path: Path, write_scenes: Write, streaming: bool) -> None:
    write_scenes(tmp_path / "hub/data/objects_5-00000-of-00002.parquet", ["c0", "c1"])
    write_scenes(tmp_path / "hub/data/objects_5-00001-of-00002.parquet", ["c2"])

    scenes = load_dataset("mycanvas", data_dir=str(tmp_path / "hub"), split="objects_5", streaming=streaming)

    assert ids(scenes) == ["c0", "c1", "c2"]
    assert scenes.features == features()


@pytest.fixture
def remote(built: Path) -> Iterator[str]:
    """The built folder on a file system that is not the local one."""
    memory = fsspec.filesystem("memory")
    memory.put(str(built), "/remote", recursive=True)
    yield "memory://remote"
    memory.rm("/remote", recursive=True)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_remote_folder_is_read_through_fsspec(remote: str, streaming: bool) -> None:
    scenes = load_dataset("mycanvas", data_dir=remote, streaming=streaming)

    assert {split: ids(rows) for split, rows in scenes.items()} == {
        "objects_le3": ["a0", "a1", "a2", "a3", "a4"],
        "objects_4": ["b0", "b1"],
    }


def test_a_remote_folder_is_copied_and_not_linked_to_its_download(remote: str) -> None:
    scenes = load_dataset("mycanvas", data_dir=remote, split="objects_4", storage_options={"memory": {}})

    assert [link.is_symlink() for link in links(scenes)] == [False]


def test_folders_may_have_any_name(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = built.rename(built.with_name("train [test] *'s data"))
    monkeypatch.chdir(odd.parent)

    assert ids(load_dataset("mycanvas", data_dir=odd.name, split="objects_4")) == ["b0", "b1"]
    assert ids(load_dataset("mycanvas", data_dir=f"{odd}/", split="objects_4")) == ["b0", "b1"]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", ["sub::x", "file:x", "hf:", "memory::x", "a[b]{c}*?", "simplecache::file:x"])
@pytest.mark.parametrize("form", ["{}", "./{}", "{}/", "{here}/{}"])
def test_a_name_that_looks_like_a_url_or_a_pattern_is_a_folder(
    built: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str, streaming: bool
) -> None:
    odd = built.rename(built.with_name(name))
    monkeypatch.chdir(odd.parent)

    given = form.format(name, here=odd.parent)
    assert ids(load_dataset("mycanvas", data_dir=given, split="objects_4", streaming=streaming)) == ["b0", "b1"]


def test_a_folder_of_such_a_name_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"^sub::x does not exist"):
        load_dataset("mycanvas", data_dir="sub::x")


# Which dataset is meant


def test_without_data_dir_the_environment_names_the_folder(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYCANVAS_DATA", str(built))

    assert ids(load_dataset("mycanvas", split="objects_4")) == ["b0", "b1"]


def test_a_tilde_in_the_environment_variable_is_home(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(built.parent))
    monkeypatch.setenv("MYCANVAS_DATA", f"~/{built.name}")

    assert ids(load_dataset("mycanvas", split="objects_4")) == ["b0", "b1"]


def test_default_folder_is_mycanvas_data_in_the_working_directory(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built.rename(built.with_name("mycanvas_data"))
    monkeypatch.chdir(built.parent)

    assert ids(load_dataset("mycanvas", split="objects_4")) == ["b0", "b1"]


def test_other_folders_in_the_working_directory_do_not_matter(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mycanvas").mkdir()
    (tmp_path / "mycanvas" / "mycanvas.py").write_text("raise AssertionError('this file must not run')")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYCANVAS_DATA", str(built))

    assert list(load_dataset("mycanvas")) == ["objects_le3", "objects_4"]


def test_with_no_dataset_to_load_the_error_names_the_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"give data_dir=, set MYCANVAS_DATA .* or run `mycanvas demo`"):
        load_dataset("mycanvas")


# The cache


def test_rewritten_shards_give_the_new_rows(built: Path, write_scenes: Write) -> None:
    before = load_dataset("mycanvas", data_dir=str(built), split="objects_4")

    write_scenes(built / "data/objects_4-00000-of-00001.arrow", ["new0", "new1"])

    after = load_dataset("mycanvas", data_dir=str(built), split="objects_4")
    assert ids(after) == ["new0", "new1"]
    assert after._fingerprint != before._fingerprint


def test_a_shard_of_another_size_is_noticed_even_with_the_old_time(built: Path, write_scenes: Write) -> None:
    shard = built / "data/objects_4-00000-of-00001.arrow"
    time = shard.stat().st_mtime_ns
    load_dataset("mycanvas", data_dir=str(built))

    write_scenes(shard, ["b0", "b1", "b2"])
    os.utime(shard, ns=(time, time))

    assert ids(load_dataset("mycanvas", data_dir=str(built), split="objects_4")) == ["b0", "b1", "b2"]


def test_two_folders_of_the_same_name_are_not_confused(built: Path, tmp_path: Path, write_scenes: Write) -> None:
    other = tmp_path / "other" / built.name
    write_scenes(other / "data/objects_4-00000-of-00001.arrow", ["z0"])
    load_dataset("mycanvas", data_dir=str(built))

    assert ids(load_dataset("mycanvas", data_dir=str(other), split="objects_4")) == ["z0"]


def test_the_error_of_a_missing_split_survives_streaming(built: Path) -> None:
    lost = "data/objects_5-00000-of-00001.arrow"
    write_checked(built / ".build/selected.json", {"files": {lost: "0" * 64}, "bytes": {lost: 1}})

    with pytest.raises(ValueError, match=r"objects_5-00000-of-00001\.arrow is missing; restore it with"):
        load_dataset("mycanvas", data_dir=str(built), streaming=True)


def test_a_remote_folder_is_checked_against_its_manifest(remote: str) -> None:
    files = {"data/objects_4-00000-of-00001.arrow": "0" * 64, "data/objects_5-00000-of-00001.arrow": "1" * 64}
    manifest = json.dumps(checked({"files": files, "bytes": {}})).encode()
    fsspec.filesystem("memory").pipe("/remote/.build/selected.json", manifest)

    with pytest.raises(ValueError, match=r"memory://remote/data/objects_5-00000-of-00001\.arrow is missing"):
        load_dataset("mycanvas", data_dir=remote)
