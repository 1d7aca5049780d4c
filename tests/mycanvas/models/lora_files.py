"""Files of LoRA weights and embeddings for tiny pipelines, as trainers write them, with random numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file

RANK = 2


Form = Literal["diffusers", "kohya", "ai-toolkit", "bare"]
"""Whose names the layers have; "bare": those of diffusers' `save_lora_adapter`."""


def lora_file(
    path: Path, pipeline: Path, layers: str = "attn2.to_k", *, form: Form = "diffusers", alpha: float | None = None
) -> Path:
    """Weights for the layers of a pipeline's denoiser whose names end so.

    alpha: is in the file's metadata, as diffusers has it; None: it is the rank.
    """
    part = "unet" if (pipeline / "unet").exists() else "transformer"
    (file,) = (pipeline / part).glob("*.safetensors")
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
                start = {"bare": "", "ai-toolkit": "diffusion_model."}.get(form, f"{part}.") + name
                tensors |= {f"{start}.lora_A.weight": down, f"{start}.lora_B.weight": up}
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = "" if form == "bare" else f"{part}."
    metadata = {f"{prefix}r": RANK, f"{prefix}lora_alpha": alpha, f"{prefix}target_modules": [layers]}
    save_file(tensors, path, {"lora_adapter_metadata": json.dumps(metadata)} if alpha else None)
    return path


def embedding_file(path: Path, sizes: Mapping[str, int]) -> Path:
    """A vector of each size, under its key."""
    generator = torch.Generator().manual_seed(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: torch.randn(size, generator=generator) for key, size in sizes.items()}, path)
    return path
