"""A contact sheet: what each arm draws, and scenes of the same things."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mycanvas.metrics.manifest import MANIFEST, read_prompts

TILE, LABEL, GAP = 60, 150, 6
"""Width of a picture, of a row's name and between compositions, in pixels."""
EACH = 3
"""Pictures of a composition in a row."""


def contact_sheet(folders: Sequence[Path], compositions: Sequence[str]) -> Image.Image:
    """A row for each folder of pictures, with the same few pictures of each composition."""
    sheet = Image.new("RGB", (LABEL + len(compositions) * (EACH * TILE + GAP), len(folders) * TILE), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for row, folder in enumerate(folders):
        draw.text((4, (row + 0.5) * TILE), folder.name.replace("_", " "), fill="black", font=font, anchor="lm")
        prompts = read_prompts(folder / MANIFEST)
        for column, composition in enumerate(compositions):
            files = sorted(prompt.file for prompt in prompts if prompt.composition == composition)
            for number, file in enumerate(files[:: max(1, len(files) // EACH)][:EACH]):
                with Image.open(folder / file) as picture:
                    tile = picture.resize((TILE, TILE), Image.Resampling.LANCZOS)
                    sheet.paste(tile, (LABEL + column * (EACH * TILE + GAP) + number * TILE, row * TILE))
    return sheet
