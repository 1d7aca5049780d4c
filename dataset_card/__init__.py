"""Dataset cards: the README.md that describes a dataset, how it was made and how to load it."""

from dataset_card.card import (
    HUB_LICENSES,
    BackgroundFacts,
    CardFacts,
    ConceptFacts,
    Credit,
    Plot,
    SplitFacts,
    license_yaml,
    render_card,
)
from dataset_card.hub import Preview, digest_in, hub_card
from dataset_card.plots import Histogram, count_ticks, draw_heat_map, draw_histogram

__all__ = [
    "HUB_LICENSES",
    "BackgroundFacts",
    "CardFacts",
    "ConceptFacts",
    "Credit",
    "Histogram",
    "Plot",
    "Preview",
    "SplitFacts",
    "count_ticks",
    "digest_in",
    "draw_heat_map",
    "draw_histogram",
    "hub_card",
    "license_yaml",
    "render_card",
]
