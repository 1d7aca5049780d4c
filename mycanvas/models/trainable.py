"""Kinds of text-to-image models that can be trained. To add one: a class like these, and a line in KINDS."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas.errors import ConfigError, ModelError, StoreError
from mycanvas.io.files import os_errors, write_bytes
from mycanvas.io.images import encode_jpeg
from mycanvas.io.progress import tracked
from mycanvas.models.adapters import WEIGHTS, pool_at_end
from mycanvas.models.batches import in_batches, memory_errors
from mycanvas.models.pipelines import check_channels, has_safety_checker, load_pipeline, quiet_diffusers, read_index
from mycanvas.models.text_to_image import Sampling, TextToImage

if TYPE_CHECKING:
    import torch

Conditions = dict[str, "torch.Tensor"]
"""A denoiser's inputs that come from prompts, each [N, …], by name."""
LOWER = "use --dtype bfloat16, a smaller model, or, slowly, the main memory: --device cpu"
"""How to need less memory, for messages."""
TEMPORARY = ".lora"
"""The folder in which diffusers writes LoRA. The next run removes what a killed one left there."""


class StableDiffusion:
    """Stable Diffusion 1 and 2, and the base of other kinds.

    cell: pixels along the side of a latent value. resolution: side in pixels of the squares that it was trained on.
    multiple: the sides of pictures are multiples of it.

    Args:
        pipeline: of diffusers, with float32 weights.
    """

    encoders: tuple[tuple[str, str], ...] = (("", ""),)
    """Of each text encoder the suffix of its name in the pipeline, and that of its embeddings' files."""

    def __init__(self, pipeline: Any) -> None:
        from diffusers import DDPMScheduler

        self.pipeline, self.denoiser = pipeline, pipeline.unet
        self.cell: int = pipeline.vae_scale_factor
        self.resolution: int = self.denoiser.config.sample_size * self.cell
        self.multiple: int = self.cell * 2 ** (len(self.denoiser.config.block_out_channels) - 1)
        # Kept, because diffusers looks for them in all parts of the model, which takes a tenth of a small model's step.
        self.device: torch.device = self.denoiser.device
        self.dtype: torch.dtype = self.denoiser.dtype
        self._noise = DDPMScheduler.from_config(pipeline.scheduler.config)
        pipeline.vae.encode, pipeline.vae.decode = map(_exact, (pipeline.vae.encode, pipeline.vae.decode))

    def place(self, device: torch.device, dtype: torch.dtype, checkpointing: bool) -> None:
        """Move it to a device. All but the autoencoder, which has to be exact, get the precision.

        Raises:
            ModelError: memory is too small for it.
        """
        self.device, self.dtype = device, dtype
        with quiet_diffusers(), memory_errors(f"memory is too small for the model; {LOWER}"):
            for model in (self.denoiser, *(self.text(part)[1] for part, _ in self.encoders)):
                model.to(dtype).requires_grad_(False)
            self.pipeline.to(device)
        if checkpointing:
            self.denoiser.enable_gradient_checkpointing()

    def precision(self) -> AbstractContextManager[Any]:
        """A context in which it computes at its precision, although adapters are float32; not so the autoencoder."""
        import torch

        is_reduced = self.dtype == torch.bfloat16
        context: AbstractContextManager[Any] = torch.autocast(self.device.type, torch.bfloat16, is_reduced)
        return context

    def generate(self, pictures: Mapping[Path, tuple[str, int]], resolution: int, steps: int) -> None:
        """Generate pictures, except those whose files exist.

        Args:
            pictures: the prompt and the seed of each JPEG.
            resolution: their sides in pixels.
            steps: of denoising.

        Raises:
            ModelError: memory is too small for one picture.
            StoreError: a file cannot be written.
        """
        pipeline = TextToImage(self.pipeline, Sampling(steps=steps, resolution=resolution))
        full = f"memory is too small for one picture; lower --resolution, {LOWER}"
        missing = {file: each for file, each in pictures.items() if not file.exists()}
        for file, each in tracked(missing.items(), "generating", len(missing), "picture"):
            with self.precision():
                (picture,) = in_batches([each], 1, lambda batch: pipeline.generate(*zip(*batch, strict=True)), full)
            write_bytes(file, encode_jpeg(picture))

    def text(self, part: str) -> tuple[Any, Any]:
        """The tokenizer and the text encoder with a suffix of `encoders`."""
        return getattr(self.pipeline, f"tokenizer{part}"), getattr(self.pipeline, f"text_encoder{part}")

    def encode(self, prompts: Sequence[str]) -> Conditions:
        """Encode prompts as the pipeline does; gradients reach the embeddings of tokens."""
        embeddings, _ = self.pipeline.encode_prompt(list(prompts), self.device, 1, False)
        return {"encoder_hidden_states": embeddings}

    def to_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 [N, H, W, 3] -> float32 [N, C, H / cell, W / cell]; no random draws."""
        vae = self.pipeline.vae
        latents: torch.Tensor = vae.encode(scaled(pixels.to(self.device))).latent_dist.mode()
        return latents.float() * vae.config.scaling_factor

    def errors(
        self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor, conditions: Conditions
    ) -> torch.Tensor:
        """Squared errors of the denoiser's predictions, float32 [N, C, h, w].

        Args:
            latents: [N, C, h, w].
            noise: [N, C, h, w], standard normal.
            times: [N] in [0, 1): how far the noise replaces the latents.
            conditions: from `encode`.
        """
        count = self._noise.config.num_train_timesteps
        steps = (times * count).long().clamp(max=count - 1)  # in float32, the largest times below 1 are 1
        noisy = self._noise.add_noise(latents, noise, steps)
        is_velocity = self._noise.config.prediction_type == "v_prediction"
        target = self._noise.get_velocity(latents, noise, steps) if is_velocity else noise
        return (self.predict(noisy.to(self.dtype), steps, conditions).float() - target).square()

    def predict(self, noisy: torch.Tensor, steps: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The denoiser's output, [N, C, h, w]."""
        predicted: torch.Tensor = self.denoiser(noisy, steps, **conditions).sample
        return predicted

    def save_lora(self, folder: Path, weights: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
        """Write LoRA as the pipeline's `load_lora_weights` reads it, whole or not at all.

        Args:
            folder: in which its file, WEIGHTS, is written.
            weights: of the denoiser's layers.
            metadata: it has the alphas.

        Raises:
            StoreError: it cannot be written.
        """
        from safetensors import SafetensorError

        layers = {"unet_lora_layers": dict(weights), "unet_lora_adapter_metadata": dict(metadata)}
        temporary, file = folder / TEMPORARY, folder / WEIGHTS
        try:
            with os_errors(file):
                type(self.pipeline).save_lora_weights(temporary, **layers)
                write_bytes(file, (temporary / WEIGHTS).read_bytes())
        except SafetensorError as error:  # as of a full disk
            raise StoreError(f"cannot write {file}: {error}; make room, then run the same command again") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class StableDiffusionXL(StableDiffusion):
    """Stable Diffusion XL, with two text encoders."""

    encoders = (("", ".clip_l"), ("_2", ".clip_g"))

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        pool_at_end(pipeline.text_encoder_2, pipeline.tokenizer_2)

    def encode(self, prompts: Sequence[str]) -> Conditions:
        """Encode prompts as the pipeline does; gradients reach the embeddings of tokens."""
        encoded = self.pipeline.encode_prompt(list(prompts), device=self.device, do_classifier_free_guidance=False)
        return {"encoder_hidden_states": encoded[0], "text_embeds": encoded[2]}

    def predict(self, noisy: torch.Tensor, steps: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The denoiser's output, [N, C, h, w], for pictures that are not cropped."""
        height, width = (side * self.cell for side in noisy.shape[-2:])
        sizes = noisy.new_tensor([height, width, 0, 0, height, width]).expand(len(noisy), -1)
        added = {"text_embeds": conditions["text_embeds"], "time_ids": sizes}
        text = conditions["encoder_hidden_states"]
        predicted: torch.Tensor = self.denoiser(noisy, steps, text, added_cond_kwargs=added).sample
        return predicted


def scaled(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def _exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of an autoencoder, in float32 also within `precision`: SDXL's overflows in less."""

    def run(values: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        import torch

        with torch.autocast(values.device.type, enabled=False):
            return function(values.float(), *arguments, **options)

    return run


KINDS: Mapping[str, Callable[[Any], StableDiffusion]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
}
"""By the pipeline class that a model's index names."""
PREDICTIONS = ("epsilon", "v_prediction")
"""Values that a denoiser may predict: the noise, or the velocity."""


def load_model(folder: Path, name: str) -> StableDiffusion:
    """Load a model to train, in float32 on the CPU. name: as the user gave it, for messages.

    Raises:
        ConfigError: it is of another kind, or learned another kind of noise.
        ModelError: it cannot be loaded, or its weights are for inpainting.
    """
    import torch

    index = read_index(folder)
    if index["_class_name"] not in KINDS:
        raise ConfigError(
            f"--model {name} is a {index['_class_name']}; expected {' or '.join(KINDS)}; to train another kind, export "
            "the dataset for its trainers (mycanvas export --format ai-toolkit, diffsynth, musubi, simpletuner, …)"
        )
    given = {"safety_checker": None} if has_safety_checker(folder) else {}
    pipeline = load_pipeline(folder, index["_class_name"], dtype=torch.float32, given=given)
    check_channels(pipeline, folder)
    _check_noise(pipeline, name)
    pipeline.set_progress_bar_config(disable=True)
    model = KINDS[index["_class_name"]](pipeline)
    for tokenizer, encoder in (model.text(part) for part, _ in model.encoders):
        if len(tokenizer) > (rows := encoder.get_input_embeddings().num_embeddings):
            raise ModelError(
                f"a tokenizer in {folder} has {len(tokenizer)} tokens, but its text encoder has embeddings for {rows}; "
                "use the original model"
            )
    return model


def _check_noise(pipeline: Any, name: str) -> None:
    """Refuse a model that was trained with another noise than Stable Diffusion's, or predicts something else."""
    scheduler = pipeline.scheduler
    predicted = scheduler.config.get("prediction_type", "a flow")
    if predicted not in PREDICTIONS or "sigma_data" in scheduler.config:  # which EDM's schedulers have
        raise ConfigError(
            f"--model {name} has the scheduler {type(scheduler).__name__} and predicts {predicted}; expected a model "
            f"that was trained with the noise of Stable Diffusion and predicts {' or '.join(PREDICTIONS)}"
        )
