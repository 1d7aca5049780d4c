"""Photos on disk -> Concept: what there is to compose, each thing named, its photos checked (before Gen4Gen, stage 1).

Two ways to say where photos lie: a folder that holds a folder of photos per concept, with an optional `concepts.toml`
that describes them; or Custom Diffusion's `concepts_list.json`.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from builder.errors import ConfigError, InputError
from builder.explain import explain
from builder.folders import SUFFIXES, attribution_of, entries, find_photos, read_descriptions
from builder.photos import MIN_SIDE, decode
from builder.records import Concept, PhotoFile, Rejected

MAX_NOUN_WORDS = 3
"""Five such nouns with their articles, and a background of six words, come to 27 of the 30 words of a caption."""

_BRACKETED = r"<[A-Za-z0-9_-]+>"
_PROMPT_FRAME = re.compile(r"^(a )?(photo|picture|image) of |^(an?|the) ", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What `find_concepts` found.

    concepts: those with at least one good photo, sorted by name.
    rejected: every photo that is not used, by its id; and every folder that makes no concept, by its name.
    """

    concepts: tuple[Concept, ...]
    rejected: tuple[Rejected, ...]


class _Description(BaseModel):
    """One table of concepts.toml."""

    model_config = ConfigDict(extra="forbid", strict=True)

    class_noun: Annotated[str, Field(min_length=1)] | None = None
    height_cm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    token: Annotated[str, Field(pattern=f"^{_BRACKETED}$")] | None = None
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


def find_concepts(source: Path) -> Found:
    """Find the concepts under a folder, or those that a concepts_list.json lists, and check every photo.

    A concept is a folder of .jpg, .jpeg, .png and .webp files; hidden files are passed over, folders within it are not
    searched. Its name is the folder's; its class noun is the name without trailing digits ("rc_car2": "rc car"), its
    token the name in angle brackets, with "-" for what a token cannot hold. `concepts.toml` overrides noun and token,
    and adds height and attribution; otherwise `attribution_of` says who made a photo. A picture that a concept holds
    twice is used once.

    Args:
        source: the folder of concept folders, or a concepts_list.json. Folders in the latter are relative to it.

    Raises:
        InputError: nothing there, or no concept with a usable photo.
        ConfigError: names or tokens that clash or cannot be used, or a file about concepts that is wrong.
    """
    folders, rejected = _listed(source) if source.suffix.lower() == ".json" else _laid_out(source)
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
    _check_distinct([(concept.token, concept.name) for concept in concepts], "token", "give one of them another")
    return Found(concepts=tuple(concepts), rejected=tuple(rejected))


def _laid_out(source: Path) -> tuple[list[_Folder], list[Rejected]]:
    """The folders in a folder; photos that lie beside them are rejected."""
    found = entries(source)
    folders = [entry for entry in found if os.path.isdir(entry)]
    loose = [entry.name for entry in found if entry.suffix.lower() in SUFFIXES and not os.path.isdir(entry)]
    if not folders:
        wanted = f"wanted a folder per concept: {source}/<concept>/*.jpg"
        if loose:
            raise InputError(f"{len(loose)} photos lie directly in {source}; {wanted}")
        raise InputError(f"no folders in {source}; {wanted}")
    described = read_descriptions(source / "concepts.toml", [folder.name for folder in folders], _Description)
    about = [
        _Folder(path=folder, described=described.get(folder.name, _Description()), collected=True) for folder in folders
    ]
    return about, [_reject(name, "not in the folder of a concept") for name in loose]


def _listed(source: Path) -> tuple[list[_Folder], list[Rejected]]:
    """The folders that a concepts_list.json names."""
    try:
        listed = TypeAdapter(list[_Listed]).validate_python(json.loads(source.read_bytes()))
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error.errors()[0], list(_Listed.model_fields))}") from error
    except ValueError as error:
        raise ConfigError(f"{source} is not JSON: {error}") from error
    folders = []
    for entry in listed:
        path = Path(os.path.abspath(source.parent / entry.instance_data_dir))
        if not path.is_dir():
            raise InputError(f"{source}: instance_data_dir {entry.instance_data_dir} is not a folder")
        token = re.search(_BRACKETED, entry.instance_prompt)
        noun = _PROMPT_FRAME.sub("", _PROMPT_FRAME.sub("", entry.class_prompt.strip()))
        described = _Description(class_noun=noun or None, token=token and token.group())
        folders.append(_Folder(path=path, described=described, collected=False))
    _check_distinct([(folder.name, str(folder.path)) for folder in folders], "folder name", "rename one")
    return sorted(folders, key=lambda folder: folder.name), []


def _check(data: bytes) -> None:
    decode(data, MIN_SIDE)


def _concept(folder: _Folder, photos: Sequence[PhotoFile]) -> Concept:
    name, described = folder.name, folder.described
    if "+" in name or not name.isprintable():
        raise ConfigError(
            f'a concept cannot be called {name!r}, as compositions are written "cat+dog"; rename its folder'
        )
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub("[^A-Za-z0-9_-]+", "-", ascii_name).strip("-")
    if not (described.token or stem):
        raise ConfigError(f"no token can be made from the folder name {name!r}; set token in concepts.toml")
    noun = " ".join((described.class_noun or _class_noun(name)).split())
    if not noun or len(noun.split()) > MAX_NOUN_WORDS or re.search("[<>+]", noun):
        raise ConfigError(
            f"{noun!r} cannot be the class noun of {name}: wanted 1 to {MAX_NOUN_WORDS} plain words; "
            "set class_noun in concepts.toml, or class_prompt in concepts_list.json"
        )
    return Concept(
        name=name,
        token=described.token or f"<{stem}>",
        class_noun=noun,
        height_cm=described.height_cm,
        photos=tuple(photos),
    )


def _class_noun(name: str) -> str:
    """What to call the thing in a folder: "rc_car2" and "RC-car 2" are both an "rc car"."""
    return re.sub(r"[\s_-]+", " ", name).strip().rstrip("0123456789 ").lower()


def _check_distinct(pairs: Sequence[tuple[str, str]], what: str, remedy: str) -> None:
    owner: dict[str, str] = {}
    for key, name in pairs:
        if key in owner:
            raise ConfigError(f"{owner[key]} and {name} have the same {what} {key}; {remedy}")
        owner[key] = name


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=sample_id, stage="concepts", reason=reason)
