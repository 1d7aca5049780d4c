"""The concepts.toml that `mycanvas init` writes: a table for each concept, by the names of the folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.sources.concept_folders import ConceptDescription, ConceptFolder
from builder.sources.concept_names import name_problems
from builder.sources.concepts import photo_folders_of
from builder.sources.heights import guess_height
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.toml import toml_key, toml_string

ANY_NOUN = "object"
"""The class noun of a folder whose name gives none."""

EXAMPLE_CM = 30
"""The commented height of a concept whose class noun has no typical one."""

_HEAD = """\
# What the photos show, for mycanvas build: a table for each folder of photos. A line that begins with "#" and a key is
# not set; remove the "#" to set it.
#
# class_noun   the noun for the object in captions, without an article
# token        stands for this very object in prompts, in angle brackets
# height_cm    rough height of the real object in centimetres, as it stands or lies on its photos, so that objects are
#              drawn to scale; without it, the height of a typical object of this noun, which is the value below
# use          photos whose cut-outs are used whatever their quality: ["03.jpg"]
# leave_out    photos whose cut-outs are not used: ["04.jpg"]
# attribution  who made the photos, and under which license: "Jane Doe, CC BY 4.0"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptsTemplate:
    """text: of concepts.toml. stand_ins: of folders whose names give no class noun or no token, a line each."""

    text: str
    stand_ins: tuple[str, ...]


def concepts_template(source: Path) -> ConceptsTemplate:
    """Describe the concepts of a folder of photo folders by the names of the folders.

    Raises:
        InputError: there is no folder with photos.
        ConfigError: folders must be renamed before a build accepts them.
    """
    folders = photo_folders_of(source)
    if not folders:
        raise InputError(f"no photos in the folders of {source}; expected {source}/<concept>/*.jpg")
    described = [_described(folder, number) for number, folder in enumerate(folders, start=1)]
    if problems := list(name_problems(described)):
        raise ConfigError("\n".join(problems))
    return ConceptsTemplate(text="\n".join(_lines(described)) + "\n", stand_ins=tuple(_stand_ins(described)))


def _stand_ins(folders: Sequence[ConceptFolder]) -> Iterator[str]:
    for folder in folders:
        for key, value in folder.described.model_dump(exclude_none=True).items():
            yield f"the folder name {folder.name!r} gives no {key}, which is {value!r} now"


def _described(folder: ConceptFolder, number: int) -> ConceptFolder:
    """The folder, with a noun and a token of its own where its name gives none."""
    token = f"<concept-{number}>"
    for noun, own in ((None, None), (ANY_NOUN, None), (None, token), (ANY_NOUN, token)):
        described = replace(folder, described=ConceptDescription(class_noun=noun, token=own))
        if not list(name_problems([described])):
            return described
    return folder


def _lines(folders: Sequence[ConceptFolder]) -> Iterator[str]:
    yield _HEAD.rstrip()
    for folder in folders:
        yield from ("", f"[{toml_key(folder.name)}]", f"class_noun = {toml_string(folder.class_noun)}")
        yield f"{'' if folder.described.token else '# '}token = {toml_string(folder.token)}"
        height = guess_height(folder.class_noun)
        yield f"# height_cm = {height or EXAMPLE_CM:g}" + ("" if height else "  # no typical one is known: replace it")
        yield '# attribution = ""'
