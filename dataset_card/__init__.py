"""Dataset cards: the README.md that describes a dataset, how it was made and how to load it."""

from dataset_card.card import (
    HUB_LICENSES,
    BackgroundFacts,
    CardFacts,
    ConceptFacts,
    Credit,
    SplitFacts,
    license_yaml,
    render_card,
)
from dataset_card.hub import Preview, digest_in, hub_card

__all__ = [
    "HUB_LICENSES",
    "BackgroundFacts",
    "CardFacts",
    "ConceptFacts",
    "Credit",
    "Preview",
    "SplitFacts",
    "digest_in",
    "hub_card",
    "license_yaml",
    "render_card",
]
