"""Cost of repainting beside the models themselves, and on a GPU beside the official way, one scene at a time.

Run: python -m tests.benchmarks.bench_repaint [--size 512] [--scenes 8]

On a processor: tiny random weights, and the share of the backend's wall time that is not spent inside the U-Net, the
VAE and the text encoders. On a GPU: SDXL and its refiner at their real size with random weights, 1024 x 1024, bfloat16;
scenes per second against a loop that calls the pipelines once per scene as the official step 3 does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from builder.records import Canvas
from builder.stages.repaint.diffusion import Diffusion, DiffusionConfig
from mycanvas.models.inpainting import Inpainter
from mycanvas.models.runtime import Runtime
from tests.builder.stages.repaint.balls import canvas
from tests.tiny_models.diffusion import refiner, sdxl
from tests.tiny_models.tokenizers import clip_tokenizer

ROUNDS = 3
GPU_STEPS, GPU_BATCH = 30, 8
PARTS = ("unet", "transformer", "text_encoder", "text_encoder_2")

SDXL_UNET = {
    "sample_size": 128,
    "in_channels": 9,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
"""As the configuration of diffusers/stable-diffusion-xl-1.0-inpainting-0.1 has it."""
REFINER_UNET = SDXL_UNET | {
    "in_channels": 4,
    "block_out_channels": (384, 768, 1536, 1536),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": 4,
    "attention_head_dim": (6, 12, 24, 24),
    "cross_attention_dim": 1280,
    "projection_class_embeddings_input_dim": 2560,
}
"""As the configuration of stabilityai/stable-diffusion-xl-refiner-1.0 has it."""
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
}


def main() -> None:
    """Measures what this machine allows, and prints one line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="pixels of a side, on a processor")
    parser.add_argument("--scenes", type=int, default=8)
    given = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    with tempfile.TemporaryDirectory() as folder:
        report_overhead(Path(folder), given.size, given.scenes)
    if torch.cuda.is_available():
        report_gpu(given.scenes)
    else:
        print("SDXL-size on a GPU         skipped: torch sees no GPU here")


def report_overhead(folder: Path, size: int, scenes: int) -> None:
    """The share of wall time outside of the models, with tiny weights."""
    config = DiffusionConfig(
        model=str(sdxl(folder / "sdxl")), refiner=str(refiner(folder / "refiner")), steps=8, batch_size=4
    )
    backend = Diffusion.load(config, Runtime(device="cpu"))
    canvases = scenes_of(size, scenes)
    shares, seconds = [], []
    for _ in range(ROUNDS):
        with timed_models(backend) as spent:
            start = time.perf_counter()
            assert len(list(backend.repaint(canvases, 0))) == scenes
            seconds.append(time.perf_counter() - start)
        shares.append(1 - sum(spent) / seconds[-1])
    print(f"{'overhead, tiny weights':24}{min(shares):9.3f}  of {min(seconds) / scenes:.2f} s a scene", end="")
    print(f" at {size}x{size}, 8 steps and refiner; goal <= 0.15")


def scenes_of(size: int, count: int) -> list[Canvas]:
    """Canvases of two objects each."""
    return [canvas(f"{index}", size=size) for index in range(count)]


@contextmanager
def timed_models(backend: Diffusion) -> Iterator[list[float]]:
    """Collects the seconds of every call of a model."""
    spent: list[float] = []
    restore: list[Callable[[], None]] = []
    pipelines = [backend._inpainter.pipeline, backend._inpainter.refiner]
    models: dict[int, tuple[Any, str]] = {}
    for pipeline in filter(None, pipelines):
        for name in PARTS:
            if getattr(pipeline, name, None) is not None:
                models[id(getattr(pipeline, name))] = (getattr(pipeline, name), "forward")
        models[id(pipeline.vae), "e"] = (pipeline.vae, "encode")  # type: ignore[index]
        models[id(pipeline.vae), "d"] = (pipeline.vae, "decode")  # type: ignore[index]
    for model, method in models.values():
        plain = getattr(model, method)

        def counted(*args: Any, _plain: Callable[..., Any] = plain, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return _plain(*args, **named)
            finally:
                spent.append(time.perf_counter() - start)

        setattr(model, method, counted)
        restore.append(lambda model=model, method=method: delattr(model, method))
    try:
        yield spent
    finally:
        for undo in restore:
            undo()


def report_gpu(scenes: int) -> None:
    """Scenes per second in batches, one by one, and how busy the GPU is."""
    config = DiffusionConfig(model="./m", refiner="./r", steps=GPU_STEPS, batch_size=GPU_BATCH)
    pipeline, refiner = real_size("cuda", torch.bfloat16)
    backend = Diffusion(Inpainter(pipeline, refiner, config), config)
    canvases = scenes_of(1024, max(scenes, GPU_BATCH))
    list(backend.repaint(canvases[:GPU_BATCH], 0))  # warm
    one_by_one(pipeline, refiner, config, canvases[:1])

    busy = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    start = time.perf_counter()
    busy[0].record()
    list(backend.repaint(canvases, 0))
    busy[1].record()
    torch.cuda.synchronize()
    mine = time.perf_counter() - start
    start = time.perf_counter()
    one_by_one(pipeline, refiner, config, canvases[:GPU_BATCH])
    torch.cuda.synchronize()
    theirs = (time.perf_counter() - start) * len(canvases) / GPU_BATCH
    name = torch.cuda.get_device_name()
    print(f"{'scenes a second, ' + name:24}{len(canvases) / mine:9.3f}{len(canvases) / theirs:9.3f}", end="")
    print(f"{theirs / mine:8.2f}  goal >= 2")
    print(f"{'GPU busy':24}{gpu_busy(backend, canvases[:GPU_BATCH]):9.3f}  of wall time; goal >= 0.9")


def one_by_one(pipeline: Any, refiner: Any, config: DiffusionConfig, canvases: list[Canvas]) -> None:
    """The official step 3: one call of each pipeline per scene, and its merge by the brighter pixel."""
    for scene in canvases:
        background = cv2.GaussianBlur(scene.layout.setting.background.pixels, (0, 0), 1)
        mask = Image.fromarray(np.full(background.shape[:2], 255, np.uint8))
        asked = {"prompt": "a realistic photo of a garden", "negative_prompt": config.negative_prompt}
        asked |= {"num_inference_steps": config.steps, "guidance_scale": config.guidance, "strength": config.strength}
        image = Image.fromarray(background)
        latents = pipeline(
            **asked, image=image, mask_image=mask, height=1024, width=1024, denoising_end=0.75, output_type="latent"
        ).images
        painted = refiner(**asked, image=latents, denoising_start=0.75).images[0]
        np.maximum(np.asarray(painted), background)


def gpu_busy(backend: Diffusion, canvases: list[Canvas]) -> float:
    """The share of wall time in which a kernel runs, by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as record:
        list(backend.repaint(canvases, 1))
        torch.cuda.synchronize()
    wall = time.perf_counter() - start
    kernels = sum(event.self_device_time_total for event in record.key_averages()) / 1e6
    return kernels / wall


def real_size(device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """SDXL for inpainting and its refiner, as large as they are, with random weights."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = clip_tokenizer()
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    small = CLIPTextConfig(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, **special)
    large = CLIPTextConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=20,
        projection_dim=1280,
        **special,
    )
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            vae, second = diffusers.AutoencoderKL(**VAE), CLIPTextModelWithProjection(large)
            first, unet = CLIPTextModel(small), diffusers.UNet2DConditionModel(**SDXL_UNET)
            refining = diffusers.UNet2DConditionModel(**REFINER_UNET)
    finally:
        torch.set_default_dtype(default)
    vae.enable_slicing()
    scheduler = diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1)
    pipeline = diffusers.StableDiffusionXLInpaintPipeline(
        vae=vae,
        unet=unet,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=scheduler,
    )
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline(
        vae=vae,
        unet=refining,
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=second,
        tokenizer_2=tokenizer,
        scheduler=diffusers.EulerDiscreteScheduler.from_config(scheduler.config),
        requires_aesthetics_score=True,
    )
    for each in (pipeline, refiner):
        each.set_progress_bar_config(disable=True)
    return pipeline, refiner


if __name__ == "__main__":
    main()
