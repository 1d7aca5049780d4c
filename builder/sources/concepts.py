"""Find concepts: folders of photos, each checked and named (before Gen4Gen, stage 1).

A source of concepts is a folder that holds a folder of photos per concept, with an optional `concepts.toml` that
describes them; Custom Diffusion's `concepts_list.json`; or the folder of its benchmark, CustomConcept101.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from builder.records import Concept, PhotoFile, Rejected
from builder.sources.concept_folders import ConceptDescription, ConceptFolder
from builder.sources.concept_names import name_problems, noun_warning
from builder.sources.concepts_list import CONCEPTS_LIST, find_list, read_concepts_list
from builder.sources.heights import guess_height, height_warning
from builder.sources.identity_nouns import identity_warning
from builder.sources.overrides import is_photo, override_problems, with_overrides
from builder.sources.photo_folders import (
    attribution_of,
    entries,
    entry_flaw,
    find_photos,
    may_hold_photos,
    read_descriptions,
    refuse_unreadable,
)
from builder.sources.photos import MIN_SIDE
from builder.sources.picture_files import USUAL_SUFFIXES, is_picture
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.images import decode
from mycanvas.io.messages import counted
from mycanvas.io.text import is_utf8, shown

log = logging.getLogger("mycanvas")


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

    A concept is a folder of photos; hidden files and those that are no pictures are ignored, and so are folders in it.
    Its name is the folder's; its class noun is the name without trailing digits ("rc_car2": "rc car"), its token the
    name in angle brackets, with "-" in place of characters that a token cannot have. `concepts.toml` overrides noun and
    token, adds height and attribution, and decides about single photos (overrides.py); without it, the height is that
    of `guess_height`, and the attribution that of `attribution_of`. A photo that a concept holds twice is used once.

    Args:
        source: the folder of concept folders, a concepts_list.json or its folder, or the folder of CustomConcept101.
            Folders in a list are relative to it; where a list has one token for all, tokens come from the folders'
            names.

    Raises:
        InputError: there is no source, or no concept with a usable photo.
        ConfigError: names, nouns or tokens that are invalid or used twice, or an invalid description of concepts; the
            message lists all such problems.
    """
    list_file = find_list(source)
    source = list_file or source
    folders, rejected, problems = (read_concepts_list(list_file), [], []) if list_file else _read_folder(source)
    named = [folder for folder in folders if _holds_photos(folder.path)]
    problems += [*name_problems(named), *chain.from_iterable(map(override_problems, named))]
    if problems:
        raise ConfigError("\n".join(problems))
    for folder in named:
        if warning := noun_warning(folder, list_file):
            log.warning(warning)
    concepts: list[Concept] = []
    for folder in folders:
        try:
            attribution = folder.described.attribution or attribution_of(folder.path, collected=folder.collected)
            readable, unusable = find_photos(folder.path, _check_photo, "concepts", attribution, is_photo)
            photos = with_overrides(folder, readable)
        except InputError as error:
            rejected.append(_reject(folder.name, str(error)))
            continue
        rejected += unusable
        if photos:
            concepts.append(_concept(folder, photos))
        else:
            none_usable = f"its {counted(len(unusable), 'picture')} cannot be used"
            rejected.append(_reject(folder.name, none_usable if unusable else f"no {USUAL_SUFFIXES} file in it"))
    if not concepts:
        first = "\n".join(f"  {each.sample_id}: {each.reason}" for each in rejected[:5])
        raise InputError(
            f"no usable photo in {counted(len(folders), 'folder')} of {source}; the first reasons:\n{first}"
        )
    for warning in filter(None, (height_warning(concepts, list_file), identity_warning(concepts, list_file))):
        log.warning(warning)
    return FoundConcepts(concepts=tuple(concepts), rejected=tuple(rejected))


def _read_folder(source: Path) -> tuple[list[ConceptFolder], list[Rejected], list[str]]:
    """The concept folders in a folder, the photos beside them, and the problems of concepts.toml.

    A folder that concepts.toml describes wrongly is left out.
    """
    found = entries(source)
    unreadable = [entry for entry in found if not is_utf8(entry.name) and os.path.isdir(entry)]
    folders = [entry for entry in found if may_hold_photos(entry) and entry not in unreadable]
    loose = [entry.name for entry in found if not os.path.isdir(entry) and is_picture(entry)]
    lost = {entry: flaw for entry in found if entry.name not in loose and (flaw := entry_flaw(entry))}
    if not folders:
        expected = f"expected a folder per concept: {source}/<concept>/*.jpg"
        refuse_unreadable(lost)
        if loose:
            raise InputError(f"{source} holds {counted(len(loose), 'photo')} and no folder; {expected}")
        raise InputError(f"no folders in {source}; {expected}")
    if os.path.isfile(source / CONCEPTS_LIST):
        log.warning("%s is not used beside concepts.toml; to use it, give the file itself", source / CONCEPTS_LIST)
    described, wrong = read_descriptions(
        source / "concepts.toml", [entry.name for entry in (*folders, *lost)], ConceptDescription
    )
    concepts = [
        ConceptFolder(path=folder, described=described.get(folder.name, ConceptDescription()), collected=True)
        for folder in folders
        if folder.name not in wrong
    ]
    rejected = [_reject(name, "not in the folder of a concept") for name in loose]
    rejected += [_reject(entry.name, "its name is not UTF-8; rename it") for entry in unreadable]
    rejected += [_reject(entry.name, flaw) for entry, flaw in lost.items()]
    return concepts, rejected, list(chain(*wrong.values()))


def _check_photo(data: bytes) -> str | None:
    """Decode a photo at a small size; return a remark about a transparent one that is no cut-out."""
    _, ignored_alpha = decode(data, MIN_SIDE, min_side=MIN_SIDE)
    return ignored_alpha and f"is partly transparent but no cut-out ({ignored_alpha}); it is segmented as a photo"


def _holds_photos(folder: Path) -> bool:
    try:
        return any(map(is_picture, entries(folder)))
    except InputError:  # `find_photos` reports it
        return False


def _concept(folder: ConceptFolder, photos: Sequence[PhotoFile]) -> Concept:
    given = folder.described.height_cm
    height = guess_height(folder.class_noun) if given is None else given
    return Concept(
        name=folder.name,
        token=folder.token,
        class_noun=folder.class_noun,
        height_cm=height,
        height_guessed=given is None and height is not None,
        photos=tuple(photos),
    )


def _reject(sample_id: str, reason: str) -> Rejected:
    return Rejected(sample_id=shown(sample_id), stage="concepts", reason=reason)


def photo_folders_of(source: Path) -> list[ConceptFolder]:
    """The folders of photos in a folder, without their descriptions; `find_concepts` says which names it accepts.

    Raises:
        InputError: the source is not a folder, or it or a folder in it cannot be read.
    """
    found = entries(source)
    folders = [entry for entry in found if may_hold_photos(entry) and any(map(is_picture, entries(entry)))]
    if not folders:
        refuse_unreadable({entry: flaw for entry in found if (flaw := entry_flaw(entry))})
    return [ConceptFolder(path=folder, described=ConceptDescription(), collected=True) for folder in folders]
