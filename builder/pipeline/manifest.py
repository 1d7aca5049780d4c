"""The manifest of a build's dataset: its shards, and everything that they were made from."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.funnel import Funnel
from dataset_card import digest_in
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256

Shards = Mapping[str, str]
"""The sha256 of each shard of a dataset, by its path in the folder: "data/objects_4-00000-of-00001.arrow"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFrom:
    """Everything that the dataset of a build depends on; the same values give the same dataset.

    select: the thresholds. candidates: the sha256 of each file of candidates. sources: the digest of the sources.
    annotations: the digest of people's ranks, flags and captions; "" without any.
    """

    select: dict[str, Any]
    license: str | None
    candidates: tuple[str, ...]
    sources: str
    annotations: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The content of selected.json.

    files, rows, bytes: the sha256, the rows and the size of each shard. card: the sha256 of the card as it was written.
    plots: the sha256 of each plot of the card, by its path in the folder.
    """

    files: dict[str, str]
    rows: dict[str, int]
    bytes: dict[str, int]
    card: str
    made_from: MadeFrom
    funnel: Funnel
    plots: dict[str, str] = field(default_factory=dict)


def read_manifest(folder: BuildFolder) -> Manifest:
    """Read the manifest of a finished build.

    Raises:
        StoreError: the build is not finished, or the manifest is damaged.
    """
    if not folder.selected_file.is_file():
        raise StoreError(f"{folder.path} is not finished; run the same `mycanvas build` again to finish it")
    return read_checked(folder.selected_file, Manifest, _restore(folder))


def last_manifest(folder: BuildFolder) -> Manifest | None:
    """Read the manifest; None where it is missing or damaged."""
    return read_checked_or_none(folder.selected_file, Manifest)


def write_manifest(
    folder: BuildFolder, shards: Shards, card: str, plots: Mapping[str, str], made_from: MadeFrom, funnel: Funnel
) -> None:
    """Replace the manifest: readers that load the dataset from now on read these shards."""
    manifest = Manifest(
        files=dict(shards),
        rows={name: _rows(folder.shard_file(digest)) for name, digest in shards.items()},
        bytes={name: folder.shard_file(digest).stat().st_size for name, digest in shards.items()},
        card=card,
        made_from=made_from,
        funnel=funnel,
        plots=dict(plots),
    )
    write_checked(folder.selected_file, asdict(manifest))


def digest_of(shards: Shards) -> str:
    """Combine the sums of all shards into one sha256, which is on the card."""
    return hashlib.sha256("".join(f"{name} {shards[name]}\n" for name in sorted(shards)).encode()).hexdigest()


def is_current(folder: BuildFolder, manifest: Manifest) -> bool:
    """Whether all shards are whole, under their names and where they are stored, and card and plots are theirs."""
    stored = all(folder.shard_file(digest).is_file() for digest in manifest.files.values())
    return (
        stored
        and card_describes(folder, manifest)
        and has_plots(folder, manifest)
        and not _lost(folder, manifest.files)
    )


def has_plots(folder: BuildFolder, manifest: Manifest) -> bool:
    """Whether the plots of the card are as they were written."""
    return all(has_sha256(folder.path / name, digest) for name, digest in manifest.plots.items())


def card_describes(folder: BuildFolder, manifest: Manifest) -> bool:
    """Whether the card was written for the shards of a manifest."""
    card = folder.path / "README.md"
    if not card.is_file():
        return False
    return digest_in(card.read_text(encoding="utf-8", errors="replace")) == digest_of(manifest.files)


def check_whole(folder: BuildFolder) -> None:
    """Check that all shards are as they were written.

    Raises:
        StoreError: a shard is missing or damaged, or the build is not finished.
    """
    expected = read_manifest(folder).files
    lost = _lost(folder, expected)
    if lost:
        flaw = "is damaged" if (folder.path / lost[0]).is_file() else "is missing"
        more = f", and {len(lost) - 1} more of {len(expected)} files are missing or damaged" if len(lost) > 1 else ""
        raise StoreError(f"{folder.path / lost[0]} {flaw}{more}; {_restore(folder)}")


def check_build(path: Path) -> None:
    """Check the shards of a dataset folder; a copy without its .build folder is not checked."""
    if (path / ".build").is_dir():
        check_whole(BuildFolder.open(path))


def _lost(folder: BuildFolder, shards: Shards) -> list[str]:
    """The names of the shards that are missing or damaged."""
    return [name for name, digest in shards.items() if not _is_whole(folder, name, digest)]


def _is_whole(folder: BuildFolder, name: str, digest: str) -> bool:
    """Whether a shard has its content under its name and, if it is stored too, where it is stored."""
    file, stored = folder.path / name, folder.shard_file(digest)
    if not has_sha256(file, digest):
        return False
    return not stored.is_file() or file.samefile(stored) or has_sha256(stored, digest)


def _rows(file: Path) -> int:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return sum(batch.num_rows for batch in stream)


def _restore(folder: BuildFolder) -> str:
    return f"restore it with: mycanvas select {shlex.quote(str(folder.path))}"
