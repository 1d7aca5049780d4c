"""A study: people compare the arms of an experiment, blinded, picture by picture of the same prompt.

    # study.toml; paths are relative to this file
    kind = "scores"              # 1 to 10 per question; "pairs": choose the better of two
    seed = 0
    prompts = "images.jsonl"     # what was generated, as `mycanvas prompts` writes it
    [arms]                       # the folder of each arm's pictures
    baseline = "generated_before"
    ours = "generated"
    [questions]                  # optional: name = text
    personalization = "Do the objects look like those in the photos?"

The browser gets no arm's name: a picture is known by its place in an order that the seed, the rater and the prompt
decide, and is encoded again, as metadata of files may name the arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from builder.seeds import rng_for
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.checked import digest
from mycanvas.io.config_table import Location, Table
from mycanvas.io.files import os_errors
from mycanvas.io.images import decode_rgb, encode_png, read_file
from mycanvas.io.messages import explain
from mycanvas.io.toml import read_toml
from mycanvas.metrics.manifest import picture_path, read_prompts
from mycanvas.schema import MAX_OBJECTS, split_of

Name = Annotated[str, Field(min_length=1, max_length=200)]

QUESTIONS = {
    "personalization": "Do the objects look like those in the photos?",
    "alignment": "Does the picture match the text?",
}
"""The questions of a study that names none: the poster's two."""
PICTURES_HELD, RATERS_HELD = 64, 64


class StudyFile(Table):
    """The manifest of a study."""

    arms: Annotated[dict[Name, Location], Field(min_length=2)]
    """The folder of each arm's pictures."""
    prompts: Location
    """JSON Lines with the file, the composition and the prompt of each picture."""
    kind: Literal["scores", "pairs"] = "scores"
    """1 to 10 per question, or the better of two."""
    questions: Annotated[dict[Name, Name], Field(min_length=1)] = QUESTIONS
    """Name of each question, as files of ratings have it, and its text."""
    seed: int = 0
    """Decides the orders."""

    @field_validator("arms", "questions")
    @classmethod
    def _check_names(cls, values: dict[str, object]) -> dict[str, object]:
        if blank := [name for name in values if not name.strip()]:
            raise ValueError(f"expected names, got {blank[0]!r}")
        return values


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyItem:
    """One prompt of a study. id: the name of its pictures' files. concepts, split: of its composition."""

    id: str
    prompt: str
    concepts: tuple[str, ...]
    split: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The pictures of a prompt that a person judges at once, in the order in which they are shown.

    id: names it to the browser. arms: the names of the arms, which the browser does not get.
    """

    id: str
    item: StudyItem
    arms: tuple[str, ...]


class Study:
    """A study whose pictures were found.

    kind, questions, arms: as in StudyFile. items: the prompts, in the order of their file.
    """

    def __init__(self, file: StudyFile, items: Sequence[StudyItem], paths: Mapping[tuple[str, str], Path]) -> None:
        self.kind = file.kind
        self.questions: Mapping[str, str] = file.questions
        self.arms = tuple(file.arms)
        self.items = tuple(items)
        self._seed = file.seed
        self._paths = paths
        self._key = digest([file.kind, file.seed, self.arms, [item.id for item in items]])[:8]
        self._png = lru_cache(maxsize=PICTURES_HELD)(_as_png)
        self._compared = lru_cache(maxsize=RATERS_HELD)(self._arrange)

    def comparisons(self, rater: str) -> Mapping[str, Comparison]:
        """The comparisons of one person, by id, in that person's own order: all arms of a prompt, or each pair of them.

        The same study and rater give the same ids, so that answers of before a restart still find their place.
        """
        return self._compared(rater)

    def comparison(self, rater: str, comparison_id: str) -> Comparison:
        """One comparison.

        Raises:
            InputError: there is none of this id.
        """
        found = self.comparisons(rater).get(comparison_id)
        if found is None:
            raise InputError("there is no such comparison in this study; reload the page")
        return found

    def png(self, comparison: Comparison, position: int) -> bytes:
        """A picture of a comparison, encoded again.

        Raises:
            InputError: there is no such picture, or its file cannot be read.
        """
        return self._png(self._paths[comparison.item.id, arm_at(comparison, position)])

    def _arrange(self, rater: str) -> Mapping[str, Comparison]:
        items = list(self.items)
        rng_for(self._seed, rater, "study").shuffle(items)
        groups = [self.arms] if self.kind == "scores" else list(combinations(self.arms, 2))
        found: dict[str, Comparison] = {}
        for item in items:
            for group in groups:
                arms = list(group)
                rng_for(self._seed, "\0".join((rater, item.id, *group)), "study").shuffle(arms)
                name = f"{self._key}-{len(found)}"
                found[name] = Comparison(id=name, item=item, arms=tuple(arms))
        return found


def arm_at(comparison: Comparison, position: int) -> str:
    """The arm that is shown at a position, counted from 0.

    Raises:
        InputError: there are fewer.
    """
    if not 0 <= position < len(comparison.arms):
        raise InputError(f"expected a picture from 0 to {len(comparison.arms) - 1}, got {position}")
    return comparison.arms[position]


def read_study(path: Path) -> Study:
    """Read the manifest of a study, and find all pictures of all arms.

    Raises:
        ConfigError: the manifest is wrong.
        InputError: it, the prompts or a picture cannot be read.
    """
    with os_errors(path, "read"):
        values = read_toml(path)
    try:
        file = StudyFile.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error.errors()[0], tuple(StudyFile.model_fields))}") from error
    items: list[StudyItem] = []
    paths: dict[tuple[str, str], Path] = {}
    for prompt in read_prompts(path.parent / file.prompts):
        concepts = tuple(prompt.composition.split("+"))
        if len(concepts) > MAX_OBJECTS:
            raise InputError(f"{file.prompts}: a composition is 1 to {MAX_OBJECTS} concepts, got {prompt.composition}")
        split = split_of(len(concepts))
        items.append(StudyItem(id=prompt.file, prompt=prompt.prompt, concepts=concepts, split=split))
        for arm, folder in file.arms.items():
            try:
                paths[prompt.file, arm] = picture_path(path.parent / folder, prompt.file)
            except InputError as error:
                raise InputError(f"{path}: arm {arm}, {path.parent / folder}: {error}") from error
    return Study(file, items, paths)


def _as_png(path: Path) -> bytes:
    return encode_png(decode_rgb(read_file(path)))
