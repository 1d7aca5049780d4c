from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from builder.records import Captioned, Rgb
from builder.stages.caption import caption
from builder.stages.caption.base import CaptionConfig
from builder.stages.caption.vlm import Vlm, VlmConfig
from mycanvas.errors import ModelError
from mycanvas.models.runtime import Runtime
from mycanvas.models.vision_language import GumbelSampler, LocalVisionLanguageModel, load_vision_language_model
from tests.builder.stages.caption.scenes import make_scene

Tiny = Callable[[str], Path]
REQUESTS = [f"Describe this{', please' * extra}." for extra in range(5)]
"""Requests of different lengths, so that all but one need padding."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """More threads would slow down a model as small as this."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pictures() -> list[Rgb]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (80, 80, 3), dtype=np.uint8) for _ in REQUESTS]


def load_tiny(tiny_model: Tiny, **changes: Any) -> LocalVisionLanguageModel:
    return load_vision_language_model(
        str(tiny_model("llava")), Runtime(device="cpu"), **{"max_tokens": 16, "batch_size": 3, **changes}
    )


@pytest.mark.parametrize("seeds", [[None] * 5, [1, 2, 3, 4, 5]], ids=["most likely", "random"])
def test_answer_does_not_depend_on_its_batch(tiny_model: Tiny, pictures: list[Rgb], seeds: list[int | None]) -> None:
    model = load_tiny(tiny_model)

    batch = model.answer(pictures, REQUESTS, seeds)
    alone = [
        model.answer([picture], [request], [seed])[0]
        for picture, request, seed in zip(pictures, REQUESTS, seeds, strict=True)
    ]

    assert batch == alone
    assert len(set(batch)) > 1


class Recording:
    """A processor that records the pictures that it is given."""

    def __init__(self, processor: Any) -> None:
        self.processor, self.given = processor, list[Image.Image]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.processor, name)

    def apply_chat_template(self, chats: list[Any], **options: Any) -> Any:
        self.given += [chat[0]["content"][0]["image"] for chat in chats]
        return self.processor.apply_chat_template(chats, **options)


def test_picture_that_is_not_square_is_padded_for_a_processor_that_would_crop_it(
    tiny_model: Tiny, pictures: list[Rgb]
) -> None:
    tiny = load_tiny(tiny_model)
    processor = Recording(tiny.processor)
    model = LocalVisionLanguageModel(processor, tiny.model, name="tiny", max_tokens=4, batch_size=3)

    model.answer([pictures[0][:40], pictures[1]], REQUESTS[:2], [None, None])

    wide, square = processor.given
    assert wide.size == (80, 80)
    np.testing.assert_array_equal(np.asarray(wide)[20:60], pictures[0][:40])
    np.testing.assert_array_equal(np.asarray(square), pictures[1])


def test_answer_depends_on_the_seed(tiny_model: Tiny, pictures: list[Rgb]) -> None:
    model = load_tiny(tiny_model)

    drawn = [model.answer(pictures[:1], REQUESTS[:1], [seed])[0] for seed in (7, 7, 8, 9, 2**64 - 1)]

    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 4


def test_samples_follow_the_softmax() -> None:
    """4000 rows of the same logits; each count is within four standard deviations of the softmax."""
    expected = torch.tensor([0.6, 0.3, 0.1, 0.0])
    rows = 4000

    chosen = GumbelSampler(range(rows))(torch.zeros(rows, 1), expected.log().expand(rows, -1)).argmax(-1)

    counts = torch.bincount(chosen, minlength=4)
    assert torch.all((counts - rows * expected).abs() <= 4 * (rows * expected * (1 - expected)).sqrt())


def test_answers_cut_off_at_max_tokens_end_in_an_ellipsis(tiny_model: Tiny, pictures: list[Rgb]) -> None:
    """The tiny model's tokens are bytes."""
    for max_tokens in (16, 24):
        answers = load_tiny(tiny_model, max_tokens=max_tokens).answer(pictures, REQUESTS, [None] * 5)
        assert max(len(answer) for answer in answers) <= max_tokens + 1
        assert any(answer.endswith("…") for answer in answers)


class LimitedMemory:
    """A model that runs out of GPU memory for more than `room` pictures."""

    def __init__(self, model: Any, room: int) -> None:
        self.model, self.room, self.batches = model, room, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, **inputs: Any) -> Any:
        self.batches.append(len(inputs["input_ids"]))
        if self.batches[-1] > self.room:
            raise torch.cuda.OutOfMemoryError
        return self.model.generate(**inputs)


def test_batches_are_halved_until_they_fit(tiny_model: Tiny, pictures: list[Rgb]) -> None:
    whole = load_tiny(tiny_model)
    model = LimitedMemory(whole.model, room=1)
    limited = LocalVisionLanguageModel(whole.processor, model, name="tiny", max_tokens=16, batch_size=4)

    answers = limited.answer(pictures, REQUESTS, [None] * 5)

    assert answers == whole.answer(pictures, REQUESTS, [None] * 5)
    assert model.batches == [4, 2, 1, 1, 1, 1, 1]


def test_model_that_does_not_fit_for_one_picture_is_an_error(tiny_model: Tiny, pictures: list[Rgb]) -> None:
    whole = load_tiny(tiny_model)
    full = LocalVisionLanguageModel(
        whole.processor, LimitedMemory(whole.model, room=0), name="tiny", max_tokens=16, batch_size=2
    )

    with pytest.raises(ModelError, match="too small for a batch of one"):
        full.answer(pictures, REQUESTS, [None] * 5)


def test_stage_runs_the_model_and_replaces_noise_by_the_template(
    tiny_model: Tiny, capfd: pytest.CaptureFixture[str]
) -> None:
    table = VlmConfig(model=str(tiny_model("llava")), max_tokens=16, batch_size=2)
    scenes = [make_scene([("dog", 5, 90, 20, 20), ("mug", 60, 90, 20, 20)], sample_id=f"s{i}") for i in range(3)]
    capfd.readouterr()

    first = list(caption(scenes, Vlm.load(table, Runtime(device="cpu")), CaptionConfig(), 0))
    again = list(caption(scenes, Vlm.load(table, Runtime(device="cpu")), CaptionConfig(), 0))

    assert [each.written_by for each in first if isinstance(each, Captioned)] == ["template"] * 3
    assert first == again
    assert capfd.readouterr() == ("", "")


def without_a_chat_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def test_unusable_chat_template_is_an_error(tiny_model: Tiny, tmp_path: Path, pictures: list[Rgb]) -> None:
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "damaged")
    (folder / "chat_template.jinja").write_text("{% for %}")
    model = load_vision_language_model(str(folder), Runtime(device="cpu"))

    with pytest.raises(ModelError, match=f"the chat template of {folder} cannot be used"):
        model.answer(pictures[:1], REQUESTS[:1], [None])


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


def without_a_layer(folder: Path) -> None:
    weights = {name: value for name, value in load_file(folder / "model.safetensors").items() if "lm_head" not in name}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_a_chat_template, "has no chat template"),
        (truncated, "cannot be loaded"),
        (without_a_layer, "lacks 1 of its weights, such as lm_head"),
        (pickled, "no file named model.safetensors"),
    ],
)
def test_model_that_cannot_caption_is_refused_by_name(
    tiny_model: Tiny, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_model("llava"), folder)
    damage(folder)

    with pytest.raises(ModelError, match=reason) as refused:
        load_vision_language_model(str(folder), Runtime(device="cpu"))
    assert str(folder) in str(refused.value)


def test_model_of_another_kind_is_refused(tiny_model: Tiny) -> None:
    with pytest.raises(ModelError, match="image-text-to-text"):
        load_vision_language_model(str(tiny_model("clip")), Runtime(device="cpu"))
