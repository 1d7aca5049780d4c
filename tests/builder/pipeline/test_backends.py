from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass

import pytest
import torch

from builder.pipeline.backends import Runtime, with_backend
from mycanvas.errors import ModelError


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


@dataclass(frozen=True)
class OtherConfig:
    """Another stage's."""

    backend: str = "heavy"
    size: int = 1


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    for size in (-1, -2):  # one of them is new, and makes this worker forget an earlier test's backends
        with_backend(REGISTRY, OtherConfig(size=size), Runtime(memory="low"), lambda backend: backend)
    Heavy.built = 0


def test_a_worker_builds_a_backend_once() -> None:
    first = with_backend(REGISTRY, StageConfig(), Runtime(), lambda backend: backend)
    again = with_backend(REGISTRY, StageConfig(), Runtime(), lambda backend: backend)

    assert first is again
    assert Heavy.built == 1


def test_another_configuration_device_or_model_is_another_backend() -> None:
    sizes = [
        with_backend(REGISTRY, config, runtime, lambda backend: (backend.size, Heavy.built))
        for config, runtime in (
            (StageConfig(), Runtime()),
            (StageConfig(size=2), Runtime()),
            (StageConfig(size=2), Runtime(device="cpu")),
            (StageConfig(size=2), Runtime(device="cpu", revisions={"./model": "local-1"})),
            (StageConfig(size=2), Runtime(device="cpu", revisions={"./model": "local-2"})),
        )
    ]

    assert sizes == [(1, 1), (2, 2), (2, 3), (2, 4), (2, 5)]


def test_with_low_memory_a_backend_is_gone_before_another_stages_is_built() -> None:
    there_then: list[Heavy | None] = []
    one = with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), weakref.ref)

    def build(config: OtherConfig, _runtime: Runtime) -> Heavy:
        gc.collect()
        there_then.append(one())
        return Heavy(config.size)

    with_backend({"heavy": build}, OtherConfig(), Runtime(memory="low"), weakref.ref)

    assert there_then == [None]


def test_with_low_memory_consecutive_batches_of_a_stage_keep_its_backend() -> None:
    """Photos are cut out a few at a time."""
    first = with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), lambda backend: backend)
    again = with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), lambda backend: backend)

    assert first is again
    assert Heavy.built == 1


def test_with_low_memory_a_stage_without_models_evicts_no_backend() -> None:
    first = with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), lambda backend: backend)
    with_backend({"blend": REGISTRY["heavy"]}, OtherConfig("blend"), Runtime(memory="low"), lambda backend: backend)
    again = with_backend(REGISTRY, StageConfig(), Runtime(memory="low"), lambda backend: backend)

    assert first is again


def test_with_high_memory_stages_keep_their_backends() -> None:
    kept = [
        with_backend(REGISTRY, config, Runtime(), lambda backend: backend)
        for config in (StageConfig(), OtherConfig(), StageConfig(), OtherConfig())
    ]

    assert kept[0] is kept[2]
    assert kept[1] is kept[3]


def test_worker_uses_only_its_share_of_the_cores() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)

    with_backend(REGISTRY, StageConfig(), Runtime(threads=2), lambda backend: backend)
    shared = torch.get_num_threads()
    with_backend(REGISTRY, StageConfig(), Runtime(threads=8), lambda backend: backend)
    alone = torch.get_num_threads()
    torch.set_num_threads(before)

    assert (shared, alone) == (2, 2)


def test_a_model_that_was_not_fetched_says_how_to_fetch_it() -> None:
    with pytest.raises(ModelError, match=r"owner/model was not fetched; run: mycanvas models --download"):
        Runtime().model("owner/model")
