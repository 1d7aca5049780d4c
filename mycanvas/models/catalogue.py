"""Facts about models, known before they are downloaded: their size and license."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ENCODER = "openai/clip-vit-base-patch32@c237dc49a33fc61debc9276459120b7eac67e7ef"
DETECTOR = "google/owlvit-base-patch32@cbc355fb364588351c5d51c7f74465e8e7ec6f72"
"""The paper's models (Gen4Gen, arXiv 2402.15504, section 4.1), pinned as in profile gen4gen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Facts about one model.

    gigabytes: approximate size of the download. license: as its card names it. commercial: it allows commercial use.
    """

    gigabytes: float
    license: str
    commercial: bool = True


KNOWN: Mapping[str, About] = {
    # used by Gen4Gen (arXiv 2402.15504)
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1": About(gigabytes=6.9, license="openrail++"),
    "stabilityai/stable-diffusion-xl-refiner-1.0": About(gigabytes=6.1, license="openrail++"),
    "llava-hf/llava-1.5-7b-hf": About(gigabytes=14.1, license="llama2"),
    "openai/clip-vit-base-patch32": About(gigabytes=0.6, license="mit"),
    "google/owlvit-base-patch32": About(gigabytes=0.6, license="apache-2.0"),
    # newer models
    "Qwen/Qwen3-4B-Instruct-2507": About(gigabytes=8.1, license="apache-2.0"),
    "Tongyi-MAI/Z-Image-Turbo": About(gigabytes=33.0, license="apache-2.0"),
    "black-forest-labs/FLUX.1-Fill-dev": About(gigabytes=34.0, license="flux-1-dev-non-commercial", commercial=False),
    "Qwen/Qwen3-VL-4B-Instruct": About(gigabytes=8.9, license="apache-2.0"),
    "openai/clip-vit-large-patch14": About(gigabytes=1.7, license="mit"),
    "google/siglip2-base-patch16-224": About(gigabytes=1.5, license="apache-2.0"),
    "google/owlv2-base-patch16-ensemble": About(gigabytes=0.6, license="apache-2.0"),
    # rembg's sessions, with the licenses of their weights; their training data (DIS5K) has terms of its own
    "isnet-general-use": About(gigabytes=0.2, license="apache-2.0"),
    "isnet-anime": About(gigabytes=0.2, license="apache-2.0"),
    "birefnet-general": About(gigabytes=1.0, license="mit"),
    "birefnet-general-lite": About(gigabytes=0.2, license="mit"),
    "birefnet-portrait": About(gigabytes=1.0, license="mit"),
    "birefnet-dis": About(gigabytes=1.0, license="mit"),
    "birefnet-hrsod": About(gigabytes=1.0, license="mit"),
    "birefnet-cod": About(gigabytes=1.0, license="mit"),
    "birefnet-massive": About(gigabytes=1.0, license="mit"),
    "u2net": About(gigabytes=0.2, license="apache-2.0"),
    "u2netp": About(gigabytes=0.005, license="apache-2.0"),
    "u2net_human_seg": About(gigabytes=0.2, license="apache-2.0"),
    "silueta": About(gigabytes=0.04, license="apache-2.0"),
    "bria-rmbg": About(gigabytes=1.0, license="cc-by-nc-4.0", commercial=False),
}
"""By name, without a revision. Sizes and licenses as their pages gave them in November 2026."""
