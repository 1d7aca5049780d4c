from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from builder.cli.main import main
from builder.inspect.contact_sheet import CAPTION, COLUMNS, GAP, TILE, contact_sheet
from mycanvas.dataset import Scene
from mycanvas.errors import InputError
from mycanvas.io.images import PALETTE


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def scene() -> Scene:
    return Scene(
        split="objects_le3",
        id="a0",
        image=encoded(Image.effect_noise((1024, 1024), 60).convert("RGB")),
        mask=b"",
        caption="A dog in a garden.",
        prompt="A <dog6> dog in a garden.",
        boxes=((100, 100, 500, 500),),
        concept_tokens=("<dog6>",),
        class_names=("dog",),
        background="in a garden",
        composition="dog6",
        source_images=("dog6/00.jpg",),
        scores={},
        rank=None,
        provenance="{}",
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"boxes": ((10, 10, 1, 1),)},
        {"boxes": ((-50, -50, 5000, 3),)},
        {"concept_tokens": ("<two\nlines>",)},
        {"caption": "two\nlines\ta\x00nd more"},
        {"concept_tokens": ("<" + "x" * 2000 + ">",)},
    ],
)
def test_any_box_and_text_is_drawn(scene: Scene, changed: dict[str, Any]) -> None:
    assert contact_sheet([replace(scene, **changed)]).width == COLUMNS * (TILE + GAP) - GAP


def test_tiles_do_not_touch(scene: Scene) -> None:
    sheet = contact_sheet([scene] * 4, columns=2)
    between = [
        sheet.crop((TILE, 0, TILE + GAP, sheet.height)),
        sheet.crop((0, TILE + CAPTION, sheet.width, TILE + CAPTION + GAP)),
    ]

    assert [strip.getcolors() for strip in between] == [
        [(GAP * sheet.height, (255, 255, 255))],
        [(GAP * sheet.width, (255, 255, 255))],
    ]


@pytest.mark.parametrize("size", [(400, 200), (200, 400)])
def test_scene_of_another_shape_is_drawn_whole_with_its_box_on_the_object(scene: Scene, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "black")
    image.paste((0, 0, 250), (100, 100, 180, 180))
    changed = replace(scene, image=encoded(image), boxes=((100, 100, 80, 80),))

    tile = contact_sheet([changed], columns=1).crop((0, 0, TILE, TILE))

    scale = TILE / 400
    right, down = ((TILE - side * scale) / 2 for side in size)
    assert tile.getpixel((round(right) + 2, round(down) + 2)) == (0, 0, 0)
    assert tile.getpixel((round(right + 140 * scale), round(down + 140 * scale)))[2] > 200
    assert tile.getpixel((round(right + 100 * scale), round(down + 140 * scale))) == tuple(PALETTE[3:6])


def bomb(content: bytes) -> bytes:
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", 65_000, 65_000) + content[at + 4 :]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (bomb, "the image of scene a0 has too many pixels"),
        (lambda content: content[: len(content) // 2], "the image of scene a0 is damaged"),
        (lambda _: b"", "the image of scene a0 is not a picture in JPEG"),
    ],
)
def test_an_image_that_cannot_be_drawn_is_named(scene: Scene, damage: Callable[[bytes], bytes], said: str) -> None:
    with pytest.raises(InputError, match=said):
        contact_sheet([replace(scene, image=damage(bytes(scene.image)))])


@pytest.mark.parametrize("url", ["hf://datasets/jane/scenes", "hf://jane/scenes"])
def test_inspect_gives_the_download_command(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["inspect", url])

    assert ended.value.code == 1
    assert "fetch it with: hf download jane/scenes --repo-type dataset --local-dir DIR" in capsys.readouterr().err
    assert not Path("hf:").exists()
