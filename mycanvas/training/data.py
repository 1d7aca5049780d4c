"""The pictures of a training with their prompts, and which of them each step draws: a function of seed and step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mycanvas import prompts
from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.dataset.composition import Composition
from mycanvas.dataset.pixels import Shown, draw_zoom, show_class_picture, show_collage, show_photo, show_scene
from mycanvas.errors import InputError
from mycanvas.training.settings import Settings

if TYPE_CHECKING:
    from mycanvas.models.trainable import StableDiffusion

VIEWS = 16
"""Sizes and places at which each source photo is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One picture to learn from. group: each of a source is drawn equally often. show: reads it, when first drawn."""

    group: str
    prompt: str
    show: Callable[[], Shown]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One picture of a step. time: in [0, 1), how far noise replaces it. seed: of the noise."""

    example: Example
    time: float
    seed: int


@dataclass(frozen=True, slots=True)
class Arm:
    """A composition to learn, at a resolution in pixels, by a model; and how it is put in words."""

    composition: Composition
    settings: Settings
    resolution: int
    model: StableDiffusion

    @property
    def concepts(self) -> list[prompts.Named]:
        """The concepts as prompts name them."""
        return [prompts.Named(token=each.token, class_name=each.class_name) for each in self.composition.concepts]

    @property
    def prompting(self) -> prompts.Prompting:
        """How prompts are written."""
        return prompts.PROMPTINGS[self.settings.prompting]

    @property
    def count(self) -> prompts.CountTokens:
        """Counts the tokens of a prompt, with the tokenizers as they are now."""
        return prompts.token_counter([self.model.text(part)[0] for part, _ in self.model.encoders])

    def words(self) -> dict[str, list[str]]:
        """The tokens of prompts, each with the words that its embedding begins as: all classes of a composition."""
        own = {each.token: [each.class_name] for each in self.concepts}
        tokens = prompts.tokens_of(self.composition.name, self.concepts, self.prompting)
        return {token: own.get(token, [each.class_name for each in self.concepts]) for token in tokens}

    def prompt(self, background: str, seed: int = 0) -> str:
        """A prompt for all concepts in front of a background; "": none."""
        options = (background, self.prompting, seed, self.count)
        return prompts.inference_prompt(self.composition.name, self.concepts, *options)


class TrainingData:
    """The examples of an arm.

    Raises:
        InputError: there are none, or a prompt is too long.
    """

    def __init__(self, arm: Arm, classes: Sequence[ClassPicture]) -> None:
        name, often = arm.settings.source, arm.settings.scenes_per_photo
        sources = [list(_photos(arm))] if name != "scenes" else []
        sources += [list((_collages if name == "collage" else _scenes)(arm))] * often if name != "photos" else []
        if not all(sources):
            raise InputError(f"{arm.composition.name} has no pictures for --source {name}; choose another source")
        self._sources, self._classes = list(map(_grouped, sources)), _grouped(_class_pictures(arm, classes))

    def draws(self, seed: int, step: int, count: int) -> list[Draw]:
        """The pictures of one step: `count`, and as many class pictures. Nothing else decides them."""
        rng = np.random.default_rng([seed, step])
        sources = [self._sources[index] for index in rng.integers(len(self._sources), size=count)]
        groups = [each[rng.integers(len(each))] for each in sources + [self._classes] * (count if self._classes else 0)]
        return [Draw(group[rng.integers(len(group))], rng.random(), int(rng.integers(2**63))) for group in groups]


def _photos(arm: Arm) -> Iterator[Example]:
    seed, outside = arm.settings.seed, arm.settings.background_weight
    for number, (concept, named) in enumerate(zip(arm.composition.concepts, arm.concepts, strict=True)):
        for index, photo in enumerate(concept.photos):
            rng = np.random.default_rng([seed, number, index])
            for zoom in (draw_zoom(rng) for _ in range(VIEWS)):
                prompt = prompts.photo_prompt(named, arm.prompting, seed, arm.count, zoom.words)
                yield Example(concept.name, prompt, partial(show_photo, photo, zoom, arm.resolution, outside))


def _scenes(arm: Arm) -> Iterator[Example]:
    for scene in arm.composition.scenes:
        show = partial(show_scene, scene, arm.resolution, arm.model.multiple, arm.settings.background_weight)
        yield Example("", prompts.scene_prompt(scene, arm.prompting, arm.settings.seed, arm.count), show)


def _collages(arm: Arm) -> Iterator[Example]:
    """A collage of the cut-outs of each scene."""
    ground = "on a white background" if arm.prompting.state_background else ""
    photos = {photo.id: photo for concept in arm.composition.concepts for photo in concept.photos if photo.mask}
    for seed, scene in enumerate(arm.composition.scenes, start=arm.settings.seed):
        if missing := [name for name in scene.source_images if name not in photos]:
            raise InputError(f"scene {scene.id} shows {missing[0]}, which has no mask; choose another --source")
        shown = [photos[name] for name in scene.source_images]
        show = partial(show_collage, shown, seed, arm.resolution, arm.settings.background_weight)
        yield Example("", arm.prompt(ground, seed), show)


def _class_pictures(arm: Arm, classes: Sequence[ClassPicture]) -> Iterator[Example]:
    for picture in classes:
        if arm.count(picture.caption) > prompts.MAX_TOKENS:
            raise InputError(f"the caption of {picture.name} has more than {prompts.MAX_TOKENS} tokens; shorten it")
        show = partial(show_class_picture, picture.image, arm.resolution, arm.model.multiple)
        yield Example(picture.class_name, picture.caption, show)


def _grouped(examples: Iterable[Example]) -> list[list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example)
    return list(groups.values())
