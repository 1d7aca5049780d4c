"""How work is spread over workers. An engine knows nothing of scenes: it maps a function over tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from builder.engines.local import LocalEngine

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks in any order and yields their results as they come; a context manager that holds its workers."""

    def __enter__(self) -> Self:
        """Take workers."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go."""
        ...

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Call `work`, a module-level function, on each task; both must pickle."""
        ...


ENGINES: Mapping[str, Callable[[int], Engine]] = {
    "local": LocalEngine,
}
