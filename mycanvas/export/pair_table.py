"""Pairs as Parquet with image columns, which `load_dataset` reads as it is and `mycanvas push --pairs` publishes.

    data/<split>-NNNNN-of-NNNNN.parquet

Columns have the names of MUSAR-Gen where they fit; see `mycanvas.schema.pairs_schema`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mycanvas.english import with_article
from mycanvas.export.pairs import Pair, pairs_of
from mycanvas.export.references import References
from mycanvas.export.source import Source
from mycanvas.schema import MAX_OBJECTS, pairs_schema

SHARD_ROWS = 512
GROUP_ROWS = 32
"""Rows of a row group: about 20 MB of pictures at 1024 pixels, which are read to get one row."""


def write_pair_table(source: Source, output: Path) -> None:
    """Write the shards of each split."""
    references = References(source)
    unreported = replace(source, scene_done=lambda: None)  # scenes pass twice, and progress counts them once
    used = {photo for scene in unreported.scenes() for photo in references.of(scene)}
    (output / "data").mkdir()
    with TemporaryDirectory(dir=output) as temporary:  # a reference is in many rows: encode it once
        for photo, picture in references.pictures(used):
            Path(temporary, references.name(photo)).write_bytes(picture)
        for split, count in source.counts.items():
            rows = (_row(pair, Path(temporary)) for pair in pairs_of(source, references, split))
            shards = -(-count // SHARD_ROWS)
            for index in range(shards):
                name = f"{split}-{index:05d}-of-{shards:05d}.parquet"
                _write(output / "data" / name, islice(rows, SHARD_ROWS))


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pairs_schema()
    # Pictures are compressed already, and statistics of them would repeat them.
    named = [field.name for field in schema if not pa.types.is_nested(field.type)]
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=named) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))


def _row(pair: Pair, folder: Path) -> dict[str, Any]:
    scene = pair.scene
    row = {
        "id": scene.id,
        "tgt_img": _picture(scene.image),
        "prompt": pair.caption,
        "boxes": [list(box) for box in scene.boxes],
        "concept_tokens": scene.concept_tokens,
        "class_names": scene.class_names,
        "composition": scene.composition,
        "num_objects": scene.num_objects,
        "source_images": scene.source_images,
        "reference_images": pair.photos,
    }
    for index in range(MAX_OBJECTS):
        shown = index < len(pair.references)
        path = folder / pair.references[index].rpartition("/")[2] if shown else None
        row[f"cond_img_{index}"] = _picture(path.read_bytes()) if path else None
        row[f"cond_prompt_{index}"] = with_article(scene.class_names[index]) if shown else None
    return row


def _picture(content: bytes | memoryview) -> dict[str, Any]:
    return {"bytes": content, "path": None}
