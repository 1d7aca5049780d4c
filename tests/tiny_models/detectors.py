"""Tiny open-vocabulary detectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.tiny_models.configs import text_config, vision_config
from tests.tiny_models.tokenizers import WORDS, clip_tokenizer


def owlvit(folder: Path) -> Path:
    """OWL-ViT on 64 x 64 pixels."""
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessor, OwlViTProcessor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(16)
    config = OwlViTConfig(
        text_config=text_config(tokenizer, 16), vision_config=vision_config(64, 16), projection_dim=32
    )
    _calm(OwlViTForObjectDetection(config)).save_pretrained(folder)
    pictures = OwlViTImageProcessor(size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64})
    OwlViTProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def owlv2(folder: Path) -> Path:
    """OWLv2 on 64 x 64 pixels."""
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor, Owlv2Processor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(16)
    config = Owlv2Config(text_config=text_config(tokenizer, 16), vision_config=vision_config(64, 16), projection_dim=32)
    _calm(Owlv2ForObjectDetection(config)).save_pretrained(folder)
    pictures = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    Owlv2Processor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def grounding_dino(folder: Path) -> Path:
    """Grounding DINO on pictures 96 pixels high or more, with 20 boxes; reads WORDS, and others letter by letter."""
    from transformers import (
        BertTokenizer,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
    )

    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = dict.fromkeys(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS, *letters))
    vocabulary = [*tokens, *(f"##{letter}" for letter in letters)]
    layer = {"num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 32, "num_hidden_layers": 1}
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64,
            embed_dim=16,
            depths=[1, 1, 1, 1],
            num_heads=[1, 2, 2, 4],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config={"model_type": "bert", "vocab_size": len(vocabulary), **layer},
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=20,
        max_text_len=64,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    pictures = GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 144})
    tokenizer = BertTokenizer(vocab={token: index for index, token in enumerate(vocabulary)})
    GroundingDinoProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def _calm(detector: Any) -> Any:
    """A detector whose heads say little: at their random weights its boxes would have no area."""
    with torch.no_grad():
        for weight in [*detector.box_head.parameters(), *detector.class_head.parameters()]:
            weight *= 0.2
    return detector
