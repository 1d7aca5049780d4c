"""A tiny language model and a tiny vision-language model."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.tiny_models.configs import text_config, vision_config
from tests.tiny_models.tokenizers import CHAT, byte_tokenizer


def llm(folder: Path) -> Path:
    """A causal language model over bytes."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        **text_config(tokenizer, 1 << 14) | {"num_key_value_heads": 2, "bos_token_id": tokenizer.eos_token_id}
    )
    model = LlamaForCausalLM(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    """A LLaVA that sees 32 x 32 pixels and speaks bytes."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.manual_seed(0)
    tokenizer = byte_tokenizer(["<image>"])
    tokenizer.image_token = "<image>"
    text = text_config(tokenizer, 1 << 13) | {"num_key_value_heads": 2, "bos_token_id": tokenizer.eos_token_id}
    text["vocab_size"] += 8
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**vision_config(32, 8), projection_dim=32),
            text_config=LlamaConfig(**text),
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            image_seq_length=16,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder
