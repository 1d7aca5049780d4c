"""A contact sheet of cut-outs: each photo beside its cut-out on a checkerboard, with its score, the verdict and why."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from builder.inspect.contact_sheet import arranged, wrapped
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.prepared_files import read_cutout, read_encoded
from builder.pipeline.reviewed_cutouts import current_sources
from builder.pipeline.source_photos import CutoutUse, format_quality
from mycanvas.errors import StoreError

COLUMNS = 4
SIDE = 200
"""Pixels of the square in which a photo, and a cut-out, is drawn."""
CAPTION, HEAD = 50, 16
"""Height of the text below a pair, and of its first line."""
MOST = 300
"""Photos on a sheet; of more, so many spread evenly are drawn."""
USED, REFUSED = (30, 130, 60), (190, 30, 30)
"""Colours of the verdicts."""
_CHECK, _LIGHT, _DARK = 10, 235, 190
_SIZE = (2 * SIDE, SIDE + CAPTION)


def draw_cutouts(folder: BuildFolder) -> Image.Image:
    """Draw the photos of a build with their cut-outs.

    Raises:
        StoreError: nothing was cut out in the folder yet, or a file in it is missing or damaged.
    """
    if not folder.sources_file.is_file():
        raise StoreError(
            f"{folder.path} has no cut-outs yet; run the same `mycanvas build` or `mycanvas cutouts` again"
        )
    photos = current_sources(folder).every_photo()
    step = max(1.0, len(photos) / MOST)
    shown = [photos[int(index * step)] for index in range(min(len(photos), MOST))]
    return arranged([draw_tile(folder, photo) for photo in shown], COLUMNS, _SIZE)


def draw_tile(folder: BuildFolder, photo: CutoutUse) -> Image.Image:
    """Draw one photo with its cut-out, its score, the verdict and why."""
    tile = Image.new("RGB", _SIZE, "white")
    if photo.key:  # else the photo could not be read
        with Image.open(io.BytesIO(read_encoded(folder, photo.key)[0])) as image:
            _paste(tile, image.convert("RGB"), 0)
    if photo.quality is not None:
        cutout = Image.fromarray(np.array(read_cutout(folder, photo.key, photo.id).rgba))
        tile.paste(_checkerboard(), (SIDE, 0))
        _paste(tile, cutout, SIDE)
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(12)
    score = "no cut-out" if photo.quality is None else format_quality(photo.quality)
    verdict = "used" if photo.used else "not used"
    draw.text((4, SIDE + 2), f"{verdict}  {score}  {photo.id}", fill=USED if photo.used else REFUSED, font=font)
    reason = wrapped(photo.why or photo.reason or "", font, _SIZE[0])
    draw.multiline_text((4, SIDE + 2 + HEAD), reason, fill="black", font=font, spacing=1)
    return tile


def _paste(tile: Image.Image, image: Image.Image, left: int) -> None:
    """Paste an image into the middle of a square, at the size of the square."""
    scale = SIDE / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    place = (left + (SIDE - width) // 2, (SIDE - height) // 2)
    tile.paste(small, place, small if small.mode == "RGBA" else None)


def _checkerboard() -> Image.Image:
    rows, columns = np.indices((SIDE, SIDE)) // _CHECK
    return Image.fromarray(np.where((rows + columns) % 2, _DARK, _LIGHT).astype(np.uint8))
