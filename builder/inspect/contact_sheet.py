"""A contact sheet: scenes with their boxes, to judge a dataset at a glance."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

from mycanvas.dataset import Scene, picture_kind
from mycanvas.errors import InputError
from mycanvas.io.formats import DECODER_ERRORS
from mycanvas.io.images import PALETTE

COLUMNS = 6
TILE = 320
GAP = 12
"""Pixels between neighbouring tiles, so that their captions do not run together."""
CAPTION = 34
LABEL = 14
"""Height of a token's label, which is above its box, not on the object."""


def contact_sheet(scenes: Iterable[Scene], limit: int = 36, columns: int = COLUMNS, side: int = TILE) -> Image.Image:
    """Draw the first `limit` scenes as tiles: the image, its boxes in their masks' colours, tokens, caption.

    Args:
        scenes: of a dataset.
        limit: the most that are drawn.
        columns: tiles in a row.
        side: pixels of the square in which a scene is drawn.

    Raises:
        InputError: the image of a scene cannot be read.
    """
    return arranged([_tile(scene, side) for scene in islice(scenes, limit)], columns, (side, side + CAPTION))


def arranged(tiles: Sequence[Image.Image], columns: int, size: tuple[int, int]) -> Image.Image:
    """Arrange tiles in rows of `columns`; size: width and height of each."""
    lines = max(1, -(-len(tiles) // columns))
    width, height = size[0] + GAP, size[1] + GAP
    sheet = Image.new("RGB", (columns * width - GAP, lines * height - GAP), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % columns * width, index // columns * height))
    return sheet


def _tile(scene: Scene, side: int) -> Image.Image:
    _, size = picture_kind(scene.image, ["JPEG"], f"the image of scene {scene.id}")
    scale = side / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    try:
        with Image.open(io.BytesIO(scene.image)) as image:
            image.draft("RGB", (width, height))
            pixels = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    except DECODER_ERRORS as error:
        raise InputError(f"the image of scene {scene.id} is damaged: {error}") from error
    tile = Image.new("RGB", (side, side + CAPTION), "white")
    margin_x, margin_y = (side - width) // 2, (side - height) // 2
    tile.paste(pixels, (margin_x, margin_y))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(12)
    tokens = (" ".join(token.split()) for token in scene.concept_tokens)
    for index, (box, token) in enumerate(zip(scene.boxes, tokens, strict=True)):
        colour = tuple(PALETTE[3 * index + 3 : 3 * index + 6])
        x, y, w, h = (value * scale for value in box)
        x, y = x + margin_x, y + margin_y
        draw.rectangle((x, y, x + max(w - 1, 0), y + max(h - 1, 0)), outline=colour)
        left, above = max(0, min(x, side - font.getlength(token) - 4)), max(0, y - LABEL)
        draw.rectangle((left, above, left + font.getlength(token) + 3, above + LABEL - 1), fill=colour)
        draw.text((left + 2, above), token, fill="white", font=font)
    draw.multiline_text((4, side + 2), wrapped(scene.caption, font, side), fill="black", font=font, spacing=1)
    return tile


def wrapped(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The text in at most two lines that fit into a tile of this width."""
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width - 8:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines[:2]) + ("…" if len(lines) > 2 else "")
