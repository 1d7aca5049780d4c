"""What is known of models before they are fetched: how large they are, and what their licence allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """gigabytes: about what is fetched. licence: as its card names it. commercial: it allows commercial use."""

    gigabytes: float
    licence: str
    commercial: bool = True


KNOWN: Mapping[str, About] = {
    # Gen4Gen's (arXiv 2402.15504)
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1": About(gigabytes=6.9, licence="openrail++"),
    "stabilityai/stable-diffusion-xl-refiner-1.0": About(gigabytes=6.1, licence="openrail++"),
    "llava-hf/llava-1.5-7b-hf": About(gigabytes=14.1, licence="llama2"),
    "openai/clip-vit-base-patch32": About(gigabytes=0.6, licence="mit"),
    "google/owlvit-base-patch32": About(gigabytes=0.6, licence="apache-2.0"),
    # of today
    "Qwen/Qwen3-4B-Instruct-2507": About(gigabytes=8.1, licence="apache-2.0"),
    "Tongyi-MAI/Z-Image-Turbo": About(gigabytes=33.0, licence="apache-2.0"),
    "black-forest-labs/FLUX.1-Fill-dev": About(gigabytes=34.0, licence="flux-1-dev-non-commercial", commercial=False),
    "Qwen/Qwen3-VL-4B-Instruct": About(gigabytes=8.9, licence="apache-2.0"),
    "openai/clip-vit-large-patch14": About(gigabytes=1.7, licence="mit"),
    "google/siglip2-base-patch16-224": About(gigabytes=1.5, licence="apache-2.0"),
    "google/owlv2-base-patch16-ensemble": About(gigabytes=0.6, licence="apache-2.0"),
    # rembg's sessions, by their names; whoever trained them licensed them so, on data with terms of its own (DIS5K)
    "isnet-general-use": About(gigabytes=0.2, licence="apache-2.0"),
    "isnet-anime": About(gigabytes=0.2, licence="apache-2.0"),
    "birefnet-general": About(gigabytes=1.0, licence="mit"),
    "birefnet-general-lite": About(gigabytes=0.2, licence="mit"),
    "birefnet-portrait": About(gigabytes=1.0, licence="mit"),
    "birefnet-dis": About(gigabytes=1.0, licence="mit"),
    "birefnet-hrsod": About(gigabytes=1.0, licence="mit"),
    "birefnet-cod": About(gigabytes=1.0, licence="mit"),
    "birefnet-massive": About(gigabytes=1.0, licence="mit"),
    "u2net": About(gigabytes=0.2, licence="apache-2.0"),
    "u2netp": About(gigabytes=0.005, licence="apache-2.0"),
    "u2net_human_seg": About(gigabytes=0.2, licence="apache-2.0"),
    "silueta": About(gigabytes=0.04, licence="apache-2.0"),
    "bria-rmbg": About(gigabytes=1.0, licence="cc-by-nc-4.0", commercial=False),
}
"""By name, without a revision. Sizes and licences as their pages gave them in November 2026."""
