"""One training loop for the base model, the detector and the encoder: resumable, with an average of the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How long and how fast to train.

    steps: the last one. lr: the highest learning rate, reached after `warmup` steps. decay: from this step on the rate
    falls to 0 at the last step (cosine). average: of the exponential moving average of the weights.
    save: steps between checkpoints. batch: pictures in a step.
    """

    steps: int
    lr: float
    warmup: int = 100
    decay: int | None = 0
    average: float = 0.998
    save: int = 200
    weight_decay: float = 0.01
    batch: int = 32

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rising = min(1.0, (step + 1) / self.warmup)
        if self.decay is None or step < self.decay:
            return self.lr * rising
        done = (step - self.decay) / max(self.steps - self.decay, 1)
        return self.lr * rising * 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))


def fit(
    module: torch.nn.Module,
    loss_at: Callable[[int], torch.Tensor],
    schedule: Schedule,
    file: Path,
    start: Path | None = None,
    report: Callable[[str], object] = print,
) -> None:
    """Train a module, and load the average of its weights into it.

    Args:
        module: its parameters are trained.
        loss_at: the loss of a step; a pure function of the step and the module's weights.
        schedule: of the training.
        file: the checkpoint; a killed run resumes from it to the same weights.
        start: a checkpoint of a shorter training to go on from, if there is no `file`.
        report: called with a line of progress at every checkpoint.
    """
    parameters = dict(module.named_parameters())
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=schedule.lr, betas=(0.9, 0.99), weight_decay=schedule.weight_decay
    )
    average = {name: value.detach().clone() for name, value in parameters.items()}
    found = file if file.exists() else start
    step = _restore(found, parameters, average, optimizer) if found else 0
    began, first, total = time.process_time(), step, 0.0
    while step < schedule.steps:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        loss = loss_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        step += 1
        weight = min(schedule.average, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [p.detach() for p in parameters.values()], 1 - weight)
        total += float(loss.detach())
        if step % schedule.save == 0 or step == schedule.steps:
            _save(file, step, parameters, average, optimizer)
            spent = (time.process_time() - began) / (step - first)
            since = (step - first - 1) % schedule.save + 1
            report(f"{file.stem}: step {step}, loss {total / since:.4f}, {spent:.3f} core-seconds a step")
            total = 0.0
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(average[name])


def _save(file: Path, step: int, parameters: Tensors, average: Tensors, optimizer: torch.optim.Optimizer) -> None:
    tensors: dict[str, torch.Tensor] = {"step": torch.tensor(step)}
    for name, value in parameters.items():
        tensors[f"weight.{name}"] = value.detach().contiguous()
        tensors[f"average.{name}"] = average[name].contiguous()
        for key, moment in optimizer.state[value].items():
            tensors[f"{key}.{name}"] = moment.contiguous()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".part")
    save_file(tensors, temporary)
    temporary.replace(file)


def _restore(file: Path, parameters: Tensors, average: Tensors, optimizer: torch.optim.Optimizer) -> int:
    tensors = load_file(file)
    state: dict[Any, Any] = {}
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(tensors[f"weight.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
            keys = ("step", "exp_avg", "exp_avg_sq")
            state[value] = {key: tensors[f"{key}.{name}"] for key in keys if f"{key}.{name}" in tensors}
    for value, moments in state.items():
        if moments:
            optimizer.state[value] = moments
    return int(tensors["step"])
