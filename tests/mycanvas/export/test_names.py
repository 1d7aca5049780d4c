"""Names of exported files and folders: short, safe, different, and after their content."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mycanvas.errors import InputError
from mycanvas.export import export
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign, photo_row, picture

LONG = ["a very long name of an object in the garden " * 2 + str(number) for number in range(5)]
CHINESE = ["花园里一只非常非常大的棕色玩具熊和它的朋友" + str(number) for number in range(5)]
ODD = ["back\\slash", "../up", "..", "new\nline", "a:b*c?"]


def exported(folder: Path, out: Path) -> dict[str, Any]:
    """The lists of a custom-diffusion export by name; each folder in them has files."""
    export(folder, "custom-diffusion", out)
    lists = {path.stem: json.loads(path.read_bytes()) for path in (out / "compositions").iterdir()}
    for entries in (*lists.values(), json.loads((out / "concepts_list.json").read_bytes())):
        for entry in entries:
            assert list((out / entry["instance_data_dir"]).iterdir())
    return lists


def scene_of(names: list[str]) -> dict[str, Any]:
    return {
        "boxes": [[1, 1, 2, 2]] * len(names),
        "concept_tokens": [f"<t{number}>" for number in range(len(names))],
        "class_names": ["dog"] * len(names),
        "composition": "+".join(sorted(names)),
    }


def photos_of(names: list[str]) -> list[dict[str, Any]]:
    return [
        photo_row("x/0.jpg", id=f"{name}/0.jpg", concept=name, concept_token=f"<t{number}>")
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("names", [LONG, CHINESE, ODD, ["x" * 250], ["é" * 120, "é" * 119]])
def test_every_composition_has_short_and_safe_names(foreign: Foreign, out: Path, names: list[str]) -> None:
    lists = exported(foreign([scene_of(names)], photos_of(names)), out)

    assert len(lists) == 1
    assert len(list((out / "concepts").iterdir())) == len(names)
    for path in out.rglob("*"):
        assert len(path.name.encode()) <= 143
        assert path.name.isprintable()
        assert not set(path.name) & set('\\/:*?"<>|')
    assert {path.name for path in out.parent.iterdir()} <= {"out", "foreign", "cache"}


def test_compositions_that_begin_alike_have_lists_of_their_own(foreign: Foreign, out: Path) -> None:
    names = [*LONG, LONG[0] + "!"]
    rows = [scene_of(names[:5]), {**scene_of(names[:5]), "composition": "+".join(names[1:])}]

    assert len(exported(foreign(rows, photos_of(names)), out)) == 2


def test_a_short_name_stays(foreign: Foreign, out: Path) -> None:
    lists = exported(foreign([{}]), out)

    assert list(lists) == ["cat2+dog6"]
    assert (out / "concepts/dog6/00.jpg").is_file()


def picture_of(kind: str) -> bytes:
    return encoded(Image.new("RGB", (8, 8), "blue"), kind)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"a.png": "JPEG"}, {"a.jpg": "JPEG"}),
        ({"a.webp": "JPEG", "b.JPEG": "JPEG"}, {"a.jpg": "JPEG", "b.JPEG": "JPEG"}),
        ({"a.jpg": "PNG", "a.png": "PNG"}, {"a.png": "PNG", "a-2.png": "PNG"}),
        ({"a.png": "JPEG", "a.webp": "JPEG", "A.jpg": "JPEG"}, {"a.jpg": "JPEG", "a-2.jpg": "JPEG", "A-3.jpg": "JPEG"}),
        ({"a.jpg": "WEBP", "a.b": "PNG", "c": "JPEG"}, {"a.webp": "WEBP", "a.b.png": "PNG", "c.jpg": "JPEG"}),
    ],
)
def test_photos_are_named_after_their_content(
    foreign: Foreign, out: Path, stored: dict[str, str], expected: dict[str, str]
) -> None:
    photos = [photo_row(f"dog6/{name}", picture_of(kind)) for name, kind in stored.items()]
    cat = photo_row("cat2/0.jpg", concept_token="<cat2>", class_name="cat")

    exported(foreign([{}], [*photos, cat]), out)

    found = {}
    for path in (out / "concepts/dog6").iterdir():
        with Image.open(path) as image:
            found[path.name] = image.format
    assert found == expected


@pytest.mark.parametrize(
    ("name", "quality", "has_alpha"),
    [("a.png", 1.0, True), ("a.WebP", 1.0, True), ("a.jpg", 1.0, False), ("a.png", 0.9, False), ("a.png", None, False)],
)
def test_a_photo_that_came_as_a_cut_out_keeps_its_alpha(
    foreign: Foreign, out: Path, name: str, quality: float | None, has_alpha: bool
) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 3:7] = 255
    row = photo_row(f"dog6/{name}", mask=picture(encoded(Image.fromarray(mask), "PNG")), quality=quality)

    exported(foreign([{}], [row, photo_row("cat2/0.jpg", concept_token="<cat2>")]), out)

    (path,) = (out / "concepts/dog6").iterdir()
    with Image.open(path) as image, Image.open(io.BytesIO(row["image"]["bytes"])) as stored:
        assert image.format == ("PNG" if has_alpha else "JPEG")
        assert path.suffix == (".png" if has_alpha else ".jpg")
        assert image.mode == ("RGBA" if has_alpha else "RGB")
        assert np.array_equal(np.asarray(image)[..., :3], np.asarray(stored))
        if has_alpha:
            assert np.array_equal(np.asarray(image)[..., 3], mask)


def test_the_mask_of_a_cut_out_must_fit(foreign: Foreign, out: Path) -> None:
    mask = picture(encoded(Image.new("L", (9, 8), 255), "PNG"))

    with pytest.raises(
        InputError, match=r"the mask of the source photo dog6/a.png of .* has not the photo's size, 8x8"
    ):
        export(foreign([{}], [photo_row("dog6/a.png", mask=mask, quality=1.0)]), "custom-diffusion", out)
    assert not out.exists()
