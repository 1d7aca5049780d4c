"""How work is spread over workers. An engine knows nothing of scenes: it maps a function over tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from builder.engines.local import LocalEngine

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks in any order and yields their results as they come."""

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Call `work`, a module-level function, on each task; both must pickle."""
        ...


ENGINES: Mapping[str, Callable[[int], Engine]] = {
    "local": LocalEngine,
}
