"""Write and verify the dataset in a build folder: shards, card and marker. Other files are not touched."""

from __future__ import annotations

import hashlib
import logging
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

SHARD_ROWS = 512
"""Maximum rows of one file of the dataset: about 200 MB at 1024 x 1024."""

Kept = Sequence[tuple[int, Mapping[str, str]]]
"""For each shard of candidates, in order: its number, and the split of each kept id."""


def write_splits(folder: BuildFolder, kept: Kept) -> None:
    """Copy the kept scenes' encoded bytes into the dataset's shards, in the order of the plan.

    The old dataset stays until the new one is written; from then until `mark_selected` there is no marker.
    """
    staging = folder.hidden / "staging"
    with os_errors(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
    for split in SPLITS:
        total = sum(name == split for _, ids in kept for name in ids.values())
        count = -(-total // SHARD_ROWS)
        rows = _kept_rows(folder, kept, split)
        for index in range(count):
            file = staging / f"{split}-{index:05d}-of-{count:05d}.arrow"
            write_stream(file, dataset_schema(), _join(rows, min(SHARD_ROWS, total - index * SHARD_ROWS)))
    folder.selected_file.unlink(missing_ok=True)
    _replace(folder.path / "data", staging)


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


def _replace(data: Path, staging: Path) -> None:
    """Move the new shards from `staging` to `data`, then delete the old ones."""
    with os_errors(data):
        data.mkdir(exist_ok=True)
        new = sorted(file.name for file in staging.iterdir())
        for name in new:
            (staging / name).replace(data / name)
        for split in SPLITS:
            for old in data.glob(f"{split}-*-of-*.arrow"):
                if old.name not in new:
                    old.unlink()
        staging.rmdir()
        sync_folder(data)


def write_concepts(folder: BuildFolder, photos: Iterable[CutoutUse]) -> None:
    """Write the source photos with their masks, as the config `concepts`, unless they are written already.

    Raises:
        StoreError: a file of a cut-out is missing.
    """
    file = folder.path / "concepts" / "train-00000-of-00001.arrow"
    before = read_json_or_none(folder.selected_file)
    if before and file.is_file() and before["files"].get(f"concepts/{file.name}") == sha256_of(file):
        return
    write_stream(file, concepts_schema(), batches(_concept_rows(folder, photos), concepts_schema()))


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
    """List the dataset's shards: scenes, then source photos."""
    return sorted(folder.path.glob("data/*.arrow")) + sorted(folder.path.glob("concepts/*.arrow"))


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
    """Write the dataset's marker: `values`, and the sha256 of each shard."""
    write_json(folder.selected_file, {**values, "files": file_sums(folder)})


def read_marker(folder: BuildFolder) -> dict[str, Any] | None:
    """Read the dataset's marker; None if there is none, a shard has changed or the card describes other shards."""
    values: dict[str, Any] | None = read_json_or_none(folder.selected_file)
    card = folder.path / "README.md"
    if values is None or not card.is_file():
        return None
    sums = file_sums(folder)
    card_matches = digest_in(card.read_text(encoding="utf-8", errors="replace")) == digest_of(sums)
    return values if card_matches and values["files"] == sums else None


def check_whole(folder: BuildFolder) -> None:
    """Check that all shards are as they were written.

    Raises:
        StoreError: a shard is missing or damaged, or the build is not finished.
    """
    if not folder.selected_file.is_file():
        raise StoreError(f"{folder.path} is not finished; run the same `mycanvas build` again to finish it")
    expected, found = read_json(folder.selected_file)["files"], file_sums(folder)
    lost = [name for name, digest in expected.items() if found.get(name) != digest]
    if lost:
        flaw = "is damaged" if lost[0] in found else "is missing"
        more = f", and {len(lost) - 1} more of {len(expected)} files are missing or damaged" if len(lost) > 1 else ""
        remedy = f"restore it with: mycanvas select {shlex.quote(str(folder.path))}"
        raise StoreError(f"{folder.path / lost[0]} {flaw}{more}; {remedy}")


def check_build(path: Path) -> None:
    """Check the shards of a dataset folder; a copy without its .build folder is not checked."""
    if (path / ".build").is_dir():
        check_whole(BuildFolder.open(path))
