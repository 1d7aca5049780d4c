"""The dataset card, with names, nouns, phrases and credits that may be anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import yaml
from markdown_it import MarkdownIt

from dataset_card import BackgroundFacts, CardFacts, ConceptFacts, Credit, Preview, digest_in, hub_card, render_card
from tests.dataset_card.facts import FACTS
from tests.fuzz.draws import name, text
from tests.fuzz.target import Target, require

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
FIELDS = (
    "title",
    "concept",
    "token",
    "noun",
    "photo",
    "credit",
    "scene",
    "phrase",
    "composition",
    "reason",
    "rule",
    "value",
    "license",
)
PREVIEW = "previews/a-00000.jpg"


def targets(_scratch: Path) -> Iterator[Target]:
    """The targets of this file."""
    plain = _structure(_cards(_facts({field: f"word{index}" for index, field in enumerate(FIELDS)}), "word"))

    def draw(random: Random) -> dict[str, str]:
        return {
            field: (text(random, surrogates=True, most=4) if random.random() < 0.5 else name(random)) or "x"
            for field in FIELDS
        }

    def check(given: dict[str, str]) -> None:
        cards = _cards(_facts(given), given["noun"].encode("utf-8", "replace").decode())
        require(_structure(cards) == plain, "names do not change the structure of a card")
        for card in cards:
            card.encode()
            require(digest_in(card) == FACTS.shards_digest, "the metadata of a card has the digest")

    yield Target(name="dataset cards", draw=draw, check=check, inputs=100)


def _facts(given: Mapping[str, str]) -> CardFacts:
    credit = Credit(id=given["photo"], attribution=given["credit"])
    return replace(
        FACTS,
        name=given["title"],
        concepts=(
            ConceptFacts(name=given["concept"], token=given["token"], class_noun=given["noun"], photos=(credit,)),
        ),
        backgrounds=(BackgroundFacts(name=given["scene"], phrase=given["phrase"], photos=(credit,)),),
        compositions={given["composition"]: 5},
        rejected={given["reason"]: 1},
        dropped={given["rule"]: 2},
        parameters={"repaint.prompt": given["value"]},
        license=f"CC {given['license']}",
    )


def _cards(facts: CardFacts, caption: str) -> tuple[str, str]:
    card = render_card(facts)
    previews = [Preview(path=PREVIEW, caption=caption)]
    hub = hub_card(
        card,
        "user/toys",
        {"default": 1, "all": 1, "concepts": 1},
        previews=previews,
        held_back=[facts.concept_photos[0].id],
    )
    return card, hub


def _structure(cards: tuple[str, str]) -> list[Any]:
    """The keys of the metadata, and the kinds of all blocks and inline elements of the text."""
    found: list[Any] = []
    for card in cards:
        head, body = card.removeprefix("---\n").split("\n---\n", 1)
        metadata = yaml.safe_load(head)
        found.append(
            ({**metadata, "pretty_name": "", "license_name": "", "license": ""}, type(metadata["pretty_name"]))
        )
        for token in MARKDOWN.parse(body):
            found.append((token.type, token.tag))
            if token.type == "html_block":
                found.append(token.content.split(' alt="')[0])
            inner = [child for child in token.children or () if child.type not in ("text", "text_special")]
            found += [(child.type, child.tag, child.attrs.get("href")) for child in inner]
    return found
