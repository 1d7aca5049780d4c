from __future__ import annotations

import pytest

from mycanvas.english import listed, number_of, plural, uncounted, with_article, with_token


@pytest.mark.parametrize(
    "noun",
    ["dog", "mug", "unicorn", "ukulele", "USB stick", "TV", "European vase", "gym bag", "one-eyed toy", "bus", "lens"],
)
def test_noun_that_begins_with_a_consonant_sound_gets_a(noun: str) -> None:
    assert with_article(noun) == f"a {noun}"


@pytest.mark.parametrize(
    "noun", ["umbrella", "hourglass", "urn", "elephant", "rc car", "x-ray", "8-ball", "MP3 player", "apple"]
)
def test_noun_that_begins_with_a_vowel_sound_gets_an(noun: str) -> None:
    assert with_article(noun) == f"an {noun}"


def test_plural_noun_gets_pair_or_set_and_a_singular_one_in_s_does_not() -> None:
    assert with_article("reading glasses") == "a pair of reading glasses"
    assert with_article("keys") == "a set of keys"
    assert [with_article(noun) for noun in ("wine glass", "cactus", "iris")] == ["a wine glass", "a cactus", "an iris"]


def test_token_is_between_the_article_and_the_noun() -> None:
    assert with_token("owl", "<owl>") == "an <owl> owl"
    assert with_token("glasses", "<g>") == "a pair of <g> glasses"


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("dog", "dogs"),
        ("wolf plushie", "wolf plushies"),
        ("wolf", "wolves"),
        ("box", "boxes"),
        ("ox", "oxen"),
        ("berry", "berries"),
        ("toy", "toys"),
        ("pocket knife", "pocket knives"),
        ("bookshelf", "bookshelves"),
        ("mouse", "mice"),
        ("man", "men"),
        ("snowman", "snowmen"),
        ("human", "humans"),
        ("child", "children"),
        ("sheep", "sheep"),
        ("goldfish", "goldfish"),
        ("cup of tea", "cups of tea"),
        ("glass", "glasses"),
        ("bus", "buses"),
        ("watch", "watches"),
        ("potato", "potatoes"),
        ("photo", "photos"),
        ("cactus", "cacti"),
        ("sunglasses", "pairs of sunglasses"),
        ("flowers", "sets of flowers"),
    ],
)
def test_plural_is_correct_and_used_in_counts(noun: str, several: str) -> None:
    assert plural(noun) == several
    assert number_of(3, noun) == f"three {several}"


def test_listed_joins_phrases_with_commas_and_and() -> None:
    assert [listed(["x"]), listed(["x", "y"]), listed(["x", "y", "z"])] == ["x", "x and y", "x, y and z"]


def test_counted_and_listed_objects_become_the_same_text() -> None:
    nouns = ["dog", "dog house", "glasses"]
    spelled = "A dog, a pair of glasses, a dog and a dog house stand here."

    assert uncounted(spelled, nouns) == uncounted("Two dogs, a dog house and a pair of glasses stand here.", nouns)
    assert uncounted(spelled, nouns) != uncounted("A dog, a dog house and a pair of glasses stand here.", nouns)


def test_counts_at_the_beginning_of_any_sentence_are_found() -> None:
    spelled = "A cat sleeps. A dog and a dog play."

    assert uncounted(spelled, ["dog", "cat"]) == uncounted("A cat sleeps. Two dogs play.", ["dog", "cat"])


def test_noun_with_a_dot_is_counted_whatever_capital_follows() -> None:
    spelled = "A St. Bernard, a St. Bernard and a cat in a garden."

    assert uncounted(spelled, ["St. Bernard", "cat"]) == "<2 St. Bernard, 1 cat> in a garden."
    assert uncounted("two St. Bernards and a cat in a garden.", ["St. Bernard", "cat"]) == uncounted(
        spelled, ["St. Bernard", "cat"]
    )
