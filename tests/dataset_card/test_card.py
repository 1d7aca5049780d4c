"""The card states the facts of a dataset, whatever characters its names hold."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import DatasetCard

from dataset_card import BackgroundFacts, CardFacts, Credit, render_card
from mycanvas.schema import SCORES, concepts_schema, dataset_schema
from tests.dataset_card.facts import FACTS, concept, head


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


def test_missing_license_is_unknown_and_stated_in_the_text() -> None:
    card = render_card(replace(FACTS, license=None))

    assert DatasetCard(card).data.license == "unknown"
    assert "**No license is known.**" in card
    assert "No license is known" not in render_card(FACTS)


def test_a_license_that_the_hub_does_not_list_is_other_with_its_name() -> None:
    found = head(replace(FACTS, license="LicenseRef-Unsplash"))

    assert (found["license"], found["license_name"]) == ("other", "licenseref-unsplash")
    assert head(replace(FACTS, license="CC BY-SA 4.0"))["license"] == "cc-by-sa-4.0"
    assert head(replace(FACTS, license="Photos | by Jo"))["license_name"] == "photos-by-jo"


def test_concept_without_a_used_photo_is_not_listed_as_shown() -> None:
    card = render_card(replace(FACTS, concepts=(*FACTS.concepts, concept("hat", Credit(id="hat/0.jpg", used=False)))))

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


def test_every_photo_has_its_attribution_or_a_note_that_it_has_none() -> None:
    card = render_card(FACTS)

    start = cells(card).index(["Maker and license", "Photos"])
    assert cells(card)[start + 2 :] == [
        ["Ada, CC BY 4.0", "mug/0.jpg"],
        ["not stated", "mug/1.jpg (not used), ball/0.jpg"],
        ["Bo", "garden/0.jpg"],
    ]
    assert "\nNo maker or license is stated for 2 of 3 source photos.\n" in card


def test_photos_of_places_are_counted_by_themselves() -> None:
    yard = BackgroundFacts(name="yard", phrase="in a yard", photos=(Credit(id="yard/0.jpg"), Credit(id="yard/1.jpg")))
    card = render_card(replace(FACTS, backgrounds=(*FACTS.backgrounds, yard)))

    assert "No maker or license is stated for 2 of 3 source photos and 2 of 3 photos of places." in card


def test_photos_of_one_maker_share_a_line() -> None:
    cup = concept("cup", *(Credit(id=f"cup/{i}.jpg", attribution="Ada, CC BY 4.0") for i in range(2)))
    card = render_card(replace(FACTS, concepts=(*FACTS.concepts, cup)))

    assert card.count("Ada, CC BY 4.0") == 1
    assert ["Ada, CC BY 4.0", "mug/0.jpg, cup/0.jpg, cup/1.jpg"] in cells(card)


def test_a_long_list_of_photos_is_folded_away_and_a_short_one_is_not() -> None:
    many = concept("mug", *(Credit(id=f"mug/{i}.jpg") for i in range(30)))
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
            concepts=(concept(name, Credit(id=name, attribution=name)),),
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
    facts = replace(FACTS, concepts=(concept("mug", Credit(id="mug/0.jpg", attribution=address)),))

    assert address in render_card(facts)


def test_the_yaml_is_plain_enough_for_any_reader() -> None:
    front_matter = render_card(FACTS).split("---\n")[1]

    assert yaml.safe_load(front_matter) == head(FACTS)
