"""Objects at a URL that are damaged, lost, of another form, or written by two machines at the same moment."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from builder.engines.local import LocalEngine
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.plan import PlannedShard
from builder.pipeline.remote import RemoteFolder, in_output
from builder.pipeline.remote_shards import RemoteEngine
from builder.pipeline.remote_state import PlannedElsewhereError
from builder.pipeline.shard_task import ShardReport, ShardTask
from builder.pipeline.stored_records import Marker
from builder.records import CutoutReview, Rejected
from builder.sources.cutout_reviews import CutoutReviews
from mycanvas.errors import StoreError
from mycanvas.io.checked import FORMAT, digest, with_checksum, write_checked
from mycanvas.io.store import Store
from mycanvas.models.runtime import Runtime
from tests.contracts.conftest import Machine
from tests.contracts.small_builds import config_for

STATE, FIRST = ".build/states/00000.json", ".build/candidates/00000.json"


def shard_made(url: str, number: int, *reasons: str, config: str = "config") -> RemoteFolder:
    """Make a shard without scenes on this machine. reasons: of rejections that may pass."""
    folder = RemoteFolder(url)
    rejected = [Rejected(sample_id=f"a-{why}", stage="layout", reason=why, retriable=True) for why in reasons]
    folder.write_candidates(number, [], rejected, config, "plan")
    return folder


EMPTY = Marker(sha256="0" * 64, rows=0, config="config", rejected=(), scores="1" * 64, plan="plan")


@pytest.mark.parametrize(
    "content",
    [
        {"marker": {"format": 1}, "files": {}},
        {"marker": asdict(EMPTY), "files": {}},
        {"marker": asdict(EMPTY), "files": {"00001.arrow": "0" * 64, "00001.scores.arrow": "1" * 64}},
    ],
)
def test_marker_of_another_form_at_a_url_does_not_count(url: str, content: dict[str, Any]) -> None:
    Store(url).write(FIRST, json.dumps(with_checksum(content)).encode())
    folder = RemoteFolder(url)
    folder.pull()

    assert list(folder.markers()) == []
    assert folder.fetch_shard(0) is None
    shard_made(url, 0).push_shard(0, None)
    assert [shard for shard, _ in folder.markers()] == [0]


def test_marker_of_a_later_version_is_named_and_stays(url: str) -> None:
    values = {"marker": asdict(EMPTY), "files": {}, "format": FORMAT + 1}
    content = json.dumps({**values, "checksum": digest(json.loads(json.dumps(values)))}).encode()
    Store(url).write(FIRST, content)

    with pytest.raises(StoreError, match=r"^memory://\S+/00000.json was written by a later version"):
        RemoteFolder(url).fetch_shard(0)
    assert Store(url).read(FIRST) == content


def test_all_damaged_shards_at_a_url_are_made_again_by_one_build(machine: Machine, url: str) -> None:
    marker = None
    for number in range(3):
        shard_made(url, number).push_shard(number, None)
        marker = RemoteFolder(url).marker(number)
    assert marker is not None
    Store(url).write(f".build/candidates/{marker.scores}.arrow", b"damaged")  # of all three: none has a scene
    machine("b")
    folder = RemoteFolder(url)
    folder.pull()

    with pytest.raises(StoreError, match=r"candidates/00000\.json names a damaged or missing file, and so do 2 more;"):
        list(folder.markers())
    assert folder.made_shards() == set()


@pytest.mark.parametrize("slower", [("busy", "refused"), ()])
def test_marker_with_fewer_scenes_to_try_again_counts_whichever_machine_is_slower(
    machine: Machine, url: str, slower: tuple[str, ...]
) -> None:
    shard_made(url, 0, "busy", "refused", "lost").push_shard(0, None)
    before = RemoteFolder(url).fetch_shard(0)

    for name, reasons in (("b", ("busy",)), ("c", slower)):
        machine(name)
        shard_made(url, 0, *reasons, config=name).push_shard(0, before)

    found = RemoteFolder(url).fetch_shard(0)
    assert found is not None
    assert found.marker.config == ("b" if slower else "c")


def test_of_decisions_of_two_machines_about_a_photo_the_newest_counts(machine: Machine, url: str) -> None:
    photos = ("a" * 64, "b" * 64, "c" * 64)
    for name, times in (("a", (1, 2, 1)), ("b", (2, 1, None))):
        machine(name)
        reviews = CutoutReviews([RemoteFolder(url).reviews])
        for photo, time in zip(photos, times, strict=True):
            if time:
                mask = f"mask of {name}".encode()
                sha256 = hashlib.sha256(mask).hexdigest()
                review = CutoutReview(photo=photo, verdict="use", mask=sha256, rater=name, at=f"202{time}")
                reviews.put(review, mask)
        if name == "a":  # publishes
            for file in RemoteFolder(url).reviews.iterdir():
                Store(url).upload(file, f".build/reviews/{file.name}")
    Store(url).write(STATE, json.dumps(with_checksum({"number": 0, "files": {}})).encode())

    folder = RemoteFolder(url)
    folder.pull()

    found = CutoutReviews([folder.reviews])
    assert {photo: review.rater for photo, review in found.every().items()} == dict(zip(photos, "baa", strict=True))
    assert all(found.mask(review) for review in found.every().values())


def with_file(url: str, name: str, content: str) -> RemoteFolder:
    """The copy of this machine, with a file that scenes are made of."""
    folder = RemoteFolder(url)
    (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / name).write_text(content)
    return folder


CUTOUT, REPLIES = f".build/cutouts/{'0' * 32}.json", [f".build/replies/0{n}/{n * 32}.json" for n in "012"]


def test_worker_of_a_part_does_not_wait_for_its_own_build_where_another_part_has_more_replies(url: str) -> None:
    first = with_file(url, CUTOUT, "{}")
    first.states.push()
    with first.locked(shared=True), ThreadPoolExecutor() as pool:
        with_file(url, REPLIES[0], "{}").states.push()
        worker = pool.submit(RemoteFolder(url).states.catch_up, first.state.number, first.state.digest())

        worker.result(timeout=60)


def test_parts_on_two_machines_that_get_replies_at_the_same_moment_keep_all_of_them(machine: Machine, url: str) -> None:
    folders = []
    for number, name in enumerate("ab"):
        machine(name)
        with_file(url, CUTOUT, "{}")
        with_file(url, REPLIES[2], name)
        folders.append(with_file(url, REPLIES[number], name))
    for folder in folders:
        folder.states.push()

    machine("c")
    new = RemoteFolder(url)
    new.pull()

    assert folders[1].state == new.state
    assert [(new.path / name).read_text() for name in REPLIES] == ["a", "b", "a"]
    assert (folders[1].path / REPLIES[2]).read_text() == "b"


def test_part_that_has_to_begin_again_waits_for_the_others_on_its_machine(url: str) -> None:
    with_file(url, CUTOUT, "{}").states.push()
    free, begun = threading.Event(), []

    def work(folder: BuildFolder) -> int:
        begun.append(folder)
        if not free.is_set():
            threading.Timer(0.2, free.set).start()
            raise PlannedElsewhereError("changed")
        return len(begun)

    with ThreadPoolExecutor() as pool:
        with RemoteFolder(url).locked(shared=True):
            result = pool.submit(in_output, url, work, shared=True)
            free.wait(60)
        assert result.result(timeout=60) == 2


@pytest.mark.parametrize("damaged", ["own", "stale", "none"])
def test_worker_compares_its_machines_copy_with_the_state_before_it_works(
    machine: Machine, url: str, damaged: str
) -> None:
    state = with_file(url, CUTOUT, "{}")
    state.states.push()
    machine("b")
    worker = RemoteFolder(url) if damaged == "none" else with_file(url, CUTOUT, "[}")
    if damaged == "own":
        write_checked(worker.path.parent / "state.json", asdict(state.state))  # it was whole when it was fetched

    worker.states.catch_up(state.state.number, state.state.digest())

    assert (worker.path / CUTOUT).read_text() == "{}"
    with pytest.raises(StoreError, match="was replaced while a build ran"):
        worker.states.catch_up(state.state.number, "0" * 64)


def without_scenes(task: ShardTask) -> ShardReport:
    BuildFolder(task.folder).write_candidates(task.shard.number, [], [], "config", task.shard.plan)
    return ShardReport(planned=task.shard.count, made=0)


def test_each_shard_that_an_engine_makes_at_a_url_is_uploaded_whoever_makes_it(url: str, tmp_path: Path) -> None:
    folder, config = with_file(url, CUTOUT, "{}"), config_for(tmp_path, tmp_path, tmp_path)
    shards = [PlannedShard(number=number, step=0, start=0, count=2, plan="plan") for number in range(2)]
    tasks = [
        ShardTask(folder=folder.path, shard=shard, backgrounds={}, config=config, runtime=Runtime(), provenance={})
        for shard in shards
    ]

    with RemoteEngine(LocalEngine(1), folder, 1) as engine:
        made = list(engine.map_shards(without_scenes, tasks))
        assert list(engine.map(len, ["other", "work"])) == [5, 4]

    assert sum(report.planned for report in made) == 4
    assert RemoteFolder(url).made_shards() == {0, 1}
    assert folder.state.number == 0
