"""Facts about a build -> the text of its README.md. Reads and writes nothing but its own template."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from mycanvas.schema import concepts_features, features

if TYPE_CHECKING:
    from datasets import Features

Json = str | int | float | bool | None | Sequence["Json"]
Yaml = dict[str, Any]

HUB_LICENSES = frozenset(
    (
        *("apache-2.0", "mit", "unlicense", "wtfpl", "cc", "cc0-1.0", "pddl", "odc-by", "odbl", "unknown", "other"),
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "c-uda", "etalab-2.0", "gfdl", "openmdw-1.0"),
        *("cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0"),
    )
)
"""Licenses of pictures and data that the Hub knows by this name; any other is "other" with a `license_name`."""

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
"""The Hub's size categories, by the number of rows that they end below."""

UNLICENSED = """\
**No license is known.** The source photos do not state one for the whole, and every scene is made of them. Find out
from the makers of the photos before you share or use this."""
"""What a card says in the place of a license."""

LICENSED = "License: {}, as whoever made this dataset states it for its source photos."
"""What it says where there is one."""

PLACE = "path/to/this/folder"
"""What a card calls the place that it lies in."""

LONG = 20
"""Tables with more rows than this are folded away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts:
    """One split's files. bytes: of all its files together."""

    name: str
    rows: int
    bytes: int
    files: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoFacts:
    """A source photo. used: scenes may show it. attribution: maker and license, or None when nobody stated them."""

    id: str
    used: bool = True
    attribution: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptFacts:
    """A concept with all its photos, used or not."""

    name: str
    token: str
    class_noun: str
    photos: tuple[PhotoFacts, ...]

    @property
    def used(self) -> int:
        """How many of its photos scenes may show."""
        return sum(photo.used for photo in self.photos)


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundFacts:
    """A place that scenes stand in. phrase: as captions say it. photos: none when the place is drawn by the program."""

    name: str
    phrase: str
    photos: tuple[PhotoFacts, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """Everything a card says. No dates: the same build has the same card.

    name: the dataset's title.
    splits: those that have rows, in order; at least one. source_photos: the split of the config `concepts`, or None.
    compositions: kept scenes by composition ("cat2+dog6").
    planned, candidates: numbers of scenes. rejected: scenes by "stage: reason". dropped: candidates by why.
    profile: the profile that the configuration started from. parameters: key ("layout.scale") -> value.
    backends: stage ("segment") -> backend ("tricut"), in the order of the stages.
    config_digest, shards_digest: sha256, in hexadecimal, of the configuration and of the dataset's files.
    resolution: width and height of a scene in pixels. caption_words: mean number of words in a caption.
    license: SPDX identifier of the whole, or None when the photos state none.
    version: of mycanvas.
    """

    name: str
    splits: tuple[SplitFacts, ...]
    source_photos: SplitFacts | None
    concepts: tuple[ConceptFacts, ...]
    backgrounds: tuple[BackgroundFacts, ...]
    compositions: Mapping[str, int]
    planned: int
    rejected: Mapping[str, int]
    candidates: int
    dropped: Mapping[str, int]
    profile: str
    parameters: Mapping[str, Json]
    backends: Mapping[str, str]
    config_digest: str
    shards_digest: str
    seed: int
    resolution: int
    caption_words: float
    license: str | None
    version: str

    @property
    def rows(self) -> int:
        """Scenes in all splits."""
        return sum(split.rows for split in self.splits)

    @property
    def photos(self) -> tuple[PhotoFacts, ...]:
        """All photos, of concepts and of backgrounds."""
        of_concepts = (concept.photos for concept in self.concepts)
        of_backgrounds = (background.photos for background in self.backgrounds)
        return tuple(chain.from_iterable((*of_concepts, *of_backgrounds)))


class Markdown(str):
    """Text that is Markdown already and is not escaped."""

    __slots__ = ()


def render_card(facts: CardFacts) -> str:
    """The text of README.md: YAML that the Hub and `datasets` read, then the card for people.

    Args:
        facts: of the build. Names and attributions may hold anything: they are escaped.

    Returns:
        Markdown with YAML front matter; the same facts give the same text.
    """
    return _template().render(
        facts=facts,
        front_matter=dump_yaml(_front_matter(facts)),
        place=PLACE,
        unlicensed=UNLICENSED,
        licensed=licensed,
        long=LONG,
        megabytes=_megabytes,
        parameters={
            key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.parameters.items()
        },
        compositions=sorted(facts.compositions.items(), key=lambda item: (-item[1], item[0])),
        credits=_credits(facts.photos),
        unattributed=sum(photo.attribution is None for photo in facts.photos),
    )


def dump_yaml(values: Yaml) -> str:
    """YAML as it stands at the head of a card."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1_000)


def licensed(license: str) -> Markdown:
    """What a card says of this license."""
    return Markdown(LICENSED.format(escaped(license)))


def _credits(photos: Sequence[PhotoFacts]) -> list[tuple[str | None, list[PhotoFacts]]]:
    """Who is to be named for which photos: each attribution once, in the order of the photos."""
    shared: dict[str | None, list[PhotoFacts]] = {}
    for photo in photos:
        shared.setdefault(photo.attribution, []).append(photo)
    return list(shared.items())


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        finalize=escaped,
        autoescape=False,  # noqa: S701 - `finalize` escapes for Markdown, HTML included
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = Markdown
    return environment.get_template("card.md.jinja")


def _front_matter(facts: CardFacts) -> Yaml:
    return {
        "pretty_name": _one_line(facts.name),
        "language": ["en"],
        "multilinguality": ["monolingual"],
        **license_yaml(facts.license),
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "task_categories": ["text-to-image", "object-detection", "image-segmentation"],
        "size_categories": [next((name for end, name in SIZES if facts.rows < end), "10M<n<100M")],
        "tags": ["mycanvas", "gen4gen", "personalization", "multi-concept", "synthetic"],
        "configs": _configs(facts),
        "dataset_info": _dataset_info(facts),
    }


def license_yaml(license: str | None) -> Yaml:
    """The keys by which the Hub knows a license: "CC BY 4.0" is its "cc-by-4.0"."""
    name = re.sub(r"[^a-z0-9.+]+", "-", (license or "").lower()).strip("-")
    if not name:
        return {"license": "unknown"}
    return {"license": name} if name in HUB_LICENSES else {"license": "other", "license_name": name}


def _configs(facts: CardFacts) -> list[Yaml]:
    # `datasets` caches a local folder by its name and its card only: without the digest, rewritten shards would give
    # the old rows, silently.
    description = f"shards sha256:{facts.shards_digest}"
    files = {
        "default": [{"split": split.name, "path": f"data/{split.name}-*.arrow"} for split in facts.splits],
        "all": [{"split": "train", "path": "data/*.arrow"}],
    }
    if facts.source_photos:
        files["concepts"] = [
            {"split": facts.source_photos.name, "path": f"concepts/{facts.source_photos.name}-*.arrow"}
        ]
    return [{"config_name": name, "description": description, "data_files": paths} for name, paths in files.items()]


def _dataset_info(facts: CardFacts) -> list[Yaml]:
    together = SplitFacts(
        name="train",
        rows=facts.rows,
        bytes=sum(split.bytes for split in facts.splits),
        files=sum(split.files for split in facts.splits),
    )
    infos = [_info("default", features(), facts.splits), _info("all", features(), (together,))]
    if facts.source_photos:
        infos.append(_info("concepts", concepts_features(), (facts.source_photos,)))
    return infos


def _info(config: str, columns: Features, splits: tuple[SplitFacts, ...]) -> Yaml:
    size = sum(split.bytes for split in splits)
    return {
        "config_name": config,
        "features": _sequences(columns._to_yaml_list()),
        "splits": [{"name": split.name, "num_bytes": split.bytes, "num_examples": split.rows} for split in splits],
        "download_size": size,
        "dataset_size": size,
    }


def _sequences(columns: Any) -> Any:
    """The features with "sequence" for "list": datasets 5 reads both, datasets 3.6 loses a list's fixed length."""
    if isinstance(columns, list):
        return [_sequences(column) for column in columns]
    if isinstance(columns, dict):
        return {"sequence" if key == "list" else key: _sequences(value) for key, value in columns.items()}
    return columns


def escaped(value: object) -> str:
    """Any value as Markdown that shows it as it is, in one line."""
    if isinstance(value, Markdown):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    text = html.escape(_one_line(str(value)), quote=False)
    # An underscore within a word is plain text, and escaping it would break the addresses of web pages.
    return re.sub(r"([\\`*{}\[\]|~$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)


def _one_line(text: str) -> str:
    """Without control characters; line breaks become spaces."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
