"""Find the columns of pictures and captions in any dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mycanvas.errors import ConfigError

Row = Mapping[str, Any]

IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "webp", "img", "picture", "photo", "bytes", "image_bytes")
CAPTION_COLUMNS = ("caption", "text", "txt", "captions", "alt_text", "description", "sentence")
"""Usual names of such columns, the likeliest first: ours, LAION's (TEXT), img2dataset's, COCO's. Case is ignored."""


def find_columns(place: str, features: Row, image: str | None, caption: str | None) -> tuple[str | None, str]:
    """Find the columns of pictures and captions; None for pictures where there are only URLs.

    Args:
        place: the dataset, for messages.
        features: name -> feature of `datasets`.
        image: the name that the user gave; None: find it.
        caption: likewise.

    Raises:
        ConfigError: see `open_pairs`.
    """
    links = [name for name in features if "url" in name.lower()]
    pictures = [name for name, feature in features.items() if _holds_pictures(feature)]
    texts = [name for name, feature in features.items() if _holds_text(feature)]
    _check_given(place, "--image-column", image, pictures, features)
    _check_given(place, "--caption-column", caption, texts, features)
    texts = [name for name in texts if name not in (*links, "__key__")]
    image = image or _likeliest(pictures, IMAGE_COLUMNS)
    caption = caption or _likeliest(texts, CAPTION_COLUMNS)
    if image is None and (pictures or not links):
        raise ConfigError(_unclear(place, "images", pictures or features, "--image-column"))
    if caption is None:
        raise ConfigError(_unclear(place, "captions", texts or features, "--caption-column"))
    return image, caption


def _check_given(place: str, option: str, name: str | None, fitting: Sequence[str], features: Row) -> None:
    if name is not None and name not in features:
        raise ConfigError(f"{option} {name}: {place} has no such column; it has {', '.join(features)}")
    if name is not None and name not in fitting:
        kind = "images" if option == "--image-column" else "captions"
        expected = f"expected one of {', '.join(fitting)}" if fitting else "no column does"
        raise ConfigError(f"{option} {name}: this column of {place} does not contain {kind}; {expected}")


def _likeliest(names: Sequence[str], usual: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in usual if name in lower), names[0] if len(names) == 1 else None)


def _unclear(place: str, what: str, names: Iterable[str], option: str) -> str:
    return f"{place}: cannot tell which column contains {what}; choose one with {option}: {', '.join(names)}"


def _holds_pictures(feature: Any) -> bool:
    import datasets

    if isinstance(feature, dict):
        return "bytes" in feature
    return isinstance(feature, datasets.Image) or getattr(feature, "dtype", None) in ("binary", "large_binary")


def _holds_text(feature: Any) -> bool:
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    return getattr(inner, "dtype", None) in ("string", "large_string")
