"""The paper's protocol: prompts with backgrounds that training has not seen, and a manifest of what was made of them.

Both are JSON Lines with the keys of KEYS, so that the prompts are the manifest of the pictures once these are made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mycanvas.english import listed, with_article
from mycanvas.errors import InputError
from mycanvas.metrics.scenes import Concept, Dataset, Scene, concepts_of

MANIFEST = "images.jsonl"
KEYS = ("file", "composition", "prompt", "background")
"""file: relative to the manifest's folder. composition: "cat2+dog6". background: may be left out."""

PER_COMPOSITION = 6
"""41 compositions with 6 prompts each are the paper's 246 pictures (section 4.1)."""
MAX_BYTES = 256 * 2**20
"""Of one picture."""
UNWRITABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What JSON can say, and no file or terminal should be given: commands to a terminal, and halves of characters."""

BACKGROUNDS = (
    *("on a surfboard in the sea", "in front of the Eiffel Tower", "in a library", "on a train", "in a flower shop"),
    *("on a frozen lake", "under a waterfall", "in a spaceship", "on a rooftop at night", "in a bamboo forest"),
    *("in a museum hall", "on a football pitch", "in a swimming pool", "at a night market", "on a mountain top"),
    *("in a greenhouse", "on a theatre stage", "in a canoe on a river", "beside a campfire", "in a laundry room"),
)
"""What none of this package's own scenes are called; those that a dataset's scenes are called are left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What to make a picture from, and under which name it is then looked for."""

    file: str
    composition: str
    prompt: str
    background: str | None = None


def unseen_prompts(dataset: Dataset, count: int = PER_COMPOSITION) -> tuple[Prompt, ...]:
    """`count` prompts for each composition of a dataset, with backgrounds that none of its scenes has.

    Compositions take turns with the backgrounds, so that all are used; the same dataset gives the same prompts.

    Raises:
        InputError: there are not so many unseen backgrounds.
    """
    seen = {scene.background for scene in dataset.scenes}
    unseen = [background for background in BACKGROUNDS if background not in seen]
    if not 1 <= count <= len(unseen):
        raise InputError(f"{count} prompts a composition were asked for; there are 1 to {len(unseen)} to choose from")
    prompts = []
    for number, concepts in enumerate(dataset.compositions):
        name = "+".join(concept.name for concept in concepts)
        for index in range(count):
            background = unseen[(number * count + index) % len(unseen)]
            prompts.append(
                Prompt(
                    file=f"{number:03d}-{index}.png",
                    composition=name,
                    prompt=f"{listed([_with_token(concept) for concept in concepts])} {background}",
                    background=background,
                )
            )
    return tuple(prompts)


def as_lines(prompts: Sequence[Prompt]) -> str:
    """JSON Lines of prompts."""
    rows = ({key: getattr(prompt, key) for key in KEYS} for prompt in prompts)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts, or the manifest, in a JSON Lines file.

    Raises:
        InputError: it cannot be read, holds nothing, or a line is wrong; the message has the line's number.
    """
    return tuple(prompt for _, prompt in _entries(path))


def read_generated(folder: Path, concepts: Mapping[str, Concept]) -> tuple[Scene, ...]:
    """The pictures that a folder's manifest lists; each is opened only when it is scored.

    Raises:
        InputError: the folder has no manifest, a line is wrong, or a file is missing or lies outside of the folder.
    """
    manifest = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected one with generated pictures and {MANIFEST}")
    if not manifest.is_file():
        expected = f"a line for each picture: {', '.join(KEYS[:3])}"
        raise InputError(f"{folder} has no {MANIFEST} ({expected}), nor the data/ of a built dataset")
    scenes = []
    files: dict[Path, str] = {}
    for place, prompt in _entries(manifest):
        try:
            path = _inside(folder, prompt.file)
            meant = concepts_of(prompt.composition, concepts)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
        if files.setdefault(path, prompt.file) != prompt.file:
            raise InputError(f"{place}: {prompt.file} is the same file as {files[path]}; each picture is counted once")
        scenes.append(
            Scene(
                id=prompt.file,
                concepts=meant,
                prompt=prompt.prompt,
                background=prompt.background,
                read=partial(_read, path),
            )
        )
    return tuple(scenes)


def follow(prompts: Sequence[Prompt], scenes: Sequence[Scene], name: str) -> tuple[Scene, ...]:
    """Pictures with the backgrounds of the prompts that they were made from.

    Args:
        prompts: of the protocol.
        scenes: what was made of them.
        name: whose pictures they are, for messages.

    Raises:
        InputError: a prompt has no picture, or a picture no prompt.
    """

    def key(composition: str, prompt: str) -> tuple[str, str]:
        return "+".join(sorted(composition.split("+"))), prompt

    asked = {key(prompt.composition, prompt.prompt): prompt for prompt in prompts}
    made = {key(scene.composition, scene.prompt) for scene in scenes}
    missing = [prompt for each, prompt in asked.items() if each not in made]
    if missing:
        first = f"{missing[0].composition}: {missing[0].prompt!r}"
        raise InputError(f"{name}: {len(missing)} of {len(asked)} prompts have no picture; the first is {first}")
    foreign = next((scene for scene in scenes if key(scene.composition, scene.prompt) not in asked), None)
    if foreign:
        raise InputError(f"{name}: {foreign.id} was made from a prompt that is not among those given")
    return tuple(
        replace(scene, background=scene.background or asked[key(scene.composition, scene.prompt)].background)
        for scene in scenes
    )


def without_tokens(scene: Scene) -> str:
    """A scene's prompt as an encoder can read it: "a <cat2> cat" -> "a cat"."""
    text = scene.prompt
    for concept in scene.concepts:
        text = text.replace(concept.token, " ")
    return re.sub(r"\s+", " ", text).strip()


def _entries(path: Path) -> Iterator[tuple[str, Prompt]]:
    """Each line's place and content.

    Raises:
        InputError: a line is wrong, names a file again, or there is none.
    """
    files: set[str] = set()
    for place, line in _lines(path):
        prompt = _prompt(place, line)
        if prompt.file in files:
            raise InputError(f"{place}: {prompt.file} stands there twice; each picture is counted once")
        files.add(prompt.file)
        yield place, prompt
    if not files:
        raise InputError(f"{path} holds no line; expected one JSON object with {', '.join(KEYS[:3])} for each picture")


def _lines(path: Path) -> Iterator[tuple[str, object]]:
    """Each line's place and value, but empty ones."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{path}, line {number}"
        if line.strip():
            try:
                yield place, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{place}: not JSON ({error})") from error


def _prompt(place: str, line: object) -> Prompt:
    if not isinstance(line, dict):
        raise InputError(f"{place}: expected a JSON object, got {type(line).__name__}")
    values = {}
    for key in KEYS:
        value = line.get(key)
        if value is None and key == "background":
            continue
        if not isinstance(value, str) or not value.strip():
            given = "it is missing" if key not in line else f"got {value!r}"
            raise InputError(f"{place}: {key} must be text, {given}; expected {', '.join(KEYS[:3])}")
        if UNWRITABLE.search(value):
            raise InputError(f"{place}: {key} has what cannot be written to a file in it, got {value!a}")
        values[key] = value.strip()
    return Prompt(**values)


def _inside(folder: Path, file: str) -> Path:
    """The file's true place, which must be in the folder."""
    try:
        path = (folder / file).resolve()
        there = path.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long; links that lead to themselves
        raise InputError(f"{file} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"{file} lies outside of the manifest's folder; move it there, and name it relative to it")
    if not there:
        raise InputError(f"there is no file {file}")
    return path


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.stat().st_size / 2**20:.0f} MiB; expected at most {MAX_BYTES // 2**20}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror}") from error


def _with_token(concept: Concept) -> str:
    """A concept as prompts name it: "an <owl> owl", "a pair of <g> glasses"."""
    noun = concept.class_name
    return f"{with_article(noun).removesuffix(noun)}{concept.token} {noun}"
