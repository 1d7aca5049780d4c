"""The base model: PixArt's transformer on pixels with CLIP's text encoder, both trained together from nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, PixArtTransformer2DModel
from diffusers.loaders import PeftAdapterMixin
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from builder.seeds import seed_for
from mycanvas.io.images import Rgb
from tests.miniature.grounds import PHRASES
from tests.miniature.loop import Schedule, fit
from tests.miniature.pictures import SIDE, Captions, pretraining_batch
from tests.miniature.toys import COLOURS, KINDS, PATTERNS
from tests.tiny_models.tokenizers import clip_tokenizer

WIDTH, LAYERS, PATCH = 160, 4, 8
TEXT_LAYERS = 2
WORD_STD = 1.0
"""Standard deviation of the first embeddings of words."""
OTHER_WORDS = (
    "a an and the photo of with in view is are stands stand sits sit to left right far away very small zoomed close up"
)
"""Words of captions and prompts beside those for toys and grounds."""
SLOW = r"text\..*|transformer\.caption_projection\..*"
"""Weights that learn more slowly than others: they begin small, and Adam's first steps would erase them."""
LEAST_VARIANCE = 0.01
"""Of the noise, by which errors are divided."""
GUIDANCE = 5.0
"""Of generated pictures."""
MIDDLE = 0.4
"""Mean of the normal distribution whose sigmoid is a time of pretraining, as a fraction: shapes are decided there."""


class Transformer(PixArtTransformer2DModel, PeftAdapterMixin):
    """PixArt's transformer, with the method by which diffusers' U-Nets get their adapters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A text-to-image model on pixels in [-1, 1], float32 [N, 3, SIDE, SIDE]."""

    transformer: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any

    def encode(self, prompts: Sequence[str], length: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states [N, L, D] and mask [N, L] of prompts, padded to a length; None: to that of the longest."""
        padding = True if length is None else "max_length"
        tokens = self.tokenizer(list(prompts), padding=padding, max_length=length, truncation=True, return_tensors="pt")
        hidden = self.text_encoder(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        return hidden.last_hidden_state, tokens.attention_mask

    def predict(
        self, noisy: torch.Tensor, times: torch.Tensor, text: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """The pictures without noise, [N, 3, SIDE, SIDE].

        With patches that have more values than the transformer's width, noise and velocity cannot be predicted (Li & He
        2025, "Back to basics: let denoising generative models denoise").
        """
        hidden, mask = text
        sizes = {"resolution": None, "aspect_ratio": None}
        return self.transformer(
            noisy, encoder_hidden_states=hidden, encoder_attention_mask=mask, timestep=times, added_cond_kwargs=sizes
        ).sample

    def errors(
        self, pixels: torch.Tensor, noise: torch.Tensor, times: torch.Tensor, text: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Squared errors of the velocity, [N, 3, SIDE, SIDE]: those of the picture over the variance of the noise."""
        noisy = self.scheduler.add_noise(pixels, noise, times)
        variance = (1 - self.scheduler.alphas_cumprod[times]).clamp(min=LEAST_VARIANCE)
        return (self.predict(noisy, times, text) - pixels).square() / variance[:, None, None, None]

    def loss(self, pixels: torch.Tensor, prompts: Sequence[str], generator: torch.Generator) -> torch.Tensor:
        """The loss of a batch of pictures, with noise and times from a generator.

        Times are logit-normal (Esser et al. 2024, "Scaling rectified flow transformers", section 3.1).
        """
        noise = torch.randn(pixels.shape, generator=generator)
        normal = torch.randn(len(pixels), generator=generator) + MIDDLE
        times = (self.scheduler.config.num_train_timesteps * normal.sigmoid()).long()
        return self.errors(pixels, noise, times, self.encode(prompts)).mean()

    @torch.inference_mode()
    def generate(self, prompts: Sequence[str], seeds: Sequence[int], *, steps: int) -> Rgb:
        """Draw a picture, uint8 [N, SIDE, SIDE, 3], from each prompt and seed."""
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(steps)
        shape = (3, SIDE, SIDE)
        pixels = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        text = self.encode([*prompts, *[""] * len(prompts)])
        for time in scheduler.timesteps:
            both = self.predict(torch.cat([pixels, pixels]), time.expand(2 * len(pixels)), text)
            prompted, plain = both.chunk(2)
            pixels = scheduler.step(plain + GUIDANCE * (prompted - plain), time, pixels).prev_sample
        levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).numpy()


def new_base() -> Base:
    """A model with random weights, the same each time."""
    torch.manual_seed(seed_for(0, "base", "miniature") % 2**32)
    words = " ".join([OTHER_WORDS, *PHRASES.values(), *COLOURS, *PATTERNS.values(), *KINDS])
    tokenizer = clip_tokenizer(words=sorted(dict.fromkeys(words.split()), key=len, reverse=True))
    text = CLIPTextConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=4,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    transformer = Transformer(
        num_attention_heads=4,
        attention_head_dim=WIDTH // 4,
        in_channels=3,
        out_channels=3,
        num_layers=LAYERS,
        cross_attention_dim=WIDTH,
        sample_size=SIDE,
        patch_size=PATCH,
        caption_channels=WIDTH,
        use_additional_conditions=False,
    )
    encoder = CLIPTextModel(text)
    _initialize(transformer, encoder)
    noise = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample", "timestep_spacing": "trailing"}
    scheduler = DDPMScheduler(**noise)
    return Base(transformer=transformer, text_encoder=encoder, tokenizer=tokenizer, scheduler=scheduler)


def _initialize(transformer: Any, encoder: Any) -> None:
    """Set first weights as PixArt's own code does, and those of the text encoder so that its layers are the identity.

    With those of diffusers, prompts are noise at first; training suppresses them, and never recovers them.
    """
    crossing = [block.attn2.to_out[0] for block in transformer.transformer_blocks]
    mixing = [end for layer in encoder.encoder.layers for end in (layer.self_attn.out_proj, layer.mlp.fc2)]
    for layer in (*crossing, transformer.proj_out, *mixing):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=WORD_STD)


def as_tensor(pixels: Rgb) -> torch.Tensor:
    """Pictures, uint8 [N, H, W, 3], as float32 [N, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def pretrain(captions: Captions, schedule: Schedule, file: Path, report: Callable[[str], object] = print) -> Base:
    """Train a base model with captions of a kind, or resume from its checkpoint."""
    base = new_base()

    def loss_at(step: int) -> torch.Tensor:
        pixels, prompts = pretraining_batch(step, schedule.batch, captions)
        generator = torch.Generator().manual_seed(seed_for(0, str(step), "noise") % 2**63)
        return base.loss(as_tensor(pixels), prompts, generator)

    fit(_as_module(base).train(), loss_at, schedule, file, report, SLOW)
    _as_module(base).eval()
    return base


def load_base(file: Path) -> Base:
    """The base model of a checkpoint of its training."""
    base = new_base()
    tensors = load_file(file)
    _as_module(base).load_state_dict(
        {name: tensors[name] for name, _ in _as_module(base).named_parameters()}, strict=False
    )
    _as_module(base).eval()
    return base


def _as_module(base: Base) -> torch.nn.Module:
    return torch.nn.ModuleDict({"transformer": base.transformer, "text": base.text_encoder})
