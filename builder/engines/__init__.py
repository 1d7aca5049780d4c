"""Engines distribute work to workers: an engine maps any function over tasks, and does not depend on scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from builder.engines.base import Engine
from builder.engines.local import LocalEngine

ENGINES: Mapping[str, Callable[[int], Engine]] = {"local": LocalEngine}
"""Name in the configuration -> engine, constructed with the number of its workers."""
