"""A short form of the campaign (python -m tests.kills), and that it finds what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills.builders import MEETINGS, Meeting, meet
from tests.kills.campaign import PARENT, SIGTERM, WORKER, Campaign
from tests.kills.ray_kills import kill_on_ray
from tests.kills.s3_kills import s3_places

ONE, TWO = ("--workers", "1"), ("--workers", "2")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign whose undisturbed works all tests share."""
    return Campaign(tmp_path_factory.mktemp("kills"), seed=14)


@pytest.mark.parametrize("work", ["build", "growing", "keep", "select", "clean"])
def test_killed_command_that_is_run_again_leaves_the_bytes_of_an_undisturbed_one(campaign: Campaign, work: str) -> None:
    campaign.disturb(work, PARENT, 1, campaign.works[work].alone)

    assert campaign.faults == []
    assert campaign.count("parent", work) == 1


def test_build_whose_worker_was_killed_stops_and_is_resumed_to_the_same_bytes(campaign: Campaign) -> None:
    campaign.disturb("build", WORKER, 1, TWO)

    assert campaign.faults == []
    assert campaign.count("worker", "build") == 1


def test_build_stopped_by_sigterm_is_resumed_to_the_same_bytes(campaign: Campaign) -> None:
    campaign.disturb("build", SIGTERM, 1, ONE)

    assert campaign.faults == []
    assert campaign.count("SIGTERM", "build") == 1


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda meeting: meeting.name.replace(" ", "-"))
def test_commands_at_once_leave_the_bytes_of_one(campaign: Campaign, meeting: Meeting) -> None:
    meet(campaign, meeting)

    assert campaign.faults == []
    assert campaign.ends[meeting.name, "done"] >= 1


def test_killed_build_at_s3_is_resumed_on_any_machine_to_the_same_objects(campaign: Campaign) -> None:
    pytest.importorskip("moto", reason="moto is not installed: pip install 'moto[server]'")
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'mycanvas[s3]'")
    with s3_places(campaign) as places:
        campaign.disturb("small build", PARENT, 1, ONE, places, "parent, S3")

    assert campaign.faults == []
    assert campaign.count("parent, S3", "small build") == 1


def test_build_on_ray_whose_worker_was_killed_ends_with_the_same_bytes(campaign: Campaign) -> None:
    kill_on_ray(campaign, workers=1, raylets=0, parents=0)

    assert campaign.faults == []
    assert campaign.count("Ray worker", "many shards") == 1


def test_campaign_finds_lost_changed_and_left_files(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seed=0)
    work = campaign.works["small build"]
    place = campaign.fresh(work, campaign.folder)
    campaign.finish(work, place)
    (place.folder / ".build" / "candidates" / "00000.json").unlink()
    (place.folder / ".build" / ".plan.unfinished").write_text("")
    shard = min((place.folder / ".build" / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])

    campaign.compare(work, place, campaign.folder, "damaged")

    found = "\n".join(campaign.faults)
    assert "damaged: .build/candidates/00000.json is missing" in found
    assert "damaged: .build/.plan.unfinished is left over" in found
    assert f"damaged: .build/shards/{shard.name} is different" in found
    assert f"{shard} has another content than its name says" in found
