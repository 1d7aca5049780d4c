from __future__ import annotations

import gc
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import webdataset

from mycanvas.export import export
from mycanvas.export.webdataset import SHARD_SCENES
from tests.mycanvas.conftest import Write
from tests.mycanvas.export.conftest import Row

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset closes no shard


def samples(folder: Path, split: str, *decoders: str) -> list[dict[str, Any]]:
    """The samples that webdataset reads from the shards of a split."""
    shards = [str(path) for path in sorted(folder.glob(f"{split}-*.tar"))]
    read = webdataset.WebDataset(shards, shardshuffle=False)
    found = list(read.decode(*decoders) if decoders else read)
    del read
    gc.collect()  # so that its warnings are this test's
    return found


def test_webdataset_reads_every_scene(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "webdataset", out)

    for split, rows in scenes.items():
        found = samples(out, split)
        assert len(found) == len(rows)
        for sample, row in zip(found, rows, strict=True):
            assert sample["__key__"] == row["id"]
            assert sample["jpg"] == row["image"]
            assert sample["mask.png"] == row["mask"]
            assert sample["txt"].decode() == row["caption"]
            pictures = {"image", "mask", "num_objects"}
            expected = {name: value for name, value in row.items() if name not in pictures}
            assert json.loads(sample["json"]) == {**expected, "split": split}


def test_webdataset_decodes_what_it_reads(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "webdataset", out)

    found = samples(out, "objects_4", "pil")

    assert [sample["jpg"].size for sample in found] == [(192, 192)] * len(scenes["objects_4"])
    assert [sample["json"]["boxes"] for sample in found] == [row["boxes"] for row in scenes["objects_4"]]


def test_many_scenes_become_many_shards_whose_bytes_are_the_same_in_every_run(
    built: Path, write_scenes: Write, out: Path, tmp_path: Path
) -> None:
    names = [f"c{number:04d}" for number in range(SHARD_SCENES + 3)]
    write_scenes(built / "data/objects_5-00000-of-00001.arrow", names)

    for folder in (out, tmp_path / "again"):
        export(built, "webdataset", folder)

    shards = sorted(path.name for path in out.glob("objects_5*"))
    assert shards == ["objects_5-000000.tar", "objects_5-000001.tar"]
    assert [sample["__key__"] for sample in samples(out, "objects_5")] == names
    assert len(samples(out, "objects_le3")) == 5
    for shard in shards:
        assert (out / shard).read_bytes() == (tmp_path / "again" / shard).read_bytes()


@pytest.mark.parametrize("name", ["a", "x" * 80])
def test_headers_are_those_that_tarfile_writes(built: Path, write_scenes: Write, out: Path, name: str) -> None:
    write_scenes(built / "data/objects_4-00000-of-00001.arrow", [name])

    export(built, "webdataset", out)

    content = (out / "objects_4-000000.tar").read_bytes()
    with tarfile.open(out / "objects_4-000000.tar") as shard:
        members = shard.getmembers()
    assert [member.name for member in members] == [f"{name}.{kind}" for kind in ("jpg", "json", "mask.png", "txt")]
    for member in members:
        plain = tarfile.TarInfo(member.name)
        plain.size = member.size
        header = content[member.offset : member.offset_data]
        assert header == plain.tobuf(tarfile.USTAR_FORMAT)
