"""Find concepts: folders of photos, each checked and named (before Gen4Gen, stage 1).

A source of concepts is a folder that holds a folder of photos per concept, with an optional `concepts.toml` that
describes them; Custom Diffusion's `concepts_list.json`; or the folder of its benchmark, CustomConcept101.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from builder.records import Concept, PhotoFile, Rejected
from builder.sources.concept_folders import EMPTY_TOKEN, ConceptDescription, ConceptFolder
from builder.sources.concepts_list import find_list, read_concepts_list
from builder.sources.photo_folders import (
    SUFFIXES,
    attribution_of,
    entries,
    find_photos,
    may_hold_photos,
    read_descriptions,
)
from builder.sources.photos import MIN_SIDE
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.images import decode
from mycanvas.io.messages import counted

MAX_NOUN_WORDS = 3
"""Five such nouns with their articles, and a background of six words, take 27 of the 30 words of a caption."""

_PLAIN = re.compile(r"\w(?:[\w .'’&/-]*\w)?")
"""Text that begins and ends with a letter or digit, so that a caption can be searched for it as whole words."""
_SET_NOUN = "set class_noun in concepts.toml, or class_prompt in concepts_list.json"
_SET_TOKEN = "set token in concepts.toml, or a <token> in its instance_prompt in concepts_list.json"  # noqa: S105 - a concept's


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundConcepts:
    """The result of `find_concepts`.

    concepts: those with at least one usable photo, sorted by name.
    rejected: every unused photo, by its id; and every folder that makes no concept, by its name.
    """

    concepts: tuple[Concept, ...]
    rejected: tuple[Rejected, ...]


def find_concepts(source: Path) -> FoundConcepts:
    """Find the concepts of a source and check every photo.

    A concept is a folder of .jpg, .jpeg, .png and .webp files; hidden files are ignored, and so are folders within it.
    Its name is the folder's; its class noun is the name without trailing digits ("rc_car2": "rc car"), its token the
    name in angle brackets, with "-" in place of characters that a token cannot have. `concepts.toml` overrides noun and
    token, and adds height and attribution; without it, the attribution is that of `attribution_of`. A photo that a
    concept holds twice is used once.

    Args:
        source: the folder of concept folders, a concepts_list.json, or the folder of CustomConcept101. Folders in a
            list are relative to it; where a list has one token for all, tokens come from the folders' names.

    Raises:
        InputError: there is no source, or no concept with a usable photo.
        ConfigError: names, nouns or tokens that are invalid or used twice, or an invalid description of concepts; the
            message lists all such problems.
    """
    list_file = find_list(source)
    source = list_file or source
    folders, rejected, problems = (read_concepts_list(list_file), [], []) if list_file else _read_folder(source)
    problems += _problems([folder for folder in folders if _holds_photos(folder.path)])
    if problems:
        raise ConfigError("\n".join(problems))
    concepts: list[Concept] = []
    for folder in folders:
        try:
            attribution = folder.described.attribution or attribution_of(folder.path, collected=folder.collected)
            photos, unusable = find_photos(folder.path, _check_photo, "concepts", attribution)
        except InputError as error:
            rejected.append(_reject(folder.name, str(error)))
            continue
        rejected += unusable
        if photos:
            concepts.append(_concept(folder, photos))
        else:
            none_usable = f"none of its {len(unusable)} pictures can be used"
            rejected.append(_reject(folder.name, none_usable if unusable else f"no {', '.join(SUFFIXES)} file in it"))
    if not concepts:
        first = "\n".join(f"  {each.sample_id}: {each.reason}" for each in rejected[:5])
        raise InputError(
            f"no usable photo in any of the {len(folders)} folders of {source}; the first reasons:\n{first}"
        )
    return FoundConcepts(concepts=tuple(concepts), rejected=tuple(rejected))


def _read_folder(source: Path) -> tuple[list[ConceptFolder], list[Rejected], list[str]]:
    """The concept folders in a folder, the photos beside them, and the problems of concepts.toml.

    A folder that concepts.toml describes wrongly is left out.
    """
    found = entries(source)
    folders = [entry for entry in found if may_hold_photos(entry)]
    loose = [entry.name for entry in found if entry.suffix.lower() in SUFFIXES and not os.path.isdir(entry)]
    if not folders:
        expected = f"expected a folder per concept: {source}/<concept>/*.jpg"
        if loose:
            raise InputError(f"{source} holds {counted(len(loose), 'photo')} and no folder; {expected}")
        raise InputError(f"no folders in {source}; {expected}")
    described, wrong = read_descriptions(
        source / "concepts.toml", [folder.name for folder in folders], ConceptDescription
    )
    concepts = [
        ConceptFolder(path=folder, described=described.get(folder.name, ConceptDescription()), collected=True)
        for folder in folders
        if folder.name not in wrong
    ]
    rejected = [_reject(name, "not in the folder of a concept") for name in loose]
    return concepts, rejected, list(chain(*wrong.values()))


def _check_photo(data: bytes) -> None:
    decode(data, MIN_SIDE, min_side=MIN_SIDE)


def _holds_photos(folder: Path) -> bool:
    try:
        return any(entry.suffix.lower() in SUFFIXES for entry in entries(folder))
    except InputError:  # `find_photos` reports it
        return False


def _problems(folders: Sequence[ConceptFolder]) -> Iterator[str]:
    """Everything that is wrong with the names, class nouns and tokens of folders, one line each."""
    for folder in folders:
        if "+" in folder.name or not folder.name.isprintable():
            expected = 'expected no "+" and no control character; rename its folder'
            yield f"{folder.name!r} cannot be the name of a concept: {expected}"
            continue
        if folder.token == EMPTY_TOKEN:
            yield f"no token can be made from the folder name {folder.name!r}; {_SET_TOKEN}"
        if not _is_class_noun(folder.class_noun):
            yield (
                f"{folder.class_noun!r} cannot be the class noun of {folder.name}: expected 1 to {MAX_NOUN_WORDS} "
                f"plain words of letters (digits, - and ' may be among them), without an article; {_SET_NOUN}"
            )
    yield from _duplicates([(str(folder.path), folder.name) for folder in folders], "folder name", "rename one")
    tokens = [(folder.name, folder.token) for folder in folders if folder.token != EMPTY_TOKEN]
    yield from _duplicates(list(dict(tokens).items()), "token", _SET_TOKEN)


def _is_class_noun(noun: str) -> bool:
    """Whether a caption can hold the noun with an article of its own, and be searched for it."""
    if noun.lower().split()[:1] in (["a"], ["an"], ["the"]):
        return False
    return bool(_PLAIN.fullmatch(noun)) and len(noun.split()) <= MAX_NOUN_WORDS and any(map(str.isalpha, noun))


def _duplicates(pairs: Sequence[tuple[str, str]], what: str, remedy: str) -> Iterator[str]:
    """A line for each value that an earlier owner has too. pairs: owner and value."""
    first: dict[str, str] = {}
    for owner, value in pairs:
        if value in first:
            yield f"{first[value]} and {owner} have the same {what} {value}; {remedy}"
        first.setdefault(value, owner)


def _concept(folder: ConceptFolder, photos: Sequence[PhotoFile]) -> Concept:
    return Concept(
        name=folder.name,
        token=folder.token,
        class_noun=folder.class_noun,
        height_cm=folder.described.height_cm,
        photos=tuple(photos),
    )


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=sample_id, stage="concepts", reason=reason)


def photo_folders_of(source: Path) -> list[ConceptFolder]:
    """The folders of photos in a folder, without their descriptions; `find_concepts` says which names it accepts.

    Raises:
        InputError: the source is not a folder, or cannot be read.
    """
    folders = [entry for entry in entries(source) if may_hold_photos(entry) and _holds_photos(entry)]
    return [ConceptFolder(path=folder, described=ConceptDescription(), collected=True) for folder in folders]


def name_problems(folders: Sequence[ConceptFolder]) -> Iterator[str]:
    """Problems of the names, class nouns and tokens of folders, one line each."""
    return _problems(folders)
