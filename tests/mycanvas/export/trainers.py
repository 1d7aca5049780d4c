"""Exports as trainers read them: which pictures, captions and masks each finds, and what it ignores.

Each reader follows the loader of its trainer, named in its docstring with the commit that was read. Loaders that were
run themselves, outside of the tests, are listed in docs/trainers.md.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A picture in an epoch. mask: the weights of its pixels in the loss, 0 to 1; None: all count alike."""

    path: Path
    caption: str
    mask: NDArray[np.float64] | None
    times: int
    kind: str = "train"


def kohya(out: Path) -> Iterator[Shown]:
    """DreamBoothDataset and ControlNetDataset of sd-scripts' library/train_util.py, 48d368f."""
    for dataset in tomllib.loads((out / "dataset.toml").read_text("utf-8"))["datasets"]:
        kind = "validation" if dataset.get("validation_split") else "train"
        masked = ["conditioning_data_dir" in subset for subset in dataset["subsets"]]
        assert all(masked) or not any(masked)  # otherwise no schema of the configuration fits
        for subset in dataset["subsets"]:
            images = _glob(out / subset["image_dir"])
            masks = _glob(out / subset["conditioning_data_dir"]) if masked[0] else []
            assert not masks or {path.stem for path in masks} == {path.stem for path in images}
            by_stem = {path.stem: path for path in masks}
            for path in images:
                lines = path.with_suffix(".txt").read_text("utf-8").splitlines()
                assert lines, "the caption file is empty"
                mask = _grey(by_stem[path.stem]) if masks else None
                if mask is not None:
                    assert mask.shape == _shape(path)
                yield Shown(path=path, caption=lines[0].strip(), mask=mask, times=subset["num_repeats"], kind=kind)


def ai_toolkit(out: Path) -> Iterator[Shown]:
    """AiToolkitDataset and MaskFileItemDTOMixin of ai-toolkit's toolkit, 27a03a9."""
    (process,) = json.loads((out / "config.json").read_text("utf-8"))["config"]["process"]
    for dataset in process["datasets"]:
        assert not dataset["random_crop"]
        least = dataset.get("mask_min_value", 0.0)
        for path in _walk(out / dataset["folder_path"]):
            caption = path.with_suffix("." + dataset["caption_ext"])
            mask = None
            if "mask_path" in dataset:
                beside = [out / dataset["mask_path"] / f"{path.stem}{suffix}" for suffix in PICTURES]
                mask = _grey(next(file for file in beside if file.is_file())) * (1 - least) + least
                assert mask.mean() > 0, "the loss is divided by 0"
            yield Shown(
                path=path,
                caption=caption.read_text("utf-8") if caption.is_file() else "",
                mask=mask,
                times=dataset.get("num_repeats", 1),
                kind="class" if dataset.get("is_reg") else "train",
            )


def onetrainer(out: Path) -> Iterator[Shown]:
    """DataLoaderText2ImageMixin of OneTrainer, 23df383: the first line of a caption stands for all of its prompts."""
    config = json.loads((out / "config.json").read_text("utf-8"))
    kinds = {"STANDARD": "train", "VALIDATION": "validation", "PRIOR_PREDICTION": "class"}
    for concept in json.loads((out / config["concept_file_name"]).read_text("utf-8")):
        assert not concept["image"]["enable_crop_jitter"]
        assert concept["type"] != "VALIDATION" or config["validation"]
        for path in _glob(out / concept["path"]):
            if path.stem.endswith(("-masklabel", "-condlabel")):
                continue
            prompts = path.with_suffix(".txt").read_text("utf-8").splitlines()
            assert len(prompts) == 1
            file = path.with_name(f"{path.stem}-masklabel.png")
            mask = _grey(file) if config["masked_training"] and file.is_file() else None
            times = round(concept["balancing"])
            yield Shown(path=path, caption=prompts[0], mask=mask, times=times, kind=kinds[concept["type"]])


def simpletuner(out: Path) -> Iterator[Shown]:
    """MultiAspectSampler.get_conditioning_sample and the textfile captions of SimpleTuner, bc8e6ab."""
    backends = {each["id"]: each for each in json.loads((out / "multidatabackend.json").read_text("utf-8"))}
    assert any(each["dataset_type"] == "text_embeds" and each["default"] for each in backends.values())
    for backend in backends.values():
        if backend["dataset_type"] not in {"image", "eval"}:
            continue
        assert not backend["crop"]
        folder = out / backend["instance_data_dir"]
        for path in _walk(folder):
            captions = path.with_suffix(".txt").read_text("utf-8").splitlines()
            assert len(captions) == 1
            mask = None
            for name in backend.get("conditioning_data", []):
                assert backends[name]["conditioning_type"] == "mask"
                same = out / backends[name]["instance_data_dir"] / path.relative_to(folder)  # the suffix too
                mask = _grey(same)
            kind = "train" if backend["dataset_type"] == "image" else "validation"
            yield Shown(path=path, caption=captions[0], mask=mask, times=backend.get("repeats", 0) + 1, kind=kind)


def musubi(out: Path) -> Iterator[Shown]:
    """ImageDirectoryDatasource of musubi-tuner, 30c658c: pictures without a caption vanish; no masks."""
    config = tomllib.loads((out / "dataset.toml").read_text("utf-8"))
    caches = [dataset["cache_directory"] for dataset in config["datasets"]]
    assert len(set(caches)) == len(caches)
    for dataset in config["datasets"]:
        for path in _glob(out / dataset["image_directory"]):
            caption = path.with_suffix(config["general"]["caption_extension"])
            if caption.is_file():
                text = caption.read_text("utf-8").strip()
                yield Shown(path=path, caption=text, mask=None, times=dataset["num_repeats"])


def diffsynth(out: Path) -> Iterator[Shown]:
    """UnifiedDataset of DiffSynth-Studio, fed7b18: rows of metadata.jsonl; no masks."""
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text("ascii").splitlines()]
    for path in dict.fromkeys(row["image"] for row in rows):
        same = [row for row in rows if row["image"] == path]
        yield Shown(path=out / path, caption=same[0]["prompt"], mask=None, times=len(same))


TRAINERS: Mapping[str, Callable[[Path], Iterator[Shown]]] = {
    "ai-toolkit": ai_toolkit,
    "diffsynth": diffsynth,
    "kohya": kohya,
    "musubi": musubi,
    "onetrainer": onetrainer,
    "simpletuner": simpletuner,
}
MASKED = ("ai-toolkit", "kohya", "onetrainer", "simpletuner")


def samples_of(name: str, out: Path) -> list[str]:
    """The prompts of the sample pictures that a trainer draws."""

    def read(file: str) -> Any:
        return json.loads((out / file).read_text("ascii"))

    match name:
        case "kohya" | "musubi":
            return [sample["prompt"] for sample in read("sample_prompts.json")]
        case "ai-toolkit":
            return list(read("config.json")["config"]["process"][0]["sample"]["prompts"])
        case "onetrainer":
            return [sample["prompt"] for sample in read("samples.json")]
        case "simpletuner":
            return list(read("user_prompt_library.json").values())
        case _:
            return []


def _glob(folder: Path) -> list[Path]:
    """The pictures of a folder, not of the folders in it."""
    return sorted(path for path in folder.iterdir() if path.suffix in PICTURES)


def _walk(folder: Path) -> list[Path]:
    """The pictures of a folder and of all folders in it."""
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.suffix in PICTURES)


def _grey(path: Path) -> NDArray[np.float64]:
    with Image.open(path) as image:
        assert image.format == {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[path.suffix]
        return np.asarray(image.convert("L")) / 255


def _shape(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.height, image.width
