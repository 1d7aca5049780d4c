"""Custom Diffusion: `concepts_list.json` of the source photos, and for each composition a list with its scenes too.

concepts_list.json            every concept by its source photos
compositions/cat2+dog6.json   the concepts of a composition by their photos, and each of its scenes by its own prompt
concepts/cat2/00.jpg
scenes/<id>/<id>.jpg          a folder for each, as these lists have a prompt for a folder
class_images/cat/             not written: where trainers with prior preservation put what they generate

Paths in the lists are relative to the folder that is written: run the trainer in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mycanvas.errors import InputError
from mycanvas.export.source import Concept, Scene, Source, check_name


def write_custom_diffusion(source: Source, output: Path) -> None:
    """Write photos, scenes and lists.

    Raises:
        InputError: a scene shows what has no source photos, or has a composition that cannot name a file.
    """
    for photo in source.photos():
        folder = output / "concepts" / photo.concept
        folder.mkdir(parents=True, exist_ok=True)
        (folder / photo.name).write_bytes(photo.image)
    _write_list(output / "concepts_list.json", map(_concept_entry, source.concepts), end="\n]\n")
    (output / "compositions").mkdir(exist_ok=True)
    written: Counter[str] = Counter()
    for split in source.counts:
        for scene in source.scenes(split):
            folder = output / "scenes" / scene.id
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{scene.id}.jpg").write_bytes(scene.image)
            path = _path_of(scene.composition, source, output)
            if scene.composition not in written:
                _write_list(path, map(_concept_entry, _concepts_of(scene, source)), end="")
            with path.open("a", encoding="utf-8") as file:
                file.write(",\n" + _scene_entry(scene, written[scene.composition]))
            written[scene.composition] += 1
    for composition in written:
        with _path_of(composition, source, output).open("a", encoding="utf-8") as file:
            file.write("\n]\n")


def _path_of(composition: str, source: Source, output: Path) -> Path:
    check_name(composition, source.folder)
    return output / "compositions" / f"{composition}.json"


def _write_list(path: Path, entries: Iterable[str], *, end: str) -> None:
    path.write_text("[\n" + ",\n".join(entries) + end, encoding="utf-8")


def _concepts_of(scene: Scene, source: Source) -> list[Concept]:
    by_token = {concept.token: concept for concept in source.concepts}
    if unknown := [token for token in scene.concept_tokens if token not in by_token]:
        raise InputError(f"scene {scene.id} of {source.folder} shows {unknown[0]}, which has no source photos")
    return sorted((by_token[token] for token in scene.concept_tokens), key=lambda concept: concept.name)


def _concept_entry(concept: Concept) -> str:
    prompt = f"photo of a {concept.token} {concept.class_name}"
    return _entry(prompt, f"concepts/{concept.name}", concept.class_name)


def _scene_entry(scene: Scene, number: int) -> str:
    """number: of the scene in its composition. The classes take turns, so that priors of all of them are kept."""
    return _entry(scene.prompt, f"scenes/{scene.id}", scene.class_names[number % len(scene.class_names)])


def _entry(prompt: str, folder: str, class_name: str) -> str:
    """One that train_custom_diffusion.py of diffusers, and the official code, read."""
    return json.dumps(
        {
            "instance_prompt": prompt,
            "class_prompt": class_name,
            "instance_data_dir": folder,
            # A trainer makes this folder: a class of somebody else's dataset must not lead out of the export.
            "class_data_dir": "class_images/" + re.sub(r"[^\w -]", "-", class_name),
        },
        ensure_ascii=False,
    )
