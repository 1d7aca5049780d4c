from __future__ import annotations

import pytest
import torch

from mycanvas.errors import ConfigError
from mycanvas.models import pick_device


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "meta", "xpu", "vulkan"])
def test_a_device_that_models_do_not_run_on_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match='device must be "auto", "cpu", "cuda", "cuda:1" or "mps"'):
        pick_device(name)


def test_a_card_that_is_not_here_is_refused() -> None:
    with pytest.raises(ConfigError, match="no device cuda:99: torch finds"):
        pick_device("cuda:99")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this is a Mac")
def test_apples_gpu_is_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match="no device mps: torch finds no Apple GPU on this machine"):
        pick_device("mps")
