"""The arms: one training of mycanvas.training per arm and composition, and the pictures of the trained model."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image

from builder.seeds import rng_for, seed_for
from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.dataset.composition import Composition
from mycanvas.dataset.records import Scene
from mycanvas.english import with_article
from mycanvas.io.images import Rgb, decode_rgb, encode_png
from mycanvas.metrics.protocol import Prompt
from mycanvas.models.cache import Cache
from mycanvas.models.learned import add_lora, add_tokens
from mycanvas.models.trainable import Conditions, StableDiffusion, scaled
from mycanvas.prompts import MAX_TOKENS
from mycanvas.training.data import Arm, Draw, TrainingData
from mycanvas.training.loop import Loop, fit
from mycanvas.training.methods import METHODS
from mycanvas.training.settings import Settings
from tests.miniature.base import Base
from tests.miniature.grounds import SEEN, UNSEEN
from tests.miniature.pictures import SIDE, compose, new_look


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmSpec:
    """An arm. method, source, prompting: as in the settings of a training. change: of what it is trained on."""

    method: str
    source: str
    prompting: str = "plain"
    change: Literal["none", "shuffled", "strangers", "plain ground"] = "none"


ARMS: Mapping[str, ArmSpec] = {
    "db-lora + photos": ArmSpec(method="db-lora", source="photos"),
    "cd + photos": ArmSpec(method="cd", source="photos"),
    "cd + collage": ArmSpec(method="cd", source="both", change="plain ground"),
    "cd + scenes": ArmSpec(method="cd", source="both"),
    "ours + scenes": ArmSpec(method="cd", source="both", prompting="gen4gen"),
    "null": ArmSpec(method="cd", source="photos", change="shuffled"),
    "strangers": ArmSpec(method="cd", source="photos", change="strangers"),
}
DRAWN_AT_ONCE = 16
CONTROL = ("cd + photos", "cd + scenes", "ours + scenes")
"""Arms that are repeated on the base model with full captions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How arms are trained.

    steps: for each concept. rates: the learning rate of each method. batch: pictures of a step; as many class pictures
    are added. class_pictures: of each class.
    """

    steps: int
    rates: Mapping[str, float]
    batch: int = 4
    class_pictures: int = 70


class ToyModel(StableDiffusion):
    """The base model as mycanvas.training sees a model: its latents are pixels.

    length: to which prompts are padded, in tokens.

    Args:
        base: is copied, and the copy trained.
    """

    def __init__(self, base: Base) -> None:
        self.length = MAX_TOKENS
        self.base = replace(
            base,
            transformer=copy.deepcopy(base.transformer),
            text_encoder=copy.deepcopy(base.text_encoder),
            tokenizer=copy.deepcopy(base.tokenizer),
        )
        self.denoiser = self.base.transformer
        self.cell, self.resolution, self.multiple = 1, SIDE, 1
        self.device, self.dtype = torch.device("cpu"), torch.float32
        for each in (self.base.transformer, self.base.text_encoder):
            each.requires_grad_(False)

    def text(self, part: str) -> tuple[Any, Any]:  # noqa: ARG002 - it has one
        """The tokenizer and the text encoder."""
        return self.base.tokenizer, self.base.text_encoder

    def encode(self, prompts: Sequence[str]) -> Conditions:
        """Hidden states and mask of prompts."""
        hidden, mask = self.base.encode(prompts, self.length)
        return {"hidden": hidden, "mask": mask}

    def to_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """The pixels."""
        return scaled(pixels)

    def errors(
        self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor, conditions: Conditions
    ) -> torch.Tensor:
        """Squared errors, as `Base.errors` has them."""
        count = self.base.scheduler.config.num_train_timesteps
        steps = (times * count).long().clamp(max=count - 1)
        return self.base.errors(latents, noise, steps, (conditions["hidden"], conditions["mask"]))


def shown_to(spec: ArmSpec, things: Composition, strangers: Composition) -> Composition:
    """The pictures that an arm is trained on, under the names and tokens of a composition of things.

    Scenes have no sentences, whose words of place ("behind", "next to") pretraining never has.
    """
    shown = strangers if spec.change == "strangers" else shuffled(things) if spec.change == "shuffled" else things
    scenes = [replace(scene, prompt="") for scene in shown.scenes]
    return replace(shown, scenes=[on_white(scene) for scene in scenes] if spec.change == "plain ground" else scenes)


def on_white(scene: Scene) -> Scene:
    """A scene's objects, where they are, on white: a collage in the places of pretraining."""
    with Image.open(io.BytesIO(scene.mask), formats=["PNG"]) as mask:
        objects = np.asarray(mask) > 0
    return replace(scene, image=encode_png(np.where(objects[..., None], decode_rgb(scene.image), np.uint8(255))))


def shuffled(composition: Composition) -> Composition:
    """A composition whose concepts have only photos of each other."""
    count = len(composition.concepts)
    photos: list[list[Any]] = [[] for _ in range(count)]
    for index, concept in enumerate(composition.concepts):
        for number, photo in enumerate(concept.photos):
            photos[(index + 1 + number % (count - 1)) % count].append(photo)
    concepts = [replace(each, photos=tuple(own)) for each, own in zip(composition.concepts, photos, strict=True)]
    return replace(composition, concepts=concepts)


def class_pictures(kinds: Sequence[str], count: int) -> Iterator[ClassPicture]:
    """Pictures of toys of each class, as pretraining has them, on the grounds of photos and scenes."""
    for kind in kinds:
        rng = rng_for(0, kind, "miniature class pictures")
        for number in range(count):
            picture = compose([new_look(rng, kind)], str(rng.choice(list(SEEN))), rng)
            done, data = cv2.imencode(".png", picture.pixels[..., ::-1])
            assert done
            yield ClassPicture(
                class_name=kind,
                name=str(number),
                suffix=".png",
                image=data.tobytes(),
                size=(SIDE, SIDE),
                caption=f"photo of {with_article(kind)}",
            )


def train_arm(base: Base, spec: ArmSpec, composition: Composition, training: Training, checkpoint: Path) -> Arm:
    """Train a copy of the base model on what is shown of a composition, or resume it; returns what was learned."""
    kinds = sorted({concept.class_name for concept in composition.concepts})
    method, steps = METHODS[spec.method], training.steps * len(composition.concepts)
    settings = Settings(
        composition=composition.name,
        model="base",
        method=spec.method,
        prompting=spec.prompting,
        source=spec.source,
        steps=steps,
        batch_size=training.batch,
        learning_rate=training.rates[spec.method],
        seed=seed_for(0, composition.name, "miniature arms") % 2**63,
    )
    model = ToyModel(base)
    arm = Arm(composition, settings, SIDE, model)
    words = arm.words() if method.tokens else {}
    learned = add_tokens(*model.text(""), words) if words else None
    data = TrainingData(arm, list(class_pictures(kinds, training.class_pictures)))
    weights = add_lora(model.denoiser, method.layers, None if method.full else settings.rank, settings.seed)

    def draws(step: int) -> list[Draw]:
        return data.draws(settings.seed, step, training.batch)

    prompts = {draw.example.prompt for step in range(steps) for draw in draws(step)}
    model.length = max(map(arm.count, prompts))
    loop = Loop(
        draws=draws,
        settings=settings,
        steps=steps,
        rate=training.rates[spec.method],
        processes=Accelerator(cpu=True),
        checkpoint=checkpoint,
        sample=lambda _: None,
    )
    fit(Cache(model, list(words)), weights if learned is None else weights | {"embeddings": learned}, loop)
    return arm


def untrained(base: Base, composition: Composition) -> Arm:
    """An arm whose prompts are those of plain prompting, and whose model is the base model."""
    return Arm(composition, Settings(composition=composition.name, model="base"), SIDE, ToyModel(base))


def arm_prompts(arm: Arm, number: int, seeds: int) -> list[Prompt]:
    """The prompts of a composition: each unseen ground `seeds` times. number: of the composition, for files' names."""
    return [
        Prompt(
            file=f"{number:02d}-{ground}-{seed}.png",
            composition=arm.composition.name,
            prompt=arm.prompt(phrase, seed),
            background=phrase,
        )
        for ground, phrase in UNSEEN.items()
        for seed in range(seeds)
    ]


def without_tokens(prompt: Prompt, composition: Composition) -> Prompt:
    """A plain prompt for a model that knows no tokens."""
    text = prompt.prompt
    for concept in composition.concepts:
        text = text.replace(f"{concept.token} ", "")
    return replace(prompt, prompt=text)


def draw_pictures(base: Base, prompts: Sequence[Prompt], steps: int) -> Iterator[Rgb]:
    """A picture from each prompt; its noise depends on its file's name alone, so that arms share it."""
    for start in range(0, len(prompts), DRAWN_AT_ONCE):
        some = prompts[start : start + DRAWN_AT_ONCE]
        seeds = [seed_for(0, prompt.file, "miniature noise") % 2**63 for prompt in some]
        yield from base.generate([prompt.prompt for prompt in some], seeds, steps=steps)
