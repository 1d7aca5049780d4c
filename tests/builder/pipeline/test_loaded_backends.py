from __future__ import annotations

import weakref

import pytest
import torch

from builder.pipeline.loaded_backends import with_backend
from builder.stages.backend import Backend
from mycanvas.errors import ModelError
from mycanvas.io.config_table import Table
from mycanvas.models.runtime import Runtime


class Settings(Table):
    size: int = 1


class Heavy(Backend):
    """A fake backend that holds a model."""

    Config = Settings
    learned = True
    loaded = 0

    def __init__(self, size: int) -> None:
        self.size = size
        self.itself = self  # as models do, so that only the garbage collector frees it
        Heavy.loaded += 1

    @classmethod
    def load(cls, config: Settings, runtime: Runtime) -> Heavy:  # noqa: ARG003
        return cls(config.size)


class Light(Backend):
    """A fake backend without a model."""


def heavy(stage: str = "one", runtime: Runtime | None = None, size: int = 1) -> Heavy:
    """The heavy backend of a stage, as `with_backend` gives it."""
    return with_backend(stage, Heavy, Settings(size=size), runtime or Runtime(), lambda backend: backend)


LOW = Runtime(memory="low")


@pytest.fixture(autouse=True)
def _start_from_zero() -> None:
    """Forget the backends of earlier tests."""
    heavy("other", LOW, size=-1)
    heavy("other", LOW, size=-2)
    Heavy.loaded = 0


def test_worker_loads_a_backend_once() -> None:
    assert heavy() is heavy()
    assert Heavy.loaded == 1


def test_changed_settings_device_or_revision_load_a_new_backend() -> None:
    loaded = [
        (heavy(runtime=runtime, size=size).size, Heavy.loaded)
        for size, runtime in (
            (1, Runtime()),
            (2, Runtime()),
            (2, Runtime(device="cpu")),
            (2, Runtime(device="cpu", revisions={"./model": "local-1"})),
            (2, Runtime(device="cpu", revisions={"./model": "local-2"})),
        )
    ]

    assert loaded == [(1, 1), (2, 2), (2, 3), (2, 4), (2, 5)]


def test_low_memory_releases_a_backend_before_another_stage_loads_its_own() -> None:
    alive_while_loading: list[Heavy | None] = []
    one = weakref.ref(heavy("one", LOW))

    class Watching(Heavy):
        @classmethod
        def load(cls, config: Settings, runtime: Runtime) -> Heavy:  # noqa: ARG003
            alive_while_loading.append(one())
            return cls(config.size)

    with_backend("two", Watching, Settings(), LOW, weakref.ref)

    assert alive_while_loading == [None]


def test_low_memory_keeps_the_backend_for_the_next_batch_of_its_stage() -> None:
    assert heavy("one", LOW) is heavy("one", LOW)
    assert Heavy.loaded == 1


def test_low_memory_keeps_models_while_a_stage_without_models_runs() -> None:
    first = heavy("one", LOW)
    with_backend("two", Light, Table(), LOW, lambda backend: backend)

    assert heavy("one", LOW) is first


def test_high_memory_keeps_the_backends_of_all_stages() -> None:
    kept = [heavy(stage) for stage in ("one", "two", "one", "two")]

    assert kept[0] is kept[2]
    assert kept[1] is kept[3]


def test_worker_uses_only_its_share_of_the_cores() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)

    heavy(runtime=Runtime(threads=2))
    shared = torch.get_num_threads()
    heavy(runtime=Runtime(threads=8))
    alone = torch.get_num_threads()
    torch.set_num_threads(before)

    assert (shared, alone) == (2, 2)


def test_model_that_was_not_fetched_is_reported_with_the_command_that_fetches_it() -> None:
    with pytest.raises(ModelError, match=r"owner/model was not fetched; run: mycanvas models --download"):
        Runtime().model("owner/model")
