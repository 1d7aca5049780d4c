"""How work is spread over workers. An engine knows nothing of scenes: it maps a function over tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from builder.engines.base import Engine
from builder.engines.local import LocalEngine

ENGINES: Mapping[str, Callable[[int], Engine]] = {"local": LocalEngine}
"""Each is made with the number of its workers."""
