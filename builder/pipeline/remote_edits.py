"""Changes by people in a copy of a build at a URL, which files of the URL do not replace: decisions, and the card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.dataset_writer import set_aside
from builder.pipeline.manifest import digest_of, last_manifest
from builder.pipeline.own_files import is_own, own_files
from builder.sources.cutout_reviews import CutoutReviews
from dataset_card import digest_in
from mycanvas.io.files import has_sha256, write_bytes
from mycanvas.io.store import Store

REVIEWS, CARD = ".build/reviews", "README.md"


def take_decisions(store: Store, folder: BuildFolder) -> None:
    """Fetch people's decisions about cut-outs; where the copy has another one, the newest counts.

    Raises:
        StoreError: they cannot be read or written, or a mask of one is damaged or missing.
    """
    contents = store.read_all([name for name in map(_name, store.names(REVIEWS)) if is_own(name)])
    masks = {name: content for name, content in contents.items() if name.endswith(".png")}
    for name, content in masks.items():
        if not has_sha256(folder.path / name, Path(name).stem):
            write_bytes(folder.path / name, content)
    photos = []
    with TemporaryDirectory() as others:
        for name in contents.keys() - masks.keys():
            own = folder.path / name
            if not own.is_file():
                write_bytes(own, contents[name])
            elif own.read_bytes() != contents[name]:
                write_bytes(Path(others) / own.name, contents[name])
                photos.append(own.stem)
        CutoutReviews([folder.reviews, Path(others)]).collect(photos)


def upload_decisions(store: Store, folder: BuildFolder) -> None:
    """Upload people's decisions about cut-outs, once those at the URL are taken; none comes before its mask."""
    take_decisions(store, folder)
    decisions = [file for file, _ in own_files(folder.path, REVIEWS)]
    for file in sorted(decisions, key=lambda file: file.suffix == ".json"):
        store.upload(file, _name(file.name))


def keep_edited_card(folder: BuildFolder, content: bytes | None) -> None:
    """Rename the card of the copy if a person edited it; content: of the card at the URL, which replaces it."""
    card, manifest = folder.path / CARD, last_manifest(folder)
    if not (manifest and card.is_file()):
        return
    present = card.read_bytes()
    if present == content or hashlib.sha256(present).hexdigest() == manifest.card:
        return
    # A card of other shards was written by a build that was killed before it wrote the manifest.
    if digest_in(present.decode(errors="replace")) in {None, digest_of(manifest.files)}:
        set_aside(card, "was")


def _name(file: str) -> str:
    return f"{REVIEWS}/{file}"
