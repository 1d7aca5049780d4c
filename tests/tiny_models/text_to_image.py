"""Tiny text-to-image pipelines of diffusers, for training and generation.

As in the original checkpoints, `eos_token_id` of the text encoders is 2, which is not the tokenizer's, and SDXL's
second tokenizer pads with "!". The U-Nets attend to the text at both of their resolutions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.tiny_models.configs import text_config, vision_config
from tests.tiny_models.diffusion import vae
from tests.tiny_models.tokenizers import MORE_WORDS, clip_tokenizer

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
EOS_OF_THE_ORIGINALS = 2


def sd15_images(folder: Path) -> Path:
    """Stable Diffusion 1.5."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(words=MORE_WORDS)
    StableDiffusionPipeline(
        vae=vae(4),
        unet=_unet(cross_attention_dim=32),
        text_encoder=CLIPTextModel(CLIPTextConfig(**_text_config(tokenizer))),
        tokenizer=tokenizer,
        scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def sd15_checked(folder: Path) -> Path:
    """Stable Diffusion 1.5 with a safety checker that takes every picture for unsafe."""
    from diffusers import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    base = StableDiffusionPipeline.from_pretrained(sd15_images(folder), safety_checker=None)
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision_config(32, 8), projection_dim=32))
    checker.concept_embeds_weights.fill_(-2)  # below any cosine
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    parts = {**base.components, "safety_checker": checker, "feature_extractor": pictures}
    StableDiffusionPipeline(**parts).save_pretrained(folder)
    return folder


def sdxl_images(folder: Path) -> Path:
    """SDXL with two different text encoders."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    tokenizer, second = (clip_tokenizer(words=MORE_WORDS) for _ in range(2))
    second.pad_token = "!"
    text = CLIPTextConfig(**_text_config(tokenizer))
    wider = CLIPTextConfig(**_text_config(second) | {"hidden_size": 48, "projection_dim": 40, "hidden_act": "gelu"})
    StableDiffusionXLPipeline(
        vae=vae(4, scaling_factor=0.13025),
        unet=_unet(
            cross_attention_dim=80,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=40 + 6 * 8,
        ),
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(wider),
        tokenizer=tokenizer,
        tokenizer_2=second,
        scheduler=EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"),
    ).save_pretrained(folder)
    return folder


def _text_config(tokenizer: Any) -> dict[str, Any]:
    return text_config(tokenizer) | {"eos_token_id": EOS_OF_THE_ORIGINALS}


def _unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        attention_head_dim=(2, 4),
        norm_num_groups=8,
        **more,
    )
