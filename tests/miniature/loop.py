"""One training loop for the base model, the detector and the encoder; a killed run resumes to the same weights."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mycanvas.models.checkpoints import read_checkpoint, write_checkpoint

BETAS = (0.9, 0.99)
SLOWER = 0.1
"""Factor on the learning rate of weights that learn more slowly."""
MAX_NORM = 1.0
"""Norm at which gradients are clipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How long and how fast to train.

    steps: the last one. lr: the highest learning rate, reached after `warmup` steps. decay: from this step on the rate
    falls to 0 at the last step (cosine); None: it stays. save: steps between checkpoints. batch: pictures in a step,
    or the encoder's toys.
    """

    steps: int
    lr: float
    warmup: int = 100
    decay: int | None = 0
    save: int = 200
    batch: int = 32

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rising = min(1.0, (step + 1) / self.warmup)
        if self.decay is None or step < self.decay:
            return self.lr * rising
        done = (step - self.decay) / max(self.steps - self.decay, 1)
        return self.lr * rising * 0.5 * (1 + math.cos(math.pi * done))


def fit(
    module: torch.nn.Module,
    loss_at: Callable[[int], torch.Tensor],
    schedule: Schedule,
    file: Path,
    report: Callable[[str], object] = print,
    slow: str = "",
) -> None:
    """Train all weights of a module.

    Args:
        module: to train.
        loss_at: the loss of a step; a pure function of the step and the module's weights.
        schedule: of the training.
        file: the checkpoint.
        report: called with a line of progress at every checkpoint.
        slow: a regular expression of the names of weights whose rate is SLOWER times that of the others.
    """
    every = dict(module.named_parameters())
    slower = {name: weight for name, weight in every.items() if re.fullmatch(slow, name)}
    fast = {name: weight for name, weight in every.items() if name not in slower}
    weights = {**fast, **slower}  # in the order of the optimizer, as checkpoints have them
    groups = [{"params": list(part.values()), "factor": factor} for part, factor in ((fast, 1.0), (slower, SLOWER))]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=schedule.lr, betas=BETAS)
    begun = step = read_checkpoint(file, weights, optimizer)
    began, losses = time.process_time(), []
    while step < schedule.steps:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step) * group["factor"]
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), MAX_NORM)
        optimizer.step()
        losses.append(float(loss.detach()))
        step += 1
        if step % schedule.save == 0 or step == schedule.steps:
            write_checkpoint(file, weights, optimizer, step)
            spent = (time.process_time() - began) / (step - begun)
            mean = sum(losses) / len(losses)
            report(f"{file.stem}: step {step}, loss {mean:.4f}, {spent:.3f} core-seconds a step")
            losses = []
