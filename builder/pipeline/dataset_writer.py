"""Write the dataset in a build folder: shards and card. Foreign files are left alone.

A shard is stored by its content, as .build/shards/<sha256>.arrow, and data/<split>-NNNNN-of-NNNNN.arrow is a hard link
to it. Programs that loaded the dataset read the stored shard, which stays when another selection replaces the link.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import Manifest, Shards
from builder.pipeline.own_files import CONCEPTS_SHARD, own_files
from builder.pipeline.prepared_files import read_encoded
from builder.pipeline.rows import BATCH_ROWS, Row, batches
from builder.pipeline.source_photos import CutoutUse
from mycanvas.errors import StoreError
from mycanvas.io.files import (
    has_sha256,
    os_errors,
    sha256_of,
    sync_folder,
    unfinished,
    write_stream_by_digest,
    write_text,
)
from mycanvas.schema import SPLITS, concepts_schema, dataset_schema

log = logging.getLogger("mycanvas")

SHARD_ROWS = 512
"""Maximum rows of one file of the dataset: about 200 MB at 1024 x 1024."""

Kept = Sequence[tuple[int, Mapping[str, str]]]
"""For each shard of candidates, in order: its number, and the split of each kept id."""


def store_splits(folder: BuildFolder, kept: Kept, changes: Mapping[str, Row]) -> dict[str, str]:
    """Copy the kept scenes' encoded bytes into shards, in the order of the plan; return the shards by name.

    Args:
        folder: the build folder.
        kept: the scenes.
        changes: columns with other values than the candidate's, by the scene's id.
    """
    shards = {}
    for split in SPLITS:
        total = sum(name == split for _, ids in kept for name in ids.values())
        count = -(-total // SHARD_ROWS)
        rows = _kept_rows(folder, kept, split, changes)
        for index in range(count):
            own = _join(rows, min(SHARD_ROWS, total - index * SHARD_ROWS))
            shards[f"data/{split}-{index:05d}-of-{count:05d}.arrow"] = write_stream_by_digest(
                folder.shard_file, dataset_schema(), own
            )
    return shards


def store_concepts(folder: BuildFolder, photos: Iterable[CutoutUse], known: Shards) -> dict[str, str]:
    """Write the source photos with their masks, as the config `concepts`; return the shard by name.

    Args:
        folder: the build folder.
        photos: of all concepts.
        known: the earlier shards, if they were made from the same photos; a whole one is not written again.

    Raises:
        StoreError: a file of a cut-out is missing or damaged.
    """
    name = f"concepts/{CONCEPTS_SHARD}"
    if name in known and has_sha256(folder.shard_file(known[name]), known[name]):
        return {name: known[name]}
    rows = batches(_concept_rows(folder, photos), concepts_schema())
    return {name: write_stream_by_digest(folder.shard_file, concepts_schema(), rows)}


def link_shards(folder: BuildFolder, shards: Shards, before: Manifest | None) -> None:
    """Give each stored shard its name in the dataset, and remove the names of earlier ones.

    Until the manifest is replaced, readers read the earlier shards, which stay in .build/shards.

    Args:
        folder: the build folder.
        shards: of the dataset.
        before: the manifest of the earlier dataset, if there is one.

    Raises:
        StoreError: a file that is not of this build has the name of a shard; then nothing is changed.
    """
    earlier = _named_shards(folder, before)
    for name in sorted(shards.keys() - earlier.keys()):
        target = folder.path / name
        if os.path.lexists(target):
            raise StoreError(f"{target} is not a file of this build; move it, then run the same command again")
    for name, digest in shards.items():
        _link(folder.shard_file(digest), folder.path / name)
    for name in earlier.keys() - shards.keys():
        with os_errors(earlier[name]):
            earlier[name].unlink()
    for changed in (folder.shards, folder.path / "data", folder.path / "concepts"):
        if changed.is_dir():
            sync_folder(changed)


def _named_shards(folder: BuildFolder, before: Manifest | None) -> dict[str, Path]:
    """Find the files in the dataset that are shards of this build: by the manifest, or by their content."""
    stored = {_identity(file) for file, _ in own_files(folder.path, ".build/shards")}
    found = {}
    for place in ("data", "concepts"):
        for file, _ in own_files(folder.path, place):
            name = f"{place}/{file.name}"
            in_manifest = before is not None and name in before.files
            if in_manifest or _identity(file) in stored or folder.shard_file(sha256_of(file)).is_file():
                found[name] = file
    return found


def write_card(folder: BuildFolder, text: str, before: Manifest | None) -> str:
    """Write OUT/README.md; if it was edited, first rename it to a free name. Return its sha256."""
    card = folder.path / "README.md"
    new = hashlib.sha256(text.encode()).hexdigest()
    with os_errors(card):
        if card.is_file() and sha256_of(card) not in {new, before.card if before else ""}:
            set_aside(card, "was" if before else "may have been")
    write_text(card, text)
    return new


def set_aside(card: Path, verb: str) -> None:
    """Rename an edited card to a free name, with a warning that it "was" edited, or "may have been"."""
    kept, number = card.with_name("README.edited.md"), 1
    while os.path.lexists(kept):
        number += 1
        kept = card.with_name(f"README.edited-{number}.md")
    with os_errors(card):
        card.rename(kept)
    log.warning("%s %s edited; it is now %s", card, verb, kept.name)


def _kept_rows(folder: BuildFolder, kept: Kept, split: str, changes: Mapping[str, Row]) -> Iterator[pa.RecordBatch]:
    """Yield a record batch of one row for each kept scene of a split: views of the candidates' bytes, not decoded."""
    for shard, ids in kept:
        if split not in ids.values():
            continue
        with pa.memory_map(str(folder.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                for row, sample_id in enumerate(batch.column("id").to_pylist()):
                    if ids.get(sample_id) == split:
                        yield _changed(_with_every_column(batch).slice(row, 1), changes.get(sample_id, {}))


def _changed(row: pa.RecordBatch, values: Row) -> pa.RecordBatch:
    """A batch of one row with other values in some columns."""
    for name, value in values.items():
        index = row.schema.get_field_index(name)
        row = row.set_column(index, row.schema.field(index), pa.array([value], row.schema.field(index).type))
    return row


def _with_every_column(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of a scene; a column or a score that candidates of an earlier version lack is null."""
    schema = dataset_schema()
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _join(rows: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """Join the next `count` one-row batches into batches of BATCH_ROWS."""
    while count > 0:
        joined = list(islice(rows, min(BATCH_ROWS, count)))
        count -= len(joined)
        yield pa.concat_batches(joined)


def _concept_rows(folder: BuildFolder, photos: Iterable[CutoutUse]) -> Iterator[Row]:
    """Yield the rows of the config `concepts`, with the encoded bytes of the cut-outs' files."""
    for photo in photos:
        image, mask = read_encoded(folder, photo.key)
        yield {
            "id": photo.id,
            "image": {"bytes": image, "path": None},
            "mask": {"bytes": mask, "path": None} if mask else None,
            "concept": photo.concept,
            "concept_token": photo.token,
            "class_name": photo.class_noun,
            "height_cm": photo.height_cm,
            "quality": photo.quality,
            "used": photo.used,
            "attribution": photo.attribution,
        }


def _link(source: Path, target: Path) -> None:
    """Make `target` a link to a stored shard, in one step."""
    if target.is_file() and target.samefile(source):
        return
    with os_errors(target):
        target.parent.mkdir(exist_ok=True)
        new = unfinished(target)
        try:
            link(source, new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)


def link(source: Path, target: Path, make: Callable[[Path, Path], None] = os.link) -> None:
    """Make a hard link, or a copy where the file system has no hard links; `target` must not exist."""
    try:
        make(source, target)
    except OSError:
        with source.open("rb") as content, target.open("xb") as copy:
            shutil.copyfileobj(content, copy)
            copy.flush()
            os.fsync(copy.fileno())


def _identity(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_dev, stat.st_ino
