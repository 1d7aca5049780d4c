"""Render the demo's input: photographs of toys, with the exact outline of each."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
from PIL import Image

from builder.demo.kitchen import cactus, mug, mug2, mushroom, teapot
from builder.demo.photograph import VIEWS, photograph
from builder.demo.playroom import ball, ball2, car, duck, robot, rocket, snowman
from builder.demo.toy import Toy
from builder.engines.local import LocalEngine
from mycanvas.io.files import write_bytes, write_text
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

PICTURES = len(TOYS) * len(VIEWS)
"""How many photographs `render_toys` makes."""


def render_toys(folder: Path, progress: Callable[[int], object] | None = None, workers: int | None = None) -> None:
    """Photograph every toy from each side.

    Writes `concepts/<toy>/<view>.jpg`, `concepts/concepts.toml` and `alpha/<toy>/<view>.png` (8-bit grey, 255 = toy),
    the same bytes each time. A folder that already holds them all, from the same version of the toys, is left alone.

    Args:
        folder: where to; created if missing.
        progress: called with the number of photographs finished since its last call, PICTURES in all.
        workers: processes; None: one per core.

    Raises:
        StoreError: the folder cannot be written.
    """
    marker, version = folder / ".toys", _version()
    if _complete(folder, marker, version):
        if progress:
            progress(PICTURES)
        return
    marker.unlink(missing_ok=True)
    tasks = [(folder, name, view) for name in TOYS for view in range(len(VIEWS))]
    with LocalEngine(workers or cores()) as engine:
        for _ in engine.map(_take, tasks):
            if progress:
                progress(1)
    write_text(folder / "concepts" / "concepts.toml", _concepts_toml())
    write_text(marker, version)


def _take(task: tuple[Path, str, int]) -> None:
    """Photograph one toy from one side and write picture and alpha."""
    folder, name, view = task
    # The pool already keeps every core busy.
    cv2.setNumThreads(1)
    picture, alpha = photograph(TOYS[name], view, SIZE)
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=95, subsampling=0)
    write_bytes(folder / "concepts" / name / f"{view}.jpg", encoded.getvalue())
    encoded = io.BytesIO()
    Image.fromarray(alpha).save(encoded, "PNG")
    write_bytes(folder / "alpha" / name / f"{view}.png", encoded.getvalue())


def _complete(folder: Path, marker: Path, version: str) -> bool:
    files = [folder / "concepts" / "concepts.toml"]
    for name in TOYS:
        for view in range(len(VIEWS)):
            files += [folder / "concepts" / name / f"{view}.jpg", folder / "alpha" / name / f"{view}.png"]
    return marker.is_file() and marker.read_text() == version and all(file.is_file() for file in files)


def _version() -> str:
    """A digest of the code that the pictures come from."""
    digest = hashlib.sha256()
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
