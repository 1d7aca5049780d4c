"""Folders of concepts for tests, and lists of them as Custom Diffusion has them."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from builder.records import Concept
from builder.sources.concepts import FoundConcepts


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (70, 70), (shade, 90, 90)).save(path)
    return path


def described(folder: Path, text: str) -> Path:
    (folder / "concepts.toml").write_text(text)
    return folder


def only(found: FoundConcepts) -> Concept:
    (concept,) = found.concepts
    return concept


def listing(folder: Path, *entries: object) -> Path:
    path = folder / "concepts_list.json"
    path.write_text(json.dumps(entries))
    return path


def entry(directory: str, instance: str = "", class_prompt: str = "") -> dict[str, str]:
    return {
        "instance_prompt": instance,
        "class_prompt": class_prompt,
        "instance_data_dir": directory,
        "class_data_dir": "./real_reg/samples",
    }
