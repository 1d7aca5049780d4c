"""Write and verify the dataset in a build folder: shards, card and manifest. Other files are not touched.

A shard is stored by its content, .build/shards/<sha256>.arrow, and data/<split>-NNNNN-of-NNNNN.arrow is a hard link to
it. A program that has loaded the dataset reads the former, which stays when another selection replaces the latter.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.rows import BATCH_ROWS, Row, batches
from builder.pipeline.source_photos import CutoutUse
from dataset_card import digest_in
from mycanvas.errors import StoreError
from mycanvas.io.files import (
    atomic,
    os_errors,
    read_json,
    read_json_or_none,
    sha256_of,
    sync_folder,
    write_json,
    write_stream,
    write_text,
)
from mycanvas.schema import SPLITS, concepts_schema, dataset_schema

log = logging.getLogger("mycanvas")

CONCEPTS_SHARD = "train-00000-of-00001.arrow"
SHARD_ROWS = 512
"""Maximum rows of one file of the dataset: about 200 MB at 1024 x 1024."""

NAMES = {"data": re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.arrow"), "concepts": re.compile(CONCEPTS_SHARD)}
"""The names of the dataset's shards, by their folder."""
STORED_NAME = re.compile(r"[0-9a-f]{64}\.arrow")

Kept = Sequence[tuple[int, Mapping[str, str]]]
"""For each shard of candidates, in order: its number, and the split of each kept id."""


def write_splits(folder: BuildFolder, kept: Kept) -> None:
    """Copy the kept scenes' encoded bytes into the dataset's shards, in the order of the plan.

    Until `mark_selected` replaces the manifest, the loader reads the earlier shards, which stay.
    """
    staging = _empty_staging(folder)
    for split in SPLITS:
        total = sum(name == split for _, ids in kept for name in ids.values())
        count = -(-total // SHARD_ROWS)
        rows = _kept_rows(folder, kept, split)
        for index in range(count):
            file = staging / f"{split}-{index:05d}-of-{count:05d}.arrow"
            write_stream(file, dataset_schema(), _join(rows, min(SHARD_ROWS, total - index * SHARD_ROWS)))
    _replace(folder, "data", staging)


def _kept_rows(folder: BuildFolder, kept: Kept, split: str) -> Iterator[pa.RecordBatch]:
    """Yield a record batch of one row for each kept scene of a split: views of the candidates' bytes, not decoded."""
    columns = dataset_schema().names
    for shard, ids in kept:
        if split not in ids.values():
            continue
        with pa.memory_map(str(folder.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                for row, sample_id in enumerate(batch.column("id").to_pylist()):
                    if ids.get(sample_id) == split:
                        yield batch.select(columns).slice(row, 1)


def _join(rows: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """Join the next `count` one-row batches into batches of BATCH_ROWS."""
    while count > 0:
        joined = list(islice(rows, min(BATCH_ROWS, count)))
        count -= len(joined)
        yield pa.concat_batches(joined)


def _empty_staging(folder: BuildFolder) -> Path:
    staging = folder.hidden / "staging"
    with os_errors(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
    return staging


def _replace(folder: BuildFolder, kind: str, staging: Path) -> None:
    """Store the new shards, give each its name in the dataset, and remove the names of earlier ones."""
    place = folder.path / kind
    with os_errors(place):
        place.mkdir(exist_ok=True)
        folder.shards.mkdir(exist_ok=True)
        new = sorted(file.name for file in staging.iterdir())
        for name in new:
            _store(folder, staging / name)
            (staging / name).replace(place / name)
            (staging / name).unlink(missing_ok=True)  # renaming does nothing where both are links to one file
        earlier = (read_json_or_none(folder.selected_file) or {"files": {}})["files"]
        ours = {*data_files(folder), *(folder.path / name for name in earlier)}
        for old in place.iterdir():
            if old in ours and old.name not in new:
                old.unlink()
        staging.rmdir()
        sync_folder(folder.shards)
        sync_folder(place)


def _store(folder: BuildFolder, file: Path) -> None:
    """Make a written shard a link to the stored one of the same content, which is kept if it is there and whole."""
    digest = sha256_of(file)
    same = folder.shard_file(digest)
    if same.is_file() and sha256_of(same) == digest:
        file.unlink()
        link(same, file)
        return
    same.unlink(missing_ok=True)
    link(file, same)


def link(source: Path, target: Path, make: Callable[[Path, Path], None] = os.link) -> None:
    """Make a hard link, or a copy where the file system has no hard links."""
    try:
        make(source, target)
    except OSError:
        with source.open("rb") as content, atomic(target) as copy:
            shutil.copyfileobj(content, copy)


def unused_shards(folder: BuildFolder) -> list[Path]:
    """The stored shards that the manifest does not name; a program that has loaded them may still read them.

    Empty where the manifest is missing or damaged: then nothing says which are used.
    """
    recorded = read_json_or_none(folder.selected_file)
    if not recorded or not folder.shards.is_dir():
        return []
    used = {f"{digest}.arrow" for digest in recorded["files"].values()}
    return sorted(
        file for file in folder.shards.iterdir() if STORED_NAME.fullmatch(file.name) and file.name not in used
    )


def write_concepts(folder: BuildFolder, photos: Iterable[CutoutUse]) -> None:
    """Write the source photos with their masks, as the config `concepts`, unless they are written already.

    Raises:
        StoreError: a file of a cut-out is missing.
    """
    before = read_json_or_none(folder.selected_file)
    name = f"concepts/{CONCEPTS_SHARD}"
    if before and name in before["files"] and _is_whole(folder, name, before["files"][name]):
        return
    staging = _empty_staging(folder)
    rows = batches(_concept_rows(folder, photos), concepts_schema())
    write_stream(staging / CONCEPTS_SHARD, concepts_schema(), rows)
    _replace(folder, "concepts", staging)


def _concept_rows(folder: BuildFolder, photos: Iterable[CutoutUse]) -> Iterator[Row]:
    """Yield the rows of the config `concepts`, with the encoded bytes of the cut-outs' files."""
    for photo in photos:
        yield {
            "id": photo.id,
            "image": {"bytes": _read(folder.cutout_file(photo.key, "photo.jpg")), "path": None},
            "mask": {"bytes": _read(folder.cutout_file(photo.key, "mask.png")), "path": None}
            if photo.quality is not None
            else None,
            "concept": photo.concept,
            "concept_token": photo.token,
            "class_name": photo.class_noun,
            "height_cm": photo.height_cm,
            "quality": photo.quality,
            "used": photo.used,
            "attribution": photo.attribution,
        }


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(
            f"cannot read {file}: {error.strerror}; run the same `mycanvas build` again to remake it"
        ) from error


def data_files(folder: BuildFolder) -> list[Path]:
    """The dataset's shards: scenes, then source photos. A file that only has such a name is not of the dataset."""
    links = {(stat.st_dev, stat.st_ino) for stat in (file.stat() for file in folder.shards.glob("*.arrow"))}
    return [
        file
        for kind, names in NAMES.items()
        for file in sorted(folder.path.glob(f"{kind}/*.arrow"))
        if names.fullmatch(file.name) and _is_stored(folder, file, links)
    ]


def _is_stored(folder: BuildFolder, file: Path, links: Collection[tuple[int, int]]) -> bool:
    stat = file.stat()
    return (stat.st_dev, stat.st_ino) in links or folder.shard_file(sha256_of(file)).is_file()


def write_card(folder: BuildFolder, text: str) -> None:
    """Write OUT/README.md; if it was edited, first rename it to a free name."""
    card, digest_file = folder.path / "README.md", folder.hidden / "card.sha256"
    new = hashlib.sha256(text.encode()).hexdigest()
    if card.is_file() and sha256_of(card) not in {new, digest_file.read_text() if digest_file.is_file() else ""}:
        kept, number = card.with_name("README.edited.md"), 1
        while kept.exists():
            number += 1
            kept = card.with_name(f"README.edited-{number}.md")
        card.rename(kept)
        log.warning("%s was edited; your version is now %s", card, kept.name)
    write_text(card, text)
    write_text(digest_file, new)


def file_sums(folder: BuildFolder) -> dict[str, str]:
    """Compute the sha256 of each of the dataset's shards, by its path in the folder, in the order of `data_files`."""
    return {file.relative_to(folder.path).as_posix(): sha256_of(file) for file in data_files(folder)}


def digest_of(sums: Mapping[str, str]) -> str:
    """Combine the sums of all shards into one sha256, which is on the card."""
    return hashlib.sha256("".join(f"{name} {sums[name]}\n" for name in sums).encode()).hexdigest()


def mark_selected(folder: BuildFolder, values: Mapping[str, Any]) -> None:
    """Replace the manifest: `values`, and for each shard its sha256, rows and bytes."""
    files = {file.relative_to(folder.path).as_posix(): file for file in data_files(folder)}
    shards = {
        "files": file_sums(folder),
        "rows": {name: _rows(file) for name, file in files.items()},
        "bytes": {name: file.stat().st_size for name, file in files.items()},
    }
    write_json(folder.selected_file, {**values, **shards})


def _rows(file: Path) -> int:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return sum(batch.num_rows for batch in stream)


def read_marker(folder: BuildFolder) -> dict[str, Any] | None:
    """Read the manifest; None if there is none, a shard has changed or the card describes other shards."""
    values: dict[str, Any] | None = read_json_or_none(folder.selected_file)
    card = folder.path / "README.md"
    if values is None or "bytes" not in values or not card.is_file():
        return None
    sums = file_sums(folder)
    card_matches = digest_in(card.read_text(encoding="utf-8", errors="replace")) == digest_of(sums)
    all_stored = all(folder.shard_file(digest).is_file() for digest in sums.values())
    return values if card_matches and all_stored and values["files"] == sums else None


def _lost(folder: BuildFolder, files: Mapping[str, str]) -> list[str]:
    """The names of the shards that are missing or damaged."""
    return [name for name, digest in files.items() if not _is_whole(folder, name, digest)]


def _is_whole(folder: BuildFolder, name: str, digest: str) -> bool:
    """Whether a shard has the content that was written, under its name and, if it is there, where it is stored."""
    file, same = folder.path / name, folder.shard_file(digest)
    if not file.is_file() or sha256_of(file) != digest:
        return False
    return not same.is_file() or file.samefile(same) or sha256_of(same) == digest


def check_whole(folder: BuildFolder) -> None:
    """Check that all shards are as they were written.

    Raises:
        StoreError: a shard is missing or damaged, or the build is not finished.
    """
    if not folder.selected_file.is_file():
        raise StoreError(f"{folder.path} is not finished; run the same `mycanvas build` again to finish it")
    expected = read_json(folder.selected_file)["files"]
    lost = _lost(folder, expected)
    if lost:
        flaw = "is damaged" if (folder.path / lost[0]).is_file() else "is missing"
        more = f", and {len(lost) - 1} more of {len(expected)} files are missing or damaged" if len(lost) > 1 else ""
        remedy = f"restore it with: mycanvas select {shlex.quote(str(folder.path))}"
        raise StoreError(f"{folder.path / lost[0]} {flaw}{more}; {remedy}")


def check_build(path: Path) -> None:
    """Check the shards of a dataset folder; a copy without its .build folder is not checked."""
    if (path / ".build").is_dir():
        check_whole(BuildFolder.open(path))
