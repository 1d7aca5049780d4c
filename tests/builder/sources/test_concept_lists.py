"""Custom Diffusion's lists of concepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.sources.concepts import find_concepts
from builder.sources.concepts_list import read_concepts_list
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.text import printable
from tests.builder.sources.concept_folders import described, entry, listing, picture


def test_custom_diffusions_concepts_list_is_understood(pets: Path) -> None:
    source = listing(
        pets, entry("./dog6", "photo of a dog", "a photo of a puppy"), entry("cat2", "photo of a <new1> cat", "cat")
    )

    cat, dog = find_concepts(source).concepts

    assert (cat.name, cat.token, cat.class_noun) == ("cat2", "<new1>", "cat")
    assert (dog.name, dog.token, dog.class_noun) == ("dog6", "<dog6>", "puppy")
    assert [photo.id for photo in cat.photos] == ["cat2/a.JPG", "cat2/b.png"]


def test_custom_concept_101_is_read_as_it_is_unpacked(tmp_path: Path) -> None:
    for index, folder in enumerate(("furniture_chair1", "pet_dog1")):
        picture(tmp_path / "benchmark_dataset" / folder / "0.jpg", index)
    (tmp_path / "ATTRIBUTION").write_text("Unsplash License")
    listed = [("furniture_chair1", "chair"), ("pet_dog1", "dog")]
    entries = [entry(f"./benchmark_dataset/{path}", f"photo of a <new1> {noun}", noun) for path, noun in listed]
    (tmp_path / "dataset.json").write_text(json.dumps(entries))

    chair, dog = find_concepts(tmp_path).concepts

    assert (chair.name, chair.token, chair.class_noun) == ("furniture_chair1", "<furniture_chair1>", "chair")
    assert (dog.name, dog.token, dog.class_noun) == ("pet_dog1", "<pet_dog1>", "dog")
    assert dog.photos[0].attribution == "Unsplash License"


def test_a_folder_that_holds_a_list_is_read_as_the_list(pets: Path) -> None:
    listing(pets, entry("./dog6", "photo of a dog", "a photo of a puppy"))

    (dog,) = find_concepts(pets).concepts

    assert (dog.name, dog.class_noun) == ("dog6", "puppy")


def test_a_list_beside_concepts_toml_is_not_used_and_reported(pets: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = listing(pets, entry("./dog6", "photo of a dog", "a photo of a puppy"))
    described(pets, '[dog6]\nclass_noun = "hound"\n')

    assert [concept.class_noun for concept in find_concepts(pets).concepts] == ["cat", "hound"]
    assert caplog.messages == [f"{path} is not used beside concepts.toml; to use it, give the file itself"]


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ([entry("none")], InputError, "instance_data_dir none is not a folder"),
        ([entry("cat2"), entry("cat2")], ConfigError, "have the same folder name cat2"),
        (
            [entry("cat2", "a <new1> cat"), entry("dog6", "a <new1> dog"), entry(".", "a <new2> cup")],
            ConfigError,
            "the same token <new1>",
        ),
        ([{"instance_prompt": "a <new1> cat"}], ConfigError, "instance_data_dir of entry 1 is missing"),
        ([{}, "cat2"], ConfigError, r"(?s)instance_data_dir of entry 1 is missing\n.*entry 2: expected a table"),
        ([entry("no"), entry("none")], InputError, r"(?s)instance_data_dir no is not .*instance_data_dir none is not"),
        ([entry("cat2", "", '"cat"')], ConfigError, "cannot be the class noun of cat2: .*, or class_prompt in"),
        (["cat2"], ConfigError, "entry 1: expected a table of keys and values, got 'cat2'"),
        ([], ConfigError, "list.json lists no folder of photos"),
    ],
)
def test_a_wrong_concepts_list_is_refused(
    pets: Path, entries: list[object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find_concepts(listing(pets, *entries))


def test_a_concepts_list_that_is_not_json_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        find_concepts(tmp_path / "list.json")
    (tmp_path / "list.json").write_text("[")
    with pytest.raises(ConfigError, match="is not JSON"):
        find_concepts(tmp_path / "list.json")


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "circle", "a\0b", "\ud800", "a\nerror: none", "\u202e"])
def test_a_name_that_no_folder_can_have_is_not_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")

    with pytest.raises(InputError, match=r"instance_data_dir .* is not a folder") as refused:
        read_concepts_list(listing(tmp_path, entry(name, "photo of a dog", "dog")))

    assert printable(str(refused.value)) == str(refused.value)
    assert "\n" not in str(refused.value)
