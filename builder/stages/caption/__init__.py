"""Scene -> Captioned: the picture in words, plain and with its concepts' tokens (Gen4Gen's recaptioning)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from builder.config.schema import CaptionConfig
from builder.pipeline.backends import Runtime
from builder.records import Captioned, Concept, Rejected, Scene
from mycanvas.english import plural, uncounted
from mycanvas.errors import MissingExtra


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A caption and its prompt. written_by: what made them, where a backend has several ways; as in `Captioned`."""

    caption: str
    prompt: str
    written_by: str | None = None


class Captioner(Protocol):
    """Puts scenes into words.

    max_words: the most words of a caption, and of a prompt without its tokens; the stage holds the backend to it.
    """

    max_words: int

    def caption(self, scenes: Sequence[Scene], seed: int) -> Iterable[Words | Rejected]:
        """The words for each scene, in order; or why it has none."""
        ...


def caption(scenes: Sequence[Scene], backend: Captioner, seed: int) -> Iterator[Captioned | Rejected]:
    """Put each scene into words; reject words that break a rule of `find_fault`, whichever backend found them."""
    for scene, words in zip(scenes, backend.caption(scenes, seed), strict=True):
        if isinstance(words, Rejected):
            yield words
            continue
        setting = scene.canvas.layout.setting
        if fault := find_fault(words.caption, words.prompt, setting.sample.concepts, backend.max_words):
            yield setting.rejected("caption", fault)
        else:
            yield Captioned(scene=scene, caption=words.caption, prompt=words.prompt, written_by=words.written_by)


def find_fault(text: str, prompt: str, concepts: Sequence[Concept], max_words: int) -> str | None:
    """Which rule a caption and its prompt break, in words; None when they keep them all.

    The caption names each concept's class. The prompt holds each token once, right before its class noun. Without the
    tokens the prompt is the caption, but that it may spell a count out, so that each token has a mention to stand at:
    caption "Two dogs sit in a garden.", prompt "A <dog> dog and a <dog6> dog sit in a garden."
    """
    plain = prompt
    for concept in concepts:
        noun = re.escape(concept.class_noun)
        if not re.search(rf"\b(?:{noun}|{re.escape(plural(concept.class_noun))})\b", text, re.IGNORECASE):
            return f"no {concept.class_noun} in {text!r}"
        if prompt.count(concept.token) != 1:
            return f"{concept.token} stands {prompt.count(concept.token)} times in {prompt!r}; expected once"
        plain, found = re.subn(rf"{concept.token} (?={noun}\b)", "", plain, flags=re.IGNORECASE)
        if not found:
            return f"{concept.token} does not stand before {concept.class_noun} in {prompt!r}"
    for words in (text, plain):
        if len(words.split()) > max_words:
            return f"{len(words.split())} words in {words!r}; expected at most {max_words}"
    nouns = [concept.class_noun for concept in concepts]
    if uncounted(text, nouns) != uncounted(plain, nouns):
        return f"without its tokens, {prompt!r} is not {text!r}"
    return None


def _template(config: CaptionConfig, _runtime: Runtime) -> Captioner:
    from builder.stages.caption.template import Template

    return Template(config)


def _vlm(config: CaptionConfig, runtime: Runtime) -> Captioner:
    from builder.stages.caption.vlm import Vlm

    try:
        from mycanvas.models.vision_language import load_speaker
    except ImportError as missing:
        raise MissingExtra(missing.name or "transformers", extra="models") from missing
    return Vlm(config, load_speaker(config.vlm, runtime))


CAPTIONERS: Mapping[str, Callable[[CaptionConfig, Runtime], Captioner]] = {"template": _template, "vlm": _vlm}
