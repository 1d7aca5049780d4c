"""Captions by an image-text-to-text model, as Gen4Gen's recaptioning (LLaVA-1.5), checked against the scene.

A model may write "a corgi" for a dog, or "three dogs" for two. Each wrong caption is sent back with a complaint; when
the tries are used up, the caption is completed from the known contents of the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Protocol, Self

from pydantic import Field

from builder.records import Rejected, Rgb, Scene
from builder.seeds import seed_for
from builder.stages.caption.base import CaptionConfig, Captioner, Words, find_fault
from builder.stages.caption.facts import Group, grouped
from builder.stages.caption.mentions import put_tokens, unnamed
from builder.stages.caption.relations import scene_objects
from builder.stages.caption.template import Template, mentioned
from builder.stages.caption.tidy import is_english, openings, tidy
from mycanvas.english import listed, number_of
from mycanvas.errors import MissingExtra
from mycanvas.io.config_table import Count, ModelName, Table
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

INSTRUCTION = "Describe what you see in this image in detail. The number of words is limited to {words}."
"""Gen4Gen's, section 3 (with 30 words, for CLIP's 77 tokens)."""
REQUIREMENT = " The description must name {objects}, in these words."
COMPLAINT = " The last description was wrong: {fault}. Use exactly these words: {exact}."
UNFIT = "it is not one short English sentence that says what the picture shows"


class VisionLanguageModel(Protocol):
    """Answers requests about pictures."""

    def answer(self, images: Sequence[Rgb], requests: Sequence[str], seeds: Sequence[int | None]) -> Sequence[str]:
        """One answer per picture (uint8 [H, W, 3]) and request; an answer that was cut off ends in "…".

        Args:
            images: the pictures.
            requests: one per picture.
            seeds: of each answer's own random draws; None: the most likely words.
        """
        ...


@dataclass(kw_only=True, slots=True)
class _Dialogue:
    """One scene with the answers so far, the fault of the last one, and the accepted words if there are any."""

    scene: Scene
    groups: tuple[Group, ...]
    answers: list[str] = field(default_factory=list)
    fault: str = ""
    words: Words | None = None


class VlmConfig(Table):
    """[caption.vlm]: an image-text-to-text model, tuned to follow instructions, describes the scene."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    model: ModelName = "llava-hf/llava-1.5-7b-hf"
    """The model that describes the scene; the default is Gen4Gen's."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Captions requested until one names every concept; then the template completes it."""
    max_tokens: Annotated[int, Field(ge=16)] = 96
    """A longer answer is cut off."""
    batch_size: Count = 8
    """Scenes in one call; halved when memory runs out."""


class Vlm(Captioner):
    """Requests captions until one names every concept; after the last try, completes one."""

    Config = VlmConfig
    learned = True

    def __init__(self, config: VlmConfig, model: VisionLanguageModel) -> None:
        self._tries = config.tries
        self._model = model
        self._template = Template()

    @staticmethod
    def required_models(config: VlmConfig) -> tuple[RequiredModel, ...]:
        """The image-text-to-text model."""
        return (RequiredModel(role="caption", name=config.model, kind="transformers"),)

    @classmethod
    def load(cls, config: VlmConfig, runtime: Runtime) -> Self:
        """Load the model that the configuration names; see `load_vision_language_model` for the errors."""
        try:
            from mycanvas.models.vision_language import load_vision_language_model
        except ImportError as missing:
            raise MissingExtra(missing.name or "transformers", extra="models") from missing
        model = load_vision_language_model(
            config.model, runtime, max_tokens=config.max_tokens, batch_size=config.batch_size
        )
        return cls(config, model)

    def caption(self, scenes: Sequence[Scene], config: CaptionConfig, seed: int) -> Iterator[Words | Rejected]:
        """The words for each scene, in order; reject a scene whose objects take too many words to name."""
        dialogues = [_Dialogue(scene=scene, groups=grouped(scene_objects(scene))) for scene in scenes]
        for turn in range(self._tries):
            unfinished = [dialogue for dialogue in dialogues if dialogue.words is None]
            if unfinished:
                self._ask(unfinished, turn, config.max_words, seed)
        for dialogue in dialogues:
            words = dialogue.words or _completed(dialogue, config.max_words)
            yield words or self._from_template(dialogue.scene, config, seed)

    def _ask(self, dialogues: Sequence[_Dialogue], turn: int, max_words: int, seed: int) -> None:
        """Request one caption per dialogue: the most likely words on the first turn, random ones later."""
        ids = [dialogue.scene.canvas.layout.setting.sample.id for dialogue in dialogues]
        answers = self._model.answer(
            [dialogue.scene.image for dialogue in dialogues],
            [_request(dialogue, max_words) for dialogue in dialogues],
            [seed_for(seed, sample_id, f"caption {turn}") if turn else None for sample_id in ids],
        )
        for dialogue, answer in zip(dialogues, answers, strict=True):
            dialogue.answers.append(tidy(answer))
            _judge(dialogue, max_words)

    def _from_template(self, scene: Scene, config: CaptionConfig, seed: int) -> Words | Rejected:
        (words,) = self._template.caption([scene], config, seed)
        if isinstance(words, Rejected):
            return words
        return Words(caption=words.caption, prompt=words.prompt, written_by="template")


def _request(dialogue: _Dialogue, max_words: int) -> str:
    request = INSTRUCTION.format(words=max_words) + REQUIREMENT.format(objects=mentioned(dialogue.groups))
    if dialogue.fault:
        exact = listed([f'"{number_of(len(group), group[0].noun)}"' for group in dialogue.groups])
        request += COMPLAINT.format(fault=dialogue.fault, exact=exact)
    return request


def _judge(dialogue: _Dialogue, max_words: int) -> None:
    """Accept the longest valid opening of the last answer, or record its fault."""
    answer = dialogue.answers[-1]
    faults: list[str] = []
    for opening in openings(answer, max_words) if is_english(answer) else ():
        words = _checked(opening, dialogue, max_words, "vlm")
        if isinstance(words, Words):
            dialogue.words = words
            return
        faults.append(words)
    dialogue.fault = faults[0] if faults else UNFIT


def _completed(dialogue: _Dialogue, max_words: int) -> Words | None:
    """Complete an answer: put the names that it leaves out before its longest valid opening.

    The names come first ("A photo of a dog: a corgi sits beside a mug."), as an answer may call an object by another
    name: "with a dog" after it would then mention the same object twice.
    """
    for answer in filter(is_english, dialogue.answers):
        for opening in openings(answer, max_words):
            if missing := unnamed(opening, dialogue.groups):
                text = f"A photo of {mentioned(tuple(missing))}: {_uncapitalised(opening)}"
                words = _checked(text, dialogue, max_words, "vlm+template")
                if isinstance(words, Words):
                    return words
    return None


def _checked(text: str, dialogue: _Dialogue, max_words: int, written_by: str) -> Words | str:
    """Return a text as caption and prompt, or its fault as a string."""
    words = put_tokens(text, dialogue.groups)
    if isinstance(words, str):
        return words
    if find_fault(*words, dialogue.scene.canvas.layout.setting.sample.concepts, max_words):
        return UNFIT  # the fault of `find_fault` shows tokens, which the model must not see
    return Words(caption=words[0], prompt=words[1], written_by=written_by)


def _uncapitalised(text: str) -> str:
    """Lower the first letter, for the middle of a sentence; abbreviations keep their capitals ("RC cars")."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
