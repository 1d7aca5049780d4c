"""Tiny random checkpoints of real architectures, built offline: the real loading code runs on them, within seconds.

Each function writes a checkpoint as `save_pretrained` does, safetensors and all, and returns its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers

WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "realistic",
    "in",
    "garden",
    "beach",
    "cat",
    "dog",
    "mug",
    "teapot",
    "ball",
    "box",
    "cone",
    "ring",
]

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def clip_tokenizer(length: int = 77) -> Any:
    """CLIP's tokenizer over bytes, with WORDS as whole tokens."""
    from transformers import CLIPTokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, *(f"{letter}</w>" for letter in alphabet)])}
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair[0] + pair[1] not in vocabulary:
                vocabulary[pair[0] + pair[1]] = len(vocabulary)
                merges.append(pair)
            parts = [pair[0] + pair[1], *parts[2:]]
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def byte_tokenizer(extra: Sequence[str] = ()) -> Any:
    """One token a byte, with a chat template: any text at all can be said with it."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(alphabet)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=1 << 16
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", *extra]})
    tokenizer.chat_template = CHAT
    return tokenizer


def _text(tokenizer: Any, length: int = 77) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _vision(side: int, patch: int) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": side,
        "patch_size": patch,
    }


def clip(folder: Path) -> Path:
    """CLIP on 32 x 32 pixels."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    text, vision = _text(tokenizer) | {"projection_dim": 32}, _vision(32, 8) | {"projection_dim": 32}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def owlvit(folder: Path) -> Path:
    """OWL-ViT on 64 x 64 pixels."""
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessor, OwlViTProcessor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(16)
    config = OwlViTConfig(text_config=_text(tokenizer, 16), vision_config=_vision(64, 16), projection_dim=32)
    _calm(OwlViTForObjectDetection(config)).save_pretrained(folder)
    pictures = OwlViTImageProcessor(size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64})
    OwlViTProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def owlv2(folder: Path) -> Path:
    """OWLv2 on 64 x 64 pixels."""
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor, Owlv2Processor

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(16)
    config = Owlv2Config(text_config=_text(tokenizer, 16), vision_config=_vision(64, 16), projection_dim=32)
    _calm(Owlv2ForObjectDetection(config)).save_pretrained(folder)
    pictures = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    Owlv2Processor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def siglip(folder: Path) -> Path:
    """SigLIP 2 of fixed resolution, on 32 x 32 pixels and 64 bytes."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = SiglipConfig(text_config=_text(tokenizer, 64), vision_config=_vision(32, 8))
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def dinov2(folder: Path) -> Path:
    """DINOv2 on 28 x 28 pixels: no text."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**_vision(28, 14))).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}).save_pretrained(folder)
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


def llm(folder: Path) -> Path:
    """A causal language model over bytes."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        **_text(tokenizer, 1 << 14) | {"num_key_value_heads": 2, "bos_token_id": tokenizer.eos_token_id}
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
    text = _text(tokenizer, 1 << 13) | {"num_key_value_heads": 2, "bos_token_id": tokenizer.eos_token_id}
    text["vocab_size"] += 8
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**_vision(32, 8), projection_dim=32),
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
    text = CLIPTextConfig(**_text(tokenizer) | {"projection_dim": 32, "hidden_act": "gelu"})
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    getattr(diffusers, pipeline)(
        vae=_vae(4),
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
        vae=_vae(4),
        unet=unet,
        text_encoder=CLIPTextModel(CLIPTextConfig(**_text(tokenizer))),
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
    text = Qwen3Config(**_text(tokenizer, 1 << 12) | {"num_key_value_heads": 2, "head_dim": 8})
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
        vae=_vae(16, scaling_factor=0.36, shift_factor=0.12),
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
        vae=_vae(16, scaling_factor=0.36, shift_factor=0.12),
        text_encoder=CLIPTextModel(CLIPTextConfig(**_text(tokenizer))),
        text_encoder_2=T5EncoderModel(text),
        tokenizer=tokenizer,
        tokenizer_2=second,
        transformer=transformer,
    ).save_pretrained(folder)
    return folder


def _vae(channels: int, **more: float) -> Any:
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


def saliency(file: Path) -> Path:
    """An ONNX graph as rembg's sessions read them: the brighter a pixel, the more it is object."""
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", "W"])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["N", 1, "H", "W"])
    mean = helper.make_tensor("k", TensorProto.FLOAT, [1, 3, 1, 1], [8 / 3] * 3)
    nodes = [helper.make_node("Conv", ["input", "k"], ["c"]), helper.make_node("Sigmoid", ["c"], ["mask"])]
    graph = helper.make_graph(nodes, "saliency", [image], [mask], [mean])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10  # the newest that every supported ONNX Runtime reads
    onnx.save(model, file)
    return file
