"""Tiny inpainting pipelines of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.tiny_models.configs import text_config
from tests.tiny_models.tokenizers import byte_tokenizer, clip_tokenizer


def sdxl(folder: Path, pipeline: str = "StableDiffusionXLInpaintPipeline", channels: int = 9) -> Path:
    """SDXL with two text encoders; `channels` of the U-Net's input: 9 for inpainting weights, 4 for others."""
    import diffusers
    from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=32,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
        norm_num_groups=8,
    )
    text = CLIPTextConfig(**text_config(tokenizer) | {"projection_dim": 32, "hidden_act": "gelu"})
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    getattr(diffusers, pipeline)(
        vae=vae(4),
        unet=unet,
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=scheduler,
    ).save_pretrained(folder)
    return folder


def refiner(folder: Path) -> Path:
    """The SDXL refiner: its second text encoder only, and an aesthetic score in place of sizes."""
    import diffusers

    whole = diffusers.StableDiffusionXLInpaintPipeline.from_pretrained(
        sdxl(folder.with_name(f"{folder.name}-base"), channels=4)
    )
    config = dict(whole.unet.config) | {"cross_attention_dim": 32, "projection_class_embeddings_input_dim": 72}
    diffusers.StableDiffusionXLImg2ImgPipeline(
        vae=whole.vae,
        unet=diffusers.UNet2DConditionModel(**{name: value for name, value in config.items() if name[0] != "_"}),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=whole.text_encoder_2,
        tokenizer_2=whole.tokenizer_2,
        scheduler=whole.scheduler,
        requires_aesthetics_score=True,
    ).save_pretrained(folder)
    return folder


def sd15(folder: Path) -> Path:
    """Stable Diffusion 1.5 for inpainting."""
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=32,
        in_channels=9,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        norm_num_groups=8,
    )
    StableDiffusionInpaintPipeline(
        vae=vae(4),
        unet=unet,
        text_encoder=CLIPTextModel(CLIPTextConfig(**text_config(tokenizer))),
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def z_image(folder: Path) -> Path:
    """Z-Image: a transformer that matches flows, saved as the repository has it, for making pictures from nothing."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    text = Qwen3Config(**text_config(tokenizer, 1 << 12) | {"num_key_value_heads": 2, "head_dim": 8})
    transformer = ZImageTransformer2DModel(
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 6, 6],
        axes_lens=[4096, 64, 64],
    )
    for parameter in transformer.parameters():  # some are left as memory had them
        torch.nn.init.normal_(parameter, std=0.02)
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(16, scaling_factor=0.36, shift_factor=0.12),
        text_encoder=Qwen3Model(text),
        tokenizer=tokenizer,
        transformer=transformer,
    ).save_pretrained(folder)
    return folder


def flux_fill(folder: Path) -> Path:
    """FLUX.1 Fill: a transformer that sees the mask, and two text encoders."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxFillPipeline, FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    torch.manual_seed(0)
    tokenizer, second = clip_tokenizer(), byte_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=384,
        out_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    )
    text = T5Config(vocab_size=len(second), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    FluxFillPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae(16, scaling_factor=0.36, shift_factor=0.12),
        text_encoder=CLIPTextModel(CLIPTextConfig(**text_config(tokenizer))),
        text_encoder_2=T5EncoderModel(text),
        tokenizer=tokenizer,
        tokenizer_2=second,
        transformer=transformer,
    ).save_pretrained(folder)
    return folder


def vae(channels: int, **more: float) -> Any:
    """An autoencoder that divides the sides of a picture by 8."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        latent_channels=channels,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=64,
        **more,
    )
