"""Prompts with concept tokens, for training on scenes and photos and for generating pictures.

Two strategies: Custom Diffusion's "photo of a <dog6> dog", and that of Gen4Gen (arXiv 2402.15504, section 3), whose
literal templates are not published. Gen4Gen's adds up to three parts to the same prompt:

plain     photo of an <a> owl and a <b> dog
gen4gen   photo of <a+b>: a <b> dog and an <a> owl in a garden, with the <a> owl and the <b> dog in view
          photo of <a+b>: an <a> owl and a <b> dog. The <b> dog sits next to the <a> owl in a garden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from mycanvas.dataset import Scene
from mycanvas.english import listed, with_token
from mycanvas.errors import InputError

MAX_TOKENS = 77
"""The most tokens that CLIP's text encoder reads, with those for start and end; the rest of a prompt is cut off."""
SENTENCE_SHARE = 0.5
"""Fraction of scenes that repeat their tokens in the words of their caption, where it states the relations."""
READABLE = re.compile(r"[a-z0-9_+-]{1,20}")
"""Compositions that are their own token; others would be too long, or differ for CLIP's lower-casing tokenizer."""

CountTokens = Callable[[str], int]
"""The number of tokens of a text, with those for start and end."""

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_LISTING = re.compile("(?:an? )?(?:photo|picture) of ", re.IGNORECASE)
_DETAIL = re.compile(r",? (?:above|and|at|behind|below|beside|between|by|in|near|on|over|under|where|while|with) |, ")
"""The beginnings of details in a background: "on a rooftop| at night"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompting:
    """The parts of a prompt that Gen4Gen adds to Custom Diffusion's.

    composition_token: begin with a token that stands for the whole composition, if it has two or more concepts.
    repeat_tokens: name each concept twice.
    state_background: name the background of a scene. That of a photo is not known.
    """

    composition_token: bool = False
    repeat_tokens: bool = False
    state_background: bool = False


PLAIN = Prompting()
GEN4GEN = Prompting(composition_token=True, repeat_tokens=True, state_background=True)
PROMPTINGS: Mapping[str, Prompting] = {"plain": PLAIN, "gen4gen": GEN4GEN}


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A concept in words. token: "<dog6>". class_name: "dog"."""

    token: str
    class_name: str


def composition_token(composition: str) -> str:
    """The token of a composition: "<cat2+dog6>", or "<scene-kufonari>" where its name is long or unusual.

    Args:
        composition: the names of its concepts, joined by "+", in any order.
    """
    name = "+".join(sorted(composition.split("+")))
    if READABLE.fullmatch(name):
        return f"<{name}>"
    digest = blake2b(name.encode(errors="replace"), digest_size=4).digest()
    return f"<scene-{''.join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest)}>"


def tokens_of(composition: str, concepts: Sequence[Named], prompting: Prompting) -> tuple[str, ...]:
    """All tokens that prompts of a composition have: its own first, if it has one, then those of its concepts.

    Raises:
        InputError: two are equal, except perhaps for their case, which CLIP's tokenizer ignores.
    """
    tokens = (*_own_token(composition, concepts, prompting), *(concept.token for concept in concepts))
    folded = [token.casefold() for token in tokens]
    for index, token in enumerate(tokens):
        if folded.index(folded[index]) != index:
            other = tokens[folded.index(folded[index])]
            raise InputError(
                f"the tokens {other} and {token} of composition {composition} are one for CLIP's tokenizer; "
                "give one of the concepts another token in concepts.toml, and build again"
            )
    return tokens


def token_counter(tokenizers: Sequence[Any]) -> CountTokens:
    """Count tokens with tokenizers of transformers, such as SDXL's two; the largest number counts."""

    def count(text: str) -> int:
        return max(len(tokenizer(text, truncation=False, verbose=False).input_ids) for tokenizer in tokenizers)

    return count


def scene_prompt(scene: Scene, prompting: Prompting, seed: int, count: CountTokens) -> str:
    """A prompt to train on a scene; the same scene and seed give the same prompt.

    The order of the concepts is random: it says nothing about their places. Relations come from the scene's caption,
    whose articles become definite; without `state_background` they are left out, as the caption names the background.

    Raises:
        InputError: the shortest prompt has more than MAX_TOKENS tokens.
    """
    concepts = _named(scene)
    rng = _rng(seed, scene.id)
    background = scene.background if prompting.state_background else ""
    sentence = ""
    if prompting.repeat_tokens and prompting.state_background and rng.random() < SENTENCE_SHARE:
        sentence = _related(scene.prompt, concepts)
    return _prompt(scene.composition, concepts, background, prompting, rng, count, sentence)


def photo_prompt(concept: Named, prompting: Prompting, seed: int, count: CountTokens, view: str = "") -> str:
    """A prompt to train on a source photo, which shows one concept.

    Args:
        concept: that the photo shows.
        prompting: its `composition_token` and `state_background` have no effect here.
        seed: of the random draws.
        count: counts the tokens of a text.
        view: for Custom Diffusion's resize augmentation: "far away", "very small", "zoomed in", "close up".

    Raises:
        InputError: the shortest prompt has more than MAX_TOKENS tokens.
    """
    return _prompt(concept.token, [concept], "", prompting, _rng(seed, concept.token), count, view=view)


def inference_prompt(
    composition: str, concepts: Sequence[Named], background: str, prompting: Prompting, seed: int, count: CountTokens
) -> str:
    """A prompt for concepts in front of a background that training need not have seen.

    It repeats all concepts or none: pictures that are compared have one prompt, which must not favour some of them.

    Args:
        composition: the names of the concepts, joined by "+".
        concepts: to show, 1 to 5.
        background: "in a library"; it is stated in any case. Empty: none, as for objects on plain ground.
        prompting: of the training.
        seed: of the random draws.
        count: counts the tokens of a text.

    Raises:
        InputError: the shortest prompt has more than MAX_TOKENS tokens.
    """
    rng = _rng(seed, f"{composition}\0{background}")
    return _prompt(composition, concepts, background, prompting, rng, count, fewest_repeated=len(concepts))


def _prompt(
    composition: str,
    concepts: Sequence[Named],
    background: str,
    prompting: Prompting,
    rng: np.random.Generator,
    count: CountTokens,
    sentence: str = "",
    view: str = "",
    fewest_repeated: int = 1,
) -> str:
    """The longest variant of a prompt that fits."""
    shuffled = [concepts[index] for index in rng.permutation(len(concepts))]
    repeated = [concepts[index] for index in rng.permutation(len(concepts))] if prompting.repeat_tokens else []
    own = "".join(f"{token}: " for token in _own_token(composition, concepts, prompting))
    named = listed([with_token(concept.class_name, concept.token) for concept in shuffled])
    listing = f"{view} photo of {own}{named}".lstrip()
    text, needed = "", 0
    for text in _variants(listing, background, repeated, fewest_repeated, sentence):
        needed = count(text)
        if needed <= MAX_TOKENS:
            return text
    raise InputError(
        f"the shortest prompt of {composition} has {needed} tokens, and at most {MAX_TOKENS} are read: {text!r}; "
        "give its concepts shorter tokens and class nouns in concepts.toml, and build again"
    )


def _variants(
    listing: str, background: str, repeated: Sequence[Named], fewest_repeated: int, sentence: str
) -> Iterator[str]:
    """Prompts from the longest to the shortest: without repetitions, then without details of the background."""
    placed = f"{listing} {background}".rstrip()
    if sentence:
        stated = background.casefold() in sentence.casefold()
        yield f"{listing if stated else placed}. {sentence}"
    for number in range(len(repeated), fewest_repeated - 1, -1):
        yield f"{placed}, with {listed([_known(concept) for concept in repeated[:number]])} in view"
    yield placed
    shorter = [background[: found.start()] for found in _DETAIL.finditer(background)]
    yield from (f"{listing} {start}" for start in reversed(shorter) if " " in start)


def _related(prompt: str, concepts: Sequence[Named]) -> str:
    """A scene's prompt with definite articles; "" if it only lists the concepts, or lacks one."""
    if _LISTING.match(prompt) or any(concept.token not in prompt for concept in concepts):
        return ""
    for concept in concepts:
        article = rf"\b(?:(A)|a)n?(?= (?:(?:pair|set) of )?{re.escape(concept.token)})"
        prompt = re.sub(article, lambda found: "The" if found[1] else "the", prompt)
    return prompt


def _known(concept: Named) -> str:
    """A concept that was named before: "the <dog6> dog", "the pair of <g> glasses"."""
    return f"the {with_token(concept.class_name, concept.token).split(' ', 1)[1]}"


def _own_token(composition: str, concepts: Sequence[Named], prompting: Prompting) -> tuple[str, ...]:
    """The composition's token, if it has one: that of a single concept would mean the same as the concept's."""
    return (composition_token(composition),) if prompting.composition_token and len(concepts) > 1 else ()


def _named(scene: Scene) -> list[Named]:
    pairs = zip(scene.concept_tokens, scene.class_names, strict=True)
    return [Named(token=token, class_name=name) for token, name in pairs]


def _rng(seed: int, name: str) -> np.random.Generator:
    digest = blake2b(f"{seed}\0{name}".encode(errors="replace"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
