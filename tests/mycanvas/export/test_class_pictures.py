"""Class pictures: those that cannot be used, and classes that do not fit the dataset."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mycanvas.dataset.class_pictures import pictures_of
from mycanvas.errors import InputError
from mycanvas.export import export
from mycanvas.export.selection import Selection
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign


@pytest.mark.parametrize(("content", "said"), [(None, "has no class pictures"), (b"GIF89a", "a.jpg is not a picture")])
def test_class_pictures_that_cannot_be_used_are_named(
    dataset: Path, tmp_path: Path, out: Path, content: bytes | None, said: str
) -> None:
    (tmp_path / "classes/dog").mkdir(parents=True)
    if content:
        (tmp_path / "classes/dog/a.jpg").write_bytes(content)

    with pytest.raises(InputError, match=said):
        export(dataset, "kohya", out, Selection(regularization=tmp_path / "classes"))
    assert not out.exists()


def test_a_class_picture_that_is_cut_short_is_named(foreign: Foreign, tmp_path: Path, out: Path) -> None:
    (tmp_path / "classes/dog").mkdir(parents=True)
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")
    (tmp_path / "classes/dog/a.jpg").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(InputError, match=r"classes/dog/a\.jpg cannot be used: .*; replace or remove it"):
        export(foreign([{}]), "kohya", out, Selection(regularization=tmp_path / "classes"))
    assert not out.exists()


@pytest.mark.parametrize(
    ("folders", "concept", "said"),
    [
        (("dog", "cat"), None, None),
        (("dog", "cat"), "dog6", None),
        (("dog",), "dog6", None),
        (
            ("goat", "sheep"),
            None,
            "no caption names goat, sheep, whose pictures are used all the same; there is none of cat, dog",
        ),
        (("dog",), None, ": there is none of cat;"),
        (("dog", "cat", "goat"), None, ": no caption names goat, whose pictures are used all the same; name"),
    ],
)
def test_class_folders_that_do_not_fit_the_concepts_are_reported_once(
    foreign: Foreign,
    tmp_path: Path,
    out: Path,
    caplog: pytest.LogCaptureFixture,
    folders: tuple[str, ...],
    concept: str | None,
    said: str | None,
) -> None:
    for folder in folders:
        (tmp_path / "classes" / folder).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            Image.new("RGB", (64, 48)).save(tmp_path / "classes" / folder / name)

    with caplog.at_level(logging.WARNING, "mycanvas"):
        export(foreign([{}, {}]), "kohya", out, Selection(regularization=tmp_path / "classes", concept=concept))

    messages = [message for message in caplog.messages if "class pictures" in message]
    assert len(messages) == (said is not None)
    assert said is None or said in messages[0]


def test_pictures_of_some_classes_leave_others_and_miss_none(tmp_path: Path) -> None:
    for name in ("dog", "cat", "owl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(encoded(Image.new("RGB", (64, 64)), "JPEG"))

    assert [picture.class_name for picture in pictures_of(tmp_path, ["cat", "dog"])] == ["cat", "dog"]
    with pytest.raises(InputError, match="no pictures of the class vase; expected"):
        pictures_of(tmp_path, ["dog", "vase"])
