"""A vision-language model of transformers on this machine: answers requests about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image, ImageOps
from safetensors import SafetensorError
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from mycanvas.errors import ModelError
from mycanvas.io.images import Rgb
from mycanvas.models import in_batches, pick_device, pick_dtype
from mycanvas.models.loading import LOCAL, check_weights, quiet_transformers
from mycanvas.models.runtime import Runtime

TEMPERATURE = 0.7
TOP_P = 0.9
"""Of random answers: varied words, but plausible ones."""
PADDING = (122, 116, 104)
"""The mean colour of CLIP's training images, with which LLaVA pads."""
SPECIAL_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


def load_vision_language_model(
    name: str, runtime: Runtime, *, max_tokens: int = 96, batch_size: int = 8
) -> LocalVisionLanguageModel:
    """Load an image-text-to-text model on its device.

    Args:
        name: the model; it must have been fetched.
        runtime: the folder of its files, device and precision.
        max_tokens: a longer answer is cut off.
        batch_size: pictures in one call; halved when memory runs out.

    Raises:
        ModelError: it was not fetched, lacks weights, is not an image-text-to-text model, does not fit into the
            device's memory, or has no chat template.
    """
    path = runtime.model(name)
    device = pick_device(runtime.device)
    try:
        with quiet_transformers():
            processor = AutoProcessor.from_pretrained(path, **LOCAL)
            model, loaded = AutoModelForImageTextToText.from_pretrained(
                path,
                use_safetensors=True,
                dtype=pick_dtype(runtime.dtype, device),
                output_loading_info=True,
                **LOCAL,
            )
            model.to(device).eval()
    except (OSError, ValueError, KeyError, ImportError, SafetensorError, torch.cuda.OutOfMemoryError) as error:
        raise ModelError(f"{name} cannot be loaded as an image-text-to-text model: {error}") from error
    check_weights(name, loaded["missing_keys"])
    if not getattr(processor, "chat_template", None) or not hasattr(processor, "tokenizer"):
        raise ModelError(f"{name} has no chat template; name a model that was tuned to follow instructions")
    return LocalVisionLanguageModel(processor, model, name=name, max_tokens=max_tokens, batch_size=batch_size)


class LocalVisionLanguageModel:
    """Answers requests in batches; except for rounding, an answer does not depend on its batch."""

    def __init__(self, processor: Any, model: Any, *, name: str, max_tokens: int, batch_size: int) -> None:
        self.processor, self.model = processor, model
        self._name, self._batch_size = name, batch_size
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"  # every answer begins right after its request
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        special = {name: getattr(model.generation_config, name, None) for name in SPECIAL_TOKENS}
        # Replaces the model's own settings: greedy decoding, except for the noise that GumbelSampler adds.
        model.generation_config = GenerationConfig(
            **special | {"pad_token_id": tokenizer.pad_token_id}, do_sample=False, max_new_tokens=max_tokens
        )

    def answer(self, images: Sequence[Rgb], requests: Sequence[str], seeds: Sequence[int | None]) -> list[str]:
        """Answer one request per picture, in order; an answer that was cut off ends in "…".

        Args:
            images: uint8 [H, W, 3] pictures.
            requests: one per picture.
            seeds: of each answer's own random draws; None: the most likely words.

        Raises:
            ModelError: the memory of the GPU is too small for one picture, or the chat template cannot be used.
        """
        asked = list(zip(images, requests, seeds, strict=True))
        return list(in_batches(asked, self._batch_size, self._answer_batch))

    def _answer_batch(self, batch: Sequence[tuple[Rgb, str, int | None]]) -> list[str]:
        chats = [
            [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": self._whole(image)}, {"type": "text", "text": request}],
                }
            ]
            for image, request, _ in batch
        ]
        try:
            inputs = self.processor.apply_chat_template(
                chats,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            ).to(self.model.device, self.model.dtype)
        except TemplateError as error:
            raise ModelError(f"the chat template of {self._name} cannot be used: {error}") from error
        processors = LogitsProcessorList()
        seeds = [seed for _, _, seed in batch]
        if any(seed is not None for seed in seeds):
            processors += [TemperatureLogitsWarper(TEMPERATURE), TopPLogitsWarper(TOP_P), GumbelSampler(seeds)]
        with torch.inference_mode():
            tokens = self.model.generate(**inputs, logits_processor=processors)
        return [self._text(row) for row in tokens[:, inputs["input_ids"].shape[1] :]]

    def _whole(self, image: Rgb) -> Image.Image:
        """The picture; padded to a square for a processor that would keep only the central one, as LLaVA-1.5's."""
        picture = Image.fromarray(image)
        if not getattr(getattr(self.processor, "image_processor", None), "do_center_crop", False):
            return picture
        return ImageOps.pad(picture, (max(picture.size),) * 2, color=PADDING)

    def _text(self, tokens: torch.Tensor) -> str:
        """Decode an answer; append "…" if it was cut off at max_tokens."""
        text: str = self.processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        ends = self.model.generation_config.eos_token_id
        ended = torch.isin(tokens, torch.tensor(ends if ends is not None else [], device=tokens.device)).any()
        return text if ended else f"{text}…"


class GumbelSampler(LogitsProcessor):  # type: ignore[misc]  # transformers is not typed
    """Turns greedy decoding into random sampling, each row with its own generator: the Gumbel-max trick.

    The argmax of logits plus Gumbel noise is distributed as softmax(logits) (Gumbel 1954; Maddison et al. 2014). Noise
    is drawn on the CPU, so that it is the same for every device.
    """

    def __init__(self, seeds: Sequence[int | None]) -> None:
        self._generators = [None if seed is None else torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Return scores [rows, vocabulary]; the largest of each row is its random draw."""
        noise = torch.zeros(scores.shape)
        for row, generator in zip(noise, self._generators, strict=True):
            if generator is not None:
                row.exponential_(generator=generator).clamp_(min=1e-30).log_().neg_()
        return scores + noise.to(scores.device)
