"""Adapt the card of a dataset folder to the Hub: Parquet files, repository name, license and previews."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from dataset_card.card import (
    CREDITS,
    LICENSED,
    LONG,
    PLACE,
    UNLICENSED,
    dump_yaml,
    escaped,
    license_yaml,
    licensed,
    one_line,
)

_HEAD = re.compile(r"---\n(?P<yaml>.*?\n)---\n(?P<body>.*)", re.DOTALL)
_LICENSE = re.compile("|".join((re.escape(UNLICENSED), re.escape(LICENSED).replace(r"\{\}", ".*"))))
_PAIRS = (
    "The config `pairs` has for each scene (`tgt_img`, `prompt`) a photo of each of its objects (`cond_img_0`, "
    "`cond_prompt_0` and so on, in the order of `boxes`), to train models that take references."
)
_DIGEST = re.compile(r"shards sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """An image shown in the card. path: within the repository."""

    path: str
    caption: str


def digest_in(card: str) -> str | None:
    """Return the sha256 of the shards that a card describes, or None if its metadata has none."""
    try:
        configs = _parts(card)[0]["configs"]
        return next(found[1] for config in configs if (found := _DIGEST.search(str(config.get("description")))))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None


def hub_card(
    card: str,
    repo_id: str,
    sizes: Mapping[str, int],
    license: str | None = None,
    previews: Sequence[Preview] = (),
    published: int = 0,
    held_back: Sequence[str] = (),
    pairs: Sequence[str] = (),
) -> str:
    """Convert the card of a folder for the Hub. Text that people have added to the card is kept.

    Args:
        card: text of the folder's README.md; `digest_in` must find a digest in it.
        repo_id: repository on the Hub, such as "user/mycanvas".
        sizes: config -> total size of its Parquet files in bytes.
        license: replaces the license in the card; None keeps the card's.
        previews: images to show above the first section.
        published: number of published source photos.
        held_back: ids of the source photos that the card describes and that are not published.
        pairs: splits of the config `pairs`; empty: there is none.

    Returns:
        The text of the Hub's README.md.
    """
    head, body = _parts(card)
    for config in head["configs"]:
        for files in config["data_files"]:
            files["path"] = re.sub(r"\.arrow$", ".parquet", files["path"])
    if pairs:
        paths = [{"split": split, "path": f"pairs/{split}-*.parquet"} for split in pairs]
        head["configs"].append({"config_name": "pairs", "data_files": paths})
        body = body.replace("\n## ", f"\n{_PAIRS}\n\n## ", 1)
    for info in head.get("dataset_info", []):
        info["download_size"] = sizes.get(info["config_name"], 0)
    if held_back:
        body = _with_fewer_photos(head, body, published, held_back, sizes)
    if license:
        head = {key: value for key, value in head.items() if key != "license_name"} | license_yaml(license)
        body = _LICENSE.sub(lambda _: licensed(license), body)
    body = body.replace(f'data_dir="{PLACE}"', f'data_dir="hf://datasets/{repo_id}"').replace(PLACE, repo_id)
    if previews:
        pictures = "\n".join(map(_picture, previews))
        body = body.replace("\n## ", f"\n{pictures}\n\n## ", 1)
    return f"---\n{dump_yaml(head)}---\n{body}"


def _with_fewer_photos(
    head: Mapping[str, Any], body: str, published: int, held_back: Sequence[str], sizes: Mapping[str, int]
) -> str:
    """Correct the rows of the config `concepts` in the metadata, and return the text with them.

    The table of makers keeps the photos that are not published; the text above it lists them.
    """
    described = published + len(held_back)
    for info in head.get("dataset_info", []):
        if info["config_name"] == "concepts":
            (split,) = info["splits"]
            split |= {"num_examples": published, "num_bytes": sizes.get("concepts", 0)}
            info["dataset_size"] = split["num_bytes"]
    body = body.replace(f"\n| concepts | train | {described} |", f"\n| concepts | train | {published} |")
    of = f"has one row per source photo that a scene shows ({published} of {described})"
    body = body.replace("The config `concepts` has one row per source photo", f"The config `concepts` {of}")
    listed = f"Not published, because no scene shows them: {', '.join(map(escaped, held_back))}."
    if len(held_back) > LONG:
        title = f"Photos below that are not published: {len(held_back)}"
        listed = f"<details>\n<summary>{title}</summary>\n\n{listed}\n\n</details>"
    return body.replace(f"\n{CREDITS}\n", f"\n{CREDITS}\n\n{listed}\n", 1)


def _picture(preview: Preview) -> str:
    """Format one preview as HTML at a third of the page width; Markdown images would fill the page."""
    caption = html.escape(one_line(preview.caption))
    return f'<img src="{preview.path}" alt="{caption}" title="{caption}" width="32%">'


def _parts(card: str) -> tuple[dict[str, Any], str]:
    """Split a card into its YAML metadata and its text.

    Raises:
        ValueError: the metadata is missing or is not a YAML mapping.
    """
    found = _HEAD.fullmatch(card)
    if not found:
        raise ValueError("the card has no metadata between --- and ---")
    try:
        head = yaml.safe_load(found["yaml"])
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(head, dict):
        raise ValueError("the metadata of the card is not a mapping")
    return head, found["body"]
