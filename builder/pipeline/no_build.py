"""Why a path is not the folder of a build, and the command to run instead."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from builder.config.schema import BuildConfig
from builder.pipeline.own_files import MARKER, enclosing_build
from builder.sources.concepts import photo_folders_of
from mycanvas.dataset import check_on_this_machine
from mycanvas.errors import InputError
from mycanvas.io.files import is_inside


def reason_and_remedy(path: Path) -> str:
    """Describe what a path is instead of a build folder, and the path or command that works: "does not exist; …".

    Raises:
        InputError: it is the URL of another machine.
    """
    give = "give the folder that `mycanvas build` or `mycanvas demo` wrote"
    check_on_this_machine(path)
    if not os.path.exists(path):
        return f"does not exist; {give}"
    if built := enclosing_build(path):
        return f"is a part of a dataset; give its folder: {_quoted(_short(built))}"
    if not os.path.isdir(path):
        return f"is a file; {give}"
    if any((path / "data").glob("*-of-*.*")):
        return "is a dataset without its .build folder, which holds all generated scenes; give the folder that has it"
    if inner := sorted(file.parent.parent for file in path.glob(f"*/{MARKER}")):
        return f"holds no build, but {inner[0].name} in it does; give that folder: {_quoted(inner[0])}"
    if _holds_photos(path):
        return f"is a folder of photos, not of a build; make one with: {_build(path, _output_beside(path))}"
    if _is_empty(path):
        return f"holds no build; make one with: {_build(Path('DIR'), path)}"
    return f"holds no build; {give}"


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
    """The default output, or one beside the photos if the default would be among them, which a build refuses."""
    output = Path(BuildConfig.model_fields["output"].default)
    return Path(os.path.realpath(photos)).parent / output if is_inside(output, photos) else output


def _build(concepts: Path, output: Path) -> str:
    return f"mycanvas build --concepts {_quoted(concepts)} --output {_quoted(output)}"


def _short(path: Path) -> Path:
    """A path for a command line: relative to the current folder if it is in that folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
