"""A tiny random model on this machine replies only what the schema allows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from builder.records import Concept
from builder.stages.layout.ask import read_object
from builder.stages.layout.theme import ask_for_theme, read_theme
from mycanvas.errors import ModelError
from mycanvas.models.llm.chat import ChatConfig, Reply, Request
from mycanvas.models.llm.connect import open_chat
from mycanvas.models.llm.local import Local
from mycanvas.models.runtime import Runtime

CONCEPTS = tuple(
    Concept(name=name, token=f"<{name}>", class_noun=noun, height_cm=None, photos=())
    for name, noun in (("dog6", "dog"), ('odd "name" {é}', "mug"))
)
SCENES = {"yard": "in a yard", "beach": "on a beach"}
QUESTION = ask_for_theme(CONCEPTS, SCENES, free=True)
REQUESTS = [
    Request(
        model="tiny",
        turns=(*QUESTION.turns, *("Wait.", "Go on." * seed) * (seed % 2)),
        schema=QUESTION.schema,
        temperature=0.9,
        seed=seed,
        max_tokens=512,
    )
    for seed in range(5)
]


def local(model: Path, batch_size: int = 8) -> Local:
    chat = open_chat(
        ChatConfig(model="tiny", batch_size=batch_size), Runtime(device="cpu", models={"tiny": model}, dtype="float32")
    )
    assert isinstance(chat, Local)
    return chat


@pytest.fixture(scope="module")
def replies(tiny_model: Callable[[str], Path]) -> list[Reply]:
    return list(local(tiny_model("llm")).complete(REQUESTS))


def test_every_reply_follows_the_schema(replies: list[Reply]) -> None:
    for reply in replies:
        parsed = read_object(reply.text)
        theme = read_theme(parsed, CONCEPTS, SCENES, free=True)
        assert list(parsed) == ["backgrounds", "sizes"]
        assert {scene for scene, _ in theme.backgrounds} <= set(SCENES)
        assert len({phrase for _, phrase in theme.backgrounds}) == 3
        assert set(theme.sizes) == {concept.name for concept in CONCEPTS}


def test_reply_is_json_only(replies: list[Reply]) -> None:
    for reply in replies:
        assert isinstance(json.loads(reply.text or ""), dict)


def test_reply_depends_on_the_seed(replies: list[Reply], tiny_model: Callable[[str], Path]) -> None:
    again = list(local(tiny_model("llm")).complete([REQUESTS[3], replace(REQUESTS[3], seed=99)]))

    assert again[0] == replies[3]
    assert again[1] != replies[3]


def test_reply_does_not_depend_on_its_batch(replies: list[Reply], tiny_model: Callable[[str], Path]) -> None:
    assert list(local(tiny_model("llm"), batch_size=1).complete(REQUESTS)) == replies
    assert list(local(tiny_model("llm"), batch_size=2).complete(REQUESTS)) == replies


def test_temperature_zero_gives_one_reply_for_all_seeds(tiny_model: Callable[[str], Path]) -> None:
    cold = [replace(REQUESTS[0], temperature=0.0, seed=seed) for seed in range(3)]

    assert len({reply.text for reply in local(tiny_model("llm")).complete(cold)}) == 1


def test_reply_cut_off_at_max_tokens_is_incomplete_json(tiny_model: Callable[[str], Path]) -> None:
    (reply,) = local(tiny_model("llm")).complete([replace(REQUESTS[0], max_tokens=10)])

    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.text or "")


def test_model_that_was_not_fetched_is_an_error() -> None:
    with pytest.raises(ModelError, match="mycanvas models --download"):
        open_chat(ChatConfig(model="owner/name"), Runtime(device="cpu"))


def test_model_without_a_chat_template_is_an_error(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(tiny_model("llm"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "chat_template.jinja").unlink()

    with pytest.raises(ModelError, match="chat template"):
        list(local(tmp_path).complete(REQUESTS))


@pytest.mark.parametrize("template", ["{% for %}", "{{ raise_exception('roles must alternate') }}"])
def test_unusable_chat_template_is_an_error(template: str, tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(tiny_model("llm"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "chat_template.jinja").write_text(template)

    with pytest.raises(ModelError, match="the chat template of tiny cannot be used"):
        list(local(tmp_path).complete(REQUESTS))


def test_model_of_another_kind_is_an_error(tiny_model: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="tiny cannot be loaded as a language model"):
        list(local(tiny_model("clip")).complete(REQUESTS))


def test_model_that_lacks_weights_is_an_error(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_model("llm"), tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: weights[name] for name in sorted(weights)[:-1]}, tmp_path / "model.safetensors", {"format": "pt"})

    with pytest.raises(ModelError, match="lacks 1 of its weights"):
        list(local(tmp_path).complete(REQUESTS))


def test_settings_of_the_checkpoint_do_not_change_the_replies(
    replies: list[Reply], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(tiny_model("llm"), tmp_path, dirs_exist_ok=True)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "repetition_penalty": 5.0, "use_cache": False}))

    assert list(local(tmp_path).complete(REQUESTS)) == replies


def test_speed_is_logged_before_the_first_reply(
    tiny_model: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """By this clock, reading takes 2 s, and reading and writing take 6 s."""
    ticks = iter((0.0, 2.0, 2.0, 8.0))
    config = ChatConfig(model="tiny", batch_size=2)
    chat = Local(config, Runtime(device="cpu", models={"tiny": tiny_model("llm")}), clock=lambda: next(ticks))
    caplog.set_level("INFO", "mycanvas")

    next(chat.complete(REQUESTS[:4]))

    speed, estimate = caplog.messages
    assert speed == "the language model reads 16.0 and writes 4.0 tokens a second on cpu"
    seconds, length = map(int, re.findall(r"4 replies: about (\d+) s, with requests of (\d+) tokens", estimate)[0])
    assert seconds == pytest.approx(4 * (length / 16 + 100 / 4), abs=1)


def test_memory_that_is_too_small_for_the_measurement_is_an_error(
    tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> float:
        raise torch.OutOfMemoryError

    chat = local(tiny_model("llm"))
    monkeypatch.setattr(chat, "_seconds", full)

    with pytest.raises(ModelError, match="memory is too small for a batch of one"):
        list(chat.complete(REQUESTS))


def test_model_is_loaded_by_the_first_request(tmp_path: Path) -> None:
    chat = local(tmp_path)

    assert list(chat.complete([])) == []
    with pytest.raises(ModelError, match="cannot be loaded"):
        list(chat.complete(REQUESTS))
