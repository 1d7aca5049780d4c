"""Index files are ASCII: tools open them in the machine's own encoding, which may be a code page."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mycanvas.export import FORMATS, export
from tests.mycanvas.export.conftest import Foreign, photo_row, square

NAMES = {"class_names": ["café", "玩具熊"], "concept_tokens": ["<müller>", "<熊>"], "background": "in Zürich"}
TEXTS = {
    "caption": "ein Café in Zürich, 玩具熊 🐻",
    "prompt": "a <müller> café, a <熊> 玩具熊",
    "composition": "熊+müller",
}


@pytest.fixture
def beyond_ascii(foreign: Foreign) -> Path:
    photos = [
        photo_row(f"{name}/{number}.jpg", concept_token=f"<{name}>", class_name=noun, mask=square())
        for name, noun in (("müller", "café"), ("熊", "玩具熊"))
        for number in ("ü", "熊")
    ]
    return foreign([{**NAMES, **TEXTS}], photos)


def index_files(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".yaml", ".toml"} and path.name != ".mycanvas-export.json":
            yield path.read_bytes()
        if path.suffix == ".tar":
            with tarfile.open(path) as shard:
                for member in shard:
                    if member.name.endswith(".json") and (content := shard.extractfile(member)):
                        yield content.read()


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"diffusers", "layers", "mds", "pairs"}))
def test_index_files_are_ascii(beyond_ascii: Path, out: Path, name: str) -> None:
    export(beyond_ascii, name, out)

    found = list(index_files(out))
    assert found
    assert all(content.isascii() for content in found)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "gbk", "cp932"])
def test_names_are_the_same_in_every_encoding(beyond_ascii: Path, out: Path, encoding: str) -> None:
    for name in ("coco", "custom-diffusion", "imagefolder", "yolo"):
        export(beyond_ascii, name, out / name)

    categories = json.loads((out / "coco/annotations/instances_objects_le3.json").read_text(encoding))["categories"]
    assert {row["name"]: row["supercategory"] for row in categories} == {"<müller>": "café", "<熊>": "玩具熊"}
    concepts = json.loads((out / "custom-diffusion/concepts_list.json").read_text(encoding))
    assert [entry["class_prompt"] for entry in concepts] == ["café", "玩具熊"]
    (line,) = (out / "imagefolder/metadata.jsonl").read_text(encoding).splitlines()
    assert json.loads(line)["caption"] == TEXTS["caption"]
    assert list(yaml.safe_load((out / "yolo/data.yaml").read_text(encoding))["names"].values()) == ["<müller>", "<熊>"]
