"""Each method on tiny models: it learns two pictures, moves what it selects, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from mycanvas.dataset.composition import find_composition
from mycanvas.errors import ConfigError, ModelError, StoreError
from mycanvas.models.trainable import StableDiffusion, load_model
from mycanvas.training.data import Arm, Draw, TrainingData
from mycanvas.training.loop import Cache, Loop, fit, loss_of
from mycanvas.training.methods import METHODS, adapt, add_tokens
from mycanvas.training.settings import Settings

TinyModel = Callable[[str], Path]
FALLS_TO = {"db-lora": 0.5, "cd-lora": 0.7, "cd": 0.7}
"""Of the loss before the training: attention LoRA learns more than keys and values of the text alone."""


class Lesson:
    """A tiny model with a method's adapters, and two scenes at fixed noise and times."""

    def __init__(self, folder: Path, method: str, built: Path, composition: str, output: Path) -> None:
        self.model: StableDiffusion = load_model(folder, "tiny")
        self.model.place(torch.device("cpu"), torch.float32, False)
        settings = Settings(composition=composition, model="tiny", method=method, prompting="gen4gen", source="scenes")
        arm = Arm(find_composition(built, composition), settings, self.model.resolution, self.model)
        self.before = {name: weight.clone() for name, weight in self._own()}
        words = arm.words() if METHODS[method].tokens else {}
        self.embeddings = [add_tokens(*self.model.text(part), words) for part, _ in self.model.encoders if words]
        self.weights = adapt(self.model.denoiser, METHODS[method], 8, 0)
        self.weights |= {f"embeddings{index}": each for index, each in enumerate(self.embeddings)}
        self.cache = Cache(self.model, tuple(words))
        first, second = list({draw.example: 0 for draw in TrainingData(arm, ()).draws(0, 0, 40)})[:2]
        self.draws = [Draw(first, 0.3, 1), Draw(second, 0.6, 2)]
        self.output = output

    def learn(self, steps: int, rate: float, **more: Any) -> None:
        loop = {"draws": lambda _: self.draws, "batch_size": 2, "processes": Accelerator(cpu=True)} | more
        fit(self.cache, self.weights, Loop(steps=steps, rate=rate, checkpoint=self.output / "c.safetensors", **loop))

    def loss(self) -> float:
        with torch.no_grad():
            return float(loss_of(self.cache, self.draws).mean())

    def moved(self) -> list[str]:
        """The names of the model's own weights that differ from those that were loaded; added rows are left out."""
        now = dict(self._own())
        return [name for name, weight in self.before.items() if not torch.equal(now[name][: len(weight)], weight)]

    def _own(self) -> Sequence[tuple[str, torch.Tensor]]:
        parts = {"unet": self.model.denoiser} | {part: self.model.text(part)[1] for part, _ in self.model.encoders}
        return [
            (f"{part}.{name.replace('base_layer.', '')}", weight.detach().clone())
            for part, module in parts.items()
            for name, weight in module.named_parameters()
            if "lora_" not in name and "trainable_tokens" not in name
        ]


@pytest.fixture
def lesson(built: Path, compositions: dict[int, str], tiny_model: TinyModel, tmp_path: Path) -> Callable[..., Lesson]:
    def prepared(kind: str, method: str) -> Lesson:
        return Lesson(tiny_model(kind), method, built, compositions[2], tmp_path)

    return prepared


@pytest.mark.parametrize("kind", ["sd15_images", "sdxl_images"])
@pytest.mark.parametrize("method", METHODS)
def test_loss_of_two_pictures_falls_and_only_selected_weights_move(
    lesson: Callable[..., Lesson], kind: str, method: str
) -> None:
    given = lesson(kind, method)
    loss, rows = given.loss(), [embedding.detach().clone() for embedding in given.embeddings]

    given.learn(steps=40, rate=2e-2)

    assert given.loss() < FALLS_TO[method] * loss
    assert given.moved() == []
    assert len(rows) == len(given.model.encoders) * METHODS[method].tokens
    assert all((now != before).any(dim=1).all() for now, before in zip(given.embeddings, rows, strict=True))


def test_nothing_changes_with_learning_rate_zero(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd")
    loss, before = given.loss(), {name: weight.detach().clone() for name, weight in given.weights.items()}

    given.learn(steps=3, rate=0)

    assert given.loss() == loss
    assert all(torch.equal(weight, before[name]) for name, weight in given.weights.items())


@pytest.mark.parametrize("method", METHODS)
def test_adapters_do_not_change_the_model_before_the_first_step(lesson: Callable[..., Lesson], method: str) -> None:
    given = lesson("sd15_images", method)
    loss = given.loss()

    given.model.denoiser.disable_adapters()

    assert given.loss() == pytest.approx(loss, abs=1e-6)


def test_full_method_moves_as_full_weights_do(lesson: Callable[..., Lesson]) -> None:
    given, plain = lesson("sd15_images", "cd"), lesson("sd15_images", "cd")
    plain.model.denoiser.disable_adapters()
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    pair, layer = given.model.denoiser.get_submodule(name), plain.model.denoiser.get_submodule(name).base_layer
    layer.weight.requires_grad_(True)

    loss_of(given.cache, given.draws).sum().backward()
    loss_of(plain.cache, plain.draws).sum().backward()

    changes = [pair.lora_A["default"].weight, pair.lora_B["default"].weight]
    (change,) = [weight for weight in changes if weight.requires_grad]
    assert torch.allclose(change.grad, layer.weight.grad, rtol=1e-4, atol=1e-7)


def test_passes_of_a_step_add_up_to_it(lesson: Callable[..., Lesson]) -> None:
    whole, split = lesson("sd15_images", "cd-lora"), lesson("sd15_images", "cd-lora")

    whole.learn(steps=1, rate=1e-3)
    split.learn(steps=1, rate=1e-3, accumulate=2)

    assert split.loss() == pytest.approx(whole.loss(), rel=1e-4)


def test_full_memory_is_reported_and_the_checkpoint_stays(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")

    class Full(StableDiffusion):
        def errors(self, *_: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    given.learn(steps=2, rate=1e-3, checkpoint_every=2)
    given.cache = Cache(Full(given.model.pipeline), ())

    with pytest.raises(ModelError, match=r"memory ran out in step 3; run the same command with a higher --accumulate"):
        given.learn(steps=3, rate=1e-3)
    assert (given.output / "c.safetensors").exists()


def test_loss_that_is_not_finite_ends_the_training(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")

    with pytest.raises(ModelError, match=r"the loss is \w+ in step .*; lower --learning-rate"):
        given.learn(steps=30, rate=1e20)


def test_token_of_the_tokenizer_is_refused(tiny_model: TinyModel) -> None:
    model = load_model(tiny_model("sd15_images"), "tiny")
    tokenizer, encoder = model.text("")
    tokenizer.add_tokens("<dog6>")

    with pytest.raises(ConfigError, match="the token <Dog6> is in the model's tokenizer already"):
        add_tokens(tokenizer, encoder, {"<Dog6>": ["dog"]})


def test_learning_rates_are_the_published_ones() -> None:
    assert {name: method.rate(8) for name, method in METHODS.items()} == {"cd": 8e-5, "cd-lora": 1e-4, "db-lora": 1e-4}


def test_checkpoint_resumes_where_it_stopped(lesson: Callable[..., Lesson], tmp_path: Path) -> None:
    whole, first, second = (lesson("sd15_images", "cd") for _ in range(3))
    whole.output = tmp_path / "whole"
    asked = []

    def draws(step: int) -> list[Draw]:
        asked.append(step)
        return second.draws

    whole.learn(steps=4, rate=1e-2)
    first.learn(steps=3, rate=1e-2, checkpoint_every=2)
    second.learn(steps=4, rate=1e-2, draws=draws)

    assert asked == [2, 3]
    assert all(torch.equal(weight, second.weights[name]) for name, weight in whole.weights.items())


def test_damaged_checkpoint_is_refused(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")
    (given.output / "c.safetensors").write_bytes(b"cut off")

    with pytest.raises(StoreError, match=r"c\.safetensors cannot be used .*; delete it to train from the start"):
        given.learn(steps=1, rate=1e-3)
