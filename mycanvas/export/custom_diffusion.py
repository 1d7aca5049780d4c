"""Custom Diffusion: `concepts_list.json` of the source photos, and a list for each composition with its scenes too.

concepts_list.json            an entry for every concept: its source photos
compositions/cat2+dog6.json   an entry for each concept of the composition, and one for each of its scenes
concepts/cat2/00.jpg
scenes/<id>/<id>.jpg          one folder a scene, because an entry has one prompt for a whole folder
class_images/cat/             not written: trainers with prior preservation put their generated images there

Names of files that would be long or unsafe are shortened, with a digest. A photo that came as a cut-out is a PNG with
alpha.
Paths in the lists are relative to the exported folder: run the trainer in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mycanvas.dataset import Concept, Scene, concepts_of, file_name
from mycanvas.export.photo_files import PhotoNames, photo_content
from mycanvas.export.source import Source


def write_custom_diffusion(source: Source, output: Path) -> None:
    """Write photos, scenes and lists.

    Raises:
        InputError: a scene shows a concept without source photos, or a photo cannot be read.
    """
    names = PhotoNames()
    for photo in source.photos():
        content, kind = photo_content(photo, source.dataset.place)
        folder = output / "concepts" / file_name(photo.concept)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / names.name(photo, kind)).write_bytes(content)
    _write_list(output / "concepts_list.json", map(_concept_entry, source.concepts), end="\n]\n")
    (output / "compositions").mkdir(exist_ok=True)
    written: Counter[str] = Counter()
    for split in source.counts:
        for scene in source.scenes(split):
            folder = output / "scenes" / scene.id
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{scene.id}.jpg").write_bytes(scene.image)
            path = _path_of(scene.composition, output)
            if scene.composition not in written:
                _write_list(path, map(_concept_entry, _concepts_of(scene, source)), end="")
            with path.open("a", encoding="utf-8") as file:
                file.write(",\n" + _scene_entry(scene, written[scene.composition]))
            written[scene.composition] += 1
    for composition in written:
        with _path_of(composition, output).open("a", encoding="utf-8") as file:
            file.write("\n]\n")


def _path_of(composition: str, output: Path) -> Path:
    return output / "compositions" / f"{file_name(composition)}.json"


def _write_list(path: Path, entries: Iterable[str], *, end: str) -> None:
    path.write_text("[\n" + ",\n".join(entries) + end, encoding="utf-8")


def _concepts_of(scene: Scene, source: Source) -> list[Concept]:
    by_token = {concept.token: concept for concept in source.concepts}
    return sorted(concepts_of(scene, by_token, source.dataset.place), key=lambda concept: concept.name)


def _concept_entry(concept: Concept) -> str:
    prompt = f"photo of a {concept.token} {concept.class_name}"
    return _entry(prompt, f"concepts/{file_name(concept.name)}", concept.class_name)


def _scene_entry(scene: Scene, number: int) -> str:
    """The entry of a composition's scene by its number. Its classes take turns, so that each class keeps its prior."""
    return _entry(scene.prompt, f"scenes/{scene.id}", scene.class_names[number % len(scene.class_names)])


def _entry(prompt: str, folder: str, class_name: str) -> str:
    """An entry as train_custom_diffusion.py of diffusers and the official code read it."""
    return json.dumps(
        {
            "instance_prompt": prompt,
            "class_prompt": class_name,
            "instance_data_dir": folder,
            # The trainer creates this folder: no class name of an untrusted dataset may lead out of the export.
            "class_data_dir": "class_images/" + file_name(re.sub(r"[^\w -]", "-", class_name)),
        }
    )
