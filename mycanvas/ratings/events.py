"""One entry as a person gave it, with the id by which it is stored once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from mycanvas.ratings.entries import AnyEntry


def new_id() -> str:
    """A new random id of an event."""
    return str(uuid.uuid4())


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One entry as a person gave it.

    id: a UUID that the sender makes, so that an event that is sent twice is stored once. session: in which page the
    entry was given, for `undo`. at: when, in UTC, ISO 8601.

    Raises:
        ValueError: the id is not a UUID.
    """

    id: str
    entry: AnyEntry
    session: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", checked_id(self.id))


def checked_id(text: str) -> str:
    """A UUID in its usual form.

    Raises:
        ValueError: the text is not a UUID.
    """
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"id: expected a UUID, got {text!r}") from None
