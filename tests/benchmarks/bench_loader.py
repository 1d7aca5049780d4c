"""Cost of the loader beside the stock one: time to the first sample, room in the cache, speed of iteration.

Run: python -m tests.benchmarks.bench_loader [--rows 600] [--size 1024]

The loader's time to the first sample is what `datasets` itself takes, however much data there is; stock's grows with
the data that it copies. Each is measured in a process of its own, since `datasets` imports some packages in the first
load of a process only. 600 rows are 0.3 GB.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # else both loaders ask the Hub first, and the network is what is measured

import cv2
import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

import mycanvas  # noqa: F401  # registers the loader
from mycanvas.schema import SCORES, SPLITS, dataset_schema

ROUNDS = 5
DISTINCT = 12
"""Pictures drawn; rows repeat them, which changes no byte that is read or decoded."""
SHARD_ROWS = 100
BATCH_ROWS = 8
ITERATED = 240
"""Rows that iteration is measured on."""


def main() -> None:
    """Writes shards, measures, and prints one line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a side")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        shards = write_shards(Path(folder), given.rows, given.size)
        megabytes = sum(shard.stat().st_size for shard in shards) / 1e6
        print(f"{given.rows} rows of {given.size}x{given.size}, {megabytes:.0f} MB")
        print(f"{'':24}{'mycanvas':>12}{'beside it':>12}{'ratio':>8}  goal")
        report_first_sample(Path(folder), shards)
        report_iteration(Path(folder))


FIRST_SAMPLE = """
import sys, time
import datasets, mycanvas

loader, folder, cache = sys.argv[1:]
datasets.disable_progress_bars()
start = time.perf_counter()
if loader == "mycanvas":
    scenes = datasets.load_dataset("mycanvas", data_dir=folder, cache_dir=cache)
else:
    scenes = datasets.load_dataset(folder, cache_dir=cache)
rows = [scenes[split][0] for split in scenes]
assert len(rows) == 3, list(scenes)
print(time.perf_counter() - start)
"""


def report_first_sample(folder: Path, shards: list[Path]) -> None:
    """From load_dataset to the first decoded row of each split, with an empty cache, and what the cache then holds."""
    rounds = [(first_sample("mycanvas", folder), first_sample("stock", folder)) for _ in range(ROUNDS)]
    (mine_seconds, mine_bytes), (stock_seconds, _) = (zip(*column, strict=True) for column in zip(*rounds, strict=True))
    total = sum(shard.stat().st_size for shard in shards)
    mine_best, stock_best = min(mine_seconds), min(stock_seconds)
    line("first sample, s", mine_best, stock_best, "<= 0.3 at 200 rows, 0.1 at 3000", mine_best / stock_best)
    line("cache beside data, MB", max(mine_bytes) / 1e6, total / 1e6, "<= 0.01", max(mine_bytes) / total)


def first_sample(loader: str, folder: Path) -> tuple[float, int]:
    """Seconds that a new process takes with an empty cache folder, and the bytes it leaves there."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", FIRST_SAMPLE, loader, str(folder), cache]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout), sum(path.lstat().st_size for path in Path(cache).rglob("*") if path.is_file())


def report_iteration(folder: Path) -> None:
    """Milliseconds a row with image and mask decoded, beside PIL decoding the same bytes.

    PIL once has them in memory, so that iteration's reading of the shards counts against it, and once takes them out of
    the shards itself. They take turns row by row and the best round of each row counts, because other work on the
    machine would drown a difference of a few hundredths.
    """
    with tempfile.TemporaryDirectory() as cache:
        scenes = datasets.load_dataset("mycanvas", "all", data_dir=str(folder), cache_dir=cache)["train"]
        scenes = scenes.select(range(min(ITERATED, len(scenes))))
        in_memory = list(encoded_rows(scenes))
        readers = (lambda: iter(scenes), lambda: decoded(in_memory), lambda: decoded(encoded_rows(scenes)))
        rounds = [in_turn([reader() for reader in readers], len(scenes)) for _ in range(ROUNDS)]
    mine, memory, shards = (float(milliseconds) for milliseconds in np.array(rounds).min(axis=0).mean(axis=0))
    line("iteration, ms a row", mine, memory, ">= 0.95 of PIL's speed, bytes in memory", memory / mine)
    line("", mine, shards, "        of PIL's speed, bytes out of the shards", shards / mine)


def in_turn(readers: list[Iterator[object]], count: int) -> list[list[float]]:
    """Milliseconds that each row took each reader; which one is first changes from row to row."""
    kept: list[object] = [None] * len(readers)  # a row is alive while the next is decoded, as in a loop over rows
    taken = [[0.0] * len(readers) for _ in range(count)]
    for row in range(count):
        for turn in range(len(readers)):
            which = (row + turn) % len(readers)
            start = time.perf_counter()
            kept[which] = next(readers[which])
            taken[row][which] = 1000 * (time.perf_counter() - start)
    return taken


def encoded_rows(scenes: datasets.Dataset) -> Iterator[list[bytes]]:
    """Image and mask of each row, as they are stored."""
    for batch in scenes.data.select(["image", "mask"]).to_batches():
        for image, mask in zip(*batch.columns, strict=True):
            yield [image["bytes"].as_py(), mask["bytes"].as_py()]


def decoded(rows: Iterable[list[bytes]]) -> Iterator[list[Image.Image]]:
    """Image and mask of each row, with their pixels in memory."""
    for row in rows:
        pictures: list[Image.Image] = [Image.open(io.BytesIO(content)) for content in row]
        for picture in pictures:
            picture.load()
        yield pictures


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(what: str, mine: float, other: float, goal: str, ratio: float) -> None:
    """One row of the table."""
    print(f"{what:24}{mine:12.3f}{other:12.3f}{ratio:8.3f}  {goal}")


def write_shards(folder: Path, rows: int, size: int) -> list[Path]:
    """Shards of three splits as a build writes them: IPC streams with a few rows in a record batch."""
    pictures = [encoded_scene(seed, size) for seed in range(DISTINCT)]
    (folder / "data").mkdir()
    paths = []
    for part, split in enumerate(SPLITS):
        own = range(part * rows // len(SPLITS), (part + 1) * rows // len(SPLITS))
        count = -(-len(own) // SHARD_ROWS)
        for index in range(count):
            numbers = own[index * SHARD_ROWS : (index + 1) * SHARD_ROWS]
            paths.append(folder / "data" / f"{split}-{index:05d}-of-{count:05d}.arrow")
            schema = dataset_schema()
            with pa.OSFile(str(paths[-1]), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
                for start in range(0, len(numbers), BATCH_ROWS):
                    encoded = [
                        scene(number, *pictures[number % DISTINCT], size)
                        for number in numbers[start : start + BATCH_ROWS]
                    ]
                    writer.write_batch(pa.RecordBatch.from_pylist(encoded, schema=schema))
    return paths


def encoded_scene(seed: int, size: int) -> tuple[bytes, bytes]:
    """A JPEG q95 and a palette PNG of two objects.

    The picture is noise whose amplitude falls with frequency, as a photo's does; at 1024 pixels it takes 0.51 MB, as
    scenes built of real photos do.
    """
    rng = np.random.default_rng(seed)
    pixels: NDArray[np.float32] = np.full((size, size, 3), 110, np.float32)
    for cells in octaves(size):
        noise = rng.normal(0, 80 * (4 / cells) ** 0.5, (cells, cells, 3)).astype(np.float32)
        pixels += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    objects: NDArray[np.uint8] = np.zeros((size, size), np.uint8)
    for value, x in ((1, size // 3), (2, 2 * size // 3)):
        cv2.ellipse(objects, (x, size // 2), (size // 7, size // 5), 20 * seed, 0, 360, value, -1)
    image, mask = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(image, "JPEG", quality=95)
    palette = Image.fromarray(objects, "P")
    palette.putpalette(bytes(range(9)))
    palette.save(mask, "PNG")
    return image.getvalue(), mask.getvalue()


def octaves(size: int) -> Iterator[int]:
    """4, 8, 16 ... up to the pixel itself."""
    cells = 4
    while cells <= size:
        yield cells
        cells *= 2


def scene(number: int, image: bytes, mask: bytes, size: int) -> dict[str, Any]:
    """A row of the dataset."""
    return {
        "id": f"{number:06d}",
        "image": {"bytes": image, "path": None},
        "caption": "A dog stands to the left of a cat in a garden.",
        "prompt": "A <dog6> dog stands to the left of a <cat2> cat in a garden.",
        "boxes": [[10, 10, size / 3, size / 3], [size / 2, 10, size / 3, size / 3]],
        "concept_tokens": ["<dog6>", "<cat2>"],
        "class_names": ["dog", "cat"],
        "mask": {"bytes": mask, "path": None},
        "background": "in a garden",
        "composition": "cat2+dog6",
        "num_objects": 2,
        "source_images": ["dog6/00.jpg", "cat2/01.jpg"],
        "scores": dict.fromkeys(SCORES, 0.5),
        "rank": None,
        "provenance": '{"seed": 0}',
    }


if __name__ == "__main__":
    main()
