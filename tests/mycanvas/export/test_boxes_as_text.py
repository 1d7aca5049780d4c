"""Boxes as text: files of SimpleTuner's grounding, and captions of Ideogram 4, compared with every row."""

from __future__ import annotations

import json
import logging
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mycanvas.export import export
from mycanvas.export.selection import Selection
from tests.mycanvas.export.conftest import Foreign, Row

SIDE = 192


def all_rows(scenes: dict[str, list[Row]]) -> list[Row]:
    return [row for split in scenes.values() for row in split]


def test_bbox_files_have_every_box_in_fractions(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    done = export(dataset, "bbox", out)

    assert "--max_grounding_entities 5" in " ".join(done.usage)
    images, text = json.loads((out / "multidatabackend.json").read_text())
    folder = out / images["instance_data_dir"]
    assert images["grounding"] == {"enabled": True}
    assert images["crop"] is False, "boxes do not follow crops"
    assert text["dataset_type"] == "text_embeds"
    for row in all_rows(scenes):
        path = folder / f"{row['id']}.jpg"
        assert path.read_bytes() == row["image"]
        assert path.with_suffix(".txt").read_text("utf-8") == row["prompt"]
        boxes = json.loads(path.with_suffix(".bbox").read_text("utf-8"))
        assert len(boxes) == row["num_objects"]
        for entry, (x, y, width, height), token, noun in zip(
            boxes, row["boxes"], row["concept_tokens"], row["class_names"], strict=True
        ):
            left, top, right, bottom = entry["bbox"]
            assert entry["label"] == f"{token} {noun}"
            assert entry["label"] in row["prompt"]
            assert (left * SIDE, top * SIDE) == pytest.approx((x, y), abs=0.01)
            assert (right * SIDE, bottom * SIDE) == pytest.approx((x + width, y + height), abs=0.01)
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1


def test_captions_of_ideogram_have_every_box_in_thousandths(
    dataset: Path, scenes: dict[str, list[Row]], out: Path
) -> None:
    export(dataset, "ideogram4", out)

    config = tomllib.loads((out / "dataset.toml").read_text())
    folder = out / config["datasets"][0]["image_directory"]
    for row in all_rows(scenes):
        text = (folder / f"{row['id']}{config['general']['caption_extension']}").read_text("utf-8")
        caption = json.loads(text)
        assert "\n" not in text
        assert ": " not in text.replace(row["prompt"], "")
        assert list(caption) == ["high_level_description", "compositional_deconstruction"]
        assert caption["high_level_description"] == row["prompt"]
        parts = caption["compositional_deconstruction"]
        assert list(parts) == ["background", "elements"]
        assert parts["background"] == row["background"]
        assert len(parts["elements"]) == row["num_objects"]
        for element, box, token in zip(parts["elements"], row["boxes"], row["concept_tokens"], strict=True):
            assert list(element) == ["type", "bbox", "desc"]
            assert token in element["desc"]
            assert element["bbox"] == pytest.approx(thousandths(box), abs=0.51)
            assert all(isinstance(value, int) and 0 <= value <= 1000 for value in element["bbox"])


def thousandths(box: list[float]) -> list[float]:
    """y first, as three trainers verify it."""
    x, y, width, height = box
    return [1000 * value / SIDE for value in (y, x, y + height, x + width)]


@pytest.mark.parametrize("name", ["bbox", "ideogram4"])
def test_trigger_words_stand_in_captions_and_labels(
    dataset: Path, scenes: dict[str, list[Row]], out: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mycanvas"):
        export(dataset, name, out, Selection(triggers="words"))

    encoder = "PixArt's T5 or Sana's Gemma" if name == "bbox" else "Ideogram 4's Qwen3-VL"
    assert caplog.messages == [f"trigger words were checked with CLIP's tokenizer, not with that of {encoder}"]
    triggers = json.loads((out / "triggers.json").read_text())
    suffix = ".bbox" if name == "bbox" else ".txt"
    for row in all_rows(scenes):
        text = (out / "scenes" / f"{row['id']}{suffix}").read_text("utf-8")
        assert "<" not in text
        for token in row["concept_tokens"]:
            assert triggers[token.strip("<>")]["trigger"] in text


def test_letters_beyond_ascii_are_not_escaped(foreign: Foreign, out: Path) -> None:
    export(foreign([{"prompt": "A <dog6> dog in a café.", "background": "in a café"}]), "ideogram4", out)

    text = (out / "scenes/s0.txt").read_text("utf-8")

    found: dict[str, Any] = json.loads(text)
    assert "café" in text
    assert found["high_level_description"] == "A <dog6> dog in a café."
