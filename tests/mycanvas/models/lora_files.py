"""Files of LoRA weights and embeddings for tiny pipelines, as trainers write them, with random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file

RANK = 2


def lora_file(
    path: Path, pipeline: Path, layers: str = "attn2.to_k", *, form: Literal["diffusers", "kohya", "bare"] = "diffusers"
) -> Path:
    """Weights for the layers of a pipeline's U-Net whose names end so; "bare": as `save_lora_adapter` names them."""
    (file,) = (pipeline / "unet").glob("*.safetensors")
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    with safe_open(file, "pt") as weights:
        for key in sorted(weights.keys()):
            if not key.endswith(f"{layers}.weight"):
                continue
            rows, columns = weights.get_slice(key).get_shape()
            down, up = (torch.randn(size, generator=generator) for size in ((RANK, columns), (rows, RANK)))
            name = key.removesuffix(".weight")
            if form == "kohya":
                start = f"lora_unet_{name.replace('.', '_')}"
                tensors |= {f"{start}.lora_down.weight": down, f"{start}.lora_up.weight": up}
                tensors[f"{start}.alpha"] = torch.tensor(float(RANK))
            else:
                start = name if form == "bare" else f"unet.{name}"
                tensors |= {f"{start}.lora_A.weight": down, f"{start}.lora_B.weight": up}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def embedding_file(path: Path, sizes: Mapping[str, int]) -> Path:
    """A vector of each size, under its key."""
    generator = torch.Generator().manual_seed(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: torch.randn(size, generator=generator) for key, size in sizes.items()}, path)
    return path
