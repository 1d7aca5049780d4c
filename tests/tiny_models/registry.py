"""Tiny random checkpoints of real architectures, built offline, so that the real loading code runs in seconds.

Each function writes a checkpoint as `save_pretrained` does, safetensors and all, and returns its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.tiny_models.detectors import grounding_dino, owlv2, owlvit
from tests.tiny_models.diffusion import flux_fill, refiner, sd15, sdxl, z_image
from tests.tiny_models.encoders import clip, dinov2, siglip
from tests.tiny_models.language import llava, llm
from tests.tiny_models.saliency import saliency
from tests.tiny_models.text_to_image import sd15_checked, sd15_images, sdxl_images

MODELS: Mapping[str, Callable[[Path], Path]] = {
    "clip": clip,
    "siglip": siglip,
    "dinov2": dinov2,
    "owlvit": owlvit,
    "owlv2": owlv2,
    "grounding_dino": grounding_dino,
    "llm": llm,
    "llava": llava,
    "sdxl": sdxl,
    "refiner": refiner,
    "sd15": sd15,
    "sd15_images": sd15_images,
    "sd15_checked": sd15_checked,
    "sdxl_images": sdxl_images,
    "z_image": z_image,
    "flux_fill": flux_fill,
    "saliency": saliency,
}
