"""Manifests of generated pictures, valid and invalid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mycanvas.dataset import Concept
from mycanvas.errors import InputError
from mycanvas.io.text import printable
from mycanvas.metrics.manifest import read_generated
from mycanvas.metrics.protocol import without_tokens
from tests.mycanvas.metrics.fakes import concept

GREY = np.full((8, 8, 3), 128, np.uint8)
CONCEPTS: dict[str, Concept] = {name: concept(name, GREY) for name in ("cat2", "dog6", "owl")}
LINE = {"file": "a.png", "composition": "cat2+dog6", "prompt": "a <cat2> cat and a <dog6> dog on a boat"}


def write(folder: Path, *lines: dict[str, Any] | str) -> Path:
    Image.fromarray(GREY).save(folder / "a.png")
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "images.jsonl").write_text(text)
    return folder


def test_a_composition_may_be_named_in_any_order_and_a_background_left_out(tmp_path: Path) -> None:
    (made,) = read_generated(write(tmp_path, "", LINE | {"composition": "dog6+cat2"}, ""), CONCEPTS)

    assert made.composition == "cat2+dog6"
    assert made.background is None
    assert without_tokens(made) == "a cat and a dog on a boat"


def test_composition_s_own_token_is_no_part_of_the_text(tmp_path: Path) -> None:
    prompt = f"photo of <cat2+dog6>: {LINE['prompt']}"
    (made,) = read_generated(write(tmp_path, LINE | {"prompt": prompt}), CONCEPTS)

    assert without_tokens(made) == "photo of a cat and a dog on a boat"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"images.jsonl, line 2: not JSON"),
        ("[" * 100_000, r"line 2: not JSON"),
        ("[1]", r"line 2: expected a JSON object, got list"),
        ({"file": "a.png", "prompt": "a cat"}, r"line 2: composition must be text, it is missing"),
        (LINE | {"prompt": 3}, r"line 2: prompt must be text, got 3"),
        (LINE | {"file": "b.png"}, r"line 2: there is no file b.png"),
        (LINE | {"file": "."}, r"line 2: there is no file ."),
        (LINE, r"line 2: a.png is listed twice"),
        (LINE | {"file": "./a.png"}, r"line 2: ./a.png is the same file as a.png"),
        (LINE | {"file": "inner.png"}, r"line 2: inner.png is the same file as a.png"),
        (LINE | {"file": "circle.png"}, r"line 2: circle.png cannot be opened"),
        (LINE | {"file": "x" * 300}, r"line 2: x{300} cannot be opened: File name too long"),
        (LINE | {"file": "c\0.png"}, r"line 2: file has characters that cannot be written .*x00"),
        (LINE | {"file": "c\x1b[2J.png"}, r"line 2: file has characters that cannot be written .*x1b"),
        (
            LINE | {"file": "c.png", "prompt": "a \ud83e cat"},
            r"line 2: prompt has characters that cannot be written .*ud83e",
        ),
        (LINE | {"file": "../outside.png"}, r"line 2: ../outside.png is outside"),
        (LINE | {"file": "/etc/passwd"}, r"line 2: /etc/passwd is outside"),
        (LINE | {"file": "link.png"}, r"line 2: link.png is outside"),
        (LINE | {"file": "c.png", "composition": "cat2+dog7"}, r"'dog7' .* has no source photos; did you mean dog6"),
        (LINE | {"file": "c.png", "composition": "cat2+cat2"}, r"1 to 5 different concepts, got 'cat2\+cat2'"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, line: Any, message: str) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    Image.fromarray(GREY).save(tmp_path / "outside.png")
    Image.fromarray(GREY).save(folder / "c.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "inner.png").symlink_to("a.png")
    (folder / "circle.png").symlink_to("circle.png")
    write(folder, LINE, line)

    with pytest.raises(InputError, match=message):
        read_generated(folder, CONCEPTS)


def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    manifest = write(tmp_path, LINE) / "images.jsonl"
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())

    assert [one.id for one in read_generated(tmp_path, CONCEPTS)] == ["a.png"]


def test_prompts_whose_pictures_are_not_generated_yet_give_the_next_step(tmp_path: Path) -> None:
    folder = write(tmp_path, LINE, LINE | {"file": "b.png"})
    (folder / "a.png").unlink()

    with pytest.raises(
        InputError, match=r"has none of the 2 pictures that its images\.jsonl lists.*; generate one for"
    ):
        read_generated(folder, CONCEPTS)


def test_folders_without_pictures_to_score_are_refused(tmp_path: Path) -> None:
    step = "write the prompts with: mycanvas prompts DATASET --output"
    with pytest.raises(InputError, match=rf"nowhere does not exist.*; {step} \S+/nowhere/images\.jsonl"):
        read_generated(tmp_path / "nowhere", CONCEPTS)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder"):
        read_generated(tmp_path / "file", CONCEPTS)
    with pytest.raises(InputError, match=rf"has no images\.jsonl.*; {step} "):
        read_generated(tmp_path, CONCEPTS)
    with pytest.raises(InputError, match="holds no line"):
        read_generated(write(tmp_path, "", ""), CONCEPTS)


@pytest.mark.parametrize("name", ["b.png\nerror: none", "\u202egnp.b", "../\u2028.png", "x" * 100_000])
def test_names_of_pictures_make_no_other_lines_of_a_message(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as refused:
        read_generated(write(tmp_path, LINE, LINE | {"file": name}), CONCEPTS)

    assert printable(str(refused.value)) == str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("depth", range(900, 1000, 4))
def test_a_value_as_deep_as_json_may_be_is_refused(tmp_path: Path, depth: int) -> None:
    line = json.dumps(LINE).replace('"a.png"', "[" * depth + "]" * depth)

    with pytest.raises(InputError, match=r"line 1: (not JSON|file must be text)") as refused:
        read_generated(write(tmp_path, line), CONCEPTS)

    assert len(str(refused.value)) < 1000
