"""Prompts of the protocol, and pictures that follow them."""

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
from mycanvas.metrics.protocol import BACKGROUNDS, as_lines, follow, unseen_prompts
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


def test_classes_have_their_articles(dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONCEPTS, "cat2", concept("cat2", GREY, class_name="hourglass"))
    monkeypatch.setitem(CONCEPTS, "dog6", concept("dog6", GREY, class_name="glasses"))
    (prompt,) = unseen_prompts(dataset((["cat2", "dog6"], "in a garden")), 1)

    assert prompt.prompt == f"an <cat2> hourglass and a pair of <dog6> glasses {BACKGROUNDS[0]}"


def test_too_many_prompts_for_a_composition_are_refused(dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(InputError, match=r"--per-composition must be from 1 to 19, .*, got 20"):
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


def test_prompts_give_backgrounds_and_each_needs_a_picture(tmp_path: Path) -> None:
    asked = tmp_path / "prompts.jsonl"
    second = LINE | {"file": "b.png", "prompt": "a <cat2> cat and a <dog6> dog at sea"}
    asked.write_text("\n".join(json.dumps(line | {"background": "on water"}) for line in (LINE, second)))
    made = read_generated(write(tmp_path, LINE), CONCEPTS)

    assert [one.background for one in follow(read_prompts(asked)[:1], made, "ours")] == ["on water"]
    with pytest.raises(InputError, match=r"ours: 1 of 2 prompts have no picture; the first is cat2\+dog6: .* at sea"):
        follow(read_prompts(asked), made, "ours")
    with pytest.raises(InputError, match=r"ours: a.png was made from a prompt that is not among those given"):
        follow(read_prompts(asked)[1:], [*made, picture("b", made[0].concepts, GREY, "at sea")], "ours")
