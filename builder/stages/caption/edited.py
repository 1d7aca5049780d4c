"""A caption that a person wrote: checked against the scene's objects, with their tokens put into its prompt."""

from __future__ import annotations

from collections.abc import Sequence

from builder.records import Box, Concept
from builder.stages.caption.base import Words, find_fault
from builder.stages.caption.facts import grouped
from builder.stages.caption.mentions import put_tokens
from builder.stages.caption.relations import SceneObject

PERSON = "person"
"""`written_by` of an edited caption."""


def edited_words(
    text: str, nouns: Sequence[str], tokens: Sequence[str], boxes: Sequence[Box], max_words: int
) -> Words | str:
    """Make a caption and its prompt of a person's text, or return why the text cannot be used.

    Args:
        text: one or more sentences; white space counts as one space.
        nouns: the class of each object.
        tokens: of its concept.
        boxes: its place in the picture; with several objects of a class, the text is read from left to right.
        max_words: of the caption.
    """
    if used := [token for token in tokens if token in text]:
        return f"it has the token {used[0]}, which only the prompt has, and gets by itself"
    objects = sorted(
        (
            SceneObject(token=token, noun=noun, box=(box[0], box[1], box[2], box[3]), base=0.0, depth=0.0)
            for noun, token, box in zip(nouns, tokens, boxes, strict=True)
        ),
        key=lambda item: (item.centre, item.token),
    )
    found = put_tokens(" ".join(text.split()), grouped(objects))
    if isinstance(found, str):
        return found
    caption, prompt = found
    concepts = [
        Concept(name=token.strip("<>"), token=token, class_noun=noun, height_cm=None, photos=())
        for noun, token in zip(nouns, tokens, strict=True)
    ]
    fault = find_fault(caption, prompt, concepts, max_words)
    return fault or Words(caption=caption, prompt=prompt, written_by=PERSON)
