"""Text-to-image pipelines: which are accepted, their pictures, and adapters of several trainers on top of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from mycanvas.errors import ConfigError, InputError, ModelError
from mycanvas.models.adapters import EMBEDDINGS, WEIGHTS, find_adapters
from mycanvas.models.text_to_image import (
    Sampling,
    TextToImage,
    load_text_to_image,
    pipeline_class,
    sampling_of,
    tokenizers_of,
)
from mycanvas.models.trainable import load_model
from tests.mycanvas.models.lora_files import RANK, embedding_file, lora_file

TinyModel = Callable[[str], Path]
PROMPTS, SEEDS = ["a photo of a dog", "a mug in the garden", "a cat"], [5, 6, 7]


def loaded(folder: Path, loras: Sequence[str] = (), embeddings: Sequence[Path] = ()) -> TextToImage:
    sampling = Sampling(steps=2, resolution=32)
    return load_text_to_image(folder, find_adapters(loras, embeddings), sampling, device="cpu")


def picture(folder: Path, *loras: str, prompt: str = "a photo of a dog") -> NDArray[np.int64]:
    return loaded(folder, loras).generate([prompt], [0]).astype(np.int64)


@pytest.mark.parametrize("name", ["sd15_images", "sdxl_images"])
def test_pictures_depend_on_their_own_prompt_and_seed_only(tiny_model: TinyModel, name: str) -> None:
    model = loaded(tiny_model(name))
    together = model.generate(PROMPTS, SEEDS).astype(int)
    alone = np.concatenate([model.generate([prompt], [seed]) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)])

    assert together.shape == (3, 32, 32, 3)
    assert abs(together - alone).max() <= 1
    assert abs(together[0] - model.generate(PROMPTS[:1], [8])).max() > 1
    assert abs(together[0] - model.generate(PROMPTS[1:2], SEEDS[:1])).max() > 1


def test_pipelines_of_transformers_generate_batches_too(tiny_model: TinyModel) -> None:
    model = loaded(tiny_model("z_image"))
    together = model.generate(PROMPTS, SEEDS).astype(int)

    assert together.shape == (3, 32, 32, 3)
    assert abs(together[2] - model.generate(PROMPTS[2:], SEEDS[2:])[0]).max() <= 1


def test_sampling_has_the_defaults_of_the_class(tiny_model: TinyModel) -> None:
    sd15, z_image = tiny_model("sd15_images"), tiny_model("z_image")

    assert sampling_of(sd15, Sampling()) == {
        "pipeline": "StableDiffusionPipeline",
        "steps": 50,
        "guidance": 7.5,
        "resolution": None,
    }
    given = Sampling(steps=4, guidance=0.0, resolution=64)
    assert sampling_of(z_image, given) == {
        "pipeline": "ZImagePipeline",
        "steps": 4,
        "guidance": 0.0,
        "resolution": 64,
    }


def test_tokenizers_are_those_of_checkpoints_that_clip_alone_reads(tiny_model: TinyModel) -> None:
    assert [len(tokenizers_of(tiny_model(name))) for name in ("sd15_images", "sdxl_images", "z_image")] == [1, 2, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sd15", "is a StableDiffusionInpaintPipeline; expected a pipeline that makes pictures from text alone"),
        ("refiner", "is a StableDiffusionXLImg2ImgPipeline; expected a pipeline that makes pictures from text"),
        ("clip", "is not a pipeline of diffusers: it has no readable model_index.json"),
    ],
)
def test_other_kinds_of_checkpoints_are_refused(tiny_model: TinyModel, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loaded(tiny_model(name))


@pytest.mark.filterwarnings(
    "ignore:The configuration file of this scheduler:FutureWarning"
)  # the tiny checkpoint's scheduler
def test_renamed_checkpoints_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd15"), tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())

    def rename(name: str) -> None:
        (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": name}))

    rename("StableDiffusionPipeline")
    with pytest.raises(ModelError, match="reads 9 channels, as weights for inpainting do; expected 4"):
        loaded(folder)
    with pytest.raises(ModelError, match="reads 9 channels, as weights for inpainting do; expected 4"):
        load_model(folder, "renamed")
    rename("NoSuchPipeline")
    with pytest.raises(ModelError, match=r"is a NoSuchPipeline, which diffusers .* does not have; upgrade it"):
        pipeline_class(folder)


def test_size_that_the_pipeline_rejects_and_offload_to_the_cpu_are_errors(tiny_model: TinyModel) -> None:
    folder = tiny_model("sd15_images")
    odd = load_text_to_image(folder, find_adapters([], []), Sampling(steps=1, resolution=33), device="cpu")

    with pytest.raises(ModelError, match=r"cannot generate these pictures: .*divisible by 8"):
        odd.generate(["a dog"], [0])
    with pytest.raises(ConfigError, match="the device is cpu here; omit it"):
        load_text_to_image(folder, find_adapters([], []), Sampling(), device="cpu", offload=True)


def test_full_main_memory_is_reported_as_a_gpu_s_is() -> None:
    class Full:
        def __call__(self, prompt: list[str]) -> None:
            raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory for {prompt}")

    with pytest.raises(torch.OutOfMemoryError, match="DefaultCPUAllocator"):
        TextToImage(Full(), Sampling()).generate(["a dog"], [0])


def test_values_that_are_not_finite_are_an_error() -> None:
    class Overflowing:
        images = np.full((1, 8, 8, 3), np.nan, np.float32)

        def __call__(self, prompt: list[str]) -> Overflowing:  # noqa: ARG002
            return self

    with pytest.raises(ModelError, match="not finite; use --dtype bfloat16 or float32"):
        TextToImage(Overflowing(), Sampling()).generate(["a dog"], [0])


@pytest.mark.parametrize("name", ["sd15_images", "sdxl_images"])
def test_lora_changes_the_picture_by_its_weight(tiny_model: TinyModel, tmp_path: Path, name: str) -> None:
    folder = tiny_model(name)
    file = lora_file(tmp_path / "a.safetensors", folder)
    plain = picture(folder)

    changed = picture(folder, f"{file}:0.8")
    assert abs(changed - plain).max() > 1
    assert abs(picture(folder, f"{file}:0") - plain).max() <= 1
    assert abs(picture(folder, f"{file}:0.5", f"{file}:0.3") - changed).max() <= 1


def test_loras_of_other_trainers_act_as_those_of_diffusers(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("sd15_images")
    ours = lora_file(tmp_path / "a.safetensors", folder)
    kohya = lora_file(tmp_path / "b.safetensors", folder, form="kohya")

    assert abs(picture(folder, str(ours)) - picture(folder, str(kohya))).max() <= 1


def test_lora_of_a_transformer_in_another_trainer_s_names_is_found(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("z_image")
    file = lora_file(tmp_path / "a.safetensors", folder, "attention.to_q", form="ai-toolkit")

    assert loaded(folder, [str(file)]).pipeline.get_list_adapters() == {"transformer": ["lora_0"]}


def test_alpha_in_a_file_counts(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("sd15_images")
    plain = lora_file(tmp_path / "a.safetensors", folder)
    half = picture(folder, f"{plain}:0.5")

    for form in ("diffusers", "bare"):
        file = lora_file(tmp_path / f"{form}.safetensors", folder, form=form, alpha=RANK / 2)
        assert abs(picture(folder, str(file)) - half).max() <= 1
        assert abs(picture(folder, str(file)) - picture(folder, str(plain))).max() > 1


def test_lora_that_the_denoiser_saved_itself_is_read(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("sdxl_images")
    given = loaded(folder, [str(lora_file(tmp_path / "a.safetensors", folder, alpha=RANK / 2))])
    given.pipeline.unet.save_lora_adapter(tmp_path, adapter_name="lora_0", weight_name="b.safetensors")

    assert abs(picture(folder, str(tmp_path / "b.safetensors")) - given.generate(PROMPTS[:1], [0])).max() <= 1


def test_lora_of_another_model_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    sd15, sdxl = tiny_model("sd15_images"), tiny_model("sdxl_images")
    foreign = lora_file(tmp_path / "sdxl.safetensors", sdxl)
    own = load_file(lora_file(tmp_path / "own.safetensors", sd15))
    key = min(own)
    more = {key.replace("down_blocks.0", "down_blocks.7"): own[key]} | own
    save_file({name: value.clone() for name, value in more.items()}, tmp_path / "more.safetensors")
    layers = len(own) // 2

    with pytest.raises(ModelError, match=r"sdxl.safetensors does not fit .* for another model \(size mismatch for"):
        loaded(sd15, [str(foreign)])
    with pytest.raises(ModelError, match=f"{layers} of its {layers + 1} layers were found"):
        loaded(sd15, [str(tmp_path / "more.safetensors")])


def test_files_that_are_no_lora_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"")
    (tmp_path / "b.safetensors").write_bytes(b"not a header")
    embedding_file(tmp_path / "c.safetensors", {"<dog6>": 4})
    wrong = [
        ("a.pt", "is not a .safetensors file, and pickled weights are never loaded"),
        ("b.safetensors", "is damaged, or no .safetensors file"),
        ("c.safetensors:0.5", "has no LoRA weights"),
        ("d.safetensors", "d.safetensors does not exist$"),
        ("c.safetensors:nan", "the weight of a LoRA must be finite"),
        (".", f"{WEIGHTS} does not exist; if .* is of a training that was interrupted, run its command again"),
    ]

    for name, message in wrong:
        with pytest.raises(InputError, match=message):
            find_adapters([str(tmp_path / name) if name != "." else str(tmp_path)], [])


def test_trained_folder_has_weights_and_embeddings(tiny_model: TinyModel, tmp_path: Path) -> None:
    lora_file(tmp_path / WEIGHTS, tiny_model("sd15_images"))
    embedding_file(tmp_path / EMBEDDINGS / "<dog6>.safetensors", {"<dog6>": 32})

    found = find_adapters([f"{tmp_path}:0.7"], [tmp_path / EMBEDDINGS])

    assert [(lora.path, lora.weight) for lora in found.loras] == [(tmp_path / WEIGHTS, 0.7)]
    assert found.tokens == ("<dog6>",)
    assert len(found.embeddings) == 1


def test_new_tokens_are_read_by_every_text_encoder(tiny_model: TinyModel, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    embedding_file(ours / "<dog6>.clip_l.safetensors", {"<dog6>": 32})
    embedding_file(ours / "<dog6>.clip_g.safetensors", {"<dog6>": 48})
    other = embedding_file(tmp_path / "<dog6>.safetensors", {"clip_l": 32, "clip_g": 48})

    for place in (ours, other):
        pipeline = loaded(tiny_model("sdxl_images"), embeddings=[place]).pipeline
        for tokenizer in (pipeline.tokenizer, pipeline.tokenizer_2):
            assert tokenizer.tokenize("a <dog6> dog") == ["a</w>", "<dog6>", "dog</w>"]


@pytest.mark.parametrize("key", ["emb_params", "<dog6>"])
def test_all_vectors_of_a_token_are_read(tiny_model: TinyModel, tmp_path: Path, key: str) -> None:
    folder, vectors = tiny_model("sd15_images"), torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    save_file({key: vectors}, tmp_path / "<dog6>.safetensors")
    for index, vector in enumerate(vectors):
        save_file({f"<one{index}>": vector.clone()}, tmp_path / f"<one{index}>.safetensors")

    several = loaded(folder, embeddings=[tmp_path / "<dog6>.safetensors"])
    each = loaded(folder, embeddings=[tmp_path / f"<one{index}>.safetensors" for index in range(3)])

    one = several.generate(["a <dog6> dog in a garden"], [0]).astype(int)
    assert abs(one - each.generate(["a <one0> <one1> <one2> dog in a garden"], [0])).max() <= 1
    assert abs(one - each.generate(["a <one0> dog in a garden"], [0])).max() > 1
    adapters = find_adapters([], [tmp_path / "<dog6>.safetensors"])
    assert adapters.expanded("a <dog6> dog") == "a <dog6> <dog6>_1 <dog6>_2 dog"
    assert adapters.tokens == ("<dog6>", "<dog6>_1", "<dog6>_2")


def test_text_after_a_new_token_reaches_the_pooled_embedding(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = embedding_file(tmp_path / "<dog6>.safetensors", {"clip_l": 32, "clip_g": 48})
    pipeline = loaded(tiny_model("sdxl_images"), embeddings=[file]).pipeline

    with torch.inference_mode():
        dog, cat = (pipeline.encode_prompt(f"a <dog6> {noun}")[2] for noun in ("dog", "cat"))
    assert not torch.allclose(dog, cat)


def test_embeddings_that_do_not_fit_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    sd15, sdxl = tiny_model("sd15_images"), tiny_model("sdxl_images")
    small = embedding_file(tmp_path / "<dog6>.safetensors", {"<dog6>": 32})
    large = embedding_file(tmp_path / "<cat2>.safetensors", {"<cat2>": 768})
    used = embedding_file(tmp_path / "used.safetensors", {"dog</w>": 32})
    many = embedding_file(tmp_path / "many.safetensors", {"<a>": 32, "<b>": 32})
    save_file({"<dog6>": torch.zeros(2, 3, 32)}, tmp_path / "rows.safetensors")
    (tmp_path / "none").mkdir()
    wrong: list[tuple[Path, Path, str]] = [
        (sd15, large, "was trained for another model: its vectors have 768 numbers; expected 32"),
        (sdxl, small, "<dog6> has no embedding for this model's text_encoder_2; expected one file for each"),
        (sd15, used, "already in tokenizer vocabulary"),
        (tiny_model("z_image"), small, "a ZImagePipeline has no new tokens; omit --embeddings"),
        (sd15, many, "has 2 tensors; expected the vectors of one token"),
        (sd15, tmp_path / "rows.safetensors", r"has a tensor of shape \[2, 3, 32\]; expected vectors"),
        (sd15, tmp_path / "none", "has no .safetensors files; expected one for each new token"),
    ]

    for model, place, message in wrong:
        with pytest.raises((InputError, ModelError), match=message):
            loaded(model, embeddings=[place])
