"""The pictures to generate: their prompts, files and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from mycanvas.dataset import Concept, Dataset
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief
from mycanvas.metrics.manifest import read_prompts
from mycanvas.metrics.pictures import composition_concepts
from mycanvas.metrics.protocol import Prompt, unseen_prompts
from mycanvas.prompts import MAX_TOKENS, CountTokens, Named, Prompting, inference_prompt

SUFFIX = ".png"
MAX_PICTURES = 10_000
"""Of a prompt: of many more, whose seeds have 32 bits, some would be the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One picture to generate. prompt: its words and its file. seed: of its noise."""

    prompt: Prompt
    seed: int


def from_dataset(
    dataset: Dataset,
    compositions: Sequence[str],
    prompting: Prompting,
    pictures: int,
    count: CountTokens,
) -> tuple[Request, ...]:
    """One prompt for each composition of a dataset, with a background that none of its scenes has.

    A picture's seed depends on its composition and number alone, so that pictures of several models are paired.

    Args:
        dataset: with the scenes and concepts.
        compositions: names; empty: all.
        prompting: of the prompts.
        pictures: of each prompt.
        count: counts the tokens of a text.

    Raises:
        ConfigError: there is no such composition.
        InputError: a prompt is too long, or the dataset cannot be read.
    """
    unseen = {prompt.composition: prompt for prompt in unseen_prompts(dataset, 1)}
    chosen = [_known(name, tuple(unseen)) for name in compositions] or list(unseen)
    concepts = dataset.concepts(with_photos=False)
    prompts = [_with_prompting(unseen[name], concepts, prompting, count) for name in dict.fromkeys(chosen)]
    return tuple(
        Request(
            prompt=replace(prompt, file=f"{prompt.file.partition('-')[0]}-{index}{SUFFIX}"),
            seed=_seed(prompt.composition, index),
        )
        for prompt in prompts
        for index in range(pictures)
    )


def from_file(path: Path, pictures: int, count: CountTokens) -> tuple[Request, ...]:
    """The prompts in a file of `mycanvas prompts`, or in a manifest.

    With several pictures of a prompt, the number of each is added to the name of its file.

    Raises:
        InputError: the file cannot be read, a prompt is too long, or a picture's name is not that of a PNG in a folder.
    """
    requests = []
    for prompt in read_prompts(path):
        needed = count(prompt.prompt)
        if needed > MAX_TOKENS:
            raise InputError(
                f"{path}: the prompt of {brief(prompt.file)} has {needed} tokens, and this model reads at most "
                f"{MAX_TOKENS}; shorten it"
            )
        name = PurePosixPath(prompt.file)
        if name.suffix != SUFFIX or name.is_absolute() or ".." in name.parts:
            raise InputError(f"{path}: pictures are saved as PNG, got {brief(prompt.file)}; name it NAME{SUFFIX}")
        for index in range(pictures):
            file = prompt.file if pictures == 1 else str(name.with_name(f"{name.stem}-{index}{SUFFIX}"))
            requests.append(Request(prompt=replace(prompt, file=file), seed=_seed(prompt.file, index)))
    return tuple(requests)


def _known(name: str, known: Sequence[str]) -> str:
    sorted_name = "+".join(sorted(name.split("+")))
    if sorted_name not in known:
        raise ConfigError(f"there is no composition {name!r}; {nearest(sorted_name, known)}")
    return sorted_name


def _with_prompting(prompt: Prompt, concepts: dict[str, Concept], prompting: Prompting, count: CountTokens) -> Prompt:
    shown = composition_concepts(prompt.composition, concepts)
    named = [Named(token=concept.token, class_name=concept.class_name) for concept in shown]
    text = inference_prompt(prompt.composition, named, prompt.background or "", prompting, 0, count)
    return replace(prompt, prompt=text)


def _seed(name: str, index: int) -> int:
    digest = blake2b(f"{name}\0{index}".encode(errors="replace"), digest_size=4).digest()
    return int.from_bytes(digest, "big")
