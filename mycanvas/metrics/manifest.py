"""Read prompts, and folders of generated pictures with their manifest, images.jsonl.

Both come from outside: every line is checked, and no file outside of the folder is opened.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from mycanvas.dataset import Concept
from mycanvas.errors import InputError
from mycanvas.io.files import os_errors
from mycanvas.io.images import read_file
from mycanvas.io.messages import counted
from mycanvas.io.regular import read_regular
from mycanvas.io.text import UNWRITABLE, brief, brief_repr
from mycanvas.metrics.pictures import Picture, composition_concepts
from mycanvas.metrics.protocol import KEYS, Prompt

MANIFEST = "images.jsonl"


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read the prompts, or the manifest, in a JSON Lines file.

    Raises:
        InputError: it cannot be read, is empty, or a line is wrong; the message has the line's number.
    """
    return tuple(prompt for _, prompt in _entries(path))


def read_generated(folder: Path, concepts: Mapping[str, Concept]) -> tuple[Picture, ...]:
    """List the pictures in a folder's manifest; each file is opened only when it is scored.

    Raises:
        InputError: the folder has no manifest, a line is wrong, or a file is missing or outside of the folder.
    """
    manifest = folder / MANIFEST
    if not folder.is_dir():
        given = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"{folder} {given}; expected one with generated pictures and {MANIFEST}; {_first_step(manifest)}"
        )
    if not manifest.is_file():
        expected = f"a line for each picture: {', '.join(KEYS[:3])}"
        raise InputError(
            f"{folder} has no {MANIFEST} ({expected}), nor the data/ of a built dataset; {_first_step(manifest)}"
        )
    pictures = []
    files: dict[Path, str] = {}
    entries = list(_entries(manifest))
    if not any(os.path.exists(folder / prompt.file) for _, prompt in entries):
        example = _named(entries[0][1].file)
        raise InputError(
            f"{folder} has none of the {counted(len(entries), 'picture')} that its {MANIFEST} lists, such as "
            f'{example}; generate one for each line from its "prompt", and save it there under its "file"'
        )
    for place, prompt in entries:
        try:
            path = picture_path(folder, prompt.file)
            shown = composition_concepts(prompt.composition, concepts)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
        if files.setdefault(path, prompt.file) != prompt.file:
            same = f"{_named(prompt.file)} is the same file as {_named(files[path])}"
            raise InputError(f"{place}: {same}; each picture is counted once")
        pictures.append(
            Picture(
                id=prompt.file,
                concepts=shown,
                prompt=prompt.prompt,
                background=prompt.background,
                read=partial(read_file, path),
            )
        )
    return tuple(pictures)


def _first_step(manifest: Path) -> str:
    return f"write the prompts with: mycanvas prompts DATASET --output {shlex.quote(str(manifest))}"


def _entries(path: Path) -> Iterator[tuple[str, Prompt]]:
    """Each line's place, for messages, and its content.

    Raises:
        InputError: a line is wrong or names a file twice, or there is no line.
    """
    files: set[str] = set()
    for place, line in _lines(path):
        prompt = _prompt(place, line)
        if prompt.file in files:
            raise InputError(f"{place}: {_named(prompt.file)} is listed twice; each picture is counted once")
        files.add(prompt.file)
        yield place, prompt
    if not files:
        raise InputError(f"{path} holds no line; expected one JSON object with {', '.join(KEYS[:3])} for each picture")


def _lines(path: Path) -> Iterator[tuple[str, object]]:
    """Each line's place and value; empty lines are skipped."""
    try:
        with os_errors(path, "read"):
            text = read_regular(path).decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: {error}; save it as UTF-8") from error
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{path}, line {number}"
        if line.strip():
            try:
                yield place, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{place}: not JSON ({error})") from error


def _prompt(place: str, line: object) -> Prompt:
    if not isinstance(line, dict):
        raise InputError(f"{place}: expected a JSON object, got {type(line).__name__}")
    values = {}
    for key in KEYS:
        value = line.get(key)
        if value is None and key == "background":
            continue
        if not isinstance(value, str) or not value.strip():
            given = "it is missing" if key not in line else f"got {brief_repr(value)}"
            raise InputError(f"{place}: {key} must be text, {given}; expected {', '.join(KEYS[:3])}")
        if UNWRITABLE.search(value):
            raise InputError(f"{place}: {key} has characters that cannot be written to a file, got {brief_repr(value)}")
        values[key] = value.strip()
    return Prompt(**values)


def _named(file: str) -> str:
    """A file's name as messages show it, longer than any that a file system allows."""
    return brief(file, 400)


def picture_path(folder: Path, file: str) -> Path:
    """The resolved path of a file of a manifest, which must be in the folder.

    Raises:
        InputError: it is missing or outside of the folder.
    """
    try:
        path = (folder / file).resolve()
        exists = path.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long; symbolic links in a circle
        raise InputError(f"{_named(file)} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if not path.is_relative_to(folder.resolve()):
        raise InputError(
            f"{_named(file)} is outside of the manifest's folder; move it there, and name it relative to it"
        )
    if not exists:
        raise InputError(f"there is no file {_named(file)}")
    return path
