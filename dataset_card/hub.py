"""The card of a dataset folder -> the card of the same dataset on the Hub: Parquet, its name there, pictures."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from dataset_card.card import LICENSED, PLACE, UNLICENSED, dump_yaml, license_yaml, licensed

_HEAD = re.compile(r"---\n(?P<yaml>.*?\n)---\n(?P<body>.*)", re.DOTALL)
_LICENSE = re.compile("|".join((re.escape(UNLICENSED), re.escape(LICENSED).replace(r"\{\}", ".*"))))
_DIGEST = re.compile(r"shards sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A picture that the card shows. path: within the repository."""

    path: str
    caption: str


def digest_in(card: str) -> str | None:
    """The sha256 of the shards that a card was written for; None where its metadata does not say so."""
    try:
        configs = _parts(card)[0]["configs"]
        return next(found[1] for config in configs if (found := _DIGEST.search(str(config.get("description")))))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None


def hub_card(
    card: str, repo_id: str, sizes: Mapping[str, int], license: str | None = None, previews: Sequence[Preview] = ()
) -> str:
    """A folder's card, as it is to stand on the Hub; whatever people have written into it stays.

    Args:
        card: the README.md of the folder; `digest_in` finds a digest in it.
        repo_id: "user/mycanvas".
        sizes: config -> bytes of its Parquet files together.
        license: to be stated instead of the card's; None: the card's.
        previews: shown above the first section.
    """
    head, body = _parts(card)
    for config in head["configs"]:
        for files in config["data_files"]:
            files["path"] = re.sub(r"\.arrow$", ".parquet", files["path"])
    for info in head.get("dataset_info", []):
        info["download_size"] = sizes.get(info["config_name"], 0)
    if license:
        head = {key: value for key, value in head.items() if key != "license_name"} | license_yaml(license)
        body = _LICENSE.sub(lambda _: licensed(license), body)
    body = body.replace(f'data_dir="{PLACE}"', f'data_dir="hf://datasets/{repo_id}"').replace(PLACE, repo_id)
    if previews:
        pictures = "\n".join(map(_picture, previews))
        body = body.replace("\n## ", f"\n{pictures}\n\n## ", 1)
    return f"---\n{dump_yaml(head)}---\n{body}"


def _picture(preview: Preview) -> str:
    """Three beside each other: one under the other, as Markdown's own are, they fill screens."""
    caption = html.escape(" ".join(preview.caption.split()))
    return f'<img src="{preview.path}" alt="{caption}" title="{caption}" width="32%">'


def _parts(card: str) -> tuple[dict[str, Any], str]:
    """The metadata at the head of a card, and the rest.

    Raises:
        ValueError: there is none, or it is not YAML.
    """
    found = _HEAD.fullmatch(card)
    if not found:
        raise ValueError("no metadata between --- and ---")
    try:
        head = yaml.safe_load(found["yaml"])
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(head, dict):
        raise ValueError("the metadata is no mapping")
    return head, found["body"]
