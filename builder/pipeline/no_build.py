"""Why a path is not the folder of a build, and the command to run instead."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from builder.config.schema import BuildConfig
from builder.sources.concepts import photo_folders_of
from mycanvas.errors import InputError


def reason_and_remedy(path: Path, marker: str) -> str:
    """Say what a path is, as it is not the folder of a build, and which command works.

    Args:
        path: of a folder that a command cannot use.
        marker: the file that every build has, relative to its folder: ".build/build.json".
    """
    give = "give the folder that `mycanvas build` or `mycanvas demo` wrote"
    if not os.path.exists(path):
        return f"does not exist; {give}"
    built = [place for place in path.absolute().parents if os.path.isfile(place / marker)]
    if built:
        return f"is a part of a dataset; give its folder: {_quoted(_short(built[0]))}"
    if not os.path.isdir(path):
        return f"is a file; {give}"
    if any((path / "data").glob("*-of-*.*")):
        return "is a dataset without its .build folder, which holds all generated scenes; give the folder that has it"
    if inner := _datasets_in(path, marker):
        return f"holds no build, but {inner[0].name} in it does; give that folder: {_quoted(inner[0])}"
    if _holds_photos(path):
        return f"is a folder of photos, not of a build; make one with: {_build(path, _output_beside(path))}"
    if _is_empty(path):
        return f"holds no build; make one with: {_build(Path('DIR'), path)}"
    return f"holds no build; {give}"


def _datasets_in(folder: Path, marker: str) -> list[Path]:
    return sorted(file.parents[marker.count("/")] for file in folder.glob(f"*/{marker}"))


def _holds_photos(folder: Path) -> bool:
    try:
        return bool(photo_folders_of(folder))
    except InputError:
        return False


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _output_beside(photos: Path) -> Path:
    """The default output; beside the photos if it would be among them, which a build refuses."""
    output: Path = BuildConfig.model_fields["output"].default
    inside = output.resolve().is_relative_to(photos.resolve())
    return photos.resolve().parent / output if inside else output


def _build(concepts: Path, output: Path) -> str:
    return f"mycanvas build --concepts {_quoted(concepts)} --output {_quoted(output)}"


def _short(path: Path) -> Path:
    """A path as it is typed: relative to the current folder if it is in it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
