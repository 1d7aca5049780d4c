"""JSON files: those of a build, manifests of pictures, ratings, lists of concepts, COCO's annotations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from PIL import Image

from builder.pipeline.funnel import Funnel
from builder.pipeline.manifest import MadeFrom, Manifest
from builder.pipeline.prepared_files import CutoutMarker, PaintedMarker
from builder.pipeline.result_cache import Result, ResultCache
from builder.pipeline.source_photos import BackgroundUse, CutoutUse, Sources
from builder.pipeline.stored_records import Marker, PlanStep
from builder.records import Rejected
from builder.sources.concepts_list import read_concepts_list
from builder.stages.layout.examples import read_examples
from builder.stages.layout.replies import tally
from mycanvas.dataset import Concept
from mycanvas.dataset.planned_scenes import planned_splits
from mycanvas.export.output import MARKER, read_identity
from mycanvas.io.checked import digest, parse_checked, with_checksum
from mycanvas.io.text import UNWRITABLE
from mycanvas.metrics.manifest import MANIFEST, read_generated, read_prompts
from mycanvas.ratings.entries import PREFERENCE_SCORES, RANKS
from mycanvas.ratings.files import read_preferences, read_ratings
from tests.fuzz.draws import as_json, changed, damaged, text, value
from tests.fuzz.target import Target, check_message, require

SHA = "c0" * 32
PIECES = (
    b"[" * 980,
    b'{"a":' * 980,
    b"NaN",
    b"-Infinity",
    b"1e999",
    b'"\\ud800"',
    b'"\\u0000"',
    b"\xff\xfe",
    b"9" * 5000,
    b"\n{}\n",
)
KINDS: Mapping[str, tuple[Any, Any]] = {
    "plan": (
        PlanStep,
        PlanStep(
            request={"samples": 2, "concept cat": ["<cat>", "cat", 25.0]},
            select={"min_visible": 0.5, "attempts": 3},
            cutouts={"cat/0.jpg": "0" * 32},
            sha256=SHA,
            rows=2,
            shard_size=16,
        ),
    ),
    "marker": (
        Marker,
        Marker(
            sha256=SHA,
            rows=3,
            config=SHA,
            rejected=(Rejected(sample_id="a-00002", stage="layout", reason="no room"),),
            scores=SHA,
            plan=SHA,
        ),
    ),
    "manifest": (
        Manifest,
        Manifest(
            files={"data/objects_le3-00000-of-00001.arrow": SHA},
            rows={"data/objects_le3-00000-of-00001.arrow": 3},
            bytes={"data/objects_le3-00000-of-00001.arrow": 1000},
            card=SHA,
            made_from=MadeFrom(select={"min_visible": 0.6}, license=None, candidates=(SHA,), sources=SHA),
            funnel=Funnel(
                planned={"objects_le3": 4},
                rejected={"layout: no room": 1},
                made={},
                dropped={},
                kept={"objects_le3": 3},
            ),
        ),
    ),
    "sources": (
        Sources,
        Sources(
            photos=(
                CutoutUse(
                    id="dog6/0.jpg",
                    concept="dog6",
                    token="<dog6>",
                    class_noun="dog",
                    height_cm=50.0,
                    attribution="Ada",
                    key=SHA,
                ),
            ),
            backgrounds=(BackgroundUse(scene="yard", phrase="in a yard", photo_id=None, attribution=None),),
            unreadable={"dog6/1.jpg": "damaged"},
        ),
    ),
    "cut-out marker": (
        CutoutMarker,
        CutoutMarker(quality=0.9, cut_off=False, thin=0.1, reason=None, files={"photo.jpg": SHA, "cutout.npy": SHA}),
    ),
    "painting marker": (PaintedMarker, PaintedMarker(horizon=0.3, ground=0.5, sha256=SHA)),
    "request": (dict[str, Any], {"seed": 7, "resolution": 512, "model a/b": "main"}),
}
LINE = {
    "file": "a.png",
    "composition": "cat2+dog6",
    "prompt": "a <cat2> cat and a <dog6> dog",
    "background": "on a boat",
}
RANK = {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
PREFERENCE = {**RANK, "arm": "ours", "split": "objects_le3", "question": "style"}
ENTRY = {
    "instance_data_dir": "dog6",
    "instance_prompt": "photo of a <new1> dog",
    "class_prompt": "dog",
    "class_data_dir": "x",
}
COCO = {
    "images": [{"id": 1, "width": 640, "height": 480, "file_name": "1.jpg"}],
    "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"image_id": 1, "category_id": 18, "bbox": [10.5, 200, 200, 200], "iscrowd": 0},
        {"image_id": 1, "category_id": 1, "bbox": [320, 150, 250.25, 300], "iscrowd": 0},
    ],
}


def targets(scratch: Path) -> Iterator[Target]:
    """The targets of this file; `scratch` is an empty folder."""
    for kind in KINDS:
        yield _checked(scratch / "checked", kind)
    yield _plan(scratch / "plan")
    yield _replies(scratch / "replies")
    yield _cache(scratch / "cache")
    yield _pictures(scratch / "pictures")
    yield _prompts(scratch / "prompts")
    yield _ratings(scratch / "ratings")
    yield _list(scratch / "list")
    yield _examples(scratch / "examples")
    yield _export(scratch / "export")


def _values(whole: Any) -> dict[str, Any]:
    return dict(whole) if isinstance(whole, dict) else asdict(whole)


def _checked_bytes(random: Random, whole: Mapping[str, Any]) -> bytes:
    """A checked file: with damage, or with other values under a right checksum."""
    if random.random() < 0.3:
        return damaged(random, json.dumps(with_checksum(whole), indent=1).encode(), PIECES)
    values = changed(random, dict(whole))
    try:
        content = with_checksum(values) if isinstance(values, dict) else values
    except (ValueError, TypeError, RecursionError):
        content = values
    if random.random() < 0.2:
        content = changed(random, content)
    return as_json(random, content)


def _checked(folder: Path, name: str) -> Target:
    kind, example = KINDS[name]
    folder.mkdir(exist_ok=True)

    def check(data: bytes) -> None:
        found = parse_checked(data, "out/.build/file.json", kind)
        again = parse_checked(json.dumps(with_checksum(_values(found))).encode(), "again", kind)
        require(digest(_values(again)) == digest(_values(found)), "a record is the same after it was stored")

    return Target(
        name=f"checked: {name}",
        draw=lambda random: _checked_bytes(random, _values(example)),
        check=check,
        inputs=40_000,
    )


def _plan(folder: Path) -> Target:
    file = folder / ".build/plan/00000.arrow"
    file.parent.mkdir(parents=True)
    file.with_suffix(".json").write_text("{}")
    rows = pa.RecordBatch.from_pydict({"id": ["a-00000", "a-00001"], "num_objects": pa.array([2, 1], pa.int8())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_batch(rows)
    whole = sink.getvalue().to_pybytes()

    def check(data: bytes) -> None:
        file.write_bytes(data)
        splits = planned_splits(folder)
        require(set(splits.values()) <= {"objects_le3", "objects_4", "objects_5"}, "splits are known")

    return Target(name="planned splits", draw=lambda random: damaged(random, whole, PIECES), check=check, inputs=10_000)


def _replies(folder: Path) -> Target:
    entry = {"task": "boxes", "of": "a-00000", "verdict": "accepted", "troubles": ["HTTP 429"], "text": "{}"}
    file = folder / "aa" / f"{'a' * 32}.json"
    file.parent.mkdir(parents=True)

    def check(data: bytes) -> None:
        file.write_bytes(data)
        for line in tally(folder).lines():
            check_message(line)

    return Target(name="stored replies", draw=lambda random: _checked_bytes(random, entry), check=check, inputs=10_000)


def _cache(folder: Path) -> Target:
    cache = ResultCache(folder)
    key, suffix = "a" * 64, ".prepared"
    cache.put(key, suffix, Result(facts={"quality": 0.9}, files={"mask.png": b"mask", "cutout.npy": b"\0" * 50}))
    whole = (folder / f"{key}{suffix}").read_bytes()
    line, _, content = whole.partition(b"\n")
    header = json.loads(line)
    del header["format"], header["checksum"]

    def draw(random: Random) -> bytes:
        if random.random() < 0.5:
            return damaged(random, whole, PIECES)
        return (
            _checked_bytes(random, header).replace(b"\n", b" ")
            + b"\n"
            + random.choice((content, content, content[:-1], b""))
        )

    def check(data: bytes) -> None:
        (folder / f"{key}{suffix}").write_bytes(data)
        result = cache.get(key, suffix)
        require(cache.problem is None, "a damaged entry is no problem of the cache")
        if result is None:
            return
        require(all("/" not in kind for kind in result.files), "kinds name no other folder")
        require(b"".join(result.files.values()) == content, "contents are as they were stored")

    return Target(name="cache of results", draw=draw, check=check, inputs=30_000)


def _concept(name: str) -> Concept:
    return Concept(name=name, token=f"<{name}>", class_name=name.rstrip("26"), height_cm=None)


def _lines(random: Random, *examples: Mapping[str, Any]) -> bytes:
    rows = [dict(random.choice(examples)) for _ in range(random.randrange(1, 4))]
    if random.random() < 0.4:
        return damaged(random, "\n".join(map(json.dumps, rows)).encode(), PIECES)
    lines = [as_json(random, changed(random, row) if random.random() < 0.7 else row) for row in rows]
    return random.choice((b"\n", b"\n", b"\r\n", b"\n\n")).join(lines)


def _pictures(folder: Path) -> Target:
    inside = folder / "inside"
    inside.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(inside / "a.png")
    Image.new("RGB", (8, 8), "red").save(folder / "outside.png")
    for name, leads in {"out.png": "../outside.png", "in.png": "a.png", "circle.png": "circle.png", "up": ".."}.items():
        (inside / name).symlink_to(leads)
    (inside / "folder").mkdir()
    concepts = {name: _concept(name) for name in ("cat2", "dog6", "owl")}
    places = (
        "a.png",
        "out.png",
        "in.png",
        "circle.png",
        "up/outside.png",
        "folder",
        ".",
        "",
        "/etc/passwd",
        "../outside.png",
        "b" * 300,
    )
    content = (inside / "a.png").read_bytes()

    def draw(random: Random) -> bytes:
        return _lines(random, LINE, LINE, {**LINE, "file": random.choice((*places, text(random)))})

    def check(data: bytes) -> None:
        (inside / MANIFEST).write_bytes(data)
        for picture in read_generated(inside, concepts):
            require(picture.read() == content, "only pictures in the folder are read")
            require(1 <= len(picture.concepts) <= 5, "a composition has one to five concepts")

    return Target(name="images.jsonl", draw=draw, check=check, inputs=40_000)


def _prompts(folder: Path) -> Target:
    folder.mkdir()

    def check(data: bytes) -> None:
        (folder / "prompts.jsonl").write_bytes(data)
        for prompt in read_prompts(folder / "prompts.jsonl"):
            for words in (prompt.file, prompt.composition, prompt.prompt, prompt.background or "x"):
                require(words.strip() and not UNWRITABLE.search(words), "texts can be written to files")

    return Target(name="prompts", draw=lambda random: _lines(random, LINE), check=check, inputs=30_000)


def _ratings(folder: Path) -> Target:
    folder.mkdir()
    readers: tuple[tuple[Callable[[Path], Any], range], ...] = (
        (read_ratings, RANKS),
        (read_preferences, PREFERENCE_SCORES),
    )

    def draw(random: Random) -> tuple[int, bytes]:
        which = random.randrange(2)
        return which, _lines(random, (RANK, PREFERENCE)[which])

    def check(given: tuple[int, bytes]) -> None:
        read, scores = readers[given[0]]
        (folder / "ratings.jsonl").write_bytes(given[1])
        found = read(folder / "ratings.jsonl")
        require(all(each.score in scores for each in found), "scores are in their range")
        require(len({each.key for each in found}) == len(found), "each item is rated once")
        (folder / "again.jsonl").write_text(
            "".join(json.dumps(asdict(each)) + "\n" for each in found), encoding="utf-8"
        )
        require(read(folder / "again.jsonl") == found, "ratings are the same after they were stored")

    return Target(name="ratings", draw=draw, check=check, inputs=40_000)


def _list(folder: Path) -> Target:
    (folder / "dog6").mkdir(parents=True)
    (folder / "circle").symlink_to("circle")

    def draw(random: Random) -> bytes:
        rows = [
            ENTRY,
            {
                **ENTRY,
                "instance_data_dir": random.choice(("circle", ".", "..", "/", "x" * 300, "dog6/..", text(random))),
            },
        ]
        whole = rows[: random.randrange(1, 3)]
        return (
            damaged(random, json.dumps(whole).encode(), PIECES)
            if random.random() < 0.4
            else as_json(random, changed(random, whole))
        )

    def check(data: bytes) -> None:
        (folder / "concepts_list.json").write_bytes(data)
        for concept in read_concepts_list(folder / "concepts_list.json"):
            require(concept.path.is_absolute() and os.path.isdir(concept.path), "each concept is a folder")

    return Target(name="concepts_list.json", draw=draw, check=check, inputs=15_000)


def _examples(folder: Path) -> Target:
    folder.mkdir()
    captions = {"annotations": [{"image_id": 1, "caption": "A dog and a man  on a beach."}]}

    def draw(random: Random) -> tuple[bytes, bytes]:
        one, two = (
            as_json(random, changed(random, whole)) if random.random() < 0.6 else json.dumps(whole).encode()
            for whole in (COCO, captions)
        )
        return (damaged(random, one, PIECES) if random.random() < 0.2 else one), two

    def check(given: tuple[bytes, bytes]) -> None:
        (folder / "instances_x.json").write_bytes(given[0])
        (folder / "captions_x.json").write_bytes(given[1])
        for example in read_examples(folder):
            require(1 <= len(example.boxes) <= 5, "an example has one to five objects")
            for _, (x, y, width, height) in example.boxes.values():
                require(x >= 0 and y >= 0 and x + width <= 1.001 and y + height <= 1.001, "boxes are in the picture")

    return Target(name="COCO's annotations", draw=draw, check=check, inputs=10_000)


def _export(folder: Path) -> Target:
    folder.mkdir()
    (folder / "a.txt").write_text("text")
    marker = {"format": "coco", "dataset": SHA, "mycanvas": "0.3.0", "finished": True, "files": {"a.txt": 4}}

    def draw(random: Random) -> bytes:
        if random.random() < 0.3:
            return damaged(random, json.dumps(marker).encode(), PIECES)
        if random.random() < 0.3:
            return as_json(random, {**marker, "files": {text(random, surrogates=True): value(random)}})
        return as_json(random, changed(random, marker))

    def check(data: bytes) -> None:
        (folder / MARKER).write_bytes(data)
        require(isinstance(read_identity(folder), dict), "the identity of an export is an object")

    return Target(name="marker of an export", draw=draw, check=check, inputs=15_000)
