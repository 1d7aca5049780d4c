"""A build of an earlier version, whose candidates lack columns, is selected from and resumed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import datasets
import pyarrow as pa

from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from mycanvas.io.checked import write_checked
from mycanvas.io.files import sha256_of
from tests.contracts.small_builds import config_for


def drop_long_captions(folder: BuildFolder) -> None:
    """Write each shard of candidates again as the earlier version did."""
    for index, marker in folder.markers():
        file = folder.candidate_file(index)
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            table = pa.Table.from_pylist(stream.read_all().to_pylist(), stream.schema).drop_columns("long_caption")
        with pa.OSFile(str(file), "wb") as target, pa.ipc.new_stream(target, table.schema) as writer:
            writer.write_table(table)
        write_checked(file.with_suffix(".json"), {**asdict(marker), "sha256": sha256_of(file)})


def test_scenes_without_a_long_caption_are_selected_and_lost_ones_are_made_with_one(
    shapes: Path, grounds: Path, tmp_path: Path
) -> None:
    config = config_for(shapes, grounds, tmp_path / "out", select={"duplicate_bits": -1})
    folder = build(config).folder
    made = {row["id"]: row for index, _ in folder.markers() for row in folder.candidates(index)}
    drop_long_captions(folder)

    reselect(folder.path, {"max_border": None})

    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(folder.path), split="train")
    assert rows["long_caption"] == [None] * len(rows)
    assert rows["caption"] == [made[name]["caption"] for name in rows["id"]]

    folder.candidate_file(0).unlink()
    build(config)

    remade, kept = list(folder.candidates(0)), list(folder.candidates(1))
    assert [row["long_caption"] for row in remade] == [made[row["id"]]["long_caption"] for row in remade]
    assert all("long_caption" not in row for row in kept)
    again = datasets.load_dataset("mycanvas", "all", data_dir=str(folder.path), split="train")
    assert {name for name, text in zip(again["id"], again["long_caption"], strict=True) if text} == {
        row["id"] for row in remade if row["id"] in again["id"]
    }
