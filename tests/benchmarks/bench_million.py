"""Plan and select a million candidates, beside an earlier commit with fewer.

Run: python -m tests.benchmarks.bench_million [--candidates 1000000] [--compared 50000] [--against 743db27]

No picture is made: score columns are drawn at random, with 5 % of near-duplicates, and written as a build writes them.
Neither that nor the start of Python is measured. Seconds are processor time. Each side runs in a process of its own;
memory is its largest, with Python and the packages.

- plan: draw every scene and write the plan.
- select: read the plan, the markers and the score columns, and select by the default bounds.
"""

from __future__ import annotations

import argparse

from tests.benchmarks.earlier import ROOT, checkout, run

GOAL_SECONDS, GOAL_MIB = 60, 2048

COMMON = """
import json, os, resource, sys, time
from pathlib import Path

import numpy as np
import pyarrow as pa

from builder.config import parse_config
from builder.pipeline.build_folder import BuildFolder
from builder.records import Concept, PhotoFile
from builder.stages.backgrounds import procedural_backgrounds
from mycanvas.io.checked import with_checksum
from mycanvas.schema import SCORES

folder, count = BuildFolder(Path(sys.argv[1])), int(sys.argv[2])
config = parse_config({"concepts": "photos", "output": sys.argv[1], "samples": count})
names = [f"thing{number:02d}" for number in range(12)]
photos = {
    name: tuple(PhotoFile(id=f"{name}/{view}.jpg", path=Path("x"), sha256="0" * 64) for view in range(5))
    for name in names
}
concepts = [Concept(name=n, token=f"<{n}>", class_noun="thing", height_cm=20.0, photos=photos[n]) for n in names]
backgrounds = procedural_backgrounds()
GOOD = {"visible": 1.0, "overlap": 0.0, "border": 0.0, "floating": 0.0, "proportion": 1.0}
rng = np.random.default_rng(0)

def scored(samples):
    "The columns that candidates have, drawn at random."
    bits = rng.integers(0, 2**64, len(samples), np.uint64)
    bits[rng.random(len(samples)) < 0.05] = bits[0]
    values = rng.random((len(samples), len(SCORES))).astype(np.float32).tolist()
    return [
        {
            "id": sample.id,
            "composition": sample.composition,
            "num_objects": len(sample.concepts),
            "source_images": list(sample.photo_ids),
            "scores": {**dict(zip(SCORES, row)), **(GOOD if index % 10 else {})},
            "fingerprint": bit,
        }
        for index, (sample, bit, row) in enumerate(zip(samples, bits.tolist(), values))
    ]

def write(path, schema, rows):
    "A stream, without waiting for the disk; its sha256."
    import hashlib
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    content = sink.getvalue().to_pybytes()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()

def write_marker(path, values):
    path.write_text(json.dumps(with_checksum(values)))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

(folder.hidden / "candidates").mkdir(parents=True)
"""

NOW = (
    COMMON
    + """
from builder.engines.local import LocalEngine
from builder.pipeline.context import BuildContext
from builder.pipeline.finalize import choose
from builder.pipeline.inputs import Inputs, build_request
from builder.pipeline.annotations import Annotations
from builder.pipeline.plan import read_shard
from builder.pipeline.rows import score_schema
from builder.pipeline.samples import Planner
from builder.pipeline.source_photos import CutoutUse, Sources

inputs = Inputs(concepts=tuple(concepts), backgrounds=backgrounds, rejected=())
uses = tuple(
    CutoutUse(
        id=photo.id, concept=concept.name, token=concept.token, class_noun="thing", height_cm=20.0, attribution=None,
        key="0" * 32, quality=0.9, used=True, planned=True,
    )
    for concept in concepts for photo in concept.photos
)
context = BuildContext(
    config=config, folder=folder, engine=LocalEngine(1), runtime=None, request=build_request(config, inputs, {})
)
began = time.process_time()
plan, _ = Planner(context=context, inputs=inputs, cutouts=uses).plan()
planned = time.process_time() - began
if not os.fork():  # so that what it needs is not measured
    for shard in plan.shards():
        rows = scored([scene.sample for scene in read_shard(plan.folder, shard, {})])
        marker = {"sha256": "0" * 64, "rows": len(rows), "config": "", "rejected": [], "plan": shard.plan}
        marker["scores"] = write(folder.score_file(shard.number), score_schema(), rows)
        write_marker(folder.candidate_file(shard.number).with_suffix(".json"), marker)
    os._exit(0)
os.wait()
began = time.process_time()
sources = Sources(photos=uses, backgrounds=(), unreadable={})
chosen = choose(
    folder, folder.plan(), dict(folder.markers()), config, uses, Annotations()
)
chosen.kept_by_shard(), chosen.funnel()
spent = time.process_time() - began
print(json.dumps({"plan": planned, "select": spent, "MiB": peak(), "kept": len(chosen.selection.kept)}))
"""
)

BEFORE = (
    COMMON
    + """
from dataclasses import asdict
from builder.pipeline.finalize import COLUMNS
from builder.pipeline.rows import candidate_schema
from builder.pipeline.stored_records import Plan, PlannedScene
from builder.stages.plan import draw_plan
from builder.stages.select import Judged, select
from mycanvas.io.checked import write_checked
from mycanvas.schema import split_of

usable = {concept.name: [photo.id for photo in concept.photos] for concept in concepts}
began = time.process_time()
samples = draw_plan(concepts, usable, backgrounds, config)
scenes = tuple(
    PlannedScene(
        id=s.id, composition=s.composition, num_objects=len(s.concepts), photos=s.photo_ids,
        background=f"{s.background.scene}:{s.background.variant}",
    )
    for s in samples
)
write_checked(folder.plan_file, asdict(Plan(request="", scenes=scenes)))
planned = time.process_time() - began
if not os.fork():
    size = config.shard_size
    for number in range(-(-count // size)):
        rows = scored(samples[number * size : (number + 1) * size])
        marker = {"rows": len(rows), "config": "", "rejected": []}
        marker["sha256"] = write(folder.candidate_file(number), candidate_schema(), rows)
        write_marker(folder.candidate_file(number).with_suffix(".json"), marker)
    os._exit(0)
os.wait()
began = time.process_time()
splits = {scene.id: split_of(scene.num_objects) for scene in folder.plan()}
rows = [row for index, _ in folder.markers() for row in folder.candidates(index, COLUMNS)]
judged = [
    Judged(id=row["id"], composition=row["composition"], scores=row["scores"], fingerprint=row["fingerprint"])
    for row in rows
]
kept = select(judged, config.select).kept
print(json.dumps({"plan": planned, "select": time.process_time() - began, "MiB": peak(), "kept": len(kept)}))
"""
)


def main() -> None:
    """Measure both and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--compared", type=int, default=50_000, help="candidates of both sides")
    parser.add_argument("--against", default="743db27", help="commit")
    given = parser.parse_args()
    print(f"{'':12}{'candidates':>12}{'plan, s':>10}{'select, s':>11}{'MiB':>8}  goal")
    with checkout(given.against) as earlier:
        before = _print(given.against, given.compared, run(earlier, BEFORE, str(given.compared)))
    now = _print("now", given.compared, run(ROOT, NOW, str(given.compared)))
    print(f"{'ratio':24}{before['plan'] / now['plan']:10.1f}{before['select'] / now['select']:11.1f}")
    found = _print("now", given.candidates, run(ROOT, NOW, str(given.candidates)))
    total = found["plan"] + found["select"]
    print(f"{'in all':12}{given.candidates:12}{total:21.1f}{found['MiB']:8.0f}  <= {GOAL_SECONDS} s, {GOAL_MIB} MiB")


def _print(name: str, count: int, found: dict[str, float]) -> dict[str, float]:
    print(f"{name:12}{count:12}{found['plan']:10.1f}{found['select']:11.1f}{found['MiB']:8.0f}", flush=True)
    return found


if __name__ == "__main__":
    main()
