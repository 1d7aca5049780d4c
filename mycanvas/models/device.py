"""The device and precision of a model, threads and GPU memory."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from mycanvas.errors import ConfigError, MissingExtra
from mycanvas.io.messages import counted

if TYPE_CHECKING:
    import torch


def cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(name: str) -> torch.device:
    """The torch device of a name; "auto": the first CUDA GPU, else Apple's GPU, else the CPU.

    Raises:
        ConfigError: this machine has no such device.
        MissingExtra: torch is not installed.
    """
    try:
        import torch
    except ImportError as missing:
        raise MissingExtra("torch", extra="models") from missing

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in {"cpu", "cuda", "mps"}:
        raise ConfigError(f'device must be "auto", "cpu", "cuda", "cuda:1" or "mps", got {name!r}')
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"no device {name}: torch finds {counted(torch.cuda.device_count(), 'CUDA device')} on this machine; "
            "use another --device, or cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("no device mps: torch finds no Apple GPU on this machine; use --device cpu")
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The torch precision of "auto", "float32", "bfloat16" or "float16"; "auto": bfloat16 on a CUDA GPU, else float32.

    Raises:
        KeyError: the name is none of these.
    """
    import torch

    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def limit_threads(count: int) -> None:
    """Limit the CPU threads of torch, if it is imported: otherwise each worker uses all cores."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > count:
        torch.set_num_threads(count)


def release_memory() -> None:
    """Free the GPU memory of a model after its last reference is gone."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
