"""Checkpoints of a training with AdamW: weights and moments as safetensors, which hold no code, unlike pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mycanvas.errors import StoreError
from mycanvas.io.files import write_bytes

MOMENTS = ("exp_avg", "exp_avg_sq")


def write_checkpoint(
    file: Path, weights: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.AdamW, steps: int
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        file: to write.
        weights: that learn, in the order of the optimizer.
        optimizer: which has made a step.
        steps: made so far.

    Raises:
        StoreError: it cannot be written.
    """
    state = optimizer.state_dict()["state"]
    tensors = {name: weight.detach().contiguous() for name, weight in weights.items()}
    for index, name in enumerate(weights):
        tensors |= {f"{moment}/{name}": state[index][moment].contiguous() for moment in MOMENTS}
    write_bytes(file, save(tensors, {"steps": str(steps)}))


def read_checkpoint(file: Path, weights: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.AdamW) -> int:
    """Read a checkpoint into weights and optimizer; the number of steps made, 0 where there is no file.

    Args:
        file: that `write_checkpoint` wrote.
        weights: that learn, in the order of the optimizer.
        optimizer: of these weights.

    Raises:
        StoreError: it is damaged, or of other weights.
        torch.OutOfMemoryError: memory is full.
    """
    if not file.exists():
        return 0
    try:
        with safe_open(file, "pt") as stored, torch.no_grad():
            steps, states = int(stored.metadata()["steps"]), {}
            for index, (name, weight) in enumerate(weights.items()):
                weight.copy_(stored.get_tensor(name))
                moments = {moment: stored.get_tensor(f"{moment}/{name}") for moment in MOMENTS}
                states[index] = {"step": torch.tensor(float(steps)), **moments}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    except torch.OutOfMemoryError:  # a RuntimeError too, but the file is good
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{file} cannot be used ({error}); delete it to train from the start") from error
    return steps


def steps_made(file: Path) -> int:
    """The number of steps that a checkpoint holds; 0 where there is none that can be read."""
    try:
        with safe_open(file, "pt") as stored:
            return int(stored.metadata()["steps"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return 0
