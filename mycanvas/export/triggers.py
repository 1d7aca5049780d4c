"""The trigger of a concept, which stands for it in captions: its token, or a pseudo-word of letters only."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from importlib.resources import files
from itertools import count

from mycanvas.dataset import Concept
from mycanvas.errors import ConfigError
from mycanvas.export.captions import CLIP
from mycanvas.export.selection import Selection

log = logging.getLogger("mycanvas")

WORDS = "trigger_words.txt"
"""Pseudo-words, one a line, after a comment on how they were checked. Each begins with a consonant."""


def trigger_words() -> tuple[str, ...]:
    """The committed pseudo-words, sorted."""
    lines = files("mycanvas.export").joinpath(WORDS).read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def triggers_of(concepts: Sequence[Concept], selection: Selection) -> dict[str, str]:
    """The trigger of each concept by its name.

    A pseudo-word is drawn by the seed and the concept's name alone, so it stays when concepts are added. Of two
    concepts that draw the same word, the second by name draws again.

    Raises:
        ConfigError: there are more concepts than words.
    """
    if selection.triggers == "tokens":
        return {concept.name: concept.token for concept in concepts}
    words = trigger_words()
    if len(concepts) > len(words):
        raise ConfigError(f"there are {len(words)} pseudo-words, fewer than {len(concepts)} concepts; use their tokens")
    drawn: dict[str, str] = {}
    for name in sorted(concept.name for concept in concepts):
        draws = (words[_draw(selection.seed, name, attempt) % len(words)] for attempt in count())
        drawn[name] = next(word for word in draws if word not in drawn.values())
    return drawn


def trigger_table(concepts: Sequence[Concept], triggers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The trigger and the class of each concept by its name, for a file beside the export."""
    return {each.name: {"trigger": triggers[each.name], "class": each.class_name} for each in concepts}


def report_tokenizer(selection: Selection, encoder: str) -> None:
    """Warn of pseudo-words where the named text encoder is not the one that they were chosen for."""
    if selection.triggers == "words" and encoder != CLIP.name:
        log.warning("trigger words were checked with CLIP's tokenizer, not with that of %s", encoder)


def with_triggers(prompt: str, concepts: Sequence[Concept], triggers: Mapping[str, str]) -> str:
    """A prompt with each concept's trigger in place of its token, and the article that fits it.

    Args:
        prompt: "an <owl> owl in a garden".
        concepts: the known ones.
        triggers: by name, as `triggers_of` returns them.
    """
    by_token = {concept.token: triggers[concept.name] for concept in concepts}
    changed = sorted((token for token, trigger in by_token.items() if trigger != token), key=len, reverse=True)
    if not changed:
        return prompt
    tokens = "|".join(map(re.escape, changed))
    pattern = re.compile(rf"(?:\b([Aa])n (?={tokens}))?(?<!\w)({tokens})(?!\w)")
    return pattern.sub(lambda found: f"{found[1] + ' ' if found[1] else ''}{by_token[found[2]]}", prompt)


def _draw(seed: int, name: str, attempt: int) -> int:
    digest = blake2b(f"{seed}\n{attempt}\n{name}".encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
