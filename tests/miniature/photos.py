"""The builder's input: photos of things with their outlines, and pictures of the grounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from builder import build, load_config
from builder.records import Cutout, Layout, Placement, Setting
from builder.seeds import rng_for
from builder.stages.layout import LAYOUTS
from builder.stages.layout.base import LayoutBackend, LayoutConfig, min_area
from mycanvas.io.files import write_text
from mycanvas.io.images import Rgb
from tests.miniature.grounds import SEEN, VARIANTS, ground
from tests.miniature.pictures import Stand, compose, places
from tests.miniature.toys import SHAPES, Look

PHOTOS = 5
"""Photos of each thing, each on another ground."""
PHOTO_SIDE = 256
"""Width and height of a photo."""
FILL = (0.62, 0.82)
"""Smallest and largest size of a thing in its photo, as a fraction of the side."""
PHOTO_VARIANTS, SCENE_VARIANTS = range(VARIANTS, VARIANTS + 4), range(2 * VARIANTS, 2 * VARIANTS + 8)
"""Numbers of the pictures of each ground for photos and for scenes; pretraining has those below VARIANTS."""
GROUND_SIDE = 320
SCENE_SIDE = 192
PROPORTION = 9.0
"""Largest score of this name that the filter accepts: the places have no perspective."""
LICENSE = "CC0-1.0"


def write_things(folder: Path, looks: Mapping[str, Look]) -> None:
    """Write the photos of things, each with its mask, and concepts.toml, as `mycanvas build` reads them."""
    for name, look in looks.items():
        rng = rng_for(0, f"{look.kind} {look.names}", "miniature photos")
        for number, ground_name in enumerate(rng.choice(list(SEEN), PHOTOS, replace=False).tolist()):
            picture = compose([look], ground_name, rng, side=PHOTO_SIDE, fill=FILL, variants=PHOTO_VARIANTS)
            _write(folder / name / f"{number:02d}.jpg", picture.pixels)
            _write(folder / name / f"{number:02d}.mask.png", picture.mask)
    write_text(folder / "concepts.toml", "\n".join(_described(looks)))


def write_grounds(folder: Path) -> None:
    """Write pictures of the grounds that scenes may have, in folders named by their phrases."""
    tables = []
    for name, phrase in SEEN.items():
        for number, variant in enumerate(SCENE_VARIANTS):
            pixels, _ = ground(name, variant, GROUND_SIDE)
            _write(folder / name / f"{number:02d}.jpg", pixels)
        tables.append(f'[{name}]\nphrase = "{phrase}"\n')
    write_text(folder / "backgrounds.toml", "\n".join(tables))


class Places(LayoutBackend):
    """Places objects as pretraining shows several toys; `build_scenes` calls it in place of the solver."""

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterator[Layout]:  # noqa: ARG002
        """One result per setting."""
        for setting in settings:
            stands = places(len(setting.cutouts), rng_for(seed, setting.sample.id, "miniature places"))
            placed = [_placement(*each, len(stands)) for each in zip(setting.cutouts, stands, strict=True)]
            yield Layout(setting=setting, placements=tuple(placed))


def _placement(cutout: Cutout, stand: Stand, count: int) -> Placement:
    """The cut-out at its place, at least as large as a layout must have it."""
    rows, columns = cutout.rgba.shape[:2]
    factor = stand.size * SCENE_SIDE / max(rows, columns)
    factor = max(factor, 1.01 * math.sqrt(min_area(count, SCENE_SIDE, SCENE_SIDE) / (rows * columns)))
    width, height = math.ceil(columns * factor), math.ceil(rows * factor)
    left, foot = round(stand.centre * SCENE_SIDE - width / 2), round(stand.foot * SCENE_SIDE)
    x = min(max(left, 0), SCENE_SIDE - width)
    return Placement(x=x, y=foot - height, width=width, height=height, depth=1 - stand.foot)


def build_scenes(
    things: Path, grounds: Path, output: Path, compositions: tuple[tuple[str, ...], ...], scenes: int
) -> None:
    """Build a dataset of `scenes` scenes for each composition, or resume it."""
    config = load_config(
        concepts=str(things),
        backgrounds=str(grounds),
        output=str(output),
        compositions=[list(names) for names in compositions],
        samples_per_composition=scenes,
        resolution=SCENE_SIDE,
        workers=1,
        license=LICENSE,
        select={"max_proportion": PROPORTION},
    )
    with patch.dict(LAYOUTS, solver=Places):
        build(config)


def _described(looks: Mapping[str, Look]) -> Iterator[str]:
    for name, look in looks.items():
        points = np.concatenate([contour for _, contours in SHAPES[look.kind] for contour in contours])
        yield f"[{name}]\nheight_cm = {5 * float(np.ptp(points[:, 1])):.1f}\n"


def _write(file: Path, pixels: Rgb) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if file.suffix == ".jpg" else []
    cv2.imwrite(str(file), shown, quality)
