"""Read Custom Diffusion's concepts_list.json, and the folder of its benchmark, CustomConcept101."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from builder.sources.concept_folders import TOKEN, ConceptDescription, ConceptFolder
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.files import reason_of
from mycanvas.io.messages import explain
from mycanvas.io.regular import open_regular
from mycanvas.io.text import brief

CONCEPTS_LIST = "concepts_list.json"
CUSTOM_CONCEPT_101 = ("dataset.json", "benchmark_dataset")
"""The entries of the folder of CustomConcept101: a list as in concepts_list.json, and the folders that it names."""

_PROMPT_FRAME = re.compile(r"^(a )?(photo|picture|image) of |^(an?|the) ", re.IGNORECASE)


class _Entry(BaseModel):
    """One entry of concepts_list.json; keys that only training uses are ignored."""

    instance_data_dir: str
    instance_prompt: str = ""
    class_prompt: str = ""


def find_list(source: Path) -> Path | None:
    """The list that a source of concepts is, or holds; None if it is a folder of folders.

    A folder that has both a list and a concepts.toml is one of folders, as concepts.toml describes them.
    """
    if all(os.path.exists(source / name) for name in CUSTOM_CONCEPT_101):
        return source / CUSTOM_CONCEPT_101[0]
    if os.path.isdir(source):
        held = source / CONCEPTS_LIST
        return held if os.path.isfile(held) and not os.path.exists(source / "concepts.toml") else None
    return source if source.suffix.lower() == ".json" else None


def read_concepts_list(path: Path) -> list[ConceptFolder]:
    """The folders that a concepts_list.json names, sorted by name.

    Folders are relative to the list. The class noun is the class_prompt without "photo of a"; the token is the first
    <token> of the instance_prompt.

    Raises:
        InputError: the list cannot be read, or names a folder that does not exist.
        ConfigError: it is not JSON, not such a list, or empty.
    """
    entries = _read(path)
    folders = {entry.instance_data_dir: _absolute(path.parent / entry.instance_data_dir) for entry in entries}
    if missing := [brief(name) for name, folder in folders.items() if not os.path.isdir(folder)]:
        expected = f"expected one, relative to {path.parent}"
        raise InputError("\n".join(f"{path}: instance_data_dir {name} is not a folder; {expected}" for name in missing))
    found = [re.search(TOKEN, entry.instance_prompt) for entry in entries]
    tokens = [match and match.group() for match in found]
    if len(tokens) > 1 and len(set(tokens)) == 1:  # CustomConcept101 trains each concept alone, and calls it <new1>
        tokens = [None] * len(tokens)
    concepts = []
    for entry, token in zip(entries, tokens, strict=True):
        noun = _PROMPT_FRAME.sub("", _PROMPT_FRAME.sub("", entry.class_prompt.strip()))
        described = ConceptDescription(class_noun=noun or None, token=token)
        concepts.append(ConceptFolder(path=folders[entry.instance_data_dir], described=described, collected=False))
    return sorted(concepts, key=lambda concept: concept.name)


def _read(path: Path) -> list[_Entry]:
    try:
        with open_regular(path) as file:
            entries = TypeAdapter(list[_Entry]).validate_python(json.load(file))
    except InputError as error:
        raise InputError(f"{path} is {error}; expected a JSON file") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply; expected a list of entries") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason_of(error, 'read')}") from error
    except ValidationError as error:
        problems = [f"{path}: {explain(each, list(_Entry.model_fields))}" for each in error.errors()]
        raise ConfigError("\n".join(problems)) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not entries:
        raise ConfigError(f"{path} lists no folder of photos")
    return entries


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
