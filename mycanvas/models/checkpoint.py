"""Load a checkpoint of transformers onto a device, and prepare pictures for it; shared by encoders and detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mycanvas.errors import InputError, MissingExtra, ModelError
from mycanvas.models import pick_device, pick_dtype
from mycanvas.models.loading import LOCAL, check_weights, quiet_transformers

if TYPE_CHECKING:
    import torch

VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")
"""Files of which a tokenizer needs one."""

Picture = Image.Image | NDArray[np.uint8]
"""A PIL image, or uint8 [H, W, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A model in memory, with the processors of its inputs."""

    model: Any
    image_processor: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype

    def pixels(self, pictures: Sequence[Picture]) -> Any:
        """The model's inputs for some pictures, on its device."""
        # The format is given, not guessed: a crop three pixels high could pass for one with its channels first.
        inputs = self.image_processor(
            images=[as_rgb(picture) for picture in pictures], input_data_format="channels_last", return_tensors="pt"
        )
        return inputs.to(self.device, self.dtype)


def model_type(folder: Path) -> str:
    """The architecture of a checkpoint, by its name in transformers: "clip", "owlvit".

    Raises:
        MissingExtra: torch or transformers is not installed.
        ModelError: the folder has no checkpoint of transformers.
    """
    with _loading(folder):
        from transformers import AutoConfig

        return str(AutoConfig.from_pretrained(folder, **LOCAL).model_type)


def load_checkpoint(
    folder: Path,
    loader: Literal["AutoModel", "AutoModelForZeroShotObjectDetection"],
    *,
    device: str,
    dtype: str,
    text: bool = True,
) -> Checkpoint:
    """Load a checkpoint with the named class of transformers, and its tokenizer if `text` is true.

    Raises:
        MissingExtra: torch or transformers is not installed.
        ModelError: the checkpoint cannot be loaded.
        ConfigError: the device is not available.
    """
    with _loading(folder):
        import transformers

        place = pick_device(device)
        precision = pick_dtype(dtype, place)
        model, loaded = getattr(transformers, loader).from_pretrained(
            folder, dtype=precision, use_safetensors=True, output_loading_info=True, **LOCAL
        )
        check_weights(str(folder), loaded["missing_keys"])
        if text and not any(file for pattern in VOCABULARIES for file in folder.glob(pattern)):
            raise ValueError(f"it lacks its tokenizer's {', '.join(VOCABULARIES)}")  # else an empty one is created
        return Checkpoint(
            model=model.to(place).eval(),
            image_processor=transformers.AutoImageProcessor.from_pretrained(folder, **LOCAL),
            tokenizer=transformers.AutoTokenizer.from_pretrained(folder, **LOCAL) if text else None,
            device=place,
            dtype=precision,
        )


@contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Turn errors of transformers into ours, and silence its warnings."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
        from safetensors import SafetensorError
    except ImportError as missing:
        raise MissingExtra(missing.name or "transformers", extra="models") from missing

    try:
        with quiet_transformers():
            yield
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded: {error}") from error


def as_rgb(picture: Picture) -> NDArray[np.uint8]:
    """Convert a picture to uint8 [H, W, 3].

    Raises:
        InputError: the array has another shape or type.
    """
    pixels = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(f"a picture is uint8 [height, width, 3], got {pixels.dtype} {list(pixels.shape)}")
    return pixels
