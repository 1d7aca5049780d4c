"""The training loop. A step depends on the weights, the seed and its number alone, so that a killed run resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mycanvas.errors import ModelError
from mycanvas.io.progress import Progress
from mycanvas.models.batches import memory_errors
from mycanvas.models.cache import Cache
from mycanvas.models.checkpoints import read_checkpoint, write_checkpoint
from mycanvas.training.data import Draw

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mycanvas.training.settings import Settings

WEIGHT_DECAY, MAX_NORM = 1e-2, 1.0
"""AdamW's decay, and the norm at which gradients are clipped: defaults of diffusers' training scripts."""
LOSS_EVERY = 10
"""Steps between two looks at the loss, for which a GPU must be waited for."""
LOWER = (
    "run the same command with a higher --accumulate or with --checkpointing, and it resumes from the last checkpoint; "
    "a lower --resolution, a smaller --batch-size and --dtype bfloat16 also take less memory, but need a new --output"
)
"""How to need less memory, for messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """How to train. draws: the pictures of a step. steps, rate: those of the settings, or their defaults.

    checkpoint: the file from which a run resumes. sample: makes sample pictures after so many steps.
    """

    draws: Callable[[int], Sequence[Draw]]
    settings: Settings
    steps: int
    rate: float
    processes: Accelerator
    checkpoint: Path
    sample: Callable[[int], object]


def fit(cache: Cache, weights: Mapping[str, torch.nn.Parameter], loop: Loop) -> None:
    """Train weights of the cache's model, from the checkpoint where there is one.

    Raises:
        ModelError: memory ran out, or the loss is not finite.
        StoreError: the checkpoint is damaged, or cannot be written.
    """
    settings, processes = loop.settings, loop.processes
    optimizer = torch.optim.AdamW(list(weights.values()), lr=loop.rate, weight_decay=WEIGHT_DECAY)
    with memory_errors(f"memory is too small to resume; {LOWER}"):
        begun = read_checkpoint(loop.checkpoint, weights, optimizer)
    with Progress("training", loop.steps, "step", done=begun) as progress:
        for step in range(begun, loop.steps):
            own = loop.draws(step)[processes.process_index :: processes.num_processes]
            is_kept = (step + 1) % settings.checkpoint_every == 0
            with memory_errors(f"memory ran out in step {step + 1}; {LOWER}"):
                loss = _backward(cache, own, loop)
                for weight in weights.values():
                    weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                    if processes.num_processes > 1:
                        weight.grad = processes.reduce(weight.grad, "sum")
                norm = torch.nn.utils.clip_grad_norm_(weights.values(), MAX_NORM)
                if is_kept or step % LOSS_EVERY == 0 or step + 1 == loop.steps:
                    _look_at(processes.reduce(loss, "sum"), norm, step, processes)
                optimizer.step()
                optimizer.zero_grad()
            if is_kept and processes.is_main_process:
                write_checkpoint(loop.checkpoint, weights, optimizer, step + 1)
            if settings.sample_every and (step + 1) % settings.sample_every == 0 and processes.is_main_process:
                loop.sample(step + 1)
            progress.update()


def loss_of(cache: Cache, draws: Sequence[Draw]) -> torch.Tensor:
    """The loss of each picture, float32 [N]: the weighted mean of its squared errors. All are of one size."""
    device = cache.model.device
    latents, weight = zip(*(cache.latents(draw.example.show) for draw in draws), strict=True)
    # Drawn on the CPU, the noise is the same on every device.
    noise = [torch.randn(latents[0].shape, generator=torch.Generator().manual_seed(draw.seed)) for draw in draws]
    clean, noises, weights = (torch.stack(each).to(device) for each in (latents, tuple(noise), weight))
    times = torch.tensor([draw.time for draw in draws], device=device)
    conditions = cache.conditions([draw.example.prompt for draw in draws])
    errors = cache.model.errors(clean, noises, times, conditions).mean(dim=1, keepdim=True)
    return (errors * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=1e-6)


def _backward(cache: Cache, draws: Sequence[Draw], loop: Loop) -> torch.Tensor:
    """Add the gradients of some pictures of a step; returns their part of its loss."""
    total = torch.zeros((), device=cache.model.device)
    for part in _parts(cache, draws, math.ceil(len(draws) / loop.settings.accumulate)):
        with cache.model.precision():
            loss = loss_of(cache, part).sum() / loop.settings.batch_size
        loss.backward()
        total += loss.detach()
    return total


def _parts(cache: Cache, draws: Sequence[Draw], most: int) -> Iterator[list[Draw]]:
    """Parts of at most so many pictures, each of one size."""
    sizes: dict[torch.Size, list[Draw]] = {}
    for draw in draws:
        sizes.setdefault(cache.latents(draw.example.show)[0].shape, []).append(draw)
    for each in sizes.values():
        yield from (each[start : start + most] for start in range(0, len(each), most))


def _look_at(loss: torch.Tensor, norm: torch.Tensor, step: int, processes: Accelerator) -> None:
    """Log the loss and the norm of its gradients; refuse values that would damage the weights."""
    processes.log({"loss": float(loss), "gradient_norm": float(norm)}, step=step)
    if not math.isfinite(float(loss) + float(norm)):
        values = f"the loss is {float(loss):g} in step {step + 1}, and the norm of its gradients {float(norm):g}"
        raise ModelError(f"{values}; lower --learning-rate, and give a new --output")
