"""Tiny encoders of images, two of text too."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.tiny_models.configs import text_config, vision_config
from tests.tiny_models.tokenizers import byte_tokenizer, clip_tokenizer


def clip(folder: Path) -> Path:
    """CLIP on 32 x 32 pixels."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    text, vision = text_config(tokenizer) | {"projection_dim": 32}, vision_config(32, 8) | {"projection_dim": 32}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def siglip(folder: Path) -> Path:
    """SigLIP 2 of fixed resolution, on 32 x 32 pixels and 64 bytes."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = SiglipConfig(text_config=text_config(tokenizer, 64), vision_config=vision_config(32, 8))
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def dinov2(folder: Path) -> Path:
    """DINOv2 on 28 x 28 pixels: no text."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**vision_config(28, 14))).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder
