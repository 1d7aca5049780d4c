"""Image-caption pairs of datasets of every kind that is read, and of those that cannot be."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mycanvas.alignment.columns import find_columns
from mycanvas.alignment.pairs import open_pairs
from mycanvas.errors import ConfigError, InputError

Write = Callable[[Path, Iterable[str]], Path]
ROWS = 5
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def picture(index: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 30), (index * 40, 0, 0)).save(content, "JPEG")
    return content.getvalue()


def parquet(path: Path, rows: int = ROWS, **columns: list[Any] | pa.Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = pa.array([{"bytes": picture(index % 6), "path": None} for index in range(rows)], STRUCT)
    captions = [f"photo {index}" for index in range(rows)]
    pq.write_table(pa.table(columns or {"image": images, "caption": captions}), path, row_group_size=3)
    return path


def image_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for index in range(ROWS):
        (folder / f"{index}.jpg").write_bytes(picture(index))
    lines = [json.dumps({"file_name": f"{index}.jpg", "text": f"photo {index}"}) for index in range(ROWS)]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def tar(path: Path) -> Path:
    """As img2dataset writes them."""
    with tarfile.open(path, "w") as file:
        for index in range(ROWS):
            about = json.dumps({"url": "https://example.org/a.jpg", "caption": "in JSON", "key": f"{index}"})
            parts = {"jpg": picture(index), "json": about.encode(), "txt": f"photo {index}".encode()}
            for ending, content in parts.items():
                entry = tarfile.TarInfo(f"{index:09}.{ending}")
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
    return path


def saved(folder: Path) -> Path:
    images = [{"bytes": picture(index), "path": None} for index in range(ROWS)]
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    rows = {"image": images, "text": [f"photo {index}" for index in range(ROWS)]}
    datasets.DatasetDict(train=datasets.Dataset.from_dict(rows, features)).save_to_disk(str(folder))
    return folder


def laion_images(path: Path) -> Path:
    """A plain binary column, as img2dataset writes into Parquet."""
    pictures = [picture(index) for index in range(ROWS)]
    return parquet(path, jpg=pictures, TEXT=[f"photo {i}" for i in range(ROWS)], URL=["https://example.org"] * ROWS)


MADE: dict[str, Callable[[Path], Path]] = {
    "parquet": lambda tmp: parquet(tmp / "a.parquet"),
    "folder of parquet": lambda tmp: parquet(tmp / "set/data/train-00000-of-00001.parquet").parents[1],
    "laion with pictures": lambda tmp: laion_images(tmp / "a.parquet"),
    "image folder": lambda tmp: image_folder(tmp / "set/train").parent,
    "tar": lambda tmp: tar(tmp / "00000.tar"),
    "folder of tars": lambda tmp: (tmp / "set").mkdir() or tar(tmp / "set/00000.tar").parent,  # type: ignore[func-returns-value]
    "save_to_disk": lambda tmp: saved(tmp / "set"),
    "a split of save_to_disk": lambda tmp: saved(tmp / "set") / "train",
}


@pytest.mark.parametrize("kind", MADE)
def test_pairs_come_encoded_and_in_order(tmp_path: Path, kind: str) -> None:
    place = str(MADE[kind](tmp_path))
    whole = list(open_pairs(place, limit=100).rows)

    assert [pair.caption for pair in whole] == [f"photo {index}" for index in range(ROWS)]
    assert [pair.read() if pair.read else None for pair in whole] == [picture(index) for index in range(ROWS)]
    assert len(list(open_pairs(place, limit=2).rows)) == 2


def test_a_built_dataset_is_sampled_evenly_over_its_splits(built: Path, tmp_path: Path) -> None:
    every = open_pairs(str(built), limit=100)
    ids = tmp_path / "ids"
    ids.mkdir()

    assert (every.image_column, every.caption_column) == ("image", "caption")
    assert len(list(every.rows)) == 7
    some = list(open_pairs(str(built), limit=3, caption_column="id").rows)
    assert [pair.caption for pair in some] == ["a0", "a3", "b1"]
    only = list(open_pairs(str(built), limit=3, caption_column="id", split="objects_4").rows)
    assert [pair.caption for pair in only] == ["b0", "b1"]
    with pytest.raises(ConfigError, match="has no split 'train'; it has objects_le3, objects_4"):
        open_pairs(str(built), limit=3, split="train")


def test_a_parquet_copy_of_a_built_dataset_shares_the_limit_between_splits(tmp_path: Path, write_scenes: Write) -> None:
    for split, count in (("objects_le3", 9), ("objects_4", 1), ("objects_5", 9)):
        write_scenes(tmp_path / f"copy/data/{split}-00000-of-00001.parquet", [f"{split}/{i}" for i in range(count)])
    rows = open_pairs(str(tmp_path / "copy"), limit=9, caption_column="id").rows

    assert [pair.caption for pair in rows] == [
        "objects_4/0",
        *(f"objects_5/{index}" for index in range(4)),  # of what objects_4 had too few of, each has half
        *(f"objects_le3/{index}" for index in range(4)),
    ]


def test_urls_are_not_fetched(tmp_path: Path) -> None:
    links = ["http://127.0.0.1:9/a.jpg"] * 3
    metadata = parquet(tmp_path / "laion.parquet", URL=links, TEXT=["one", "two", None], WIDTH=[1, 2, 3])
    found = open_pairs(str(metadata), limit=10)

    assert found.image_column is None
    assert [(pair.read, pair.caption) for pair in found.rows] == [(None, "one"), (None, "two"), (None, None)]


def test_paths_that_come_with_the_data_are_not_opened(tmp_path: Path) -> None:
    own = tmp_path / "own.jpg"
    own.write_bytes(picture(0))
    values = pa.array([{"bytes": None, "path": str(own)}, {"bytes": b"", "path": str(own)}, None], STRUCT)
    rows = open_pairs(str(parquet(tmp_path / "a.parquet", image=values, caption=["a", "b", "c"])), limit=10).rows

    assert [pair.read for pair in rows] == [None, None, None]


def test_a_row_without_picture_or_caption_has_none(tmp_path: Path) -> None:
    values = pa.array([{"bytes": picture(0), "path": None}, None, {"bytes": picture(1), "path": None}], STRUCT)
    rows = list(open_pairs(str(parquet(tmp_path / "a.parquet", image=values, text=["a", "b", " "])), limit=9).rows)

    assert [(pair.read is None, pair.caption) for pair in rows] == [(False, "a"), (True, "b"), (False, None)]


def test_a_deleted_picture_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "set/train")
    pairs = list(open_pairs(str(folder.parent), limit=9).rows)
    (folder / "0.jpg").unlink()

    assert pairs[0].read
    with pytest.raises(InputError, match=r"cannot read .*0\.jpg"):
        pairs[0].read()


@pytest.mark.parametrize(
    ("types", "given", "found"),
    [
        ({"image": "image", "caption": "string", "prompt": "string"}, (None, None), ("image", "caption")),
        ({"jpg": "binary", "TEXT": "string", "URL": "string"}, (None, None), ("jpg", "TEXT")),
        ({"file": "image", "words": "string", "__key__": "string"}, (None, None), ("file", "words")),
        ({"left": "image", "right": "image", "a": "string", "b": "string"}, ("right", "b"), ("right", "b")),
        ({"image": "image", "captions": "list"}, (None, None), ("image", "captions")),
        ({"image": "struct", "text": "large_string", "label": "int64"}, (None, None), ("image", "text")),
        ({"url": "string", "caption": "string"}, (None, None), (None, "caption")),
    ],
)
def test_columns_are_found_by_type_and_usual_name(
    types: dict[str, str], given: tuple[str | None, str | None], found: tuple[str | None, str]
) -> None:
    assert find_columns("it", _features(types), *given) == found


@pytest.mark.parametrize(
    ("types", "given", "message"),
    [
        (
            {"left": "image", "right": "image", "caption": "string", "url": "string"},
            (None, None),
            "images; choose one with --image-column: left, right",
        ),
        (
            {"image": "image", "a": "string", "b": "string"},
            (None, None),
            "captions; choose one with --caption-column: a, b",
        ),
        (
            {"image": "string", "caption": "string"},
            (None, None),
            "images; choose one with --image-column: image, caption",
        ),
        (
            {"image": "image", "caption": "string"},
            (None, "text"),
            "--caption-column text: it has no such column; it has image, caption",
        ),
        (
            {"image": "image", "caption": "string"},
            ("caption", None),
            "this column of it does not contain images; expected one of image",
        ),
        (
            {"image": "image", "caption": "string"},
            (None, "image"),
            "this column of it does not contain captions; expected one of caption",
        ),
    ],
)
def test_ambiguous_columns_must_be_named(
    types: dict[str, str], given: tuple[str | None, str | None], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        find_columns("it", _features(types), *given)


def _features(types: dict[str, str]) -> datasets.Features:
    kinds: dict[str, Any] = {
        "image": datasets.Image(),
        "list": datasets.List(datasets.Value("string")),
        "struct": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
    }
    return datasets.Features({name: kinds.get(kind) or datasets.Value(kind) for name, kind in types.items()})


def test_of_several_captions_the_first_counts(tmp_path: Path) -> None:
    pictures = [picture(0), picture(1)]
    path = parquet(tmp_path / "coco.parquet", jpg=pictures, captions=[["one", "two"], []])

    assert [pair.caption for pair in open_pairs(str(path), limit=9).rows] == ["one", None]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("absent", "absent does not exist; expected a file, a folder, or owner/name on the Hub"),
        ("./owner/name", "./owner/name does not exist"),
        ("a.txt", "a.txt has an unknown suffix; expected one of .arrow, .csv"),
        ("broken.parquet", "broken.parquet cannot be read as an image-caption dataset"),
        ("empty", "empty cannot be read as an image-caption dataset"),
    ],
)
def test_what_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").touch()
    Path("broken.parquet").write_bytes(b"PAR1 and no more")
    Path("empty").mkdir()

    with pytest.raises(InputError, match=message):
        open_pairs(place, limit=1)


def test_damage_is_reported_when_the_damaged_row_is_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", rows=300)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(content)
    rows = open_pairs(str(path), limit=300).rows

    with pytest.raises(InputError, match=r"a\.parquet cannot be read as an image-caption dataset"):
        list(rows)


@pytest.mark.parametrize("kind", ["folder of parquet", "image folder", "folder of tars"])
def test_a_program_that_leaves_a_dataset_half_read_exits(tmp_path: Path, kind: str) -> None:
    place = MADE[kind](tmp_path)
    if kind == "folder of parquet":
        parquet(place / "data/train-00000-of-00001.parquet", rows=20_000)
    program = (
        "import sys; from mycanvas.alignment.pairs import open_pairs; "
        "rows = open_pairs(sys.argv[1], limit=10**6).rows; "
        "print(next(rows).caption)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", program, str(place)]
    done = subprocess.run(command, env=environment, timeout=60, check=True, capture_output=True, text=True)

    assert done.stdout == "photo 0\n"
