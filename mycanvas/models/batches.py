"""Run a model in batches that fit into the GPU's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from mycanvas.errors import ModelError
from mycanvas.models.device import release_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


FULL = (
    "the GPU's memory is too small for a batch of one; use a smaller model or the CPU (--device cpu; in build.toml, "
    'device = "cpu" or memory = "low")'
)


def in_batches(
    items: Sequence[Item], size: int, run: Callable[[Sequence[Item]], Iterable[Result]], full: str = FULL
) -> Iterator[Result]:
    """Run `run` on `size` items at a time; when memory is full, halve the size and continue.

    Args:
        items: to run on.
        size: of a batch.
        run: returns one result per item of a batch.
        full: the message where one item is too large.

    Yields:
        One result per item, in order, as soon as its batch is done.

    Raises:
        ModelError: memory is too small for one item.
    """
    import torch

    done = 0
    while done < len(items):
        batch = items[done : done + size]
        try:
            results = list(run(batch))
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ModelError(full) from error
        else:
            done += len(results)
            yield from results
            continue
        size = len(batch) // 2
        release_memory()


@contextmanager
def memory_errors(message: str) -> Iterator[None]:
    """Raise ModelError with a message where memory is full, that of a GPU or the main memory."""
    import torch

    try:
        with main_memory_errors():
            yield
    except torch.OutOfMemoryError as error:
        raise ModelError(message) from error


@contextmanager
def main_memory_errors() -> Iterator[None]:
    """Raise torch.OutOfMemoryError where the main memory is full, as torch does for a GPU's."""
    import torch

    try:
        yield
    except MemoryError as error:
        raise torch.OutOfMemoryError(str(error)) from error
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" not in str(error):
            raise
        raise torch.OutOfMemoryError(str(error)) from error
