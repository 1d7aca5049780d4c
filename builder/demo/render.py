"""Render the demo's input: photographs of toys, with the exact outline of each."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
from PIL import Image

from builder.demo.kitchen import cactus, mug, mug2, mushroom, teapot
from builder.demo.photograph import VIEWS, photograph
from builder.demo.playroom import ball, ball2, car, duck, robot, rocket, snowman
from builder.demo.toy import Toy
from builder.engines.local import LocalEngine
from mycanvas.errors import StoreError
from mycanvas.io.files import os_errors, unfinished_pattern, write_bytes, write_text
from mycanvas.io.ownership import check_ownership
from mycanvas.models import cores

SIZE = 512
"""Width and height of a photograph in pixels."""

ATTRIBUTION = "rendered by MyCanvas, CC0-1.0"

TOYS: Mapping[str, Toy] = {
    toy.name: toy
    for toy in (
        ball(),
        ball2(),
        cactus(),
        car(),
        duck(),
        mug(),
        mug2(),
        mushroom(),
        robot(),
        rocket(),
        snowman(),
        teapot(),
    )
}
"""Every toy, by its name."""

MARKER = ".toys"
"""The file that identifies a folder of toys. It holds their version once all are rendered, and is empty before."""

PICTURES = len(TOYS) * len(VIEWS)
"""How many photographs `render_toys` makes."""


def render_toys(
    folder: Path, progress: Callable[[int], object] | None = None, workers: int | None = None, size: int = SIZE
) -> None:
    """Render every toy from every view.

    Writes `concepts/<toy>/<view>.jpg`, `concepts/concepts.toml` and `alpha/<toy>/<view>.png` (8-bit grey, 255 = toy),
    the same bytes each time. Nothing is done if the folder already holds them all, from the same version of the toys.

    Args:
        folder: the output folder; created if missing.
        progress: called with the number of photographs finished since its last call, PICTURES in all.
        workers: number of processes; None: one per core.
        size: width and height of each photograph in pixels.

    Raises:
        StoreError: the folder holds something else, or cannot be written.
        InputError: it cannot be read.
    """
    check_toys(folder)
    marker, version = folder / MARKER, _version(size)
    if _complete(folder, marker, version):
        if progress:
            progress(PICTURES)
        return
    write_text(marker, "")
    tasks = [(folder, name, view, size) for name in TOYS for view in range(len(VIEWS))]
    with LocalEngine(workers or cores()) as engine:
        for _ in engine.map(_write_photograph, tasks):
            if progress:
                progress(1)
    write_text(folder / "concepts" / "concepts.toml", _concepts_toml())
    write_text(marker, version)


def _write_photograph(task: tuple[Path, str, int, int]) -> None:
    """Render one view of one toy; write its picture and alpha."""
    folder, name, view, size = task
    # The pool already keeps every core busy.
    cv2.setNumThreads(1)
    picture, alpha = photograph(TOYS[name], view, size)
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=95, subsampling=0)
    write_bytes(folder / "concepts" / name / f"{view}.jpg", encoded.getvalue())
    encoded = io.BytesIO()
    Image.fromarray(alpha).save(encoded, "PNG")
    write_bytes(folder / "alpha" / name / f"{view}.png", encoded.getvalue())


def check_toys(folder: Path) -> None:
    """Refuse a folder that is neither new, empty nor of toys, or that has other files among the photos of its toys.

    Raises:
        StoreError: it holds such files.
        InputError: it cannot be read.
    """
    if not check_ownership(folder, MARKER, _is_unfinished_marker, option="--toys"):
        return
    expected = set(_files(folder))
    foreign = [
        path
        for path in sorted((folder / "concepts").rglob("*"))
        if path not in expected and not _is_hidden(path, folder) and (path.is_symlink() or not path.is_dir())
    ]
    if foreign:
        raise StoreError(
            f"{folder} holds files that the demo did not render, such as {foreign[0].relative_to(folder)}; move them "
            "elsewhere, or give --toys a new or empty folder"
        )


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a build does not look at a path: its name, or that of a folder around it, begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_unfinished_marker(name: str) -> bool:
    return bool(re.fullmatch(unfinished_pattern(re.escape(MARKER)), name))


def _files(folder: Path) -> Iterator[Path]:
    yield folder / "concepts" / "concepts.toml"
    for name in TOYS:
        for view in range(len(VIEWS)):
            yield folder / "concepts" / name / f"{view}.jpg"
            yield folder / "alpha" / name / f"{view}.png"


def _complete(folder: Path, marker: Path, version: str) -> bool:
    with os_errors(folder, "read"):
        same = marker.is_file() and marker.read_bytes() == version.encode()
        return same and all(file.is_file() for file in _files(folder))


def _version(size: int) -> str:
    """A digest of the code that renders the pictures, and of their size."""
    digest = hashlib.sha256(b"" if size == SIZE else str(size).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _concepts_toml() -> str:
    """Text of concepts.toml: class noun, height and attribution of each toy."""
    return "\n".join(
        f'''[{toy.name}]
class_noun = "{toy.class_noun}"
height_cm = {toy.height_cm:g}
attribution = "{ATTRIBUTION}"
'''
        for toy in TOYS.values()
    )
