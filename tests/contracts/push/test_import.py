"""Datasets on a Hub as sources of concepts: fetched once, each photo with where it is from."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.config import load_config
from builder.sources.hub_datasets import fetch_concepts
from builder.sources.hub_photos import MAX_BYTES, MAX_PHOTOS
from mycanvas.errors import ConfigError
from tests.hub.fake_hub import FakeHub
from tests.publishing import Done, Run, environment, refused

LICENSED = b"---\nlicense: cc-by-4.0\n---\n# Photos\n"


WORDS = b'{"text": "no picture"}\n'


def build(run: Run, source: str, output: Path, **limits: int) -> Done:
    small = ("--samples", "2", "--resolution", "128", "--workers", "1")
    return run("build", "--concepts", source, "--output", output, *small, limits=limits)


def photos_of(output: Path) -> list[dict[str, Any]]:
    """The records of the photos of a build."""
    photos: list[dict[str, Any]] = json.loads((output / ".build" / "sources.json").read_text())["photos"]
    return photos


def pictures(shapes: Path) -> dict[str, bytes]:
    """Path -> content of the pictures of three concepts."""
    return {
        f"{folder}/{view}.png": (shapes / folder / f"{view}.png").read_bytes()
        for folder in ("ball", "ball2", "cone")
        for view in range(2)
    }


def parquet(rows: Iterable[dict[str, Any]], features: dict[str, Any]) -> bytes:
    """Rows as `datasets` writes them."""
    found = list(rows)
    image = pa.field("image", pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    others = [field for field in pa.Table.from_pylist(found).schema if field.name != "image"]
    table = pa.Table.from_pylist(found, schema=pa.schema([image, *others]))
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(told), buffer)
    return buffer.getvalue()


def row(content: bytes, **others: Any) -> dict[str, Any]:
    return {"image": {"bytes": content, "path": None}, **others}


def test_each_folder_of_a_repository_of_pictures_is_a_concept(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path, home: Path
) -> None:
    files = {f"dataset/{path}": content for path, content in pictures(shapes).items()}
    described = b'[cone]\nclass_noun = "traffic cone"\nheight_cm = 50\n'
    commit = hub.write("google/dreambooth", {"README.md": LICENSED, **files, "dataset/concepts.toml": described})

    done = build(run, "hf://google/dreambooth/dataset", tmp_path / "out")

    assert done.code == 0, done.err
    photos = photos_of(tmp_path / "out")
    assert [photo["id"] for photo in photos] == list(pictures(shapes))
    assert {photo["class_noun"] for photo in photos} == {"ball", "traffic cone"}
    credit = f"google/dreambooth on the Hugging Face Hub, revision {commit}, license cc-by-4.0"
    assert {photo["attribution"] for photo in photos} == {credit}
    assert credit in (tmp_path / "out" / "README.md").read_text()
    (cached,) = (home / "cache" / "mycanvas" / "concepts" / "google--dreambooth").iterdir()
    assert json.loads((cached / "provenance.json").read_text())["photos"] == {
        path: f"dataset/{path}" for path in pictures(shapes)
    }
    assert (cached / "ball" / "0.png").read_bytes() == files["dataset/ball/0.png"]


def test_pictures_in_other_formats_are_named_and_odd_suffixes_are_fetched(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path
) -> None:
    files = {path.replace("0.png", "0.jfif"): content for path, content in pictures(shapes).items()}
    hub.write("jane/phone", {"README.md": LICENSED, **files, "ball/raw.dng": b"II*", "ball/raw2.CR2": b"II*"})

    done = build(run, "hf://jane/phone", tmp_path / "out")

    assert done.code == 0, done.err
    assert "jane/phone: 2 pictures in formats that are not read are left out, such as ball/raw.dng" in done.err
    assert [photo["id"] for photo in photos_of(tmp_path / "out")] == sorted(files)


def test_fetched_photos_are_reused_even_when_the_hub_is_down(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path
) -> None:
    hub.write("jane/photos", {"README.md": LICENSED, **pictures(shapes)})
    build(run, "hf://jane/photos", tmp_path / "out")
    before = len(hub.downloads)

    again = build(run, "hf://datasets/jane/photos", tmp_path / "again")
    hub.failing["info"] = 503
    away = build(run, "hf://jane/photos", tmp_path / "out")

    assert (again.code, away.code, len(hub.downloads)) == (0, 0, before)
    assert "the Hub answered 503" in away.err
    assert "which was fetched before" in away.err


def test_each_configuration_of_rows_is_a_concept(hub: FakeHub, run: Run, shapes: Path, tmp_path: Path) -> None:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/*.parquet\n" for name in ("ball", "cone"))
    files = {
        f"{name}/train.parquet": parquet(
            [row(content) for path, content in pictures(shapes).items() if path.startswith(f"{name}/")],
            {"image": {"_type": "Image"}},
        )
        for name in ("ball", "cone")
    }
    hub.write("jane/rows", {"README.md": f"---\nlicense: mit\nconfigs:\n{configs}---\n".encode(), **files})

    done = build(run, "hf://jane/rows", tmp_path / "out")

    assert done.code == 0, done.err
    assert [photo["concept"] for photo in photos_of(tmp_path / "out")] == ["ball", "ball", "cone", "cone"]


@pytest.mark.parametrize(
    ("column", "kind", "labels"),
    [
        ("label", {"_type": "ClassLabel", "names": ["ball", "traffic cone"]}, [0, 0, 1, 1]),
        ("concept", {"_type": "Value", "dtype": "string"}, ["ball", "ball", "traffic cone", "traffic cone"]),
    ],
)
def test_each_label_of_rows_is_a_concept(
    hub: FakeHub,
    run: Run,
    shapes: Path,
    tmp_path: Path,
    name: str,
    column: str,
    kind: dict[str, Any],
    labels: list[int | str],
) -> None:
    shown = [content for path, content in pictures(shapes).items() if not path.startswith("ball2/")]
    rows = [row(content, **{column: label}) for content, label in zip(shown, labels, strict=True)]
    hub.write(name, {"data/train.parquet": parquet(rows, {"image": {"_type": "Image"}, column: kind})})

    done = build(run, f"hf://{name}", tmp_path / "out")

    assert done.code == 0, done.err
    photos = photos_of(tmp_path / "out")
    assert [photo["concept"] for photo in photos] == ["ball", "ball", "traffic cone", "traffic cone"]
    assert {photo["attribution"] for photo in photos} == {None}


def test_dataset_without_usable_pictures_is_refused(hub: FakeHub, run: Run, shapes: Path, tmp_path: Path) -> None:
    hub.write("jane/words", {"data/train.jsonl": WORDS})
    hub.write("jane/few", {f"data/{path}": content for path, content in pictures(shapes).items()})

    hub.write("jane/many", {"big.jpg": b"x"})
    many = dict.fromkeys((f"photos/{index}.jpg" for index in range(MAX_PHOTOS)), hub.head("jane/many").files["big.jpg"])
    hub.head("jane/many").files.update(many)
    hub.write("jane/empty", {"README.md": LICENSED})

    missing = refused(build(run, "hf://jane/nothing", tmp_path / "out"))
    words = refused(build(run, "hf://jane/words", tmp_path / "out"))
    other = refused(build(run, "hf://jane/words/cats", tmp_path / "out"))

    assert "cannot fetch hf://jane/nothing: no such dataset on the Hub, or no access to it" in missing
    assert "hf://jane/words has no pictures" in words
    assert f"jane/many has {MAX_PHOTOS + 1} pictures" in refused(build(run, "hf://jane/many", tmp_path / "out"))
    assert "hf://jane/empty has no pictures" in refused(build(run, "hf://jane/empty", tmp_path / "out"))
    assert "jane/words has no folder and no configuration cats; it has default" in other
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "code", "why"),
    [
        ("hf://jane/script", 1, "hf://jane/script cannot be read: Dataset scripts are no longer supported"),
        ("hf://jane/bare@v9", 1, "cannot fetch hf://jane/bare@v9: it has no such branch, tag or commit"),
        ("hf://jane/bare", 1, "hf://jane/bare has no pictures"),
        ("hf://jane/damaged", 1, "cannot fetch hf://jane/damaged: Parquet file size is"),
        ("https://huggingface.co/datasets/jane/few", 2, "expected a folder, or hf://owner/name, got 'https://hugging"),
    ],
)
def test_reason_why_a_dataset_is_refused_is_one_line(
    hub: FakeHub, run: Run, tmp_path: Path, source: str, code: int, why: str
) -> None:
    hub.write("jane/script", {"script.py": b"raise SystemExit"})
    hub.write("jane/bare", {"README.md": b"# No metadata", "data.jsonl": WORDS})
    hub.write("jane/damaged", {"data.parquet": b"PAR1, and that is all. PAR1"})

    done = build(run, source, tmp_path / "out")

    assert why in refused(done, code)
    assert [line for line in done.err.splitlines() if line.strip()] == refused(done, code).splitlines()


def test_photos_without_a_label_are_a_concept_of_their_own(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path
) -> None:
    content = pictures(shapes)
    rows = [row(content["cone/0.png"], label=0), row(content["ball/0.png"], label=-1), row(content["ball2/0.png"])]
    kind = {"_type": "ClassLabel", "names": ["traffic cone"]}
    hub.write("jane/photos-of-mine", {"data.parquet": parquet(rows, {"image": {"_type": "Image"}, "label": kind})})

    done = build(run, "hf://jane/photos-of-mine", tmp_path / "out")

    assert done.code == 0, done.err
    concepts = [photo["concept"] for photo in photos_of(tmp_path / "out")]
    assert concepts == ["photos-of-mine", "photos-of-mine", "traffic cone"]


def test_path_in_a_row_does_not_read_a_local_file(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path, home: Path, name: str
) -> None:
    secret = shapes / "cone" / "0.png"
    rows = [
        row((shapes / "ball" / "0.png").read_bytes()),
        {"image": {"bytes": None, "path": str(secret)}},
        {"image": {"bytes": None, "path": f"file://{secret}"}},
    ]
    hub.write(name, {"data/train.parquet": parquet(rows, {"image": {"_type": "Image"}})})

    done = build(run, f"hf://{name}", tmp_path / "out")

    assert done.code == 0, done.err
    (cached,) = (home / "cache" / "mycanvas" / "concepts" / name.replace("/", "--")).iterdir()
    (photo,) = cached.rglob("*.png")
    assert photo.read_bytes() == (shapes / "ball" / "0.png").read_bytes()


def test_pictures_in_an_archive_are_found_by_its_metadata(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path, name: str
) -> None:
    shown = {path: content for path, content in pictures(shapes).items() if not path.startswith("ball2/")}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in shown.items():
            archive.writestr(path, content)
        lines = (json.dumps({"file_name": path, "concept": path.split("/")[0]}) for path in shown)
        archive.writestr("metadata.jsonl", "\n".join(lines))
    hub.write(name, {"photos.zip": packed.getvalue()})

    done = build(run, f"hf://{name}", tmp_path / "out")

    assert done.code == 0, done.err
    assert [photo["concept"] for photo in photos_of(tmp_path / "out")] == ["ball", "ball", "cone", "cone"]


def test_picture_that_is_too_large_once_unpacked_is_left_out(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path, name: str
) -> None:
    limit = 2 * 2**20
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in pictures(shapes).items():
            archive.writestr(path, content)
        archive.writestr("ball/9.png", bytes(limit + 10**6))
        lines = (json.dumps({"file_name": path, "concept": path.split("/")[0]}) for path in archive.namelist())
        archive.writestr("metadata.jsonl", "\n".join(lines))
    assert len(packed.getvalue()) < limit
    hub.write(name, {"photos.zip": packed.getvalue()})

    limits = dict.fromkeys(("mycanvas.io.images.MAX_BYTES", "builder.sources.hub_photos.MAX_PHOTO_BYTES"), limit)
    done = build(run, f"hf://{name}", tmp_path / "out", **limits)

    assert done.code == 0, done.err
    assert "is left out: too large: 2 MiB; expected at most 2 MiB" in done.err
    assert len(photos_of(tmp_path / "out")) == 6


def test_concurrent_fetches_of_one_dataset_succeed(hub: FakeHub, shapes: Path, tmp_path: Path, name: str) -> None:
    hub.write(name, pictures(shapes))
    program = (
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from builder.sources.hub_datasets import fetch_concepts\n"
        "with ThreadPoolExecutor(3) as pool:\n"
        "    print(*set(pool.map(fetch_concepts, [sys.argv[1]] * 3)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, f"hf://{name}"],
        env=environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert list(folder.parent.iterdir()) == [folder]
    assert sorted(f"{file.parent.name}/{file.name}" for file in folder.rglob("*.png")) == list(pictures(shapes))


def test_configurations_whose_total_size_is_too_large_are_refused(
    hub: FakeHub, run: Run, shapes: Path, tmp_path: Path, name: str
) -> None:
    configs = "".join(f"- config_name: {letter}\n  data_files: {letter}.parquet\n" for letter in "ab")
    rows = parquet([row((shapes / "ball" / "0.png").read_bytes())], {"image": {"_type": "Image"}})
    shards = {f"{letter}.parquet": rows for letter in "ab"}
    hub.write(name, {"README.md": f"---\nconfigs:\n{configs}---\n".encode(), **shards})
    files = hub.head(name).files
    files["b.parquet"] = replace(files["b.parquet"], size=MAX_BYTES - len(rows) + 1)

    assert "4.0 GB of pictures; a source of concepts has a few" in refused(build(run, f"hf://{name}", tmp_path / "out"))


def test_a_file_may_name_a_dataset_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "build.toml").write_text('concepts = "hf://google/dreambooth"\n')

    assert load_config(tmp_path / "build.toml", None, {}).concepts == "hf://google/dreambooth"


@pytest.mark.parametrize("name", ["hf://", "hf://jane", "hf://jane/a@b@c", "hf://ja ne/x"])
def test_malformed_hub_name_is_wrong_usage(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^concepts: expected hf://owner/name\[@revision\]"):
        fetch_concepts(name)
