"""One folder of photos of a concept: its name, class noun and token, by the folder's name or by a description."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mycanvas.io.text import brief_repr

MAX_HEIGHT_CM = 1e5
"""A kilometre: anything taller was not given in centimetres."""

TOKEN = r"<[A-Za-z0-9_-]+>"  # noqa: S105 - a concept's
"""The pattern of a token."""
EMPTY_TOKEN = "<>"  # noqa: S105 - a concept's
"""The token of a folder whose name has no ASCII letter or digit."""

_BRACKETS = re.compile(r"\([^()]*\)|\[[^][]*\]|\{[^{}]*\}")
"""Remarks in names: "Sloth (grey)", "mug [old]", and the " (2)" of a copy."""


def _check_token(token: str) -> str:
    if not re.fullmatch(TOKEN, token):
        raise ValueError(
            f"expected letters A to Z, digits, - and _ in angle brackets, such as <dog6>, got {brief_repr(token)}"
        )
    return token


class ConceptDescription(BaseModel):
    """One table of concepts.toml. use, leave_out: photos whose cut-outs are used, or not, whatever their quality."""

    model_config = ConfigDict(extra="forbid", strict=True)

    class_noun: str | None = None
    height_cm: Annotated[float, Field(gt=0, le=MAX_HEIGHT_CM, allow_inf_nan=False)] | None = None
    token: Annotated[str, AfterValidator(_check_token)] | None = None
    attribution: str | None = None
    use: list[str] | None = None
    leave_out: list[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptFolder:
    """A folder of photos and its description, which may be empty. collected: as in `attribution_of`."""

    path: Path
    described: ConceptDescription
    collected: bool

    @property
    def name(self) -> str:
        """The name of the concept."""
        return self.path.name

    @property
    def token(self) -> str:
        """The concept's token in prompts: as described, else by the folder's name, else EMPTY_TOKEN."""
        ascii_name = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode()
        stem = re.sub("[^A-Za-z0-9_-]+", "-", ascii_name).strip("-")
        return self.described.token or f"<{stem}>"

    @property
    def class_noun(self) -> str:
        """The noun for it in captions: as described, else "rc car" for "rc_car2", "RC-car 2" and "my rc car (red)"."""
        described = self.described.class_noun
        noun = _without_owner(_words(_BRACKETS.sub(" ", self.name))) if described is None else described
        # Composed letters: macOS writes an é in a name as an e and an accent, which is no part of a word to `re`.
        return unicodedata.normalize("NFC", " ".join(noun.split()))

    @property
    def renamed(self) -> bool:
        """Whether the class noun leaves out words of the folder's name, or keeps letters that captions rarely have."""
        name = _words(self.name)
        return _without_owner(_words(_BRACKETS.sub(" ", self.name))) != name or not name.isascii()


def _words(name: str) -> str:
    """A folder's name in lower case, without separators, an article, and the digits at its end."""
    words = re.sub(r"[\s_-]+", " ", name).strip().rstrip("0123456789 ").lower()
    return re.sub("^(an?|the) ", "", words)


def _without_owner(words: str) -> str:
    return re.sub("^(my|our|your|his|her|their) ", "", words)
