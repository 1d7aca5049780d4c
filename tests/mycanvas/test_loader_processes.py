"""Loading with several processes, each test in a program of its own.

A program that forks must have one thread: in the tests' own process, torch and pyarrow have started many, and a fork
may copy a lock that one of them holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Write = Callable[[Path, Iterable[str]], Path]

START = """
import json, multiprocessing, operator, sys
import mycanvas
from datasets import load_dataset

def main():
    folder = sys.argv[1]
"""
END = """
if __name__ == "__main__":
    print(json.dumps(main()))
"""


def run(program: str, folder: Path, scratch: Path) -> Any:
    """Run a program whose `main` gets a dataset's folder and has this body; return its result."""
    file = scratch / "program.py"
    file.write_text(START + "".join(f"    {line}\n" for line in program.strip().splitlines()) + END)
    environment = {**os.environ, "HF_HOME": str(scratch / "cache"), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "error"}
    environment["USE_TORCH"] = "0"  # datasets would import it in every process, which takes longer than the rest
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(file), str(folder)],
        env={**environment, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=240,  # seconds; only a guard against a hang
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_local_shards_are_linked_by_several_processes(built: Path, tmp_path: Path) -> None:
    program = """
scenes = load_dataset("mycanvas", data_dir=folder, num_proc=2)
return {split: list(rows["id"]) for split, rows in scenes.items()}
"""
    assert run(program, built, tmp_path) == {"objects_le3": ["a0", "a1", "a2", "a3", "a4"], "objects_4": ["b0", "b1"]}


def test_parquet_shards_are_copied_by_several_processes(tmp_path: Path, write_scenes: Write) -> None:
    for index in range(2):
        write_scenes(tmp_path / f"hub/data/objects_5-{index:05d}-of-00002.parquet", [f"c{index}"])

    program = 'return load_dataset("mycanvas", data_dir=folder, split="objects_5", num_proc=2).to_dict()["id"]'
    assert run(program, tmp_path / "hub", tmp_path) == ["c0", "c1"]


def test_rows_can_be_read_in_worker_processes_of_every_start_method(built: Path, tmp_path: Path) -> None:
    """As torch's DataLoader does: the dataset is pickled into a worker, which, if not forked, has imported nothing."""
    program = """
stored = load_dataset("mycanvas", data_dir=folder, split="objects_4")
streamed = load_dataset("mycanvas", data_dir=folder, split="objects_4", streaming=True)
found = {}
for method in ("fork", "spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as pool:
        row = pool.apply(operator.getitem, (stored, 1))
        rows = pool.apply(list, (streamed,))
    found[method] = row["id"], row == stored[1], [row["id"] for row in rows], rows == list(stored)
return found
"""
    expected = ["b1", True, ["b0", "b1"], True]
    assert run(program, built, tmp_path) == dict.fromkeys(("fork", "spawn", "forkserver"), expected)


def test_map_works_with_several_processes(built: Path, tmp_path: Path) -> None:
    program = """
scenes = load_dataset("mycanvas", data_dir=folder, split="objects_le3")
loud = scenes.map(lambda row: {"caption": row["caption"].upper()}, num_proc=2)
return loud["caption"] == [caption.upper() for caption in scenes["caption"]], len(loud)
"""
    assert run(program, built, tmp_path) == [True, 5]
