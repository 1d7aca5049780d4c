"""The store of ranks, flags, captions and choices: undo, repeated requests, killed writers and damaged files."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mycanvas.errors import InputError, StoreError
from mycanvas.io.mounts import MOUNTS
from mycanvas.ratings.entries import CaptionEdit, Flag, PairChoice, Preference, Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.store import RatingStore

WRITER = """
import sys
from pathlib import Path
from mycanvas.ratings.entries import Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.store import RatingStore
path, mounts, rater, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
store = RatingStore(path, mounts)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    store.add(Event(id=new_id(), entry=Rating(rater=rater, item=f"scene-{number}", score=1 + number % 5)))
    print(number, flush=True)
"""
MOUNT = "22 1 0:21 / / rw,relatime - {type} server:/ rw\n"


@pytest.fixture
def store(tmp_path: Path) -> RatingStore:
    return RatingStore(tmp_path / ".build" / "review.sqlite")


def rank(store: RatingStore, score: int, *, rater: str = "ana", item: str = "a-1", session: str = "") -> str:
    name = new_id()
    store.add(Event(id=name, entry=Rating(rater=rater, item=item, score=score), session=session))
    return name


def scores(store: RatingStore) -> dict[tuple[str, str], int]:
    return {(rating.rater, rating.item): rating.score for rating in store.ratings()}


def writer(path: Path, rater: str, count: int, mounts: Path = MOUNTS) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(mounts), rater, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_reading_makes_no_file(store: RatingStore) -> None:
    assert store.ratings() == store.flags() == store.preferences() == store.choices() == ()
    assert store.captions() == {}
    assert store.undo("ana") is None
    assert not store.path.parent.exists()


def test_newest_rank_of_each_rater_and_scene_counts(store: RatingStore) -> None:
    rank(store, 3)
    rank(store, 5, rater="bo")
    rank(store, 4)

    assert scores(RatingStore(store.path)) == {("ana", "a-1"): 4, ("bo", "a-1"): 5}


def test_event_sent_twice_is_stored_once(store: RatingStore) -> None:
    event = Event(id=new_id(), entry=Rating(rater="ana", item="a-1", score=2))
    store.add(event)
    rank(store, 5)
    store.add(event)  # the answer to the first was lost

    assert scores(store) == {("ana", "a-1"): 5}
    with pytest.raises(InputError, match=r"the id .* is that of another event"):
        store.add(Event(id=event.id, entry=Rating(rater="ana", item="a-1", score=3)))
    with pytest.raises(ValueError, match="expected a UUID, got 'x'"):
        Event(id="x", entry=event.entry)


def test_undo_restores_the_entry_before_and_repeats_nothing(store: RatingStore) -> None:
    rank(store, 1)
    rank(store, 2)
    rank(store, 5, rater="bo")
    newest = rank(store, 3)
    request = new_id()

    undone = [store.undo("ana", id=request) for _ in range(2)]

    assert [event.id for event in undone if event] == [newest, newest]
    assert scores(store) == {("ana", "a-1"): 2, ("bo", "a-1"): 5}
    store.undo("ana")
    store.undo("ana")
    assert store.undo("ana") is None
    assert scores(store) == {("bo", "a-1"): 5}


def test_undo_that_found_nothing_undoes_nothing_when_it_is_repeated(store: RatingStore) -> None:
    rank(store, 5, rater="bo")
    request = new_id()
    assert store.undo("ana", id=request) is None
    rank(store, 4)
    assert store.undo("ana", id=request) is None

    assert scores(store)["ana", "a-1"] == 4


def test_undo_keeps_to_its_session_and_kinds(store: RatingStore) -> None:
    rank(store, 1, session="first")
    rank(store, 2, item="b-1", session="second")
    store.add(Event(id=new_id(), entry=Flag(rater="ana", item="c-1", reason="artefact"), session="first"))

    undone = store.undo("ana", "first", kinds=[Rating])

    assert undone is not None
    assert undone.entry == Rating(rater="ana", item="a-1", score=1)
    assert scores(store) == {("ana", "b-1"): 2}
    assert len(store.flags()) == 1


def test_flags_captions_and_studies_have_their_own_keys(store: RatingStore) -> None:
    bad = Flag(rater="ana", item="a-1", reason="bad cut-out", photo="dog6/03.jpg", note="half a <tail>")
    score = Preference(rater="ana", item="x", score=8, arm="ours", split="objects_4")
    left = PairChoice(rater="ana", item="x", arms=("ours", "base"), chosen="ours", split="objects_4")
    right = PairChoice(rater="ana", item="x", arms=("base", "ours"), chosen="base", split="objects_4")
    for entry in (
        bad,
        Flag(rater="ana", item="b-1", reason="floating"),
        Flag(rater="ana", item="b-1", reason=None),
        CaptionEdit(rater="ana", item="a-1", caption="a dog"),
        CaptionEdit(rater="bo", item="a-1", caption="a big dog"),
        CaptionEdit(rater="bo", item="b-1", caption="a cat"),
        CaptionEdit(rater="ana", item="b-1", caption=None),
        score,
        left,
        right,
    ):
        store.add(Event(id=new_id(), entry=entry))

    assert store.flags() == (bad,)
    assert store.captions() == {"a-1": "a big dog"}
    assert store.preferences() == (score,)
    assert store.choices() == (right,)
    store.undo("bo")
    store.undo("bo")
    assert store.captions() == {"a-1": "a dog"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flag(rater="ana", item="a", reason="ugly"), 'reason: expected one of concept missing, .* got "ugly"'),
        (lambda: Flag(rater="ana", item="a", reason="floating", photo="d/1.jpg"), "photo: expected only with"),
        (lambda: CaptionEdit(rater="ana", item="a", caption=" "), 'caption: expected words, got " "'),
        (lambda: CaptionEdit(rater="ana", item="a", caption="a" * 1001), "expected at most 1000 characters, got 1001"),
        (lambda: Rating(rater="\x1b[2J", item="a", score=3), "rater: expected a name"),
        (
            lambda: PairChoice(rater="a", item="a", arms=("x", "x"), chosen="x", split="objects_4"),
            "arms: expected the names of two arms",
        ),
        (
            lambda: PairChoice(rater="a", item="a", arms=("x", "y"), chosen="z", split="objects_4"),
            "chosen: expected one of the two arms",
        ),
    ],
)
def test_invalid_entries_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_all_ranks_of_processes_that_write_at_once_are_stored(store: RatingStore) -> None:
    raters = [f"rater {number}" for number in range(8)]
    processes = [writer(store.path, rater, 25) for rater in raters]
    for process in processes:
        start(process)
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0] * len(raters)
    assert scores(store) == {(rater, f"scene-{n}"): 1 + n % 5 for rater in raters for n in range(25)}


@pytest.fixture
def mounts(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNT.format(type=request.param))
    return path


def journal(store: RatingStore) -> str:
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.mark.parametrize(("mounts", "expected"), [("ext4", "wal"), ("nfs4", "delete")], indirect=["mounts"])
def test_no_acknowledged_rank_is_lost_when_writers_are_killed(tmp_path: Path, mounts: Path, expected: str) -> None:
    path = tmp_path / "review.sqlite"
    draw = np.random.default_rng(0)
    acknowledged: set[tuple[str, str]] = set()
    for attempt in range(4):
        processes = {f"{attempt}-{n}": writer(path, f"{attempt}-{n}", 100_000, mounts) for n in range(2)}
        for process in processes.values():
            start(process)
        limits = {rater: int(draw.integers(1, 20)) for rater in processes}
        for rater, process in processes.items():
            assert process.stdout is not None
            for _ in range(limits[rater]):
                acknowledged.add((rater, f"scene-{int(process.stdout.readline())}"))
            process.send_signal(signal.SIGKILL)
        for rater, process in processes.items():
            assert process.stdout is not None
            acknowledged |= {(rater, f"scene-{int(line)}") for line in process.stdout if line.endswith("\n")}
            process.stdout.close()
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait() == -signal.SIGKILL

    assert journal(RatingStore(path)) == expected
    stored = scores(RatingStore(path))
    assert acknowledged <= stored.keys()
    assert len(stored) <= len(acknowledged) + 8  # at most the one that each was about to report


def test_journal_follows_the_folder_to_another_file_system(store: RatingStore, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    for number, (kind, expected) in enumerate([("ext4", "wal"), ("cifs", "delete"), ("xfs", "wal")]):
        mounts.write_text(MOUNT.format(type=kind))
        here = RatingStore(store.path, mounts)
        rank(here, 3, item=f"a-{number}")

        assert journal(here) == expected
        assert len(here.ratings()) == number + 1


def test_file_in_a_folder_that_cannot_be_written_is_read(store: RatingStore) -> None:
    rank(store, 4)
    store.path.parent.chmod(0o500)
    try:
        assert scores(store) == {("ana", "a-1"): 4}
        if os.geteuid():  # root may write
            with pytest.raises(StoreError, match=r"cannot write .*review.sqlite"):
                rank(store, 5)
    finally:
        store.path.parent.chmod(0o700)


def test_damaged_file_is_named_with_a_remedy(store: RatingStore) -> None:
    for number in range(200):
        rank(store, 3, item=f"a-{number}")
    whole = store.path.read_bytes()
    errors = []
    for place in range(0, len(whole), 997):
        store.path.write_bytes(whole[:place] + bytes(200) + whole[place + 200 :])
        try:
            assert len(RatingStore(store.path).ratings()) == 200  # only free space or an index was hit
        except StoreError as error:
            errors.append(str(error))

    assert len(errors) > len(whole) / 997 / 3
    assert all(str(store.path) in error and "move it" in error for error in errors)


@pytest.mark.parametrize("content", [b"not a database at all" * 200, b"SQLite format 3\0" + b"x" * 4000])
def test_other_content_is_not_replaced(store: RatingStore, content: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(content)

    with pytest.raises(StoreError, match=r"review.sqlite is damaged; restore it from a copy, or move it"):
        rank(store, 3)
    with pytest.raises(StoreError, match=r"review.sqlite is damaged"):
        store.ratings()
    assert store.path.read_bytes() == content


def test_changed_row_and_foreign_tables_are_noticed(store: RatingStore, tmp_path: Path) -> None:
    rank(store, 3)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("""UPDATE events SET value = replace(value, '"score": 3', '"score": 5')""")
    with pytest.raises(StoreError, match="is damaged"):
        store.ratings()

    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE events (id TEXT)")
    with pytest.raises(StoreError, match=r"other.sqlite is not a file of reviews; move it away"):
        rank(RatingStore(other), 3)


def test_prepared_store_is_written_and_its_events_are_checked(store: RatingStore) -> None:
    store.prepare()

    assert store.ratings() == ()
    rank(store, 3)
    store.prepare()
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("""UPDATE events SET value = replace(value, '"score": 3', '"score": 5')""")
    with pytest.raises(StoreError, match="is damaged; restore it from a copy"):
        store.prepare()


def test_file_of_a_later_version_and_folders_are_refused(store: RatingStore, tmp_path: Path) -> None:
    rank(store, 3)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match=r"a later version of mycanvas \(format 9, this one reads 1\)"):
        store.ratings()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="is not a regular file"):
        RatingStore(tmp_path / "folder").ratings()


def test_empty_file_of_a_process_killed_at_once_is_used_with_a_warning(
    store: RatingStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.path.parent.mkdir()
    store.path.touch()

    assert store.ratings() == store.flags() == ()
    assert caplog.messages == [f"{store.path} is empty; if it had ranks, they are lost: restore it from a copy"]
    rank(store, 4)
    assert scores(store) == {("ana", "a-1"): 4}
