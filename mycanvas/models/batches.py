"""Run a model in batches that fit into the GPU's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mycanvas.errors import ModelError
from mycanvas.models.device import release_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(items: Sequence[Item], size: int, run: Callable[[Sequence[Item]], Iterable[Result]]) -> list[Result]:
    """Run `run` on `size` items at a time; when the GPU's memory is full, halve the size and continue.

    Returns:
        One result per item, in order.

    Raises:
        ModelError: the GPU's memory is too small for one item.
    """
    import torch

    done: list[Result] = []
    while len(done) < len(items):
        batch = items[len(done) : len(done) + size]
        try:
            done.extend(run(batch))
            continue
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ModelError(
                    "the GPU's memory is too small for a batch of one; use a smaller model or the CPU (--device cpu; "
                    'in build.toml, device = "cpu" or memory = "low")'
                ) from error
        size = len(batch) // 2
        release_memory()
    return done
