"""The card says what is so, survives any name, and makes the folder load without this package."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
import yaml
from huggingface_hub import DatasetCard
from PIL import Image

from dataset_card import BackgroundFacts, CardFacts, ConceptFacts, PhotoFacts, SplitFacts, render_card
from mycanvas.schema import SCORES, SPLITS, concepts_schema, dataset_schema


def concept(name: str, *photos: PhotoFacts) -> ConceptFacts:
    return ConceptFacts(name=name, token=f"<{name}>", class_noun=name, photos=photos)


FACTS = CardFacts(
    name="Toys",
    splits=(
        SplitFacts(name="objects_le3", rows=3, bytes=3_000, files=1),
        SplitFacts(name="objects_5", rows=2, bytes=2_000, files=1),
    ),
    source_photos=SplitFacts(name="train", rows=2, bytes=700, files=1),
    concepts=(
        concept(
            "mug", PhotoFacts(id="mug/0.jpg", attribution="Ada, CC BY 4.0"), PhotoFacts(id="mug/1.jpg", used=False)
        ),
        concept("ball", PhotoFacts(id="ball/0.jpg")),
    ),
    backgrounds=(
        BackgroundFacts(name="desk", phrase="on a desk"),
        BackgroundFacts(name="garden", phrase="in a garden", photos=(PhotoFacts(id="garden/0.jpg", attribution="Bo"),)),
    ),
    compositions={"ball": 1, "ball+mug": 4},
    planned=9,
    rejected={"layout: it does not fit": 1},
    candidates=8,
    dropped={"visible < 0.6": 2, "near-duplicate": 1},
    profile="classic",
    parameters={"layout.scale": 0.75, "segment.keep_best": False, "sizes": [2, 3]},
    backends={"segment": "tricut", "layout": "solver", "repaint": "blend", "caption": "template", "score": "classical"},
    config_digest="c0" * 32,
    shards_digest="5d" * 32,
    seed=7,
    resolution=512,
    caption_words=11.46,
    license="CC-BY-4.0",
    version="0.1.0",
)


def head(facts: CardFacts) -> dict[str, Any]:
    """The card's YAML."""
    parsed: dict[str, Any] = DatasetCard(render_card(facts), ignore_metadata_errors=False).data.to_dict()
    return parsed


def cells(text: str) -> list[list[str]]:
    """The rows of all tables."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_the_hub_s_own_reader_finds_the_metadata() -> None:
    data = DatasetCard(render_card(FACTS)).data

    assert data.pretty_name == "Toys"
    assert data.license == "cc-by-4.0"
    assert data.language == ["en"]
    assert data.annotations_creators == ["machine-generated"]
    assert set(data.task_categories) == {"text-to-image", "object-detection", "image-segmentation"}


def test_the_yaml_uses_no_anchors_and_no_types_of_python() -> None:
    front_matter = render_card(FACTS).split("---\n")[1]

    assert not re.search(r"[&*]id\d|!!", front_matter)


def test_the_same_facts_give_the_same_bytes() -> None:
    assert render_card(FACTS) == render_card(replace(FACTS))


@pytest.mark.parametrize(
    ("rows", "category"), [(999, "n<1K"), (1_000, "1K<n<10K"), (10_000, "10K<n<100K"), (100_000, "100K<n<1M")]
)
def test_the_size_category_follows_the_rows_of_all_splits(rows: int, category: str) -> None:
    splits = tuple(replace(split, rows=count) for split, count in zip(FACTS.splits, (rows - 1, 1), strict=True))

    assert head(replace(FACTS, splits=splits))["size_categories"] == [category]


def test_a_license_that_nobody_stated_is_unknown_and_said_plainly() -> None:
    card = render_card(replace(FACTS, license=None))

    assert DatasetCard(card).data.license == "unknown"
    assert "**No license is known.**" in card
    assert "No license is known" not in render_card(FACTS)


def test_a_license_that_the_hub_does_not_list_is_other_with_its_name() -> None:
    found = head(replace(FACTS, license="LicenseRef-Unsplash"))

    assert (found["license"], found["license_name"]) == ("other", "licenseref-unsplash")
    assert head(replace(FACTS, license="CC BY-SA 4.0"))["license"] == "cc-by-sa-4.0"
    assert head(replace(FACTS, license="Photos | by Jo"))["license_name"] == "photos-by-jo"


def test_a_concept_none_of_whose_photos_is_used_is_not_said_to_be_shown() -> None:
    card = render_card(
        replace(FACTS, concepts=(*FACTS.concepts, concept("hat", PhotoFacts(id="hat/0.jpg", used=False))))
    )

    assert "composed from 2 concepts" in card
    assert "limited to the source photos: 2 concepts" in card


def test_only_splits_of_the_build_are_in_the_yaml() -> None:
    found = head(FACTS)

    assert [split["split"] for split in found["configs"][0]["data_files"]] == ["objects_le3", "objects_5"]
    assert [split["name"] for split in found["dataset_info"][0]["splits"]] == ["objects_le3", "objects_5"]
    assert [config["config_name"] for config in head(replace(FACTS, source_photos=None))["configs"]] == [
        "default",
        "all",
    ]


def test_every_column_and_every_score_is_explained() -> None:
    card = render_card(FACTS)

    assert {row[0] for row in cells(card)} >= {*dataset_schema().names, *SCORES}
    assert {name for name in concepts_schema().names if f"`{name}`" not in card} == set()


def test_the_funnel_adds_up_from_planned_to_kept() -> None:
    rows = cells(render_card(FACTS))
    start = rows.index(["planned", "9"])

    assert rows[start : start + 8] == [
        ["planned", "9"],
        ["rejected by layout: it does not fit", "−1"],
        ["made", "8"],
        ["dropped: visible &lt; 0.6", "−2"],
        ["dropped: near-duplicate", "−1"],
        ["**kept**", "**5**"],
        ["in objects_le3", "3"],
        ["in objects_5", "2"],
    ]


def test_concepts_compositions_backgrounds_and_parameters_are_listed() -> None:
    rows = cells(render_card(FACTS))

    assert ["mug", "&lt;mug&gt;", "mug", "1", "2"] in rows
    assert rows.index(["ball+mug", "4"]) == rows.index(["ball", "1"]) - 1
    assert ["desk", "on a desk", "drawn by the program"] in rows
    assert ["layout.scale", "0.75"] in rows
    assert ["segment.keep_best", "false"] in rows


def test_every_photo_is_attributed_or_said_not_to_be() -> None:
    card = render_card(FACTS)

    start = cells(card).index(["Maker and license", "Photos"])
    assert cells(card)[start + 2 :] == [
        ["Ada, CC BY 4.0", "mug/0.jpg"],
        ["not stated", "mug/1.jpg (not used), ball/0.jpg"],
        ["Bo", "garden/0.jpg"],
    ]
    assert "2 of 4 source photos have no stated maker or license" in card


def test_photos_of_one_maker_share_a_line() -> None:
    cup = concept("cup", *(PhotoFacts(id=f"cup/{i}.jpg", attribution="Ada, CC BY 4.0") for i in range(2)))
    card = render_card(replace(FACTS, concepts=(*FACTS.concepts, cup)))

    assert card.count("Ada, CC BY 4.0") == 1
    assert ["Ada, CC BY 4.0", "mug/0.jpg, cup/0.jpg, cup/1.jpg"] in cells(card)


def test_a_long_list_of_photos_is_folded_away_and_a_short_one_is_not() -> None:
    many = concept("mug", *(PhotoFacts(id=f"mug/{i}.jpg") for i in range(30)))
    long = render_card(replace(FACTS, concepts=(many,)))

    assert long.count("<details>") == long.count("</details>") == 1
    assert "<details>" not in render_card(FACTS)


def test_the_backends_decide_which_limits_are_named() -> None:
    modern = render_card(replace(FACTS, backends={"repaint": "diffusion", "caption": "vlm"}))

    assert "made from templates" in render_card(FACTS)
    assert "made from templates" not in modern
    assert "written by a model" in modern


EVIL = [
    "a|b",
    "two\nlines\r\n| row |",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "`code` **bold** _slanted_",
    "{{ facts.seed }} {% raw %}",
    "x\n---\nlicense: mit",
    "\x1b[31mred\x00",
    "back\\|slash",
]


@pytest.mark.parametrize("text", EVIL)
def test_no_name_or_attribution_breaks_the_card(text: str) -> None:
    def named(name: str) -> CardFacts:
        return replace(
            FACTS,
            name=name,
            concepts=(concept(name, PhotoFacts(id=name, attribution=name)),),
            backgrounds=(BackgroundFacts(name=name, phrase=name),),
            compositions={name: 5},
            rejected={name: 1},
            parameters={name: name},
        )

    evil, plain = render_card(named(text)), render_card(named("x"))
    body = evil.split("\n---\n", 1)[1]

    assert [len(row) for row in cells(evil)] == [len(row) for row in cells(plain)]
    assert len(evil.splitlines()) == len(plain.splitlines())
    assert "<script" not in body
    assert "\x1b" not in evil
    assert not re.search(r"(?<!\\)\]\(javascript", body)
    assert {**head(named(text)), "pretty_name": "x"} == head(named("x"))


def test_addresses_in_attributions_stay_whole() -> None:
    address = "https://unsplash.com/@some_body/a-b_c?x=1"
    facts = replace(FACTS, concepts=(concept("mug", PhotoFacts(id="mug/0.jpg", attribution=address)),))

    assert address in render_card(facts)


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


def test_the_yaml_is_plain_enough_for_any_reader() -> None:
    front_matter = render_card(FACTS).split("---\n")[1]

    assert yaml.safe_load(front_matter) == head(FACTS)
