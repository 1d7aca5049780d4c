"""Engines distribute work to workers: an engine maps any function over tasks, and does not depend on scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from builder.engines.base import Engine, EngineOptions
from builder.engines.local import LocalEngine
from builder.engines.ray import RayEngine

ENGINES: Mapping[str, Callable[[EngineOptions], Engine]] = {"local": LocalEngine.start, "ray": RayEngine}
"""Name in the configuration -> engine."""
