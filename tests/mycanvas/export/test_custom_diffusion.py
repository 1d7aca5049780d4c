from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from builder.sources.concepts import find_concepts
from mycanvas.export import export
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import write_shard
from tests.mycanvas.export.conftest import Row

Scene = Callable[[str], dict[str, Any]]


def instances(out: Path, listed: Path) -> list[tuple[str, bytes]]:
    """Each prompt with each picture, as CustomDiffusionDataset of diffusers' train_custom_diffusion.py pairs them.

    The script is no part of the package; it is run in the folder `out`.
    """
    concepts: list[dict[str, Any]] = json.loads(listed.read_text("utf-8"))
    found = []
    for concept in concepts:
        root = out / concept["instance_data_dir"]
        found += [(concept["instance_prompt"], path.read_bytes()) for path in root.iterdir() if path.is_file()]
    return found


def test_the_list_of_concepts_has_every_source_photo(dataset: Path, photos: list[Row], out: Path) -> None:
    export(dataset, "custom-diffusion", out)

    found = instances(out, out / "concepts_list.json")
    expected = [f"photo of a {row['concept_token']} {row['class_name']}" for row in photos]
    assert sorted(prompt for prompt, _ in found) == sorted(expected)
    assert {Image.open(io.BytesIO(content)).mode for _, content in found} == {"RGBA"}  # the shapes are cut-outs


def test_the_list_of_a_composition_has_its_concepts_and_every_scene_with_its_prompt(
    dataset: Path, scenes: dict[str, list[Row]], photos: list[Row], out: Path
) -> None:
    export(dataset, "custom-diffusion", out)

    by_composition: dict[str, list[Row]] = {}
    for rows in scenes.values():
        for row in rows:
            by_composition.setdefault(row["composition"], []).append(row)
    lists = {path.stem: path for path in (out / "compositions").iterdir()}
    assert sorted(lists) == sorted(by_composition)
    for composition, rows in by_composition.items():
        found = instances(out, lists[composition])
        photo_prompts = [
            f"photo of a {photo['concept_token']} {photo['class_name']}"
            for photo in photos
            if photo["concept"] in composition.split("+")
        ]
        assert sorted(pair for pair in found if pair[0] not in photo_prompts) == sorted(
            (row["prompt"], row["image"]) for row in rows
        )
        assert sorted(prompt for prompt, _ in found if prompt in photo_prompts) == sorted(photo_prompts)


def test_each_entry_names_a_class_of_its_picture(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "custom-diffusion", out)

    rows = {row["id"]: row for rows in scenes.values() for row in rows}
    seen = 0
    for path in (out / "compositions").iterdir():
        for entry in json.loads(path.read_text("utf-8")):
            assert entry["class_data_dir"] == f"class_images/{entry['class_prompt']}"
            if entry["instance_data_dir"].startswith("scenes/"):
                assert entry["class_prompt"] in rows[Path(entry["instance_data_dir"]).name]["class_names"]
                seen += 1
    assert seen == len(rows)


def test_a_class_of_any_name_has_its_folder_in_the_export(built: Path, scene: Scene, out: Path) -> None:
    row = {**scene("a"), "class_names": ["../../x", ".."], "concept_tokens": ["<dog6>", "<dog6>"]}
    for shard in (built / "data").iterdir():
        shard.unlink()
    write_shard(built / "data/objects_le3-00000-of-00001.arrow", [row, {**row, "id": "b"}], dataset_schema())
    picture = {"bytes": row["image"]["bytes"], "path": None}
    photo = {"id": "dog6/0.jpg", "image": picture, "concept": "dog6", "concept_token": "<dog6>", "class_name": "/etc"}
    write_shard(built / "concepts/train-00000-of-00001.arrow", [photo], concepts_schema())

    export(built, "custom-diffusion", out)

    entries = json.loads((out / "compositions/cat2+dog6.json").read_text("utf-8"))
    assert {entry["class_prompt"] for entry in entries} == {"../../x", "..", "/etc"}
    assert {Path(entry["class_data_dir"]).parent for entry in entries} == {Path("class_images")}
    assert ".." not in {Path(entry["class_data_dir"]).name for entry in entries}


def test_a_build_takes_the_list_as_its_concepts(dataset: Path, photos: list[Row], out: Path) -> None:
    export(dataset, "custom-diffusion", out)

    found = find_concepts(out / "concepts_list.json")

    expected = {(row["concept"], row["concept_token"], row["class_name"]) for row in photos}
    assert {(concept.name, concept.token, concept.class_noun) for concept in found.concepts} == expected
    assert sum(len(concept.photos) for concept in found.concepts) == len(photos)
