"""The card on the Hub: the folder's card with another location, other files, a license and previews."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from datasets import DatasetInfo, Features, Image, List, Value
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from dataset_card import Preview, digest_in, hub_card, render_card
from mycanvas.schema import concepts_features, features
from tests.dataset_card.facts import FACTS

CARD = render_card(FACTS)
SIZES = {"default": 4_000, "all": 4_000, "concepts": 600}
SECTIONS = (
    *("Quick look", "Splits", "Columns", "Collection", "How it was made", "Curation", "Concepts and compositions"),
    *("Limits and biases", "License and attribution", "Citation"),
)


def test_the_digest_of_the_shards_is_read_from_a_card() -> None:
    assert digest_in(CARD) == FACTS.shards_digest
    assert digest_in(hub_card(CARD, "jane/toys", SIZES)) == FACTS.shards_digest


@pytest.mark.parametrize(
    "text",
    ["", "# No metadata", "---\n[\n---\n", "---\n- 1\n---\n", "---\nconfigs: 3\n---\n", "---\nconfigs: [{}]\n---\n"],
)
def test_a_card_without_metadata_has_no_digest(text: str) -> None:
    assert digest_in(text) is None


def test_datasets_reads_the_metadata() -> None:
    """The Hub's viewer reads cards with the same classes."""
    data = DatasetCard(hub_card(CARD, "jane/toys", SIZES)).data

    configs = MetadataConfigs.from_dataset_card_data(data)
    infos: dict[str, DatasetInfo] = DatasetInfosDict.from_dataset_card_data(data)

    paths = {name: [files["path"] for files in config["data_files"]] for name, config in configs.items()}
    assert paths == {
        "default": ["data/objects_le3-*.parquet", "data/objects_5-*.parquet"],
        "all": ["data/*.parquet"],
        "concepts": ["concepts/train-*.parquet"],
    }
    assert {name: info.download_size for name, info in infos.items()} == SIZES
    assert {name: split.num_examples for name, split in infos["default"].splits.items()} == {
        "objects_le3": 3,
        "objects_5": 2,
    }
    assert (infos["default"].features, infos["concepts"].features) == (features(), concepts_features())


def test_the_metadata_has_exactly_the_keys_that_the_hub_reads() -> None:
    data = DatasetCard(hub_card(CARD, "jane/toys", SIZES), ignore_metadata_errors=False).data.to_dict()

    assert set(data) == {
        *("pretty_name", "language", "multilinguality", "license", "annotations_creators", "language_creators"),
        *("source_datasets", "task_categories", "size_categories", "tags", "configs", "dataset_info"),
    }


def test_each_section_is_in_the_card_once() -> None:
    found = [
        line.removeprefix("## ") for line in hub_card(CARD, "jane/toys", SIZES).splitlines() if line.startswith("## ")
    ]

    assert found == list(SECTIONS)


def test_the_loading_example_names_the_repository() -> None:
    card = hub_card(CARD, "jane/toys", SIZES)

    assert 'scenes = load_dataset("jane/toys")' in card
    assert 'scenes = load_dataset("mycanvas", data_dir="hf://datasets/jane/toys")' in card
    assert "path/to/this/folder" not in card


def test_a_given_license_replaces_the_one_in_the_card() -> None:
    unknown, other = (render_card(replace(FACTS, license=license)) for license in (None, "LicenseRef-Mine"))

    for card in (unknown, other, CARD):
        published = DatasetCard(hub_card(card, "jane/toys", SIZES, "CC0-1.0"))
        data = published.data.to_dict()
        assert (data["license"], "license_name" in data) == ("cc0-1.0", False)
        assert list(data).index("license") < list(data).index("configs")
        section = published.text.partition("## License")[2].partition("## ")[0]
        assert re.findall("License: .*|No license is known", section) == [
            "License: CC0-1.0, as stated by the creator of this dataset for its source photos."
        ]


def test_previews_are_above_the_first_section_and_their_captions_are_escaped() -> None:
    evil = Preview(path="previews/a.jpg", caption='a "cat"> <b>\nand\n\n## \x1b\u202emore')

    above = hub_card(CARD, "jane/toys", SIZES, previews=[evil, evil]).split("\n## ")[0]

    caption = "a &quot;cat&quot;&gt; &lt;b&gt; and ## more"
    assert above.count(f'<img src="previews/a.jpg" alt="{caption}" title="{caption}" width="32%">') == 2


CROISSANT = frozenset({"bool", "int8", "int32", "float32", "string"})
"""Our types that the Hub maps to Croissant types; it leaves columns of other types out of the derived metadata."""


def test_photos_that_are_not_published_are_listed() -> None:
    card = hub_card(CARD, "jane/toys", SIZES, published=1, held_back=["mug/1.jpg", "mug/[2].jpg"])

    (section,) = re.findall(r"\n## License and attribution\n(.*)\n## ", card, re.DOTALL)
    assert "\nNot published, because no scene shows them: mug/1.jpg, mug/\\[2\\].jpg.\n" in section
    assert "one row per source photo that a scene shows (1 of 3)" in card
    assert "Not published" not in hub_card(CARD, "jane/toys", SIZES, published=2)


def test_a_long_list_of_photos_that_are_not_published_is_folded_away() -> None:
    card = hub_card(CARD, "jane/toys", SIZES, held_back=[f"mug/{index}.jpg" for index in range(30)])

    assert "<summary>Photos below that are not published: 30</summary>" in card
    assert card.count("<details>") == card.count("</details>") == 1


@pytest.mark.parametrize("columns", [features(), concepts_features()], ids=["scenes", "photos"])
def test_the_hub_can_describe_every_column_in_croissant(columns: Features) -> None:
    assert all(map(_described, columns.values()))


def _described(kind: object) -> bool:
    if isinstance(kind, List):
        return _described(kind.feature)
    if isinstance(kind, dict):
        return all(map(_described, kind.values()))
    return isinstance(kind, Image) or (isinstance(kind, Value) and kind.dtype in CROISSANT)
