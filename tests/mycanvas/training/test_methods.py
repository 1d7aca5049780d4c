"""Each method on tiny models: it learns two pictures, moves what it selects, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mycanvas.dataset.composition import find_composition
from mycanvas.dataset.pixels import Shown
from mycanvas.errors import ConfigError, ModelError, StoreError
from mycanvas.models.cache import Cache
from mycanvas.models.checkpoints import read_checkpoint
from mycanvas.models.learned import add_lora, add_tokens
from mycanvas.models.trainable import StableDiffusion, load_model
from mycanvas.training.data import Arm, Draw, Example, TrainingData
from mycanvas.training.loop import Loop, fit, loss_of
from mycanvas.training.methods import METHODS
from mycanvas.training.settings import read_settings
from tests.faults import room_for_files_of

TinyModel = Callable[[str], Path]
FALLS_TO = {"db-lora": 0.5, "cd-lora": 0.7, "cd": 0.7}
"""Of the loss before the training: attention LoRA learns more than keys and values of the text alone."""


class Lesson:
    """A tiny model with a method's adapters, and two scenes at fixed noise and times."""

    def __init__(self, folder: Path, method: str, built: Path, composition: str, output: Path) -> None:
        self.model: StableDiffusion = load_model(folder, "tiny")
        self.model.place(torch.device("cpu"), torch.float32, False)
        named = {"composition": composition, "model": "tiny", "method": method, "prompting": "gen4gen"}
        self.settings = read_settings({**named, "source": "scenes", "batch_size": 2})
        arm = Arm(find_composition(built, composition), self.settings, self.model.resolution, self.model)
        self.before = {name: weight.clone() for name, weight in self._own()}
        words = arm.words() if METHODS[method].tokens else {}
        self.embeddings = [add_tokens(*self.model.text(part), words) for part, _ in self.model.encoders if words]
        rank = None if METHODS[method].full else 8
        self.weights = add_lora(self.model.denoiser, METHODS[method].layers, rank, 0)
        self.weights |= {f"embeddings{index}": each for index, each in enumerate(self.embeddings)}
        self.cache = Cache(self.model, tuple(words))
        first, second = list({draw.example: 0 for draw in TrainingData(arm, ()).draws(0, 0, 40)})[:2]
        self.draws = [Draw(first, 0.3, 1), Draw(second, 0.6, 2)]
        self.output = output

    def learn(
        self,
        steps: int,
        rate: float,
        draws: Callable[[int], list[Draw]] | None = None,
        processes: Any = None,
        **options: int,
    ) -> None:
        loop = Loop(
            draws=draws or (lambda _: self.draws),
            settings=self.settings.model_copy(update=options),
            steps=steps,
            rate=rate,
            processes=processes or Accelerator(cpu=True),
            checkpoint=self.output / "c.safetensors",
            sample=lambda _: None,
        )
        fit(self.cache, self.weights, loop)

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


class Process:
    """One of two processes that train together. others: the gradients of the other one, which has run before."""

    num_processes, is_main_process = 2, True

    def __init__(self, index: int, others: Sequence[torch.Tensor] = ()) -> None:
        self.process_index, self.others, self.own = index, list(others), list[torch.Tensor]()

    def reduce(self, value: torch.Tensor, _: str) -> torch.Tensor:
        """The sum of what both hand over."""
        self.own.append(value.clone())
        return value + self.others.pop(0) if self.others else value

    def log(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def test_two_processes_learn_what_one_does(lesson: Callable[..., Lesson]) -> None:
    one, first, second = (lesson("sd15_images", "cd") for _ in range(3))
    before = one.loss()
    one.learn(steps=1, rate=1e-2)

    first.learn(steps=1, rate=1e-2, processes=(other := Process(1)))
    second.learn(steps=1, rate=1e-2, processes=Process(0, other.own))

    assert abs(one.loss() - before) > 1e-4
    assert second.loss() == pytest.approx(one.loss(), rel=1e-5)
    assert first.loss() != pytest.approx(one.loss(), rel=1e-5)


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


def test_memory_that_is_full_in_the_optimizer_is_reported_too(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with register_optimizer_step_pre_hook(full), pytest.raises(ModelError, match="memory ran out in step 1; run the"):
        given.learn(steps=1, rate=1e-3)


class Pipeline:
    """A pipeline in place of a model's; precisions: those of the denoiser when it was moved."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline, self.precisions = pipeline, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def to(self, _: torch.device) -> None:
        self.precisions.append(self._pipeline.unet.dtype)

    def __call__(self, prompt: list[str], **_: Any) -> Any:
        raise torch.OutOfMemoryError(f"CUDA out of memory for {prompt}")


def test_model_has_its_precision_before_it_is_moved(tiny_model: TinyModel) -> None:
    model = load_model(tiny_model("sdxl_images"), "tiny")
    model.pipeline = Pipeline(model.pipeline)

    model.place(torch.device("cpu"), torch.bfloat16, False)

    assert model.pipeline.precisions == [torch.bfloat16]
    assert model.pipeline.vae.dtype == torch.float32


def test_full_disk_is_reported_where_weights_are_written(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, tensors = load_model(tiny_model("sd15_images"), "tiny"), {"to_k.lora_A.weight": torch.zeros(200, 200)}
    (tmp_path / ".lora").mkdir()
    (tmp_path / ".lora" / "of a killed run").touch()

    with (
        room_for_files_of(100_000),
        pytest.raises(StoreError, match=r"cannot write .*\.safetensors: .* make room, then"),
    ):
        model.save_lora(tmp_path, tensors, {})

    assert list(tmp_path.iterdir()) == []


def test_memory_too_small_for_model_or_picture_is_reported(tiny_model: TinyModel, tmp_path: Path) -> None:
    class Large(Pipeline):
        def to(self, _: torch.device) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = load_model(tiny_model("sd15_images"), "tiny")
    model.pipeline = Large(model.pipeline)

    with pytest.raises(ModelError, match="too small for the model; use --dtype bfloat16, a smaller model, or"):
        model.place(torch.device("cpu"), torch.float32, False)
    with pytest.raises(ModelError, match="too small for one picture; lower --resolution, use --dtype bfloat16"):
        model.generate({tmp_path / "1.jpg": ("a dog", 0)}, 64, 1)


def test_autoencoder_is_exact_at_low_precision(tiny_model: TinyModel, tmp_path: Path) -> None:
    model = load_model(tiny_model("sdxl_images"), "tiny")
    model.place(torch.device("cpu"), torch.bfloat16, False)
    vae, precisions = model.pipeline.vae, []
    for part in (vae.encoder.conv_out, vae.decoder.conv_out, model.denoiser.conv_out):
        part.register_forward_hook(lambda _, __, output: precisions.append(output.dtype))

    with model.precision():
        model.to_latents(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    model.generate({tmp_path / "1.jpg": ("a dog", 0)}, 64, 1)

    assert precisions == [torch.float32, torch.bfloat16, torch.float32]


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


def test_checkpoint_is_not_blamed_for_full_memory(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")
    given.learn(steps=2, rate=1e-3, checkpoint_every=2)
    optimizer = torch.optim.AdamW(list(given.weights.values()))

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    optimizer.register_load_state_dict_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        read_checkpoint(given.output / "c.safetensors", given.weights, optimizer)


def test_loss_is_the_mean_error_where_pixels_count(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd")
    pixels, _ = given.draws[0].example.show()
    counted = np.zeros(pixels.shape[:2], np.float32)
    counted[:8, :16] = 1  # two of the 8 x 8 cells
    draw = Draw(Example("", "photo of a ball", lambda: Shown(pixels, counted)), 0.5, 3)
    latents, _ = given.cache.latents(draw.example.show)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))[None]

    with torch.no_grad():
        loss = loss_of(given.cache, [draw])
        conditions = given.cache.conditions(["photo of a ball"])
        errors = given.model.errors(latents[None], noise, torch.tensor([0.5]), conditions)

    assert float(loss) == pytest.approx(float(errors[0, :, 0, :2].mean()), rel=1e-5)


def test_pictures_of_different_sizes_are_learned_in_one_step(lesson: Callable[..., Lesson]) -> None:
    given = lesson("sd15_images", "cd-lora")
    wide = np.full((48, 96, 3), 90, np.uint8)
    shown = Shown(wide, np.ones(wide.shape[:2], np.float32))
    given.draws.append(Draw(Example("", "photo of a ball", lambda: shown), 0.5, 3))

    given.learn(steps=1, rate=1e-3)

    assert given.cache.latents(given.draws[2].example.show)[0].shape == (4, 6, 12)
    assert all(weight.abs().sum() > 0 for name, weight in given.weights.items() if "lora_B" in name)


def test_models_that_predict_velocity_learn_velocity(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd15_images"), tmp_path / "v")
    settings = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps(settings | {"prediction_type": "v_prediction"})
    )
    model = load_model(folder, "tiny")
    latents, noise = torch.randn(2, 1, 4, 8, 8)
    kept = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)[400]
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents

    class Right(type(model)):  # type: ignore[misc]
        def predict(self, *_: Any) -> torch.Tensor:
            return velocity

    assert float(Right(model.pipeline).errors(latents, noise, torch.tensor([0.4]), {}).max()) < 1e-8


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (diffusers.EDMEulerScheduler(), "has the scheduler EDMEulerScheduler and predicts epsilon; expected a model"),
        (
            diffusers.FlowMatchEulerDiscreteScheduler(),
            "the scheduler FlowMatchEulerDiscreteScheduler and predicts a flow",
        ),
        (diffusers.DDIMScheduler(prediction_type="sample"), "predicts sample; expected .* epsilon or v_prediction"),
    ],
)
def test_models_of_another_noise_are_refused(
    tiny_model: TinyModel, tmp_path: Path, scheduler: Any, message: str
) -> None:
    folder = shutil.copytree(tiny_model("sd15_images"), tmp_path / "other")
    scheduler.save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", type(scheduler).__name__]}))

    with pytest.raises(ConfigError, match=message):
        load_model(folder, "other")


def test_pooled_embedding_is_that_of_the_end_although_a_token_was_added(tiny_model: TinyModel) -> None:
    model = load_model(tiny_model("sdxl_images"), "tiny")
    for part, _ in model.encoders:
        add_tokens(*model.text(part), {"<dog6>": ["dog"]})
    tokenizer, encoder = model.text("_2")

    pooled = model.encode(["photo of a <dog6> dog"])["text_embeds"]

    ids = tokenizer("photo of a <dog6> dog", padding="max_length", return_tensors="pt").input_ids
    at_end = encoder(ids).last_hidden_state[:, ids[0].tolist().index(tokenizer.eos_token_id)]
    assert torch.allclose(pooled, encoder.text_projection(at_end), atol=1e-6)


def test_largest_time_below_one_is_a_step_of_the_schedule(tiny_model: TinyModel) -> None:
    """In float32 it is 1.0."""
    model = load_model(tiny_model("sd15_images"), "tiny")
    latents = torch.zeros(1, 4, 8, 8)
    times = torch.tensor([np.nextafter(1.0, 0.0)], dtype=torch.float32)

    errors = model.errors(latents, torch.ones_like(latents), times, model.encode(["a dog"]))

    assert times.item() == 1.0
    assert torch.isfinite(errors).all()
