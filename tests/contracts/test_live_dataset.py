"""A program that has loaded a dataset reads the rows that it loaded, or is told which folder has changed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import mycanvas  # noqa: F401  # registers the loader
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.clean import clean
from builder.pipeline.dataset_writer import link
from builder.pipeline.finalize import reselect
from builder.pipeline.manifest import check_whole, read_manifest
from mycanvas.errors import StoreError
from mycanvas.io.checked import digest, with_checksum
from mycanvas.io.files import sha256_of
from tests.faults import Operation, watched

FEWER = {"per_composition": 1}

PROGRAM = """
import json, multiprocessing, operator, pickle, subprocess, sys
from pathlib import Path
import datasets, mycanvas

folder, change, scratch = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ids = operator.itemgetter("id")
OWN = "import pickle, sys; print(*pickle.load(open(sys.argv[1], 'rb'))['id'], sep='|')"

def streamed_ids(rows):
    return [row["id"] for row in rows]

def answer(read):
    try:
        return list(read())
    except Exception as error:
        return str(error)

def in_worker(method, read, rows):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(read, (rows,))

def own_process(file):
    done = subprocess.run([sys.executable, "-c", OWN, file], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip().split("|")

def main():
    from builder.pipeline.clean import clean
    from builder.pipeline.finalize import reselect

    datasets.disable_progress_bars()
    load = lambda **more: datasets.load_dataset("mycanvas", "all", data_dir=folder, split="train", **more)
    rows, stream, before = load(), load(streaming=True), load()["id"][:]
    pickled = scratch / "rows.pickle"
    pickled.write_bytes(pickle.dumps(rows))
    some = rows.select(range(1, 5)).rename_column("prompt", "text")
    if change == "select":
        reselect(Path(folder), {"per_composition": 1})
    elif change == "clean":
        reselect(Path(folder), {"per_composition": 1})
        clean(Path(folder), delete=True)
    else:
        target = next(Path(folder, "data").glob("objects_le3-*"))
        other = scratch / "other.arrow"
        other.write_bytes(next(Path(folder, "data").glob("objects_4-*")).read_bytes())
        other.replace(target)
    found = {
        **{method: answer(lambda: in_worker(method, ids, rows)) for method in ("fork", "spawn", "forkserver")},
        "part": answer(lambda: before[:1] + list(in_worker("fork", ids, some)) + before[5:]),
        "streamed": answer(lambda: in_worker("fork", streamed_ids, stream)),
        "map": answer(lambda: rows.map(lambda row: {"same": row["id"]}, num_proc=2)["same"]),
        "pickle": answer(lambda: pickle.loads(pickled.read_bytes())["id"]),
        "own process": answer(lambda: own_process(pickled)),
    }
    print(json.dumps({"before": before, "now": answer(lambda: load()["id"]), "here": list(rows["id"]), "found": found}))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(16, 128)


@pytest.fixture
def live(built: Path, tmp_path: Path) -> Path:
    """A copy of a build that a test may change, with its links."""
    copy = Path(shutil.copytree(built, tmp_path / "live"))
    for name, sha256 in json.loads((copy / ".build/selected.json").read_text())["files"].items():
        (copy / name).unlink()
        (copy / name).hardlink_to(copy / f".build/shards/{sha256}.arrow")
    return copy


@pytest.fixture
def bare(built: Path, tmp_path: Path) -> Path:
    """A copy of the dataset alone, without the .build folder."""
    return Path(shutil.copytree(built, tmp_path / "bare", ignore=shutil.ignore_patterns(".build")))


def load(folder: Path, **options: Any) -> Any:
    return datasets.load_dataset("mycanvas", "all", data_dir=str(folder), split="train", **options)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def run(folder: Path, change: str, scratch: Path) -> dict[str, Any]:
    """Change the folder of a loaded dataset, then read it in each way: ids, or the message of an error."""
    (scratch / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "HF_HOME": str(scratch / "hf"), "HF_HUB_OFFLINE": "1", "USE_TORCH": "0"}
    done = subprocess.run(
        [sys.executable, scratch / "program.py", folder, change, scratch],
        env={**environment, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=240,  # seconds; only a guard against a hang
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_process_reads_the_rows_that_were_loaded_before_select(live: Path, tmp_path: Path) -> None:
    after = run(live, "select", tmp_path)

    assert len(after["now"]) < len(after["before"])
    assert after["found"] == dict.fromkeys(after["found"], after["before"])
    assert after["here"] == after["before"]


@pytest.mark.parametrize(("change", "happened"), [("clean", "was removed"), ("replace", "changed")])
def test_other_processes_name_a_shard_that_is_not_the_one_loaded(
    live: Path, bare: Path, tmp_path: Path, change: str, happened: str
) -> None:
    folder = live if change == "clean" else bare
    after = run(folder, change, tmp_path)

    expected = {way: f"{folder}/" in text and happened in text for way, text in after["found"].items()}
    assert expected == dict.fromkeys(after["found"], True), after["found"]
    assert after["here"] == after["before"]
    assert after["now"] != after["before"]


def test_streaming_resumes_in_the_rows_that_were_loaded(live: Path) -> None:
    before, stream = load(live)["id"][:], load(live, streaming=True)
    first = [row["id"] for row in stream.take(3)]
    rows = iter(stream)
    for _ in first:
        next(rows)
    state = stream.state_dict()

    reselect(live, FEWER)
    stream.load_state_dict(state)

    assert first + [row["id"] for row in stream] == before


def test_loaded_rows_are_found_again_after_selecting_back(live: Path) -> None:
    before = load(live)
    reselect(live, FEWER)

    reselect(live, {"per_composition": None})

    assert load(live)._fingerprint == before._fingerprint
    assert list((live / ".build/shards").iterdir()) != []


# The folder


def test_a_name_in_the_dataset_is_a_link_to_the_shard_by_content(live: Path) -> None:
    reselect(live, FEWER)

    names = sorted(live.glob("[!.]*/*.arrow"))
    assert names
    assert {file.stat().st_nlink for file in names} == {2}
    manifest = json.loads((live / ".build/selected.json").read_text())
    assert {live / name: manifest["bytes"][name] for name in manifest["files"]} == {
        file: file.stat().st_size for file in names
    }
    scenes = [count for name, count in manifest["rows"].items() if name.startswith("data/")]
    assert sum(scenes) == len(load(live))


def test_shard_never_has_another_name_than_that_of_its_content(live: Path) -> None:
    seen: set[str] = set()

    def look(operation: Operation, _path: Path) -> None:
        if operation in {"rename", "delete"}:
            seen.update(path.name for path in (live / ".build/shards").iterdir() if not path.name.startswith("."))

    with watched(look):
        reselect(live, FEWER)

    shards = {path.name: sha256_of(path) for path in (live / ".build/shards").iterdir()}
    assert {f"{digest}.arrow" for digest in shards.values()} == shards.keys()
    assert seen == shards.keys()


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV])
def test_a_copy_is_made_where_links_are_refused(tmp_path: Path, error: int) -> None:
    (tmp_path / "shard").write_bytes(b"rows")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(error, os.strerror(error), str(source), None, str(target))

    opened: list[Path] = []
    with watched(lambda operation, path: opened.append(path) if operation == "write" else None):
        link(tmp_path / "shard", tmp_path / "name", refuse)

    assert opened == [tmp_path / "name"]  # another name would stay when the process is killed
    assert (tmp_path / "name").read_bytes() == b"rows"
    assert (tmp_path / "name").stat().st_nlink == 1


def test_shards_of_an_earlier_selection_are_listed_as_unused(live: Path) -> None:
    before = load(live)
    assert clean(live).files == {}
    (live / ".build/shards/notes.arrow").touch()

    reselect(live, FEWER)

    unused = clean(live).files["shards of earlier selections"]
    assert {Path(entry["filename"]).resolve() for entry in before.cache_files} == {file.resolve() for file in unused}
    (live / ".build/selected.json").unlink()
    assert clean(live).files == {}


def test_shard_names_of_somebody_else_are_neither_removed_nor_counted(live: Path) -> None:
    names = ["data/objects_4-mine-of-three.arrow", "data/objects_5-00000-of-00009.arrow", "concepts/mine.arrow"]
    for name in names:
        (live / name).write_bytes(b"mine")

    reselect(live, FEWER)

    assert [(live / name).read_bytes() for name in names] == [b"mine"] * 3
    assert not set(names) & set(read_manifest(BuildFolder.open(live)).files)
    assert len(load(live)) > 0


def test_until_the_manifest_is_replaced_the_earlier_selection_is_loaded(live: Path) -> None:
    manifest, before = (live / ".build/selected.json").read_bytes(), load(live)["id"][:]
    reselect(live, FEWER)

    (live / ".build/selected.json").write_bytes(manifest)  # as if the program had been killed before this last step

    assert load(live)["id"][:] == before
    with pytest.raises(StoreError, match=r"restore it with: mycanvas select"):
        check_whole(BuildFolder.open(live))
    reselect(live, {})
    check_whole(BuildFolder.open(live))


# A split that is missing, a shard that is damaged


def test_a_split_that_was_deleted_from_data_is_loaded_from_the_store(live: Path) -> None:
    before = load(live)["id"][:]
    for file in live.glob("data/objects_4-*"):
        file.unlink()

    assert load(live)["id"][:] == before


@pytest.mark.parametrize("config", ["all", "default", "concepts"])
def test_a_shard_of_the_manifest_that_is_nowhere_is_named(live: Path, config: str) -> None:
    kind, split = ("concepts", "train") if config == "concepts" else ("data", "objects_4")
    lost = live / kind / f"{split}-00000-of-00001.arrow"
    shutil.rmtree(live / ".build/shards")
    lost.unlink()

    with pytest.raises(ValueError, match=rf"{lost} is missing; restore it with: mycanvas select {live}"):
        datasets.load_dataset("mycanvas", config, data_dir=str(live))


@pytest.mark.parametrize("times", [0.9, 0, 2])
def test_a_shard_of_another_size_is_refused_by_name(live: Path, times: float) -> None:
    shard = live / "data/objects_4-00000-of-00001.arrow"
    size = shard.stat().st_size
    shard.write_bytes((shard.read_bytes() * 2)[: int(times * size)])

    with pytest.raises(ValueError, match=rf"{shard} is damaged: it has \d+ bytes, expected \d+; restore it"):
        load(live)


@pytest.mark.parametrize("content", ["", "{", "null", '{"files": []}', '{"files": {"data/x": "1"}, "bytes": 3}'])
def test_a_damaged_manifest_is_named(live: Path, content: str) -> None:
    values = json.loads(content) if content.startswith('{"') else None
    (live / ".build/selected.json").write_text(json.dumps(with_checksum(values)) if values else content)

    with pytest.raises(ValueError, match=r"selected\.json is damaged; restore it with: mycanvas select"):
        load(live)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"files": {"data/x": "1"}, "rows": {}}, "was built by an earlier version of mycanvas; build into another"),
        ({"shards": [], "format": 3}, "was built by a later version of mycanvas; run: pip install --upgrade mycanvas"),
    ],
)
def test_a_manifest_of_another_version_is_not_taken_for_damage(
    live: Path, manifest: dict[str, object], message: str
) -> None:
    content = {**manifest, "checksum": digest(manifest)} if "format" in manifest else manifest
    (live / ".build/selected.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match=message):
        load(live)


def test_one_flipped_bit_in_a_picture_is_named_by_the_check_of_inspect(live: Path) -> None:
    shard = live / "data/objects_4-00000-of-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)

    with pytest.raises(StoreError, match=rf"{shard} is damaged; restore it with: mycanvas select"):
        check_whole(BuildFolder.open(live))

    reselect(live, {})
    check_whole(BuildFolder.open(live))
