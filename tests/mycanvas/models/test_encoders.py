"""Encoders on tiny checkpoints, against the models' own forward pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from mycanvas.errors import ConfigError
from mycanvas.models.encoders import load_encoder

Model = Callable[[str], Path]
EVERY = ("clip", "siglip", "dinov2")
SIZES = ((80, 100), (100, 80), (64, 64), (3, 50), (1, 1))


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.mark.parametrize("name", EVERY)
def test_rows_are_float32_unit_vectors_in_order(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], name: str
) -> None:
    encoder = load_encoder(tiny_model(name), batch_size=2)
    rows = encoder.images(pictures)

    assert rows.shape == (len(pictures), 32)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert encoder.images([]).shape == (0, 32)


@pytest.mark.parametrize("name", EVERY)
def test_row_depends_on_its_own_picture_only(tiny_model: Model, pictures: list[NDArray[np.uint8]], name: str) -> None:
    encoder = load_encoder(tiny_model(name), batch_size=3)
    rows = encoder.images(pictures)

    assert np.allclose(rows, np.vstack([encoder.images([picture]) for picture in pictures]), atol=1e-6)
    assert np.allclose(rows, encoder.images(pictures[::-1])[::-1], atol=1e-6)
    assert np.allclose(rows, encoder.images([Image.fromarray(picture) for picture in pictures]), atol=1e-6)
    assert np.abs(rows[0] - rows[1]).max() > 0.01


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("clip", {"padding": True}),
        ("siglip", {"padding": "max_length", "max_length": 64, "return_attention_mask": False}),
    ],
)
def test_cosines_times_the_scale_equal_the_models_own_logits(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], name: str, how: dict[str, object]
) -> None:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder, texts = tiny_model(name), ["a photo of a dog", "teapot in the garden"]
    encoder, model = load_encoder(folder), AutoModel.from_pretrained(folder)
    look = AutoImageProcessor.from_pretrained(folder)
    pixels = look(images=pictures, input_data_format="channels_last", return_tensors="pt")  # one is 3 pixels high
    tokens = AutoTokenizer.from_pretrained(folder)(texts, return_tensors="pt", **how)
    with torch.inference_mode():
        logits = model(**pixels, **tokens).logits_per_image - getattr(model, "logit_bias", 0.0)

    assert encoder.logit_scale is not None
    ours = encoder.logit_scale * encoder.images(pictures) @ encoder.texts(texts).T
    assert np.allclose(ours, logits.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_long_texts_are_truncated_and_case_does_not_matter(tiny_model: Model, name: str) -> None:
    encoder = load_encoder(tiny_model(name), batch_size=2)
    rows = encoder.texts(["A Dog", "a dog", "dog " * 500, "dog " * 600, ""])

    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.allclose(rows[0], rows[1], atol=1e-6)
    assert np.allclose(rows[2], rows[3], atol=1e-6)
    assert np.allclose(rows[1], encoder.texts(["a dog"])[0], atol=1e-6)
    assert np.abs(rows[1] - rows[2]).max() > 0.01
    assert encoder.texts([]).shape == (0, 32)


def test_encoder_without_text_raises_an_error_for_texts(tiny_model: Model) -> None:
    encoder = load_encoder(tiny_model("dinov2"))

    assert encoder.logit_scale is None
    with pytest.raises(ConfigError, match="an encoder of type 'dinov2' has no text model; use CLIP"):
        encoder.texts(["a dog"])


def test_rows_are_float32_in_any_precision(tiny_model: Model, pictures: list[NDArray[np.uint8]]) -> None:
    whole, half = (load_encoder(tiny_model("clip"), dtype=dtype).images(pictures) for dtype in ("float32", "bfloat16"))

    assert half.dtype == np.float32
    assert np.allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)
    assert 0 < np.abs(whole - half).max() < 0.05


def test_embedding_of_a_picture_without_finite_features_is_nan(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    broken = shutil.copytree(tiny_model("clip"), tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["visual_projection.weight"][3] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    assert np.isnan(load_encoder(broken).images(pictures)).all()
