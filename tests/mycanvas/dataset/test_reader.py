"""The reader of a built dataset: from disk, Parquet and remote storage, whole and damaged."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pytest
from PIL import Image

from mycanvas.dataset import Dataset, Photo, concepts_of, open_dataset, planned_splits
from mycanvas.dataset.shards import read_rows, read_schema
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import with_checksum
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import encoded, write_shard

Scene = Callable[[str], dict[str, Any]]
Write = Callable[[Path, Iterable[str]], Path]
SPLITS = {"objects_le3": ["a0", "a1", "a2", "a3", "a4"], "objects_4": ["b0", "b1"]}
IDS = [name for names in SPLITS.values() for name in names]
SHARD = "data/objects_4-00000-of-00001.arrow"


@pytest.fixture
def remote(built: Path) -> Iterator[str]:
    """The built folder on a file system that is not local."""
    memory = fsspec.filesystem("memory")
    memory.put(str(built), "/dataset", recursive=True)
    yield "memory://dataset"
    memory.rm("/dataset", recursive=True)


@pytest.fixture
def parquet(built: Path, tmp_path: Path, scene: Scene) -> Path:
    """A copy of the built folder in Parquet."""
    folder = tmp_path / "parquet"
    for split, names in SPLITS.items():
        rows = [scene(name) for name in names]
        write_shard(folder / f"data/{split}-00000-of-00001.parquet", rows, dataset_schema())
    photos = [
        {
            **dict.fromkeys(concepts_schema().names),
            "id": photo.id,
            "concept": photo.concept,
            "concept_token": "<dog6>",
            "class_name": "dog",
            "image": {"bytes": bytes(photo.image), "path": None},
            "mask": {"bytes": bytes(photo.mask), "path": None} if photo.mask else None,
            "used": photo.used,
        }
        for photo in open_dataset(built).photos()
    ]
    write_shard(folder / "concepts/train-00000-of-00001.parquet", photos, concepts_schema())
    return folder


@pytest.fixture(params=["arrow", "parquet", "remote", "cached parquet", "cached remote"])
def dataset(request: pytest.FixtureRequest, built: Path) -> Dataset:
    """The same dataset in every form that can be read."""
    storage = request.param.removeprefix("cached ")
    opened = open_dataset(built if storage == "arrow" else request.getfixturevalue(storage))
    return opened.mapped() if "cached" in request.param else opened


def test_scenes_are_read_with_every_column(dataset: Dataset, scene: Scene) -> None:
    first, *others = dataset.scenes()
    row = scene("a0")

    assert [first.id, *(each.id for each in others)] == IDS
    assert (first.image, first.mask) == (row["image"]["bytes"], row["mask"]["bytes"])
    assert first.boxes == ((1, 2, 4, 4), (8, 4, 7, 6))
    assert (first.concept_tokens, first.class_names) == (("<dog6>", "<cat2>"), ("dog", "cat"))
    assert (first.split, first.num_objects, first.rank) == ("objects_le3", row["num_objects"], None)
    same = ("caption", "prompt", "long_caption", "background", "composition", "scores", "provenance")
    assert {name: getattr(first, name) for name in same} == {name: row[name] for name in same}
    assert first.source_images == tuple(row["source_images"])


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_dataset_of_an_earlier_version_has_no_long_captions(built: Path, scene: Scene, suffix: str) -> None:
    schema = dataset_schema()
    earlier = schema.remove(schema.get_field_index("long_caption"))
    for shard in sorted((built / "data").iterdir()):
        shard.unlink()
    rows = [{name: scene(f"old{index}")[name] for name in earlier.names} for index in range(3)]
    write_shard(built / "data" / f"objects_le3-00000-of-00001.{suffix}", rows, earlier)

    read = list(open_dataset(built).scenes())
    (loaded,) = datasets.load_dataset("mycanvas", data_dir=str(built)).values()

    assert [(each.id, each.caption, each.long_caption) for each in read] == [
        (row["id"], row["caption"], None) for row in rows
    ]
    assert loaded.column_names == earlier.names
    assert loaded["id"] == [row["id"] for row in rows]


def test_scenes_of_one_split_are_read_alone(dataset: Dataset) -> None:
    assert {split: [scene.id for scene in dataset.scenes(split)] for split in dataset.splits} == SPLITS
    assert {split: list(dataset.ids(split)) for split in dataset.splits} == SPLITS
    assert list(dataset.ids()) == IDS
    with pytest.raises(InputError, match="has no split 'train'; it has objects_le3, objects_4"):
        list(dataset.scenes("train"))


def test_photos_are_read_with_their_masks(dataset: Dataset) -> None:
    first, second = dataset.photos()

    assert [first.id, second.id] == list(dataset.photo_ids()) == ["dog6/00.jpg", "dog6/01.jpg"]
    assert (first.concept, first.file_name, first.used, second.used) == ("dog6", "00.jpg", True, False)
    assert bytes(first.image) == encoded(Image.new("RGB", (8, 8)), "JPEG")
    assert bytes(first.mask or b"") == encoded(Image.new("L", (8, 8), 255), "PNG")
    assert (second.mask, second.quality, second.attribution) == (None, None, None)


def test_concepts_have_their_photos(dataset: Dataset) -> None:
    (concept,) = dataset.concepts().values()
    (bare,) = dataset.concepts(with_photos=False).values()

    assert concept.name == bare.name == "dog6"
    assert [photo.id for photo in concept.photos] == ["dog6/00.jpg", "dog6/01.jpg"]
    assert bare.photos == ()


def test_scenes_are_spread_evenly(dataset: Dataset) -> None:
    assert [scene.id for scene in dataset.spread(3)] == ["a0", "a3", "b1"]
    assert [scene.id for scene in dataset.spread(100)] == IDS
    assert [scene.id for scene in dataset.spread(1, "objects_4")] == ["b0"]


def test_contents_are_counts_and_classes(dataset: Dataset) -> None:
    contents = dataset.contents()

    assert contents.counts == {"objects_le3": 5, "objects_4": 2}
    assert contents.classes == {"<cat2>": "cat", "<dog6>": "dog"}
    assert list(contents.classes) == ["<cat2>", "<dog6>"]


def test_concepts_of_a_scene_follow_its_boxes(built: Path) -> None:
    dataset = open_dataset(built)
    scene = next(dataset.scenes())
    cat, dog = (Photo(id=f"{name}/0.jpg", concept=name, image=b"") for name in ("cat2", "dog6"))
    by_token: dict[str, Any] = {"<cat2>": cat, "<dog6>": dog}

    assert concepts_of(scene, by_token, dataset.place) == (dog, cat)
    with pytest.raises(InputError, match=r"scene a0 of .*built shows <cat2>, which has no source photos"):
        concepts_of(scene, {"<dog6>": by_token["<dog6>"]}, dataset.place)


def test_local_arrow_shards_are_mapped_where_they_are(built: Path, parquet: Path, own_cache: Path) -> None:
    dataset = open_dataset(built)

    assert dataset.mapped() is dataset
    assert not own_cache.exists() or not list(own_cache.rglob("*.arrow"))
    cached = open_dataset(parquet).mapped()
    assert all(Path(file).is_relative_to(own_cache) for files in cached.files.values() for file in files)


def test_views_outlive_the_reading_of_their_shard(built: Path) -> None:
    scenes = list(open_dataset(built).scenes())
    for shard in (built / "data").iterdir():
        shard.unlink()

    assert {bytes(scene.image[:3]) for scene in scenes} == {b"\xff\xd8\xff"}


MEMORY = """
import resource, sys
from mycanvas.dataset import open_dataset

dataset = open_dataset(sys.argv[1])
next(dataset.scenes())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = list(dataset.scenes()) if sys.argv[2] == "kept" else [sum(len(scene.image) for scene in dataset.scenes())]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("suffix", "use"), [("arrow", "kept"), ("arrow", "passed"), ("parquet", "passed")])
def test_pictures_are_not_held_in_memory(built: Path, scene: Scene, tmp_path: Path, suffix: str, use: str) -> None:
    folder, size, count = tmp_path / "large", 2**18, 400
    rows = [{**scene(f"{i}"), "image": {"bytes": bytes([i % 251]) * size, "path": None}} for i in range(count)]
    write_shard(folder / f"data/objects_4-00000-of-00001.{suffix}", rows, dataset_schema())
    (folder / "concepts").mkdir()
    (built / "concepts/train-00000-of-00001.arrow").rename(folder / "concepts/train-00000-of-00001.arrow")

    command = [sys.executable, "-c", MEMORY, str(folder), use]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024

    assert grown < size * count / 3


def test_the_version_changes_when_a_shard_is_written_again(built: Path, write_scenes: Write) -> None:
    first, again = open_dataset(built), open_dataset(built)
    write_scenes(built / SHARD, ["b0", "b1", "b2"])

    assert first.version == again.version != open_dataset(built).version


def test_a_remote_dataset_has_a_version_too(remote: str) -> None:
    assert open_dataset(remote).version == open_dataset(remote).version
    assert open_dataset(remote).name == "dataset"


@pytest.mark.parametrize("place", ["nowhere", "empty", "memory://nowhere", "nosuchprotocol://x"])
def test_a_place_without_a_dataset_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=f"the dataset cannot be read: .*{place.partition('://')[0]}"):
        open_dataset(place)


def test_an_unfinished_build_is_refused(built: Path) -> None:
    (built / ".build/selected.json").unlink()

    with pytest.raises(InputError, match="is being built, or its build was stopped"):
        open_dataset(built)


@pytest.mark.parametrize("cut", [8, 400])
def test_a_shard_that_is_cut_off_is_named(built: Path, cut: int) -> None:
    shard = built / SHARD
    shard.write_bytes(shard.read_bytes()[:-cut])

    with pytest.raises(InputError, match=r"cannot be read: .*objects_4-00000-of-00001\.arrow is damaged or cut off"):
        list(open_dataset(built).scenes())


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
@pytest.mark.parametrize("column", [b"provenance", b"caption"])
def test_a_column_whose_name_is_not_utf8_is_damage(built: Path, parquet: Path, suffix: str, column: bytes) -> None:
    shard = (built if suffix == "arrow" else parquet) / f"data/objects_4-00000-of-00001.{suffix}"
    damaged = shard.with_name(f"damaged.{suffix}")
    damaged.write_bytes(shard.read_bytes().replace(column, b"\xff" + column[1:]))

    with pytest.raises(InputError):
        list(read_rows([str(damaged)], ("id", "caption", "provenance")))
    with pytest.raises(InputError, match=r"damaged.* cannot be read"):
        read_schema(str(damaged))


def test_a_missing_column_is_named(built: Path, scene: Scene) -> None:
    index = dataset_schema().get_field_index("caption")
    write_shard(built / SHARD, [scene("b0")], dataset_schema().remove(index))

    with pytest.raises(InputError, match=r"objects_4-00000-of-00001\.arrow has no column caption"):
        list(open_dataset(built).scenes())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"caption": None}, "scene b0 of .*built has no caption"),
        ({"boxes": [[0, 0, 1, 1]]}, "scene b0 of .*built has not one token and one class name for each box"),
        ({"boxes": [], "concept_tokens": [], "class_names": []}, "scene b0 of .* has not one token"),
    ],
)
def test_a_scene_that_lacks_a_value_is_named(built: Path, scene: Scene, changed: dict[str, Any], message: str) -> None:
    write_shard(built / SHARD, [{**scene("b0"), **changed}], dataset_schema())

    with pytest.raises(InputError, match=message):
        list(open_dataset(built).scenes("objects_4"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a0"], "two scenes of .*built have the id a0"),
        (["../b"], r"the id '\.\./b' in .*built cannot name a file; expected at most 80 letters"),
        ([None], "the id None in .*built cannot name a file"),
    ],
)
def test_ids_are_unique_names_of_files(built: Path, write_scenes: Write, names: list[Any], message: str) -> None:
    write_scenes(built / SHARD, names)

    with pytest.raises(InputError, match=message):
        open_dataset(built).contents()


def step_of_plan(sizes: dict[str, Any]) -> bytes:
    """The file of a step of a plan: the number of objects by the scene's id."""
    table, sink = pa.table({"id": list(sizes), "num_objects": list(sizes.values())}), io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def write_plan(built: Path, step: int, sizes: dict[str, Any]) -> None:
    file = built / ".build" / "plan" / f"{step:05d}.arrow"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(step_of_plan(sizes))
    file.with_suffix(".json").write_text("{}")


def test_planned_scenes_have_a_split_even_if_they_were_not_kept(built: Path) -> None:
    write_plan(built, 0, {"aa-00000": 2, "aa-00001": 5})
    write_plan(built, 1, {"aa-00002": 4})

    planned = planned_splits(built)

    assert planned == {"aa-00000": "objects_le3", "aa-00001": "objects_5", "aa-00002": "objects_4"}
    assert planned["aa-00001-2"] == "objects_5"  # the second attempt at a scene
    assert "ab-00001-2" not in planned


def test_a_remote_plan_is_read(remote: str) -> None:
    fsspec.filesystem("memory").pipe("/dataset/.build/plan/00000.arrow", step_of_plan({"lost": 4}))
    fsspec.filesystem("memory").pipe("/dataset/.build/plan/00000.json", b"{}")

    assert planned_splits(remote) == {"lost": "objects_4"}


def test_a_step_without_its_marker_is_no_part_of_the_plan(built: Path) -> None:
    write_plan(built, 0, {"aa-00000": 2})
    write_plan(built, 1, {"aa-00001": 4})
    (built / ".build" / "plan" / "00001.json").unlink()

    assert planned_splits(built) == {"aa-00000": "objects_le3"}


def test_the_plan_of_a_build_that_was_made_at_a_url_is_read_from_its_last_state(remote: str) -> None:
    memory, steps = fsspec.filesystem("memory"), [step_of_plan({"first": 4}), step_of_plan({"second": 5})]
    sums = [hashlib.sha256(content).hexdigest() for content in steps]
    for number in range(2):
        own = {f".build/plan/{step:05d}.arrow": sums[step] for step in range(number + 1)}
        marked = {**own, **{name.replace("arrow", "json"): "0" * 64 for name in own}}
        state = json.dumps(with_checksum({"number": number, "files": marked}))
        memory.pipe(f"/dataset/.build/states/{number:05d}.json", state.encode())
        memory.pipe(f"/dataset/.build/objects/{sums[number]}", steps[number])

    assert planned_splits(remote) == {"first": "objects_4", "second": "objects_5"}
    memory.pipe(f"/dataset/.build/objects/{sums[1]}", steps[0])
    with pytest.raises(StoreError, match=rf"objects/{sums[1]} is damaged"):
        planned_splits(remote)


def test_without_a_plan_the_scenes_have_their_own_splits(built: Path) -> None:
    assert planned_splits(built) == {name: split for split, names in SPLITS.items() for name in names}


@pytest.mark.parametrize("number", [None, 0, 9, "four"])
def test_a_plan_of_another_form_is_named(built: Path, number: object) -> None:
    write_plan(built, 0, {"a": number})

    with pytest.raises(StoreError, match=r"plan.00000\.arrow is damaged; run the same `mycanvas build` again"):
        planned_splits(built)
