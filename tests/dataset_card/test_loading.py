"""A folder with a card loads by `datasets` without this package."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dataset_card import SplitFacts, render_card
from mycanvas.schema import SCORES, SPLITS, concepts_schema, dataset_schema
from tests.dataset_card.facts import FACTS


def picture(mode: str) -> dict[str, bytes | None]:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).convert(mode).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def scene(name: str) -> dict[str, Any]:
    """A row of the dataset."""
    lists: Mapping[str, Any] = {
        "boxes": [[1.0, 2.0, 3.0, 4.0]],
        "concept_tokens": ["<mug>"],
        "class_names": ["mug"],
        "source_images": ["mug/0.jpg"],
    }
    scores = dict.fromkeys(SCORES, 0.5)
    text = dict.fromkeys(("caption", "prompt", "background", "composition", "provenance"), "text")
    return {
        "id": name,
        "image": picture("RGB"),
        "mask": picture("L"),
        "num_objects": 1,
        "scores": scores,
        **text,
        **lists,
    }


def photo(name: str) -> dict[str, Any]:
    """A row of the config `concepts`."""
    text = {"concept": "mug", "concept_token": "<mug>", "class_name": "mug"}
    return {"id": name, "image": picture("RGB"), "mask": picture("L"), "used": True, "height_cm": 9.0, **text}


def write(path: Path, schema: pa.Schema, rows: list[dict[str, Any]]) -> SplitFacts:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    return SplitFacts(name=path.name.split("-")[0], rows=len(rows), bytes=path.stat().st_size, files=1)


Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """`load_dataset` on the folder "toys", with a cache of its own."""
    datasets.disable_progress_bars()
    return lambda *config: datasets.load_dataset(str(tmp_path / "toys"), *config, cache_dir=str(tmp_path / "cache"))


def build(folder: Path, ids: Mapping[str, list[str]], digest: str) -> None:
    """A dataset folder with these scenes by split, two photos, and what a build leaves under .build."""
    splits = tuple(
        write(folder / "data" / f"{split}-00000-of-00001.arrow", dataset_schema(), [scene(name) for name in names])
        for split, names in ids.items()
    )
    photos = write(folder / "concepts" / "train-00000-of-00001.arrow", concepts_schema(), [photo("p0"), photo("p1")])
    write(folder / ".build" / "candidates" / "00000.arrow", dataset_schema(), [scene("candidate")] * 4)
    facts = replace(FACTS, splits=splits, source_photos=photos, shards_digest=digest)
    (folder / "README.md").write_text(render_card(facts), encoding="utf-8")


def test_the_folder_loads_by_its_card_in_all_three_configs(tmp_path: Path, load: Load) -> None:
    build(tmp_path / "toys", {"objects_le3": ["a", "b"], "objects_5": ["c"]}, digest="00")

    default, together, photos = load(), load("all"), load("concepts")

    assert {name: list(split["id"]) for name, split in default.items()} == {
        "objects_le3": ["a", "b"],
        "objects_5": ["c"],
    }
    assert {name: sorted(split["id"]) for name, split in together.items()} == {"train": ["a", "b", "c"]}
    assert {name: list(split["id"]) for name, split in photos.items()} == {"train": ["p0", "p1"]}
    assert default["objects_5"][0]["image"].size == (8, 8)
    assert default["objects_5"][0]["boxes"] == [[1.0, 2.0, 3.0, 4.0]]
    assert photos["train"][0]["attribution"] is None


def test_the_card_s_features_are_those_of_the_schema(tmp_path: Path, load: Load) -> None:
    build(tmp_path / "toys", {"objects_4": ["a"]}, digest="00")

    assert load()["objects_4"].features == datasets.Features.from_arrow_schema(dataset_schema())
    assert load("concepts")["train"].features == datasets.Features.from_arrow_schema(concepts_schema())


@pytest.mark.parametrize("split", SPLITS)
def test_a_build_with_only_one_split_loads(tmp_path: Path, load: Load, split: str) -> None:
    build(tmp_path / "toys", {split: ["a"]}, digest="00")

    assert list(load()) == [split]


@pytest.mark.parametrize("config", ["default", "all"])
def test_rewritten_shards_give_the_new_rows_although_datasets_caches_by_the_card(
    tmp_path: Path, load: Load, config: str
) -> None:
    build(tmp_path / "toys", {"objects_le3": ["old"]}, digest="00")
    (before,) = load(config).values()
    build(tmp_path / "toys", {"objects_le3": ["new"]}, digest="01")
    (after,) = load(config).values()

    assert list(before["id"]) == ["old"]
    assert list(after["id"]) == ["new"]
