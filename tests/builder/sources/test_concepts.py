from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from builder.records import Concept
from builder.sources.concepts import FoundConcepts, find_concepts
from mycanvas.errors import ConfigError, InputError


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (70, 70), (shade, 90, 90)).save(path)
    return path


def described(folder: Path, text: str) -> Path:
    (folder / "concepts.toml").write_text(text)
    return folder


def only(found: FoundConcepts) -> Concept:
    (concept,) = found.concepts
    return concept


def reasons(found: FoundConcepts) -> dict[str, str]:
    assert {each.stage for each in found.rejected} <= {"concepts"}
    return {each.sample_id: each.reason for each in found.rejected}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two concepts, cat2 with two photos and dog6 with one."""
    picture(tmp_path / "cat2" / "b.png", 1)
    picture(tmp_path / "cat2" / "a.JPG", 2)
    picture(tmp_path / "dog6" / "x.webp", 3)
    return tmp_path


def test_each_folder_is_a_concept_with_its_photos_in_order(pets: Path) -> None:
    cat, dog = find_concepts(pets).concepts

    assert (cat.name, cat.token, cat.class_noun, cat.height_cm) == ("cat2", "<cat2>", "cat", None)
    assert [photo.id for photo in cat.photos] == ["cat2/a.JPG", "cat2/b.png"]
    assert dog.photos[0].sha256 == hashlib.sha256((pets / "dog6" / "x.webp").read_bytes()).hexdigest()
    assert not find_concepts(pets).rejected


def test_the_photos_at_hand_are_all_found(photos: Path) -> None:
    found = find_concepts(photos)

    assert len(found.concepts) >= 8
    assert not found.rejected


@pytest.mark.parametrize(
    ("folder", "noun", "token"),
    [
        ("dog6", "dog", "<dog6>"),
        ("rc_car", "rc car", "<rc_car>"),
        ("Toy-Robot_02", "toy robot", "<Toy-Robot_02>"),
        ("red mug 3", "red mug", "<red-mug-3>"),
        ("Léas tasse", "léas tasse", "<Leas-tasse>"),
    ],
)
def test_noun_and_token_come_from_the_folder_name(tmp_path: Path, folder: str, noun: str, token: str) -> None:
    picture(tmp_path / folder / "a.png")

    concept = only(find_concepts(tmp_path))

    assert (concept.name, concept.class_noun, concept.token) == (folder, noun, token)


def test_concepts_toml_overrides_what_names_say(pets: Path) -> None:
    described(pets, '[cat2]\nclass_noun = "tabby cat"\nheight_cm = 35\ntoken = "<mimi>"\nattribution = "Ann, CC0"\n')

    cat, dog = find_concepts(pets).concepts

    assert (cat.class_noun, cat.height_cm, cat.token) == ("tabby cat", 35.0, "<mimi>")
    assert {photo.attribution for photo in cat.photos} == {"Ann, CC0"}
    assert (dog.token, dog.height_cm) == ("<dog6>", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cat]\nheight_cm = 3\n", "no folder is called cat; did you mean cat2"),
        ("[cat2]\nhight_cm = 3\n", "unknown key cat2.hight_cm; did you mean height_cm"),
        ('[cat2]\nheight_cm = "35"\n', "cat2.height_cm: expected a number, got '35'"),
        ("[cat2]\nheight_cm = -1\n", "cat2.height_cm: expected a number above 0, got -1"),
        ("[cat2]\nheight_cm = inf\n", "cat2.height_cm: expected a finite number, got inf"),
        ('[cat2]\ntoken = "mimi"\n', "cat2.token: expected .*, such as <dog6>, got 'mimi'"),
        ('[cat2]\nclass_noun = ""\n', "'' cannot be the class noun of cat2: .*; set class_noun in concepts.toml"),
        ('[cat2]\nclass_noun = "a cat"\n', "'a cat' cannot be the class noun of cat2: .*, without an article"),
        ('[cat2]\nclass_noun = "The"\n', "'The' cannot be the class noun of cat2: .*, without an article"),
        ("[cat2]\nheight_cm = 1e6\n", "cat2.height_cm: expected a number of at most 100000, got 1000000.0"),
        ('[cat2]\nclass_noun = "a cat that is far too long"\n', "cannot be the class noun of cat2: expected 1 to 3"),
        ('[cat2]\ntoken = "<dog6>"\n', "cat2 and dog6 have the same token <dog6>"),
        ("cat2 = 3\n", "cat2: expected a table of keys and values, got 3"),
        ("[cat2\n", "is not TOML"),
    ],
)
def test_a_wrong_concepts_toml_is_refused_by_name(pets: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_concepts(described(pets, text))


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("cat+dog", r"'cat\+dog' cannot be the name of a concept: .*; rename its folder"),
        ("cat\ndog", r"'cat\\ndog' cannot be the name of a concept: .*; rename its folder"),
        ("42", "'' cannot be the class noun of 42: expected 1 to 3 plain words .*; set class_noun in concepts.toml"),
        ("cat 🐈", "'cat 🐈' cannot be the class noun of cat 🐈: .*; set class_noun in concepts.toml"),
        ("猫", "no token can be made from the folder name '猫'; set token in concepts.toml"),
    ],
)
def test_a_folder_name_that_cannot_be_used_is_refused(tmp_path: Path, folder: str, message: str) -> None:
    picture(tmp_path / folder / "a.png")

    with pytest.raises(ConfigError, match=message):
        find_concepts(tmp_path)


@pytest.mark.parametrize(
    "noun",
    ['the \\"good\\" cat', "“cat”", "cat 🐈", "9", "cat\\u0007", "cat\\u200b", "cat (old)", "cat, dog", "-", "<cat>"],
)
def test_a_class_noun_that_captions_cannot_say_is_refused(pets: Path, noun: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the class noun of cat2: .*; set class_noun in concepts\.toml"):
        find_concepts(described(pets, f'[cat2]\nclass_noun = "{noun}"\n'))


@pytest.mark.parametrize("noun", ["Rubik's cube", "R2-D2", "St. Bernard", "H&M bag", "8-ball", "2 CV car", "théière"])
def test_a_class_noun_of_plain_words_is_kept_as_it_is(pets: Path, noun: str) -> None:
    assert find_concepts(described(pets, f'[cat2]\nclass_noun = "{noun}"\n')).concepts[0].class_noun == noun


def test_an_accent_that_a_folder_name_holds_apart_becomes_part_of_its_letter(tmp_path: Path) -> None:
    picture(tmp_path / "cafe\u0301" / "a.png")

    assert only(find_concepts(tmp_path)).class_noun == "caf\u00e9"


def test_everything_that_is_wrong_is_said_at_once(pets: Path) -> None:
    for folder in ("cat+dog", "42", "dog 6", "dog-6"):
        picture(pets / folder / "a.png")
    described(pets, '[cat2]\nheight_cm = "35"\nhight = 3\n[cat]\ntoken = "<x>"\n[dog6]\nclass_noun = "9"\n')
    file = pets / "concepts.toml"

    with pytest.raises(ConfigError) as wrong:
        find_concepts(pets)

    said = str(wrong.value).splitlines()
    assert said[:3] == [
        f"{file}: cat2.height_cm: expected a number, got '35'",
        f"{file}: unknown key cat2.hight; did you mean height_cm?",
        f"{file}: no folder is called cat; did you mean cat2?",
    ]
    assert [line.split(":")[0] for line in said[3:6]] == [
        "'' cannot be the class noun of 42",
        "'cat+dog' cannot be the name of a concept",
        "'9' cannot be the class noun of dog6",
    ]
    assert len(said) == 7
    assert said[6].startswith("dog 6 and dog-6 have the same token <dog-6>; set token in concepts.toml")


def test_what_a_wrong_table_says_rightly_is_not_missed(tmp_path: Path) -> None:
    picture(tmp_path / "42" / "a.png")

    with pytest.raises(ConfigError) as wrong:
        find_concepts(described(tmp_path, '[42]\nclass_noun = "mug"\nheight_cm = 0\n'))

    assert str(wrong.value).endswith("concepts.toml: 42.height_cm: expected a number above 0, got 0")


def test_a_folder_without_a_picture_may_be_called_anything(pets: Path) -> None:
    (pets / "42+").mkdir()

    assert list(reasons(find_concepts(pets))) == ["42+"]


def test_names_that_become_one_token_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "red mug" / "a.png")
    picture(tmp_path / "red-mug" / "a.png")

    with pytest.raises(ConfigError, match="red mug and red-mug have the same token <red-mug>"):
        find_concepts(tmp_path)


def test_bad_photos_are_rejected_by_name_and_cost_nothing_else(pets: Path) -> None:
    cat = pets / "cat2"
    (cat / "c.jpg").write_text("not a picture")
    (cat / "d.png").write_bytes(b"")
    (cat / "e.png").mkdir()
    (cat / "f.png").write_bytes((cat / "b.png").read_bytes()[:-40])
    (cat / "g.heic").write_bytes(b"phone")
    (cat / "h.jpg").symlink_to("h.jpg")
    (cat / "notes.txt").write_text("passed over")
    (cat / ".hidden.jpg").write_text("passed over")
    picture(pets / "loose.png")

    found = find_concepts(pets)

    assert [len(concept.photos) for concept in found.concepts] == [2, 1]
    assert list(reasons(found)) == [
        "loose.png",
        *(f"cat2/{name}" for name in ("c.jpg", "d.png", "e.png", "f.png", "g.heic", "h.jpg")),
    ]
    assert "not a picture in JPEG" in reasons(found)["cat2/c.jpg"]
    assert "a folder" in reasons(found)["cat2/e.png"]
    assert "damaged" in reasons(found)["cat2/f.png"]
    assert ".heic is not read" in reasons(found)["cat2/g.heic"]
    assert reasons(found)["loose.png"] == "not in the folder of a concept"


def test_a_picture_that_a_concept_holds_twice_is_used_once(pets: Path) -> None:
    (pets / "cat2" / "copy.png").write_bytes((pets / "cat2" / "b.png").read_bytes())

    found = find_concepts(pets)

    assert [photo.id for photo in found.concepts[0].photos] == ["cat2/a.JPG", "cat2/b.png"]
    assert reasons(found) == {"cat2/copy.png": "the same file as cat2/b.png"}


def test_a_concept_without_a_usable_photo_is_dropped_with_the_reason(pets: Path) -> None:
    (pets / "cup").mkdir()
    (pets / "cup" / "a.jpg").write_text("text")
    (pets / "empty").mkdir()

    found = find_concepts(pets)

    assert [concept.name for concept in found.concepts] == ["cat2", "dog6"]
    assert reasons(found)["cup"] == "none of its 1 pictures can be used"
    assert reasons(found)["empty"].startswith("no .jpg, .jpeg, .png, .webp file")


def test_when_nothing_is_usable_the_error_gives_counts_and_reasons(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_text("text")

    with pytest.raises(InputError, match=r"(?s)no usable photo in any of the 1 folders .*cat/a\.jpg: not a picture"):
        find_concepts(tmp_path)


def test_photos_without_a_folder_of_their_own_are_explained(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")

    with pytest.raises(InputError, match=r"holds 1 photo and no folder; expected a folder per concept: .*/<concept>/"):
        find_concepts(tmp_path)


def test_a_missing_or_empty_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_concepts(tmp_path / "none")
    with pytest.raises(InputError, match="no folders in"):
        find_concepts(tmp_path)
    with pytest.raises(InputError, match="is a file; expected a folder"):
        find_concepts(picture(tmp_path / "a.png"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_costs_only_its_concept(pets: Path) -> None:
    (pets / "cat2").chmod(0)
    try:
        found = find_concepts(pets)
    finally:
        (pets / "cat2").chmod(0o700)

    assert only(found).name == "dog6"
    assert "Permission denied" in reasons(found)["cat2"]


def test_links_are_followed_to_files_and_a_loop_ends(pets: Path) -> None:
    target = picture(pets.parent / f"{pets.name}-elsewhere" / "z.png", 9)
    (pets / "dog6" / "linked.png").symlink_to(target)
    (pets / "loop").symlink_to(pets)

    found = find_concepts(pets)

    assert [photo.id for photo in found.concepts[1].photos] == ["dog6/linked.png", "dog6/x.webp"]
    assert list(reasons(found)) == ["loop"]


@pytest.mark.parametrize(
    ("place", "believed"),
    [
        ("root/cat2/LICENSE", True),
        ("root/Attribution.md", True),
        ("root/LICENSE.txt", True),
        ("ATTRIBUTION.txt", True),
        ("LICENSE", False),
        ("LICENSE.md", False),
    ],
)
def test_attribution_is_read_from_the_nearest_file(tmp_path: Path, place: str, believed: bool) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / place).write_text("# Where these come from\n\nPhotos by Ann,\n  CC BY 4.0.\n\nMore words.\n")

    photo = only(find_concepts(tmp_path / "root")).photos[0]

    assert photo.attribution == ("Photos by Ann, CC BY 4.0." if believed else None)


@pytest.mark.parametrize(
    ("place", "believed"), [("root/cat2/LICENSE", True), ("root/ATTRIBUTION", True), ("root/LICENSE", False)]
)
def test_a_license_beside_a_folder_that_was_named_alone_is_not_the_photos(
    tmp_path: Path, place: str, believed: bool
) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / place).write_text("Terms")

    photo = only(find_concepts(listing(tmp_path / "root", entry("cat2")))).photos[0]

    assert photo.attribution == ("Terms" if believed else None)


def test_the_folder_above_is_found_from_within_the_folder_of_concepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / "ATTRIBUTION").write_text("All by Bob")
    monkeypatch.chdir(tmp_path / "root")

    assert only(find_concepts(Path())).photos[0].attribution == "All by Bob"


def test_the_file_beside_the_photos_wins_and_long_text_is_cut(pets: Path) -> None:
    (pets / "ATTRIBUTION").write_text("All by Bob")
    (pets / "cat2" / "LICENSE").write_text("word " * 1000)

    cat, dog = find_concepts(pets).concepts

    assert dog.photos[0].attribution == "All by Bob"
    assert cat.photos[0].attribution is not None
    assert len(cat.photos[0].attribution) == 800


def listing(folder: Path, *entries: object) -> Path:
    path = folder / "concepts_list.json"
    path.write_text(json.dumps(entries))
    return path


def entry(directory: str, instance: str = "", class_prompt: str = "") -> dict[str, str]:
    return {
        "instance_prompt": instance,
        "class_prompt": class_prompt,
        "instance_data_dir": directory,
        "class_data_dir": "./real_reg/samples",
    }


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
        ([{"instance_prompt": "a <new1> cat"}], ConfigError, "0.instance_data_dir is missing"),
        ([{}, "cat2"], ConfigError, r"(?s)0.instance_data_dir is missing\n.*1: expected a table"),
        ([entry("no"), entry("none")], InputError, r"(?s)instance_data_dir no is not .*instance_data_dir none is not"),
        ([entry("cat2", "", '"cat"')], ConfigError, "cannot be the class noun of cat2: .*, or class_prompt in"),
        (["cat2"], ConfigError, "0: expected a table of keys and values, got 'cat2'"),
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
