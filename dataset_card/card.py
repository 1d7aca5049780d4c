"""Render the dataset card, README.md, from facts about a build. No I/O except reading the template."""

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

from mycanvas.schema import SCORE_FIELDS, concepts_features, features

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
"""The Hub's identifiers of licenses for images and data; any other license is "other" with a `license_name`."""

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
"""The Hub's size categories, each with its upper bound on the number of rows (exclusive)."""

UNLICENSED = """\
**No license is known.** The source photos, which every scene is made of, have no common stated license. Ask the makers
of the photos before you share or use this dataset."""
"""The card's text on the license when it is unknown."""

LICENSED = "License: {}, as stated by the creator of this dataset for its source photos."
"""The card's text on the license when it is known."""

CREDITS = "## License and attribution"
"""The heading of the card's table of makers."""

PLACE = "path/to/this/folder"
"""The card's placeholder for the path of the dataset."""

LONG = 20
"""Tables with more rows than this are collapsed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts:
    """One split's files. bytes: total size of its files."""

    name: str
    rows: int
    bytes: int
    files: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Credit:
    """Credit of a source photo. used: whether scenes may show it. attribution: maker and license; None: not stated."""

    id: str
    used: bool = True
    attribution: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptFacts:
    """A concept with all its photos, whether used or not."""

    name: str
    token: str
    class_noun: str
    photos: tuple[Credit, ...]

    @property
    def used(self) -> int:
        """Number of its photos that scenes may show."""
        return sum(photo.used for photo in self.photos)


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundFacts:
    """A background of scenes. phrase: its wording in captions. photos: empty when the program draws the background."""

    name: str
    phrase: str
    photos: tuple[Credit, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A plot in the card. path: of its PNG in the dataset's folder. alt: the plot in words."""

    path: str
    alt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """The contents of a card. There are no dates, so that the same build gives the same card.

    name: the dataset's title.
    splits: the splits that have rows, in order; at least one.
    source_photos: the split of the config `concepts`, or None.
    compositions: number of kept scenes by composition ("cat2+dog6").
    planned, candidates: numbers of scenes. rejected: number of scenes by "stage: reason".
    dropped: number of candidates by the selection rule that dropped them.
    profile: the profile on which the configuration is based. parameters: key ("layout.scale") -> value.
    backends: stage ("segment") -> backend ("tricut"), in the order of the stages.
    config_digest, shards_digest: sha256, in hexadecimal, of the configuration and of the dataset's files.
    sizes: width and height of scenes in pixels; at least one. caption_words: mean number of words in a caption.
    license: SPDX identifier for the whole dataset, or None when the photos have no common one.
    version: version of mycanvas. plots: of the kept scenes.
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
    sizes: tuple[tuple[int, int], ...]
    caption_words: float
    license: str | None
    version: str
    plots: tuple[Plot, ...] = ()

    @property
    def pixels(self) -> str:
        """The sizes of scenes in words: "1024 × 1024 or 1152 × 896 pixels"."""
        *others, last = (f"{width} × {height}" for width, height in self.sizes)
        return f"{', '.join(others)} or {last} pixels" if others else f"{last} pixels"

    @property
    def rows(self) -> int:
        """Number of scenes in all splits."""
        return sum(split.rows for split in self.splits)

    @property
    def concept_photos(self) -> tuple[Credit, ...]:
        """The source photos of all concepts."""
        return tuple(chain.from_iterable(concept.photos for concept in self.concepts))

    @property
    def background_photos(self) -> tuple[Credit, ...]:
        """The photos of all backgrounds."""
        return tuple(chain.from_iterable(background.photos for background in self.backgrounds))


class Markdown(str):
    """Text that is already Markdown and must not be escaped."""

    __slots__ = ()


def render_card(facts: CardFacts) -> str:
    """Render README.md: YAML front matter for the Hub and `datasets`, then the card for people.

    Args:
        facts: about the build. Names and attributions may contain any text: they are escaped.

    Returns:
        Markdown with YAML front matter; the same facts give the same text.
    """
    photos = (*facts.concept_photos, *facts.background_photos)
    return _template().render(
        facts=facts,
        scores=SCORE_FIELDS,
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
        heading=Markdown(CREDITS),
        photos=len(photos),
        credits=_credits(photos),
        unattributed=_unattributed(facts),
    )


def dump_yaml(values: Yaml) -> str:
    """Format the front matter of a card as YAML."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1_000)


def licensed(license: str) -> Markdown:
    """Return the card's sentence about a known license."""
    return Markdown(LICENSED.format(escaped(license)))


def _unattributed(facts: CardFacts) -> str:
    """The numbers of photos without a stated maker or license: "2 of 6 source photos"; empty where all have one."""
    kinds = {"source photos": facts.concept_photos, "background photos": facts.background_photos}
    counts = {kind: [photo.attribution for photo in photos].count(None) for kind, photos in kinds.items()}
    return " and ".join(f"{count} of {len(kinds[kind])} {kind}" for kind, count in counts.items() if count)


def _credits(photos: Sequence[Credit]) -> list[tuple[str | None, list[Credit]]]:
    """Group photos by attribution, in the order in which attributions first appear."""
    shared: dict[str | None, list[Credit]] = {}
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
        "pretty_name": one_line(facts.name),
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
    """Return the Hub's metadata for a license: "CC BY 4.0" becomes "cc-by-4.0"."""
    name = re.sub(r"[^a-z0-9.+]+", "-", (license or "").lower()).strip("-")
    if not name:
        return {"license": "unknown"}
    return {"license": name} if name in HUB_LICENSES else {"license": "other", "license_name": name}


def _configs(facts: CardFacts) -> list[Yaml]:
    # `datasets` caches a local folder by its name and card only. Without the digest, it would silently return the old
    # rows after the shards are rewritten.
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
    all_scenes = SplitFacts(
        name="train",
        rows=facts.rows,
        bytes=sum(split.bytes for split in facts.splits),
        files=sum(split.files for split in facts.splits),
    )
    infos = [_info("default", features(), facts.splits), _info("all", features(), (all_scenes,))]
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
    """Rename "list" to "sequence": datasets 5 reads both, datasets 3.6 loses the fixed length of a "list"."""
    if isinstance(columns, list):
        return [_sequences(column) for column in columns]
    if isinstance(columns, dict):
        return {"sequence" if key == "list" else key: _sequences(value) for key, value in columns.items()}
    return columns


def escaped(value: object) -> str:
    """Escape any value for Markdown, on one line."""
    if isinstance(value, Markdown):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    text = html.escape(one_line(str(value)), quote=False)
    # An underscore within a word is plain text in Markdown, and escaping it would break URLs.
    return re.sub(r"([\\`*{}\[\]|~$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)


def one_line(text: str) -> str:
    """Replace line breaks by spaces and remove control characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
