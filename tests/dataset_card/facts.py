"""Facts of a small dataset, and the YAML of a card."""

from __future__ import annotations

from typing import Any

from huggingface_hub import DatasetCard

from dataset_card import BackgroundFacts, CardFacts, ConceptFacts, Credit, SplitFacts, render_card


def concept(name: str, *photos: Credit) -> ConceptFacts:
    return ConceptFacts(name=name, token=f"<{name}>", class_noun=name, photos=photos)


FACTS = CardFacts(
    name="Toys",
    splits=(
        SplitFacts(name="objects_le3", rows=3, bytes=3_000, files=1),
        SplitFacts(name="objects_5", rows=2, bytes=2_000, files=1),
    ),
    source_photos=SplitFacts(name="train", rows=2, bytes=700, files=1),
    concepts=(
        concept("mug", Credit(id="mug/0.jpg", attribution="Ada, CC BY 4.0"), Credit(id="mug/1.jpg", used=False)),
        concept("ball", Credit(id="ball/0.jpg")),
    ),
    backgrounds=(
        BackgroundFacts(name="desk", phrase="on a desk"),
        BackgroundFacts(name="garden", phrase="in a garden", photos=(Credit(id="garden/0.jpg", attribution="Bo"),)),
    ),
    compositions={"ball": 1, "ball+mug": 4},
    planned=9,
    rejected={"layout: it does not fit": 1},
    candidates=8,
    dropped={"visible < 0.6": 2, "near-duplicate": 1},
    profile="classic",
    parameters={"layout.scale": 0.75, "segment.keep_best": False, "sizes": [2, 3]},
    backends={"segment": "tricut", "layout": "solver", "repaint": "blend", "caption": "template", "score": "classical"},
    config_digest="c0" * 32,
    shards_digest="5d" * 32,
    seed=7,
    sizes=((512, 512),),
    caption_words=11.46,
    license="CC-BY-4.0",
    version="0.1.0",
)


def head(facts: CardFacts) -> dict[str, Any]:
    """The card's YAML."""
    parsed: dict[str, Any] = DatasetCard(render_card(facts), ignore_metadata_errors=False).data.to_dict()
    return parsed
