"""Ratings and remarks of people: one frozen dataclass per kind, with the fields of its JSON object.

`key` identifies an entry among those of its kind: a later one with the same key replaces it.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mycanvas.io.text import UNWRITABLE, brief
from mycanvas.schema import SPLITS

RANKS = range(1, 6)
"""Quality ranks; the paper keeps scenes of rank 4 and 5."""
PREFERENCE_SCORES = range(1, 11)
"""Scores of the preference study."""
FLAGS = ("concept missing", "floating", "artefact", "wrong caption", "bad cut-out")
"""Reasons for which a person flags a scene."""
MAX_TEXT = 1000
"""Maximum number of characters of a note or a caption."""
MAX_RATER = 80
"""Maximum number of characters of a rater's name."""


def rater_name(name: object) -> str:
    """A rater's name as it is stored, so that one person has one name: composed (NFC), without spaces around it.

    Each space of another kind, such as the wide one between Japanese names, becomes a usual one.

    Raises:
        ValueError: it is empty or too long, or has control characters or invisible ones.
    """
    if not isinstance(name, str):
        raise ValueError(f"expected a name, got {_shown(name)}")
    spaced = (" " if unicodedata.category(each) == "Zs" else each for each in name.strip())
    found = unicodedata.normalize("NFC", "".join(spaced))
    if not found:
        raise ValueError(f"expected a name, got {_shown(name)}")
    if not found.isprintable():
        raise ValueError(f"expected a name without control characters and invisible ones, got {found[:MAX_RATER]!a}")
    if len(found) > MAX_RATER:
        raise ValueError(f"expected a name of at most {MAX_RATER} characters, got {len(found)}")
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """One person's rank of one scene.

    rater: the person, under the same name in every line; as `rater_name` gives it. item: the scene's id.
    score: 1 (worst) to 5 (best).

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    score: int

    def __post_init__(self) -> None:
        _set_rater(self)
        _check_names(item=self.item)
        _check_score(self.score, RANKS)

    @property
    def key(self) -> tuple[str, ...]:
        """The rater and the scene."""
        return self.rater, self.item


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """One person's reason why one scene is bad.

    reason: one of FLAGS; None removes the flag. photo: the photo whose cut-out is bad, "dog6/03.jpg"; only with the
    reason "bad cut-out". note: free text. rater, item: as in Rating.

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    reason: str | None
    photo: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        _set_rater(self)
        _check_names(item=self.item)
        if self.reason is not None and self.reason not in FLAGS:
            raise ValueError(f"reason: expected one of {', '.join(FLAGS)}, got {_shown(self.reason)}")
        _check_text(photo=self.photo, note=self.note)
        if self.photo and self.reason != FLAGS[-1]:
            raise ValueError(f"photo: expected only with the reason {FLAGS[-1]}, got {_shown(self.photo)}")

    @property
    def key(self) -> tuple[str, ...]:
        """The rater and the scene."""
        return self.rater, self.item


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionEdit:
    """A person's caption of one scene, in plain words; None restores the scene's own. rater, item: as in Rating.

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    caption: str | None

    def __post_init__(self) -> None:
        _set_rater(self)
        _check_names(item=self.item)
        if self.caption is not None:
            _check_text(caption=self.caption)
            if not self.caption.strip():
                raise ValueError(f"caption: expected words, got {_shown(self.caption)}")

    @property
    def key(self) -> tuple[str, ...]:
        """The scene: the newest edit counts, whoever made it."""
        return (self.item,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """One person's score of one image that an arm of a study generated.

    rater: as in Rating. item: the image's name, the same in every arm. score: 1 (worst) to 10 (best).
    arm: the method that generated the image. split: of its composition, one of SPLITS.
    question: asked about the image, if the study asks several; the poster prints two numbers per arm.

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    score: int
    arm: str
    split: str
    question: str = ""

    def __post_init__(self) -> None:
        _set_rater(self)
        _check_names(item=self.item, arm=self.arm)
        _check_score(self.score, PREFERENCE_SCORES)
        _check_split(self.split)
        _check_text(question=self.question)

    @property
    def key(self) -> tuple[str, ...]:
        """The rater, the arm, the item and the question."""
        return self.rater, self.arm, self.item, self.question


@dataclass(frozen=True, kw_only=True, slots=True)
class PairChoice:
    """One person's choice between the images of two arms for the same prompt.

    arms: the left and the right arm, as they were shown. chosen: the better one of them.
    rater, item, split, question: as in Preference.

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    arms: tuple[str, str]
    chosen: str
    split: str
    question: str = ""

    def __post_init__(self) -> None:
        _set_rater(self)
        _check_names(item=self.item)
        if not isinstance(self.arms, list | tuple) or len(self.arms) != 2 or self.arms[0] == self.arms[1]:
            raise ValueError(f"arms: expected the names of two arms, got {_shown(self.arms)}")
        for arm in self.arms:
            _check_names(arms=arm)
        if self.chosen not in self.arms:
            raise ValueError(f"chosen: expected one of the two arms, got {_shown(self.chosen)}")
        _check_split(self.split)
        _check_text(question=self.question)
        object.__setattr__(self, "arms", tuple(self.arms))  # JSON has lists only

    @property
    def key(self) -> tuple[str, ...]:
        """The rater, the two arms in any order, the item and the question."""
        return self.rater, *sorted(self.arms), self.item, self.question


AnyEntry = Rating | Flag | CaptionEdit | Preference | PairChoice
Entry = TypeVar("Entry", Rating, Flag, CaptionEdit, Preference, PairChoice)


def parse_entry(values: object, kind: type[Entry]) -> Entry:
    """Make an entry of the values of its JSON object.

    Raises:
        ValueError: a field is unknown, missing or has an invalid value.
    """
    if not isinstance(values, dict):
        raise ValueError(f"expected an object like {example(kind)}, got {_shown(values)}")
    fields = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise ValueError(f"unknown field {_shown(name)}; the fields are {', '.join(fields)}")
    missing = [name for name, required in fields.items() if required and name not in values]
    if missing:
        raise ValueError(f"missing field {', '.join(missing)}")
    return kind(**values)


def example(kind: type[AnyEntry]) -> str:
    """A JSON object of a kind, for messages."""
    shared: dict[str, Any] = {"rater": "ana", "item": "67c21924cf-00012"}
    others: Mapping[type[AnyEntry], dict[str, Any]] = {
        Rating: {"score": 4},
        Flag: {"reason": FLAGS[0]},
        CaptionEdit: {"caption": "a cat in a garden"},
        Preference: {"score": 4, "arm": "ours", "split": SPLITS[0]},
        PairChoice: {"arms": ["ours", "baseline"], "chosen": "ours", "split": SPLITS[0]},
    }
    return json.dumps({**shared, **others[kind]})


def _set_rater(entry: AnyEntry) -> None:
    try:
        object.__setattr__(entry, "rater", rater_name(entry.rater))
    except ValueError as error:
        raise ValueError(f"rater: {error}") from None


def _check_names(**names: object) -> None:
    for field, name in names.items():
        if not isinstance(name, str) or not name.strip() or UNWRITABLE.search(name):
            raise ValueError(f"{field}: expected a name, got {_shown(name)}")


def _check_text(**texts: object) -> None:
    for field, text in texts.items():
        if not isinstance(text, str) or UNWRITABLE.search(text):
            raise ValueError(f"{field}: expected text, got {_shown(text)}")
        if len(text) > MAX_TEXT:
            raise ValueError(f"{field}: expected at most {MAX_TEXT} characters, got {len(text)}")


def _check_split(split: object) -> None:
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {_shown(split)}")


def _check_score(score: object, allowed: range) -> None:
    if type(score) is not int or score not in allowed:
        raise ValueError(f"score: expected a whole number from {allowed[0]} to {allowed[-1]}, got {_shown(score)}")


def _shown(value: object) -> str:
    try:
        return brief(json.dumps(value, ensure_ascii=False, default=repr))
    except RecursionError:  # as deep as the JSON that it comes from
        return "a value that is nested too deeply"
