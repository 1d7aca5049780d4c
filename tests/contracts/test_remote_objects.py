"""Objects at a URL that are damaged, lost, of another form, or written by two machines at the same moment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import pytest

from builder.pipeline.remote import RemoteFolder
from builder.pipeline.stored_records import Marker
from builder.records import CutoutReview, Rejected
from builder.sources.cutout_reviews import CutoutReviews
from mycanvas.errors import StoreError
from mycanvas.io.checked import with_checksum
from mycanvas.io.store import Store
from tests.contracts.conftest import Machine

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
