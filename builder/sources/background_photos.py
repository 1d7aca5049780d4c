"""Find background photos: a folder of folders, one for each scene."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from builder.records import BackgroundRef, Rejected
from builder.sources.photo_folders import (
    attribution_of,
    entries,
    entry_flaw,
    find_photos,
    may_hold_photos,
    read_descriptions,
    refuse_unreadable,
)
from builder.sources.picture_files import USUAL_SUFFIXES, is_picture, name_flaw
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.images import decode
from mycanvas.io.messages import counted
from mycanvas.io.text import shown

MIN_SIDE = 256
"""Fewest pixels of a photo's shorter side; a smaller photo, enlarged, is a blur behind its objects."""
MAX_PROPORTION = 8
"""The most that the longer side may be of the shorter side."""
MAX_PHRASE_WORDS = 6
"""A caption has at most 30 words, and up to five concepts to name."""
MAX_PHRASE_LENGTH = 120
"""Characters of a phrase."""

PREPOSITIONS = ("above", "at", "behind", "beside", "by", "in", "near", "on", "under", "underneath")
"""The name of a folder that begins with one of these is used as the phrase."""

PHRASES: Mapping[str, str] = {
    "beach": "on a beach",
    "bed": "on a bed",
    "carpet": "on a carpet",
    "counter": "on a counter",
    "desk": "on a desk",
    "field": "in a field",
    "floor": "on a floor",
    "grass": "on the grass",
    "ground": "on the ground",
    "home": "at home",
    "ice": "on the ice",
    "indoors": "indoors",
    "lake": "by a lake",
    "lawn": "on a lawn",
    "mountain": "in the mountains",
    "mountains": "in the mountains",
    "outdoors": "outdoors",
    "path": "on a path",
    "river": "by a river",
    "road": "on a road",
    "rug": "on a rug",
    "sand": "on the sand",
    "sea": "by the sea",
    "shelf": "on a shelf",
    "sidewalk": "on a sidewalk",
    "snow": "in the snow",
    "sofa": "on a sofa",
    "street": "on a street",
    "table": "on a wooden table",
    "terrace": "on a terrace",
    "woods": "in the woods",
}
"""Phrases of scenes that are not "in a ..."; of a longer name such as "wooden floor", the last word decides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundBackgrounds:
    """The result of `find_backgrounds`.

    backgrounds: one for each usable photo, at least one, sorted by scene and file name.
    rejected: every unused photo, by its id, and every folder without photos, by its name.
    """

    backgrounds: tuple[BackgroundRef, ...]
    rejected: tuple[Rejected, ...]


class _Description(BaseModel):
    """One table of backgrounds.toml."""

    model_config = ConfigDict(extra="forbid", strict=True)

    phrase: Annotated[str, Field(min_length=1)] | None = None
    horizon: Annotated[float, Field(ge=-1, le=0.9)] | None = None
    ground: Annotated[float, Field(gt=0, le=0.95)] | None = None

    @model_validator(mode="after")
    def _check_ground_is_below_horizon(self) -> Self:
        if self.horizon is not None and self.ground is not None and self.ground <= self.horizon:
            raise ValueError(
                f"ground {self.ground} must be larger than horizon {self.horizon}: both are measured from the top"
            )
        return self


def find_backgrounds(folder: Path) -> FoundBackgrounds:
    """Find the scenes under a folder and check every photo in them.

    A scene is a folder of photos; hidden files and those that are no pictures are ignored. Its phrase in captions is
    made from its name ("garden": "in a garden", "wooden_table": "on a wooden table"). `backgrounds.toml` may set a
    scene's phrase, and for all of its photos the rows of the horizon and of the highest ground on which an object can
    stand, as fractions of the photo's height from the top.

    Raises:
        InputError: the folder has no folders, or none of them a usable photo.
        ConfigError: captions cannot hold a phrase, or backgrounds.toml is invalid.
    """
    found = entries(folder)
    unnamed = [entry for entry in found if name_flaw(entry.name) and os.path.isdir(entry)]
    scenes = [entry for entry in found if may_hold_photos(entry) and entry not in unnamed]
    loose = [entry for entry in found if not os.path.isdir(entry) and is_picture(entry)]
    lost = {entry: flaw for entry in found if entry not in loose and (flaw := entry_flaw(entry))}
    if not scenes:
        refuse_unreadable(lost)
        holds_photos = f"{folder} holds {counted(len(loose), 'photo')} and no folder"
        problem = holds_photos if loose else f"no folders in {folder}"
        raise InputError(f"{problem}; expected a folder for each scene, named after it: {folder}/garden/*.jpg")
    about = _read_scenes(folder, scenes)
    refs: list[BackgroundRef] = []
    rejected = [_reject(photo.name, f"not in a scene's folder; move it to {folder}/<scene>/") for photo in loose]
    rejected += [_reject(scene.name, str(name_flaw(scene.name))) for scene in unnamed]
    rejected += [_reject(entry.name, flaw) for entry, flaw in lost.items()]
    for scene in scenes:
        usable, unusable = find_photos(scene, _check_photo, "backgrounds", attribution_of(scene, collected=True))
        described = about[scene.name].model_dump()
        refs += [BackgroundRef(scene=scene.name, photo=photo, **described) for photo in usable]
        rejected += unusable
        if not usable and not unusable:
            rejected.append(_reject(scene.name, f"no {USUAL_SUFFIXES} file in it"))
    if not refs:
        first = "\n".join(f"  {each.sample_id}: {each.reason}" for each in rejected[:5])
        raise InputError(f"no usable photo in any scene of {folder}; the first reasons:\n{first}")
    return FoundBackgrounds(backgrounds=tuple(refs), rejected=tuple(rejected))


def phrase_of(scene: str) -> str:
    """The phrase for a scene, by its folder's name: "on_a_beach", "beach 2" and "Beach" all give "on a beach"."""
    name = re.sub(r"[\s_-]+", " ", scene).strip().rstrip("0123456789 ").lower() or scene
    if not name.split():  # of spaces only; captions cannot hold it
        return ""
    first, last = name.split()[0], name.split()[-1]
    if first in PREPOSITIONS:
        return name
    if name in PHRASES:
        return PHRASES[name]
    preposition = PHRASES.get(last, "in").split()[0]
    if first in ("a", "an", "the"):
        return f"{preposition} {name}"
    if preposition not in PREPOSITIONS:
        return name
    article = "the" if f" the {last}" in PHRASES.get(last, "") else "an" if name[0] in "aeiou" else "a"
    return f"{preposition} {article} {name}"


def is_plain(phrase: str) -> bool:
    """Whether a phrase has 1 to MAX_PHRASE_WORDS words and no character that prompts use for tokens."""
    if len(phrase) > MAX_PHRASE_LENGTH or not phrase.isprintable():
        return False
    return 1 <= len(phrase.split()) <= MAX_PHRASE_WORDS and not re.search("[<>+]", phrase)


def _read_scenes(folder: Path, scenes: Sequence[Path]) -> dict[str, _Description]:
    """Read each scene's description, with its phrase filled in.

    Raises:
        ConfigError: backgrounds.toml is invalid, or captions cannot use a phrase.
    """
    described, wrong = read_descriptions(folder / "backgrounds.toml", [scene.name for scene in scenes], _Description)
    about = {scene.name: described.get(scene.name, _Description()) for scene in scenes if scene.name not in wrong}
    phrases = {name: " ".join((each.phrase or phrase_of(name)).split()) for name, each in about.items()}
    refused = [_refused(name, phrase) for name, phrase in phrases.items() if not is_plain(phrase)]
    problems = [*chain(*wrong.values()), *refused]
    if problems:
        raise ConfigError("\n".join(problems))
    return {name: each.model_copy(update={"phrase": phrases[name]}) for name, each in about.items()}


def _refused(scene: str, phrase: str) -> str:
    given = repr(phrase if len(phrase) <= MAX_PHRASE_LENGTH else f"{phrase[:MAX_PHRASE_LENGTH]}…")
    return (
        f"{given} cannot be the phrase of {scene}: expected 1 to {MAX_PHRASE_WORDS} plain words; "
        "set phrase in backgrounds.toml"
    )


def _check_photo(data: bytes) -> None:
    """Raise InputError if a photo cannot be a background."""
    image, ignored_alpha = decode(data, MIN_SIDE * MAX_PROPORTION)
    if image.mode != "RGB" or ignored_alpha:
        raise InputError("partly transparent; expected an opaque background")
    if min(image.size) < MIN_SIDE:
        size = "x".join(map(str, image.size))
        expected = f"at least {MIN_SIDE} pixels each way, and at most {MAX_PROPORTION} times as long as short"
        raise InputError(f"too small or too narrow: {size}; expected {expected}")


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=shown(sample_id), stage="backgrounds", reason=reason)
