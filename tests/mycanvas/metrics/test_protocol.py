"""Prompts of the protocol, and manifests of generated pictures, valid and invalid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mycanvas.dataset import Concept, Dataset, open_dataset
from mycanvas.errors import InputError
from mycanvas.metrics.manifest import read_generated, read_prompts
from mycanvas.metrics.protocol import BACKGROUNDS, as_lines, follow, unseen_prompts, without_tokens
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import encoded, write_shard
from tests.mycanvas.metrics.fakes import concept, picture

GREY = np.full((8, 8, 3), 128, np.uint8)
CONCEPTS: dict[str, Concept] = {name: concept(name, GREY) for name in ("cat2", "dog6", "owl")}
LINE = {"file": "a.png", "composition": "cat2+dog6", "prompt": "a <cat2> cat and a <dog6> dog on a boat"}


def write(folder: Path, *lines: dict[str, Any] | str) -> Path:
    Image.fromarray(GREY).save(folder / "a.png")
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "images.jsonl").write_text(text)
    return folder


@pytest.fixture
def dataset(tmp_path: Path, scene: Callable[[str], dict[str, Any]]) -> Callable[..., Dataset]:
    """Writes a dataset whose scenes have the given (concept names, background)."""

    def write_dataset(*scenes: tuple[list[str], str]) -> Dataset:
        rows = [
            {
                **scene(f"{number}"),
                "concept_tokens": [CONCEPTS[name].token for name in names],
                "class_names": [CONCEPTS[name].class_name for name in names],
                "background": background,
            }
            for number, (names, background) in enumerate(scenes)
        ]
        photo = {"bytes": encoded(Image.fromarray(GREY), "JPEG"), "path": None}
        photos = [
            {"id": f"{each.name}/0.jpg", "image": photo, "concept": each.name, "concept_token": each.token}
            | {"class_name": each.class_name}
            for each in CONCEPTS.values()
        ]
        folder = tmp_path / "dataset"
        write_shard(folder / "data/objects_le3-00000-of-00001.arrow", rows, dataset_schema())
        write_shard(folder / "concepts/train-00000-of-00001.arrow", photos, concepts_schema())
        return open_dataset(folder)

    return write_dataset


def test_prompts_have_the_tokens_and_backgrounds_that_no_scene_has(dataset: Callable[..., Dataset]) -> None:
    pairs = [["dog6", "cat2"], ["cat2", "owl"], ["cat2", "dog6"]]
    backgrounds = ["in a garden", *BACKGROUNDS[:4]]
    prompts = unseen_prompts(dataset(*((pairs[i % 3], backgrounds[i % 5]) for i in range(15))))

    assert [prompt.composition for prompt in prompts] == ["cat2+dog6"] * 6 + ["cat2+owl"] * 6
    assert prompts[0].prompt == f"a <cat2> cat and a <dog6> dog {BACKGROUNDS[4]}"
    assert prompts[6].prompt.startswith("a <cat2> cat and an <owl> owl ")
    assert len({prompt.background for prompt in prompts}) == 12
    assert not {prompt.background for prompt in prompts} & set(backgrounds)
    assert len({prompt.file for prompt in prompts}) == 12


def test_too_many_prompts_for_a_composition_are_refused(dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(InputError, match="20 prompts a composition were asked for; there are 1 to 19 to choose from"):
        unseen_prompts(dataset((["cat2", "dog6"], BACKGROUNDS[0])), 20)


def test_prompts_are_the_manifest_of_the_pictures_made_of_them(tmp_path: Path, dataset: Callable[..., Dataset]) -> None:
    prompts = unseen_prompts(dataset((["cat2", "dog6"], "in a garden")))
    (tmp_path / "images.jsonl").write_text(as_lines(prompts))
    for prompt in prompts:
        Image.fromarray(GREY).save(tmp_path / prompt.file)
    made = read_generated(tmp_path, CONCEPTS)

    assert read_prompts(tmp_path / "images.jsonl") == prompts
    assert [(one.id, one.prompt, one.background) for one in made] == [(p.file, p.prompt, p.background) for p in prompts]
    assert made[0].read() == (tmp_path / prompts[0].file).read_bytes()
    assert [one.split for one in made] == ["objects_le3"] * 6


def test_a_composition_may_be_named_in_any_order_and_a_background_left_out(tmp_path: Path) -> None:
    (made,) = read_generated(write(tmp_path, "", LINE | {"composition": "dog6+cat2"}, ""), CONCEPTS)

    assert made.composition == "cat2+dog6"
    assert made.background is None
    assert without_tokens(made) == "a cat and a dog on a boat"


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


def test_a_manifest_may_begin_with_the_mark_of_editors_on_windows(tmp_path: Path) -> None:
    manifest = write(tmp_path, LINE) / "images.jsonl"
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())

    assert [one.id for one in read_generated(tmp_path, CONCEPTS)] == ["a.png"]


def test_folders_that_hold_nothing_to_score_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read_generated(tmp_path / "nowhere", CONCEPTS)
    with pytest.raises(InputError, match=r"has no images\.jsonl"):
        read_generated(tmp_path, CONCEPTS)
    with pytest.raises(InputError, match="holds no line"):
        read_generated(write(tmp_path, "", ""), CONCEPTS)


def test_prompts_that_are_given_bring_backgrounds_and_must_all_have_been_followed(tmp_path: Path) -> None:
    asked = tmp_path / "prompts.jsonl"
    second = LINE | {"file": "b.png", "prompt": "a <cat2> cat and a <dog6> dog at sea"}
    asked.write_text("\n".join(json.dumps(line | {"background": "on water"}) for line in (LINE, second)))
    made = read_generated(write(tmp_path, LINE), CONCEPTS)

    assert [one.background for one in follow(read_prompts(asked)[:1], made, "ours")] == ["on water"]
    with pytest.raises(InputError, match=r"ours: 1 of 2 prompts have no picture; the first is cat2\+dog6: .* at sea"):
        follow(read_prompts(asked), made, "ours")
    with pytest.raises(InputError, match=r"ours: a.png was made from a prompt that is not among those given"):
        follow(read_prompts(asked)[1:], [*made, picture("b", made[0].concepts, GREY, "at sea")], "ours")
