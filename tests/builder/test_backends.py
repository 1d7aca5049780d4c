from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass

import pytest

from builder.backends import Runtime, with_backend
from builder.errors import ModelError


@dataclass(frozen=True)
class StageConfig:
    backend: str = "heavy"
    size: int = 1


class Heavy:
    """Stands for a backend that holds a model."""

    built = 0

    def __init__(self, size: int) -> None:
        self.size = size
        Heavy.built += 1


REGISTRY = {"heavy": lambda config, _runtime: Heavy(config.size)}


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    Heavy.built = 0
    with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), lambda backend: backend)  # forgets an earlier test's
    Heavy.built = 0


def test_a_worker_builds_a_backend_once() -> None:
    first = with_backend(REGISTRY, StageConfig(), Runtime(), lambda backend: backend)
    again = with_backend(REGISTRY, StageConfig(), Runtime(), lambda backend: backend)

    assert first is again
    assert Heavy.built == 1


def test_another_configuration_or_device_is_another_backend() -> None:
    sizes = [
        with_backend(REGISTRY, config, runtime, lambda backend: (backend.size, Heavy.built))
        for config, runtime in (
            (StageConfig(), Runtime()),
            (StageConfig(size=2), Runtime()),
            (StageConfig(size=2), Runtime(device="cpu")),
        )
    ]

    assert sizes == [(1, 1), (2, 2), (2, 3)]


def test_with_low_memory_a_backend_is_gone_after_its_stage_also_when_the_stage_fails() -> None:
    seen: list[weakref.ref[Heavy]] = []

    def work(backend: Heavy) -> None:
        seen.append(weakref.ref(backend))
        if len(seen) > 1:
            raise RuntimeError

    with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), work)
    with pytest.raises(RuntimeError) as failure:
        with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), work)
    del failure
    gc.collect()

    assert [reference() for reference in seen] == [None, None]


def test_a_model_that_was_not_fetched_says_how_to_fetch_it() -> None:
    with pytest.raises(ModelError, match=r"owner/model was not fetched; run: mycanvas models --download"):
        Runtime().model("owner/model")
