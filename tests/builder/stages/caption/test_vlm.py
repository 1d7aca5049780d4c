from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.records import Captioned, Rejected, Rgb, Scene
from builder.stages.caption import caption
from builder.stages.caption.base import CaptionConfig, find_fault
from builder.stages.caption.vlm import INSTRUCTION, Vlm, VlmConfig
from mycanvas.english import listed, number_of, plural
from tests.builder.stages.caption.scenes import Spot, make_scene


class FakeModel:
    """Gives the listed answers for each picture, identified by its first pixel, and records the requests."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [list(each) for each in answers]
        self.requests: list[tuple[int, str, int | None]] = []

    def answer(self, images: Sequence[Rgb], requests: Sequence[str], seeds: Sequence[int | None]) -> list[str]:
        numbers = [int(image[0, 0, 0]) for image in images]
        self.requests += zip(numbers, requests, seeds, strict=True)
        return [self.answers[index].pop(0) for index in numbers]


def row_of(*nouns: str, number: int = 0, where: str = "in a garden") -> Scene:
    """A scene of objects side by side, from left to right."""
    spots: list[Spot] = [(noun, 2 + 19 * place, 90, 15, 15) for place, noun in enumerate(nouns)]
    scene = make_scene(spots, sample_id=f"s{number}", where=where)
    scene.image[...] = number
    return scene


def captioned(scene: Scene, *answers: str, max_words: int = 30) -> Captioned:
    """Caption a scene with a model that gives these answers."""
    vlm = Vlm(VlmConfig(tries=len(answers)), FakeModel(answers))
    (result,) = caption([scene], vlm, CaptionConfig(max_words=max_words), 0)
    assert isinstance(result, Captioned)
    return result


def test_request_is_the_papers_instruction_and_the_required_class_names() -> None:
    model = FakeModel(["Two dogs and a teapot are in a garden."])

    list(caption([row_of("dog", "teapot", "dog")], Vlm(VlmConfig(), model), CaptionConfig(), 0))

    ((_, request, seed),) = model.requests
    assert request.startswith(
        "Describe what you see in this image in detail. The number of words is limited to 30. "
        "The description must name two dogs and a teapot"
    )
    assert INSTRUCTION.format(words=30) in request
    assert seed is None


@pytest.mark.parametrize(
    ("nouns", "answer", "expected", "prompt"),
    [
        (
            ("dog", "cat"),
            "A dog and a cat sit in a garden.",
            "A dog and a cat sit in a garden.",
            "A <c0> dog and a <c1> cat sit in a garden.",
        ),
        # counted objects are listed, left to right
        (
            ("dog", "cat", "dog"),
            "A cat lies between two dogs.",
            "A cat lies between two dogs.",
            "A <c1> cat lies between a <c0> dog and a <c2> dog.",
        ),
        (
            ("dog", "dog"),
            "The lawn is green. 2 small, brown dogs play.",
            "The lawn is green. Two dogs play.",
            "The lawn is green. A <c0> dog and a <c1> dog play.",
        ),
        (("dog", "dog"), "A couple of dogs rest.", "Two dogs rest.", "A <c0> dog and a <c1> dog rest."),
        (
            ("sunglasses", "sunglasses"),
            "Two pairs of sunglasses lie on a table.",
            "Two pairs of sunglasses lie on a table.",
            "A pair of <c0> sunglasses and a pair of <c1> sunglasses lie on a table.",
        ),
        (("sheep", "sheep"), "Two sheep graze.", "Two sheep graze.", "A <c0> sheep and a <c1> sheep graze."),
        # mentioned one by one, left to right
        (
            ("dog", "dog"),
            "A brown dog sits beside another dog.",
            "A brown dog sits beside another dog.",
            "A brown <c0> dog sits beside another <c1> dog.",
        ),
        (
            ("mug", "mug", "mug"),
            "One mug is red, one mug is blue and the other mug is green.",
            "One mug is red, one mug is blue and the other mug is green.",
            "One <c0> mug is red, one <c1> mug is blue and the other <c2> mug is green.",
        ),
        # later mentions of the same object have no token
        (
            ("dog",),
            "A dog sleeps in its dog bed. The dog's fur is white.",
            "A dog sleeps in its dog bed. The dog's fur is white.",
            "A <c0> dog sleeps in its dog bed. The dog's fur is white.",
        ),
        (
            ("dog", "dog"),
            "Two dogs sit; one dog is brown and the other dog is white.",
            "Two dogs sit; one dog is brown and the other dog is white.",
            "A <c0> dog and a <c1> dog sit; one dog is brown and the other dog is white.",
        ),
        # possessives, capitals, nouns of two words and nouns within others
        (("dog",), "A Dog's nose is near the camera.", "A Dog's nose is near the camera.", None),
        (
            ("rubber duck", "duck", "toy car", "car"),
            "A Rubber Duck and a toy car are beside a duck and a car.",
            "A Rubber Duck and a toy car are beside a duck and a car.",
            "A <c0> Rubber Duck and a <c2> toy car are beside a <c1> duck and a <c3> car.",
        ),
        (("RC car",), "An rc car drives on the sand.", "An rc car drives on the sand.", None),
        # text that models put around their captions
        (("mug",), "**A mug** stands on the table", "A mug stands on the table.", None),
        (("mug",), "Sure! Here is a caption:\n\n> “The image shows a mug on a table.”", "A mug on a table.", None),
        (("mug",), '```json\n{"caption": "A mug stands on the table."}\n```', "A mug stands on the table.", None),
        (("mug",), "A mug is on the table. It is next to the…", "A mug is on the table.", None),
        (("mug",), "A mug is on a table, with no people near it.", "A mug is on a table.", None),
        (("mug",), "I see a mug on the table. Would you like more details?", "A mug on the table.", None),
    ],
)
def test_answer_that_names_every_concept_is_the_caption(
    nouns: tuple[str, ...], answer: str, expected: str, prompt: str | None
) -> None:
    result = captioned(row_of(*nouns), answer)

    assert (result.written_by, result.caption) == ("vlm", expected)
    assert re.sub(r"<c\d> ", "", result.prompt) == expected if prompt is None else result.prompt == prompt


@pytest.mark.parametrize(
    ("nouns", "answer"),
    [
        (("dog",), "A corgi sits in a garden."),  # another name is no mention
        (("dog",), "A hot-dog and a dog-shaped toy are in a garden."),
        (("dog",), "A dog bed is in the garden."),
        (("toy", "dog"), "A toy dog is in a garden."),
        (("toy", "dog", "dog"), "A toy and two toy dogs are in a garden."),
        (("car", "toy car"), "A toy car is on the floor."),
        (("dog",), "Two dogs sit in a garden."),  # false counts
        (("dog",), "A dog plays with another dog in a garden."),
        (("dog",), "A dog and a cat are near a dog in a garden."),
        (("dog",), "The second dog is in a garden."),
        (("dog",), "Two dog are in a garden."),
        (("dog", "dog"), "A dog sits in a garden."),
        (("dog", "dog"), "Three dogs sit in a garden."),
        (("dog", "dog"), "Two of the dogs sit in a garden."),
        (("dog", "dog"), "Two dogs and a dog sit in a garden."),
        (("dog", "dog"), "A dog sits in a garden. The dog is brown."),
        (("dog", "dog"), "Several dogs sit in a garden."),
        (("dog", "dog"), "Two boys with dogs sit in a garden."),
        (("dog", "dog"), "A dog is to the right of another dog in a garden."),  # tokens would be swapped
        (("dog",), "There is no dog in the garden."),
        (("dog",), "I'm sorry, I can't describe a dog."),
        (("dog",), "Ein dog sitzt im Garten."),
        (("dog",), "这是一只狗，dog。"),
        (("dog",), ""),
        (("dog",), "dog"),
        (("dog",), "A dog sits " + "and sits " * 30),
    ],
)
def test_incomplete_or_false_answer_is_requested_again(nouns: tuple[str, ...], answer: str) -> None:
    second = (
        f"{listed([number_of(nouns.count(noun), noun) for noun in dict.fromkeys(nouns)])} are in a park.".capitalize()
    )

    result = captioned(row_of(*nouns), answer, second)

    assert (result.written_by, result.caption) == ("vlm", second)


def test_second_request_states_the_fault_and_the_required_words() -> None:
    model = FakeModel(["A corgi and two mugs are on a lawn.", "A dog and two mugs are on a lawn."])

    list(caption([row_of("dog", "mug", "mug")], Vlm(VlmConfig(), model), CaptionConfig(), 0))

    (_, first, _), (_, second, seed) = model.requests
    assert second.startswith(first)
    assert 'it does not say "dog"' in second
    assert '"a dog" and "two mugs"' in second
    assert seed is not None


def test_only_wrong_captions_are_requested_again_with_the_samples_own_seeds() -> None:
    def ask(scenes: Sequence[Scene], seed: int) -> tuple[FakeModel, list[Captioned | Rejected]]:
        model = FakeModel(["A dog is here."], ["A puppy is here.", "A dog is there."], ["A pup.", "Pups.", "A pup."])
        return model, list(caption(scenes, Vlm(VlmConfig(), model), CaptionConfig(), seed))

    scenes = [row_of("dog", number=number) for number in range(3)]
    batch, results = ask(scenes, 0)
    alone, (result,) = ask(scenes[2:], 0)
    other, _ = ask(scenes[2:], 1)

    assert [number for number, _, _ in batch.requests] == [0, 1, 2, 1, 2, 2]
    assert [each for each in batch.requests if each[0] == 2] == alone.requests
    assert result == results[2]
    seeds = [seed for _, _, seed in batch.requests]
    assert len({*seeds, *(seed for _, _, seed in other.requests)}) == 1 + 3 + 2
    assert [each.written_by for each in results if isinstance(each, Captioned)] == ["vlm", "vlm", "template"]


@pytest.mark.parametrize(
    ("nouns", "answer", "expected", "prompt"),
    [
        (
            ("dog", "mug"),
            "A corgi sits by a mug on a lawn.",
            "A photo of a dog: a corgi sits by a mug on a lawn.",
            "A photo of a <c0> dog: a corgi sits by a <c1> mug on a lawn.",
        ),
        (
            ("dog", "mug", "mug", "dog"),
            "The sun sets over the sea.",
            "A photo of two dogs and two mugs: the sun sets over the sea.",
            "A photo of a <c0> dog, a <c3> dog and a <c1> mug and a <c2> mug: the sun sets over the sea.",
        ),
        # a false claim is cut off
        (
            ("teapot", "dog", "dog"),
            "A teapot is on the grass. Three dogs play.",
            "A photo of two dogs: a teapot is on the grass.",
            "A photo of a <c1> dog and a <c2> dog: a <c0> teapot is on the grass.",
        ),
    ],
)
def test_missing_names_are_put_before_the_models_words(
    nouns: tuple[str, ...], answer: str, expected: str, prompt: str
) -> None:
    result = captioned(row_of(*nouns), answer, "", "Ich weiß es nicht.")

    assert (result.written_by, result.caption, result.prompt) == ("vlm+template", expected, prompt)


def test_template_writes_captions_that_cannot_be_completed() -> None:
    """Completed as "two dogs: a dog ...", the caption would mention a third dog."""
    result = captioned(row_of("dog", "dog", where="on a beach"), "A dog sits on a beach.", "这是狗。")

    assert result.written_by == "template"
    assert "two dogs" in result.caption.lower()
    assert "on a beach" in result.caption.lower()


def test_long_answers_are_cut_at_a_sentence_or_clause() -> None:
    sentences = captioned(row_of("mug"), f"A mug stands here. {'It is very nice. ' * 10}").caption
    clauses = captioned(row_of("mug"), f"A mug stands here, {'on a lawn, ' * 20}").caption
    spelled = captioned(row_of("mug", "mug"), "Two mugs are on a red table. The table is set for tea.", max_words=12)

    assert sentences == "A mug stands here. " + " ".join(["It is very nice."] * 6)
    assert clauses == "A mug stands here, " + "on a lawn, " * 7 + "on a lawn."
    assert spelled.caption == "Two mugs are on a red table."


def test_tokens_in_an_answer_are_removed() -> None:
    answer = "<c0> A <c1> dog and <|im_end|> a <c0> cat <c1>cat <<c0>c0> sit in a <c7> garden. <c0>"

    result = captioned(row_of("dog", "cat"), answer, answer, "A <c1> dog and a <<c0>> cat are in a garden.")

    assert result.caption == "A dog and a cat are in a garden."
    assert result.prompt == "A <c0> dog and a <c1> cat are in a garden."


def test_scene_that_takes_too_many_words_is_rejected_and_others_are_kept() -> None:
    long, short = row_of(*(f"very old thing {name}" for name in "abcde")), row_of("dog", number=1)
    model = FakeModel(["Some things are here."] * 3, ["A dog is here."])

    rejected, result = caption([long, short], Vlm(VlmConfig(), model), CaptionConfig(max_words=12), 0)

    assert isinstance(rejected, Rejected)
    assert rejected.reason == "29 words are needed to name everything; expected at most 12"
    assert isinstance(result, Captioned)


NOUNS = ("dog", "car", "toy", "toy car", "sheep", "sunglasses", "RC car", "mouse")
FORMS = (*NOUNS, "dogs", "cars", "toy cars", "mice", "pairs of sunglasses", "dog's", "corgi")
PIECES = st.one_of(
    st.sampled_from(FORMS),
    st.sampled_from(("Two", "two", "3", "a", "an", "the", "another", "pair", "of", "is", "sits", "brown", "no")),
    st.sampled_from(("right", "left", "<c0>", "<", ">", "**", "\n", "- ", ".", ",", "…", "“", "\ud800", "{")),
)
PHRASES = st.tuples(
    st.sampled_from(("a", "a brown", "two", "two small", "the", "another", "one", "the other", "three", "some")),
    st.sampled_from(FORMS),
    st.sampled_from(("is", "sits on the", "and", "in front of", "beside", "to the right of", "on the left,", "is. It")),
)
ANSWERS = st.one_of(
    st.text(),
    st.lists(PIECES, max_size=40).map(" ".join),
    st.lists(PHRASES, min_size=1, max_size=6).map(lambda phrases: " ".join(map(" ".join, phrases)) + " here."),
)


@settings(max_examples=500, deadline=None)
@given(
    nouns=st.lists(st.sampled_from(NOUNS), min_size=1, max_size=5),
    answers=st.lists(ANSWERS, min_size=3, max_size=3),
    max_words=st.integers(12, 30),
)
def test_captions_keep_the_rules_for_any_answer(nouns: list[str], answers: list[str], max_words: int) -> None:
    scene = row_of(*nouns)
    concepts = scene.canvas.layout.setting.sample.concepts
    vlm = Vlm(VlmConfig(tries=3), FakeModel(answers))

    (result,) = caption([scene], vlm, CaptionConfig(max_words=max_words), 0)

    if isinstance(result, Rejected):
        assert "words are needed" in result.reason
        return
    assert find_fault(result.caption, result.prompt, concepts, max_words) is None
    assert not set("<>\n*") & set(result.caption)
    assert sorted(re.findall(r"<[^>]*>", result.prompt)) == sorted(concept.token for concept in concepts)
    for noun in set(nouns):
        places = [result.prompt.index(concept.token) for concept in concepts if concept.class_noun == noun]
        assert places == sorted(places)
        if nouns.count(noun) == 1 and plural(noun) != noun:
            others = [plural(longer) for longer in NOUNS if longer.endswith(f" {noun}")]
            rest = re.sub("|".join(others) or "$", "", result.caption, flags=re.IGNORECASE)
            assert not re.search(rf"\b{plural(noun)}\b", rest, re.IGNORECASE)
    result.prompt.encode()


def test_megabyte_answers_end_in_the_template() -> None:
    for piece in ("a", "dog ", "two brown ", "<", "'", "**", "- \n", "a, ", ". ", "</think>"):
        assert captioned(row_of("dog", "dog"), piece * (1_000_000 // len(piece))).written_by == "template"
