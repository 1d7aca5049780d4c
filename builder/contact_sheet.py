"""A page of scenes with their boxes, to judge a dataset at a glance."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

from builder.rows import PALETTE, Row

COLUMNS = 6
TILE = 256
CAPTION = 34


def contact_sheet(rows: Iterable[Row], limit: int = 36) -> Image.Image:
    """The first `limit` rows as tiles of 256 pixels: the scene, its boxes in their masks' colours, tokens, caption."""
    tiles = [_tile(row) for row in islice(rows, limit)]
    lines = max(1, -(-len(tiles) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * TILE, lines * (TILE + CAPTION)), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % COLUMNS * TILE, index // COLUMNS * (TILE + CAPTION)))
    return sheet


def _tile(row: Row) -> Image.Image:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        width = image.width
        image.draft("RGB", (TILE, TILE))
        scene = image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE + CAPTION), "white")
    tile.paste(scene)
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(11)
    for index, (box, token) in enumerate(zip(row["boxes"], row["concept_tokens"], strict=True)):
        colour = tuple(PALETTE[3 * index + 3 : 3 * index + 6])
        x, y, w, h = (value * TILE / width for value in box)
        draw.rectangle((x, y, x + w - 1, y + h - 1), outline=colour, width=2)
        left, top, right, bottom = draw.textbbox((x + 3, y + 1), token, font=font)
        draw.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=colour)
        draw.text((x + 3, y + 1), token, fill="white", font=font)
    draw.multiline_text((4, TILE + 2), _wrapped(row["caption"], font), fill="black", font=font, spacing=1)
    return tile


def _wrapped(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > TILE - 8:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines[:2]) + ("…" if len(lines) > 2 else "")
