"""Class nouns, tokens and heights of concepts, from folder names and concepts.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.sources.concepts import find_concepts
from mycanvas.errors import ConfigError
from mycanvas.io.toml import toml_key
from tests.builder.sources.concept_folders import described, only, picture


@pytest.mark.parametrize(
    ("folder", "noun", "token"),
    [
        ("dog6", "dog", "<dog6>"),
        ("rc_car", "rc car", "<rc_car>"),
        ("Toy-Robot_02", "toy robot", "<Toy-Robot_02>"),
        ("red mug 3", "red mug", "<red-mug-3>"),
        ("Léas tasse", "léas tasse", "<Leas-tasse>"),
        ("Sloth (grey)", "sloth", "<Sloth-grey>"),
        ("mug [old] 2", "mug", "<mug-old-2>"),
        ("chair (1)", "chair", "<chair-1>"),
        ("my-dog", "dog", "<my-dog>"),
        ("our_red_car2", "red car", "<our_red_car2>"),
        ("café müller", "café müller", "<cafe-muller>"),
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
    assert (dog.token, dog.class_noun) == ("<dog6>", "dog")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat = 3\n", "no folder is called cat; did you mean cat2"),
        ('class_noun = "cat"\n', "no folder is called class_noun; known: cat2, dog6"),
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
        ("\4" * 255, r"^'(\\x04){14}\\x0?… cannot be the name of a concept: .*; rename its folder"),
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
    ['the \\"good\\" cat', "“cat”", "cat 🐈", "9", "cat\\u200b", "cat (old)", "cat, dog", "-", "<cat>"],
)
def test_class_noun_that_is_not_plain_words_is_refused(pets: Path, noun: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the class noun of cat2: .*; set class_noun in concepts\.toml"):
        find_concepts(described(pets, f'[cat2]\nclass_noun = "{noun}"\n'))


@pytest.mark.parametrize("noun", ["Rubik's cube", "R2-D2", "St. Bernard", "H&M bag", "8-ball", "2 CV car", "théière"])
def test_a_class_noun_of_plain_words_is_kept_as_it_is(pets: Path, noun: str) -> None:
    assert find_concepts(described(pets, f'[cat2]\nclass_noun = "{noun}"\n')).concepts[0].class_noun == noun


def test_combining_accent_in_a_folder_name_is_composed_with_its_letter(tmp_path: Path) -> None:
    picture(tmp_path / "cafe\u0301" / "a.png")

    assert only(find_concepts(tmp_path)).class_noun == "caf\u00e9"


def test_all_mistakes_are_reported_together(pets: Path) -> None:
    for folder in ("cat+dog", "42", "dog 6", "dog-6"):
        picture(pets / folder / "a.png")
    described(pets, '[cat2]\nheight_cm = "35"\nhight = 3\n[cat]\ntoken = "<x>"\n[dog6]\nclass_noun = "9"\n')
    file = pets / "concepts.toml"

    with pytest.raises(ConfigError) as wrong:
        find_concepts(pets)

    said = str(wrong.value).splitlines()
    assert said[:2] == [
        f"{file}: cat2.height_cm: expected a number, got '35'",
        f"{file}: unknown key cat2.hight; did you mean height_cm?",
    ]
    assert [line.split(":")[0] for line in said[2:5]] == [
        "'' cannot be the class noun of 42",
        "'cat+dog' cannot be the name of a concept",
        "'9' cannot be the class noun of dog6",
    ]
    assert len(said) == 6
    assert said[5].startswith("dog 6 and dog-6 have the same token <dog-6>; set token in concepts.toml")


def test_table_without_a_folder_is_a_warning_that_names_the_nearest_folder(
    pets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    described(pets, '[cat]\nheight = "tall"\n[dog6]\nheight_cm = 40\n[elephant]\ntoken = "<e>"\n')

    cat, dog = find_concepts(pets).concepts

    assert [(each.height_cm, each.height_guessed) for each in (cat, dog)] == [(30, True), (40, False)]
    assert caplog.messages == [
        f"{pets / 'concepts.toml'}: no folder is called cat; did you mean cat2? (this table is not used)",
        f"{pets / 'concepts.toml'}: no folder is called elephant; known: cat2, dog6 (this table is not used)",
    ]


def test_valid_noun_in_a_table_with_a_mistake_is_not_reported_as_missing(tmp_path: Path) -> None:
    picture(tmp_path / "42" / "a.png")

    with pytest.raises(ConfigError) as wrong:
        find_concepts(described(tmp_path, '[42]\nclass_noun = "mug"\nheight_cm = 0\n'))

    assert str(wrong.value).endswith("concepts.toml: 42.height_cm: expected a number above 0, got 0")


def test_names_that_become_one_token_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "red mug" / "a.png")
    picture(tmp_path / "red-mug" / "a.png")

    with pytest.raises(ConfigError, match="red mug and red-mug have the same token <red-mug>"):
        find_concepts(tmp_path)


@pytest.mark.parametrize("folder", ["Sloth (grey)", "my-dog", "café müller", "IMG_2034", "New folder", "DSC 01"])
def test_noun_that_a_folder_name_hardly_gives_is_shown_with_the_way_to_change_it(
    tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / folder / "a.png")

    noun = only(find_concepts(tmp_path)).class_noun

    message = caplog.messages[0]
    assert f'{folder}: its class noun by the folder name is "{noun}"' in message
    assert f'write class_noun = "…" under [{toml_key(folder)}] in concepts.toml' in message
    assert "concepts_list.json" not in message
    described(tmp_path, f'["{folder}"]\nclass_noun = "dog"\n')
    caplog.clear()
    assert only(find_concepts(tmp_path)).class_noun == "dog"
    assert not caplog.messages


@pytest.mark.parametrize("folder", ["dog6", "rc_car", "Toy-Robot_02", "the cat"])
def test_plain_folder_name_gives_no_warning(tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / folder / "a.png")

    find_concepts(tmp_path)

    assert not caplog.messages


@pytest.mark.parametrize(
    "noun",
    [
        "real_reg/samples_cat/caption.txt",
        "./cat",
        "C:\\\\cats",
        "caption.txt",
        "cat.JPG",
        "cats/dogs",
        "this is Tom",
        "cat is here",
        "Look. A cat",
        "photo of cat",
        "--",
        "cat.",
        "!?",
        "cat" * 4000,
    ],
)
def test_path_sentence_or_punctuation_is_no_class_noun(pets: Path, noun: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the class noun of cat2: .*no sentence and no path; set") as wrong:
        find_concepts(described(pets, f'[cat2]\nclass_noun = "{noun}"\n'))

    assert len(str(wrong.value)) < 400


@pytest.mark.parametrize(
    ("first", "second"), [("Mug", "mug"), ("STRASSE", "straße"), ("ﬁg", "fig"), ("café", "cafe\u0301")]
)
def test_folder_names_that_differ_only_in_case_or_form_are_refused(tmp_path: Path, first: str, second: str) -> None:
    picture(tmp_path / first / "a.png", 1)
    picture(tmp_path / second / "a.png", 2)
    described(tmp_path, f'["{first}"]\ntoken = "<one>"\n["{second}"]\ntoken = "<two>"\n')

    with pytest.raises(
        ConfigError, match=r"have the same folder name .*, which differ only in case or form; rename one"
    ):
        find_concepts(tmp_path)


@pytest.mark.parametrize(("cat", "dog"), [("<Pet>", "<pet>"), ("<DOG6>", "<dog6>"), ("<x-Y>", "<X-y>")])
def test_tokens_that_differ_only_in_case_are_refused(pets: Path, cat: str, dog: str) -> None:
    described(pets, f'[cat2]\ntoken = "{cat}"\n[dog6]\ntoken = "{dog}"\n')

    with pytest.raises(
        ConfigError, match=f"cat2 and dog6 have the same token {cat} and {dog}, which differ only in case or form"
    ):
        find_concepts(pets)


def test_token_of_one_concept_may_not_be_the_name_of_another_in_another_case(pets: Path) -> None:
    described(pets, '[cat2]\ntoken = "<Dog6>"\n')

    with pytest.raises(ConfigError, match="the same token <Dog6> and <dog6>"):
        find_concepts(pets)
