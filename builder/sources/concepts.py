"""Photos on disk -> Concept: what there is to compose, each thing named, its photos checked (before Gen4Gen, stage 1).

Ways to say where photos lie: a folder that holds a folder of photos per concept, with an optional `concepts.toml` that
describes them; Custom Diffusion's `concepts_list.json`; or the folder of its benchmark, CustomConcept101.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from builder.records import Concept, PhotoFile, Rejected
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
from mycanvas.io.messages import explain

MAX_NOUN_WORDS = 3
"""Five such nouns with their articles, and a background of six words, come to 27 of the 30 words of a caption."""

CUSTOM_CONCEPT_101 = ("dataset.json", "benchmark_dataset")
"""What the folder of that benchmark holds: a list as in concepts_list.json, and the folders that it names."""

MAX_HEIGHT_CM = 1e5
"""A kilometre: what is taller was not meant in centimetres."""

_BRACKETED = r"<[A-Za-z0-9_-]+>"
_NAMELESS = "<>"
"""What a name without a single letter or digit of ASCII gives for a token."""
_PLAIN = re.compile(r"\w(?:[\w .'’&/-]*\w)?")
"""Words that stand apart from those around them, so that a caption can be searched for them."""
_SET_NOUN = "set class_noun in concepts.toml, or class_prompt in concepts_list.json"
_SET_TOKEN = "set token in concepts.toml, or a <token> in its instance_prompt in concepts_list.json"  # noqa: S105 - a concept's
_PROMPT_FRAME = re.compile(r"^(a )?(photo|picture|image) of |^(an?|the) ", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What `find_concepts` found.

    concepts: those with at least one good photo, sorted by name.
    rejected: every photo that is not used, by its id; and every folder that makes no concept, by its name.
    """

    concepts: tuple[Concept, ...]
    rejected: tuple[Rejected, ...]


def _bracketed(token: str) -> str:
    if not re.fullmatch(_BRACKETED, token):
        raise ValueError(f"expected letters A to Z, digits, - and _ in angle brackets, such as <dog6>, got {token!r}")
    return token


class _Description(BaseModel):
    """One table of concepts.toml."""

    model_config = ConfigDict(extra="forbid", strict=True)

    class_noun: str | None = None
    height_cm: Annotated[float, Field(gt=0, le=MAX_HEIGHT_CM, allow_inf_nan=False)] | None = None
    token: Annotated[str, AfterValidator(_bracketed)] | None = None
    attribution: str | None = None


class _Listed(BaseModel):
    """One entry of concepts_list.json; keys that only training needs are passed over."""

    instance_data_dir: str
    instance_prompt: str = ""
    class_prompt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    """A folder of photos and what its owner says about it. collected: as in `attribution_of`."""

    path: Path
    described: _Description
    collected: bool

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def token(self) -> str:
        """What prompts call the thing in it; `_NAMELESS` if nobody says so and its name gives none."""
        ascii_name = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode()
        stem = re.sub("[^A-Za-z0-9_-]+", "-", ascii_name).strip("-")
        return self.described.token or f"<{stem}>"

    @property
    def class_noun(self) -> str:
        """What captions call it: by default "rc car" for "rc_car2", "RC-car 2" and "the rc car"."""
        by_name = re.sub(r"[\s_-]+", " ", self.name).strip().rstrip("0123456789 ").lower()
        by_name = re.sub("^(an?|the) ", "", by_name)
        said = self.described.class_noun
        # Composed letters: macOS writes an é in a name as an e and an accent, which is no part of a word to `re`.
        return unicodedata.normalize("NFC", " ".join((by_name if said is None else said).split()))


def find_concepts(source: Path) -> Found:
    """Find the concepts under a folder, or those that a concepts_list.json lists, and check every photo.

    A concept is a folder of .jpg, .jpeg, .png and .webp files; hidden files are passed over, folders within it are not
    searched. Its name is the folder's; its class noun is the name without trailing digits ("rc_car2": "rc car"), its
    token the name in angle brackets, with "-" for what a token cannot hold. `concepts.toml` overrides noun and token,
    and adds height and attribution; otherwise `attribution_of` says who made a photo. A picture that a concept holds
    twice is used once.

    Args:
        source: the folder of concept folders, a concepts_list.json, or the folder of CustomConcept101. Folders in a
            list are relative to it; where a list has one token for all, tokens come from the folders' names.

    Raises:
        InputError: nothing there, or no concept with a usable photo.
        ConfigError: names, nouns or tokens that clash or cannot be used, or a file about concepts that is wrong;
            everything of that kind at once.
    """
    if all((source / name).exists() for name in CUSTOM_CONCEPT_101):
        source = source / CUSTOM_CONCEPT_101[0]
    listed = source.suffix.lower() == ".json"
    folders, rejected, problems = (_listed(source), [], []) if listed else _laid_out(source)
    problems += _problems([folder for folder in folders if _holds_pictures(folder.path)])
    if problems:
        raise ConfigError("\n".join(problems))
    concepts: list[Concept] = []
    for folder in folders:
        try:
            attribution = folder.described.attribution or attribution_of(folder.path, collected=folder.collected)
            photos, bad = find_photos(folder.path, _check, "concepts", attribution)
        except InputError as error:
            rejected.append(_reject(folder.name, str(error)))
            continue
        rejected += bad
        if photos:
            concepts.append(_concept(folder, photos))
        else:
            why = f"none of its {len(bad)} pictures can be used" if bad else f"no {', '.join(SUFFIXES)} file in it"
            rejected.append(_reject(folder.name, why))
    if not concepts:
        first = "\n".join(f"  {each.sample_id}: {each.reason}" for each in rejected[:5])
        raise InputError(
            f"no usable photo in any of the {len(folders)} folders of {source}; the first reasons:\n{first}"
        )
    return Found(concepts=tuple(concepts), rejected=tuple(rejected))


def _laid_out(source: Path) -> tuple[list[_Folder], list[Rejected], list[str]]:
    """The folders in a folder, the photos beside them, and what concepts.toml gets wrong, about folders left out."""
    found = entries(source)
    folders = [entry for entry in found if may_hold_photos(entry)]
    loose = [entry.name for entry in found if entry.suffix.lower() in SUFFIXES and not os.path.isdir(entry)]
    if not folders:
        expected = f"expected a folder per concept: {source}/<concept>/*.jpg"
        if loose:
            raise InputError(f"{len(loose)} photos lie directly in {source}; {expected}")
        raise InputError(f"no folders in {source}; {expected}")
    described, wrong = read_descriptions(source / "concepts.toml", [folder.name for folder in folders], _Description)
    about = [
        _Folder(path=folder, described=described.get(folder.name, _Description()), collected=True)
        for folder in folders
        if folder.name not in wrong
    ]
    return about, [_reject(name, "not in the folder of a concept") for name in loose], list(chain(*wrong.values()))


def _listed(source: Path) -> list[_Folder]:
    """The folders that a concepts_list.json names."""
    try:
        listed = TypeAdapter(list[_Listed]).validate_python(json.loads(source.read_bytes()))
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    except ValidationError as error:
        wrong = [f"{source}: {explain(each, list(_Listed.model_fields))}" for each in error.errors()]
        raise ConfigError("\n".join(wrong)) from error
    except ValueError as error:
        raise ConfigError(f"{source} is not JSON: {error}") from error
    if not listed:
        raise ConfigError(f"{source} lists no folder of photos")
    paths = {each.instance_data_dir: Path(os.path.abspath(source.parent / each.instance_data_dir)) for each in listed}
    if lost := [name for name, path in paths.items() if not path.is_dir()]:
        expected = f"expected one, relative to {source.parent}"
        raise InputError("\n".join(f"{source}: instance_data_dir {name} is not a folder; {expected}" for name in lost))
    found = [re.search(_BRACKETED, entry.instance_prompt) for entry in listed]
    tokens = [match and match.group() for match in found]
    if len(tokens) > 1 and len(set(tokens)) == 1:  # CustomConcept101 calls each <new1>, in a training of its own
        tokens = [None] * len(tokens)
    folders = []
    for entry, token in zip(listed, tokens, strict=True):
        noun = _PROMPT_FRAME.sub("", _PROMPT_FRAME.sub("", entry.class_prompt.strip()))
        described = _Description(class_noun=noun or None, token=token)
        folders.append(_Folder(path=paths[entry.instance_data_dir], described=described, collected=False))
    return sorted(folders, key=lambda folder: folder.name)


def _check(data: bytes) -> None:
    decode(data, MIN_SIDE, min_side=MIN_SIDE)


def _holds_pictures(folder: Path) -> bool:
    try:
        return any(entry.suffix.lower() in SUFFIXES for entry in entries(folder))
    except InputError:  # `find_photos` says why.
        return False


def _problems(folders: Sequence[_Folder]) -> Iterator[str]:
    """Whatever is wrong with the names, class nouns and tokens of folders, in words."""
    for folder in folders:
        if "+" in folder.name or not folder.name.isprintable():
            expected = 'expected no "+" and no control character; rename its folder'
            yield f"{folder.name!r} cannot be the name of a concept: {expected}"
            continue
        if folder.token == _NAMELESS:
            yield f"no token can be made from the folder name {folder.name!r}; {_SET_TOKEN}"
        if not _can_be_said(folder.class_noun):
            yield (
                f"{folder.class_noun!r} cannot be the class noun of {folder.name}: expected 1 to {MAX_NOUN_WORDS} "
                f"plain words of letters (digits, - and ' may be among them), without an article; {_SET_NOUN}"
            )
    yield from _clashes([(str(folder.path), folder.name) for folder in folders], "folder name", "rename one")
    tokens = {folder.name: folder.token for folder in folders if folder.token != _NAMELESS}
    yield from _clashes(list(tokens.items()), "token", _SET_TOKEN)


def _can_be_said(noun: str) -> bool:
    """Whether a caption can name it, with an article of its own, and be found to do so."""
    if noun.lower().split()[:1] in (["a"], ["an"], ["the"]):
        return False
    return bool(_PLAIN.fullmatch(noun)) and len(noun.split()) <= MAX_NOUN_WORDS and any(map(str.isalpha, noun))


def _clashes(pairs: Sequence[tuple[str, str]], what: str, remedy: str) -> Iterator[str]:
    first: dict[str, str] = {}
    for owner, key in pairs:
        if key in first:
            yield f"{first[key]} and {owner} have the same {what} {key}; {remedy}"
        first.setdefault(key, owner)


def _concept(folder: _Folder, photos: Sequence[PhotoFile]) -> Concept:
    return Concept(
        name=folder.name,
        token=folder.token,
        class_noun=folder.class_noun,
        height_cm=folder.described.height_cm,
        photos=tuple(photos),
    )


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=sample_id, stage="concepts", reason=reason)
