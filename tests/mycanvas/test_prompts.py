"""Prompts for training and generation: their parts, their length, and that they are drawn by the seed alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mycanvas.dataset import Scene
from mycanvas.errors import InputError
from mycanvas.export.captions import least_clip_tokens
from mycanvas.prompts import (
    GEN4GEN,
    MAX_TOKENS,
    PLAIN,
    CountTokens,
    Named,
    Prompting,
    composition_token,
    inference_prompt,
    photo_prompt,
    scene_prompt,
    token_counter,
    tokens_of,
)
from tests.tiny_models.tokenizers import clip_tokenizer

DOG, CAT, GLASSES = (
    Named(token="<dog6>", class_name="dog"),
    Named(token="<cat2>", class_name="cat"),
    Named(token="<g>", class_name="glasses"),
)
LONG = ("grey_sloth_plushie", "wooden_pot", "blue_vase", "red_teapot", "shiny_sneaker")
FIVE = [Named(token=f"<{name}>", class_name=name.split("_")[-1]) for name in LONG]


def added(text: str) -> int:
    """Tokens of a text whose concept tokens are in the vocabulary."""
    return least_clip_tokens(re.sub(r"<[^>]*>", "word", text)) + 2


def in_pieces(text: str) -> int:
    """Tokens of a text whose concept tokens are not in the vocabulary; long words are two."""
    return 2 + least_clip_tokens(re.sub(r"[a-z]{7,}", "two words", text))


def short(_text: str) -> int:
    """Counts as if every text had room."""
    return 0


def scene_of(*concepts: Named, background: str = "in a garden", prompt: str | None = None) -> Scene:
    listing = ", ".join(f"a {concept.token} {concept.class_name}" for concept in concepts)
    return Scene(
        split="objects_le3",
        id="s0",
        image=b"",
        mask=b"",
        caption="",
        prompt=f"Near {listing} {background}." if prompt is None else prompt,
        boxes=tuple((0.0, 0.0, 1.0, 1.0) for _ in concepts),
        concept_tokens=tuple(concept.token for concept in concepts),
        class_names=tuple(concept.class_name for concept in concepts),
        background=background,
        composition="+".join(sorted(concept.token.strip("<>") for concept in concepts)),
        source_images=(),
        scores={},
        rank=None,
        provenance="",
    )


PAIR = scene_of(CAT, DOG, prompt="A <cat2> cat sits next to a <dog6> dog in a garden.")


def drawn(scene: Scene, prompting: Prompting, count: CountTokens = short) -> set[str]:
    """The prompts of 40 seeds."""
    return {scene_prompt(scene, prompting, seed, count) for seed in range(40)}


def test_plain_prompt_is_custom_diffusion_s() -> None:
    assert photo_prompt(DOG, PLAIN, 0, short) == "photo of a <dog6> dog"
    assert photo_prompt(DOG, PLAIN, 0, short, view="very small") == "very small photo of a <dog6> dog"
    assert drawn(PAIR, PLAIN) == {"photo of a <cat2> cat and a <dog6> dog", "photo of a <dog6> dog and a <cat2> cat"}


@pytest.mark.parametrize(
    ("prompting", "expected"),
    [
        (Prompting(composition_token=True), "photo of <cat2+dog6>: a <cat2> cat and a <dog6> dog"),
        (Prompting(state_background=True), "photo of a <cat2> cat and a <dog6> dog in a garden"),
        (
            Prompting(repeat_tokens=True),
            "photo of a <cat2> cat and a <dog6> dog, with the <dog6> dog and the <cat2> cat in view",
        ),
    ],
)
def test_each_part_is_added_alone(prompting: Prompting, expected: str) -> None:
    prompts = drawn(PAIR, prompting)

    assert expected in prompts
    assert all(prompt.count("<cat2+dog6>") == prompting.composition_token for prompt in prompts)
    assert all(prompt.count("in a garden") == prompting.state_background for prompt in prompts)
    assert all(prompt.count("<dog6>") == 1 + prompting.repeat_tokens for prompt in prompts)


def test_gen4gen_repeats_tokens_in_the_words_of_the_caption_or_in_a_list() -> None:
    prompts = drawn(PAIR, GEN4GEN)
    start = "photo of <cat2+dog6>: a <cat2> cat and a <dog6> dog"

    assert f"{start}. The <cat2> cat sits next to the <dog6> dog in a garden." in prompts
    assert f"{start} in a garden, with the <dog6> dog and the <cat2> cat in view" in prompts
    for prompt in prompts:
        assert [prompt.count(part) for part in ("<cat2+dog6>", "<dog6>", "<cat2>", "in a garden")] == [1, 2, 2, 1]


def test_caption_that_omits_its_background_gets_it() -> None:
    prompts = drawn(replace(PAIR, prompt="A <cat2> cat watches a <dog6> dog."), GEN4GEN)

    assert any("in a garden. The <cat2> cat watches the <dog6> dog." in prompt for prompt in prompts)
    assert all(prompt.count("in a garden") == 1 for prompt in prompts)


@pytest.mark.parametrize(
    "prompt",
    ["A photo of a <cat2> cat and a <dog6> dog in a garden.", "A cat sits next to a <dog6> dog in a garden."],
    ids=["it only lists", "it lacks a concept"],
)
def test_caption_that_relates_nothing_is_not_repeated(prompt: str) -> None:
    assert all(each.endswith(" in view") for each in drawn(replace(PAIR, prompt=prompt), GEN4GEN))


def test_pairs_and_sets_stay_singular() -> None:
    scene = scene_of(GLASSES, DOG, prompt="A pair of <g> glasses lies in front of an old <dog6> dog in a garden.")
    prompts = drawn(scene, GEN4GEN)

    assert any("The pair of <g> glasses lies in front of an old <dog6> dog" in prompt for prompt in prompts)
    assert any("a pair of <g> glasses and a <dog6> dog in a garden, with" in prompt for prompt in prompts)
    assert any("the pair of <g> glasses and the <dog6> dog in view" in prompt for prompt in prompts)


def test_single_concept_has_no_composition_token() -> None:
    scene = scene_of(DOG, prompt="In a garden sits a <dog6> dog.")

    assert photo_prompt(DOG, GEN4GEN, 0, short) == "photo of a <dog6> dog, with the <dog6> dog in view"
    assert drawn(scene, GEN4GEN) == {
        "photo of a <dog6> dog. In a garden sits the <dog6> dog.",
        "photo of a <dog6> dog in a garden, with the <dog6> dog in view",
    }
    assert tokens_of("dog6", [DOG], GEN4GEN) == ("<dog6>",)


def test_seed_alone_draws_the_prompt() -> None:
    once, again = ([scene_prompt(PAIR, GEN4GEN, seed, short) for seed in range(20)] for _ in range(2))
    other = [scene_prompt(replace(PAIR, id="s1"), GEN4GEN, seed, short) for seed in range(20)]

    assert once == again != other


@pytest.mark.parametrize("count", [added, in_pieces])
def test_five_concepts_fit_and_none_is_left_out(count: CountTokens) -> None:
    sentence = f"{', '.join(f'a {each.token} {each.class_name}' for each in FIVE)} stand in front of the Eiffel Tower."
    scene = scene_of(*FIVE, background="in front of the Eiffel Tower", prompt=sentence)
    prompts = drawn(scene, GEN4GEN, count)

    for prompt in prompts:
        assert count(prompt) <= MAX_TOKENS
        assert all(f"{concept.token} {concept.class_name}" in prompt for concept in FIVE)
        assert "in front of the Eiffel Tower" in prompt
    repeats = {sum(prompt.count(concept.token) for concept in FIVE) - 5 for prompt in prompts}
    assert repeats == {5} if count is added else max(repeats) < 5


def within(room: int) -> CountTokens:
    """Counts as if a model read only so many tokens."""
    return lambda text: added(text) + MAX_TOKENS - room


def test_longer_variants_lose_repetitions_first_then_details_of_the_background() -> None:
    background = "on a rooftop, at night with many lights"
    scene = scene_of(CAT, DOG, background=background, prompt=f"A photo of a <cat2> cat and a <dog6> dog {background}.")

    shortened = list(dict.fromkeys(scene_prompt(scene, GEN4GEN, 0, within(room)) for room in range(60, 15, -1)))
    listing = re.escape(shortened[-1].removesuffix("on a rooftop"))
    known = "the <(?:cat2|dog6)> (?:cat|dog)"
    both, one = (f"{background}, with {names} in view" for names in (f"{known} and {known}", known))

    for text, end in zip(shortened, (both, one, background, "on a rooftop, at night", "on a rooftop"), strict=True):
        assert re.fullmatch(listing + end, text)


def test_inference_favours_no_concept() -> None:
    prompts = {inference_prompt("cat2+dog6", [CAT, DOG], "at sea", GEN4GEN, 0, within(room)) for room in range(16, 60)}

    assert len(prompts) == 2
    assert all(prompt.count("<cat2>") == prompt.count("<dog6>") for prompt in prompts)


def test_prompt_that_cannot_fit_is_an_error_with_its_text() -> None:
    def long(text: str) -> int:
        return added(text) + 70

    message = r"shortest prompt of cat2\+dog6 has 86 tokens, and at most 77 are read: 'photo of .* on a roof'; give"
    with pytest.raises(InputError, match=message):
        inference_prompt("cat2+dog6", [CAT, DOG], "on a roof at night", GEN4GEN, 0, long)


def test_inference_states_the_background_in_any_case() -> None:
    def prompt(prompting: Prompting, background: str) -> str:
        return inference_prompt("dog6+cat2", [CAT, DOG], background, prompting, 0, short)

    assert prompt(PLAIN, "on a frozen lake").endswith(" on a frozen lake")
    assert prompt(PLAIN, "").startswith("photo of a <")
    assert prompt(GEN4GEN, "in a library").startswith("photo of <cat2+dog6>: a <")
    assert " in a library, with the <" in prompt(GEN4GEN, "in a library")


def test_composition_token_is_readable_or_short() -> None:
    assert composition_token("dog6+cat2") == composition_token("cat2+dog6") == "<cat2+dog6>"
    unusual = ["+".join(LONG), "Cat+dog", "cat+dog 2", "кот+dog", "cat+\udce9"]
    tokens = [composition_token(name) for name in unusual]

    assert all(re.fullmatch("<scene-[a-z]{8}>", token) for token in tokens)
    assert len(set(tokens)) == len(tokens)
    assert composition_token("cat+dog 2") == composition_token("dog 2+cat")


def test_tokens_are_those_of_the_prompts() -> None:
    assert tokens_of("cat2+dog6", [CAT, DOG], GEN4GEN) == ("<cat2+dog6>", "<cat2>", "<dog6>")
    assert tokens_of("cat2+dog6", [CAT, DOG], PLAIN) == ("<cat2>", "<dog6>")
    with pytest.raises(InputError, match=r"the tokens <dog6> and <DOG6> of composition a\+b are one for CLIP"):
        tokens_of("a+b", [DOG, replace(DOG, token="<DOG6>")], PLAIN)
    with pytest.raises(InputError, match=r"the tokens <a\+b> and <a\+b> of composition a\+b"):
        tokens_of("a+b", [DOG, replace(DOG, token="<a+b>")], GEN4GEN)


def test_counter_counts_as_the_longest_of_the_tokenizers() -> None:
    plain, other = clip_tokenizer(), clip_tokenizer()
    text = "a photo of a <cat2+dog6> in a garden " * 9
    before = token_counter([plain])(text)
    other.add_tokens(["<cat2+dog6>"])

    assert before == len(plain(text).input_ids) > 77
    assert token_counter([other])(text) == 74
    assert token_counter([other, plain])(text) == before
