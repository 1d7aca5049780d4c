"""Photos on disk -> Concept: what there is to compose, each thing named, its photos checked (before Gen4Gen, stage 1).

Two ways to say where photos lie: a folder that holds a folder of photos per concept, with an optional `concepts.toml`
that describes them; or Custom Diffusion's `concepts_list.json`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from builder.errors import ConfigError, InputError
from builder.photos import MIN_SIDE, decode, read_bytes
from builder.records import Concept, PhotoFile, Rejected

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
OTHER_PICTURES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".tif", ".tiff")
"""Named in a rejection, not passed over: a folder straight from a phone may hold nothing else."""
MAX_NOUN_WORDS = 3
"""Five such nouns with their articles, and a background of six words, come to 27 of the 30 words of a caption."""
MAX_ATTRIBUTION = 800
"""Characters; enough for a paragraph of names."""

_BRACKETED = r"<[A-Za-z0-9_-]+>"
_ATTRIBUTION_FILES = ("attribution", "attribution.md", "attribution.txt")
_LICENSE_FILES = ("license", "license.md", "license.txt")
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
    """A folder of photos and what its owner says about it."""

    path: Path
    described: _Description

    @property
    def name(self) -> str:
        return self.path.name


def find_concepts(source: Path) -> Found:
    """Find the concepts under a folder, or those that a concepts_list.json lists, and check every photo.

    A concept is a folder of .jpg, .jpeg, .png and .webp files; hidden files are passed over, folders within it are not
    searched. Its name is the folder's; its class noun is the name without trailing digits ("rc_car2": "rc car"), its
    token the name in angle brackets, with "-" for what a token cannot hold. `concepts.toml` overrides noun and token,
    and adds height and attribution. Who made a photo is otherwise read from an ATTRIBUTION or LICENSE file beside it or
    beside its concept; one level further up only an ATTRIBUTION is believed, as a licence there may be for something
    else. A picture that a concept holds twice is used once.

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
            photos, bad = _photos(folder)
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
    entries = _entries(source)
    folders = [entry for entry in entries if os.path.isdir(entry)]
    loose = [entry.name for entry in entries if entry.suffix.lower() in SUFFIXES and not os.path.isdir(entry)]
    if not folders:
        wanted = f"wanted a folder per concept: {source}/<concept>/*.jpg"
        if loose:
            raise InputError(f"{len(loose)} photos lie directly in {source}; {wanted}")
        raise InputError(f"no folders in {source}; {wanted}")
    described = _descriptions(source / "concepts.toml", [folder.name for folder in folders])
    found = [_Folder(path=folder, described=described.get(folder.name, _Description())) for folder in folders]
    return found, [_reject(name, "not in the folder of a concept") for name in loose]


def _listed(source: Path) -> tuple[list[_Folder], list[Rejected]]:
    """The folders that a concepts_list.json names."""
    try:
        listed = TypeAdapter(list[_Listed]).validate_python(json.loads(source.read_bytes()))
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error)}") from error
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
        folders.append(_Folder(path=path, described=described))
    _check_distinct([(folder.name, str(folder.path)) for folder in folders], "folder name", "rename one")
    return sorted(folders, key=lambda folder: folder.name), []


def _descriptions(path: Path, names: Sequence[str]) -> dict[str, _Description]:
    """The tables of concepts.toml, which need not exist."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for name in tables:
        if name not in names:
            raise ConfigError(f"{path}: no folder is called {name}; {_nearest(name, names)}")
    try:
        return TypeAdapter(dict[str, _Description]).validate_python(tables)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error


def _photos(folder: _Folder) -> tuple[list[PhotoFile], list[Rejected]]:
    """The photos of a folder that can be read, each picture once, and why the others cannot.

    Raises:
        InputError: the folder itself cannot be read.
    """
    entries = _entries(folder.path)
    attribution = folder.described.attribution or _attribution(folder.path)
    photos: dict[str, PhotoFile] = {}
    rejected = []
    for path in entries:
        photo_id = f"{folder.name}/{path.name}"
        suffix = path.suffix.lower()
        if suffix in OTHER_PICTURES:
            rejected.append(_reject(photo_id, f"{suffix} is not read; save it as {', '.join(SUFFIXES)}"))
        if suffix not in SUFFIXES:
            continue
        try:
            data = read_bytes(path)
            decode(data, MIN_SIDE)
        except InputError as error:
            rejected.append(_reject(photo_id, str(error)))
            continue
        photo = PhotoFile(id=photo_id, path=path, sha256=hashlib.sha256(data).hexdigest(), attribution=attribution)
        first = photos.setdefault(photo.sha256, photo)
        if first is not photo:
            rejected.append(_reject(photo_id, f"the same file as {first.id}"))
    return list(photos.values()), rejected


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


def _attribution(folder: Path) -> str | None:
    """The first paragraph of the nearest file that says who made the photos of a concept."""
    places = (
        (folder, _ATTRIBUTION_FILES + _LICENSE_FILES),
        (folder.parent, _ATTRIBUTION_FILES + _LICENSE_FILES),
        (folder.parent.parent, _ATTRIBUTION_FILES),
    )
    for place, names in places:
        for path in _files_called(place, names):
            paragraphs = re.split(r"\n\s*\n", _text(path).strip())
            texts = [" ".join(text.split()) for text in paragraphs if not text.lstrip().startswith("#")]
            if texts and texts[0]:
                return texts[0] if len(texts[0]) <= MAX_ATTRIBUTION else texts[0][: MAX_ATTRIBUTION - 1] + "…"
    return None


def _files_called(place: Path, names: Sequence[str]) -> Iterator[Path]:
    try:
        present = {path.name.lower(): path for path in _entries(place) if os.path.isfile(path)}
    except InputError:
        return
    yield from (present[name] for name in names if name in present)


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode(errors="replace")
    except InputError:
        return ""


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without hidden entries."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError as error:
        raise InputError(f"{folder} does not exist") from error
    except NotADirectoryError as error:
        raise InputError(f"{folder} is a file; wanted a folder of photo folders, or a concepts_list.json") from error
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [folder / name for name in names]


def _check_distinct(pairs: Sequence[tuple[str, str]], what: str, remedy: str) -> None:
    owner: dict[str, str] = {}
    for key, name in pairs:
        if key in owner:
            raise ConfigError(f"{owner[key]} and {name} have the same {what} {key}; {remedy}")
        owner[key] = name


def _explain(wrong: ValidationError) -> str:
    """The first of pydantic's complaints in one line."""
    error = wrong.errors()[0]
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}; {_nearest(str(error['loc'][-1]), list(_Description.model_fields))}"
    got: Any = error["input"]
    return f"{place}: {error['msg'][0].lower()}{error['msg'][1:]}, got {got!r}"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=sample_id, stage="concepts", reason=reason)
