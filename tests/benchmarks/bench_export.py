"""Exporting beside copying: `mycanvas export --format webdataset`, and the Parquet of `mycanvas push`, and memory.

Run: python -m tests.benchmarks.bench_export [--rows 2000] [--size 1024]

Copying is shutil.copyfile of the dataset's shards. Both end when everything is on the disk, and take turns. 2000 rows
are 1 GB. Memory is the whole command's, for a sixteenth of the rows and for all of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # else the Hub is asked first, and the network is what is measured

import datasets

from builder.publish.parquet import write_parquet, writers
from mycanvas.export import export
from mycanvas.schema import concepts_schema
from tests.benchmarks.bench_loader import encoded_scene, timed, write_shards
from tests.benchmarks.bench_memory import peak_of
from tests.mycanvas.conftest import write_shard

FORMAT = "webdataset"
ROUNDS = 9
TRIES = 3
SHARE = 16


def main() -> None:
    """Writes shards, measures, and prints one line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a side")
    given = parser.parse_args()
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as temporary:
        few, many = (
            write_dataset(Path(temporary) / str(rows), rows, given.size) for rows in (given.rows // SHARE, given.rows)
        )
        report_speed(many, Path(temporary))
        report_memory(few, many, Path(temporary))


def write_dataset(folder: Path, rows: int, size: int) -> Path:
    """Scenes, and the one source photo that a dataset must have."""
    folder.mkdir()
    write_shards(folder, rows, size)
    dog = {"concept": "dog6", "concept_token": "<dog6>", "class_name": "dog"}
    photo = {"id": "dog6/0.jpg", "image": {"bytes": encoded_scene(0, 64)[0], "path": None}, **dog}
    write_shard(folder / "concepts/train-00000-of-00001.arrow", [photo], concepts_schema())
    return folder


def report_speed(dataset: Path, room: Path) -> None:
    """Bytes of the shards in a second, of the best round."""
    shards = sorted((dataset / "data").iterdir())
    megabytes = sum(shard.stat().st_size for shard in shards) / 1e6
    print(f"{f'{megabytes:.0f} MB, MB/s':24}{'mycanvas':>12}{'copying':>12}{'ratio':>8}  goal")
    written: dict[str, Callable[[Path], object]] = {
        FORMAT: lambda output: export(dataset, FORMAT, output),
        "parquet, as pushed": lambda output: as_parquet(shards, output),
    }
    for name, write in written.items():
        rounds = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory(dir=room) as one, tempfile.TemporaryDirectory(dir=room) as other:
                rounds.append((timed(partial(copied, shards, Path(one))), timed(partial(write, Path(other)))))
        copy, mine = (min(column) for column in zip(*rounds, strict=True))
        print(f"{name:24}{megabytes / mine:12.0f}{megabytes / copy:12.0f}{copy / mine:8.3f}  >= 0.8")


def as_parquet(shards: list[Path], output: Path) -> None:
    """The Parquet files of `mycanvas push`, several at a time."""
    with ThreadPoolExecutor(writers()) as pool:
        list(pool.map(write_parquet, shards, [output / f"{shard.stem}.parquet" for shard in shards]))


def copied(files: list[Path], output: Path) -> None:
    """Copy files and wait for the disk, as an export does."""
    for file in files:
        shutil.copyfile(file, output / file.name)
    os.sync()


def report_memory(few: Path, many: Path, room: Path) -> None:
    """Peak resident memory of the command."""
    peaks = []
    for dataset in (few, many):
        found = []
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(dir=room) as output:
                found.append(peak_of(["export", str(dataset), "--format", FORMAT, "--output", output]))
        peaks.append(max(found))  # a short run may end between two looks at it
    print(f"{'peak memory, MB':24}{few.name + ' scenes':>12}{many.name + ' scenes':>14}{'ratio':>8}  goal")
    print(f"{FORMAT:24}{peaks[0] / 1e6:12.0f}{peaks[1] / 1e6:14.0f}{peaks[1] / peaks[0]:8.3f}  <= 1.1")


if __name__ == "__main__":
    main()
