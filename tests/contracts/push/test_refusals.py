"""Builds that cannot be published and refusals of the Hub: a message each, no traceback, nothing half published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mycanvas.io.checked import read_checked, write_checked
from tests.hub.fake_hub import FakeHub
from tests.publishing import Done, Run, environment, published, refused


def test_a_folder_that_is_no_finished_build_is_refused(hub: FakeHub, run: Run, built: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert "holds no build; make one with: mycanvas build" in refused(run("push", tmp_path / "photos", "me/x"))

    (built / ".build" / "selected.json").unlink()
    assert "is not finished; run the same `mycanvas build`" in refused(run("push", built, "me/x"))
    assert "me/x" not in hub.repositories


@pytest.mark.parametrize("what", ["a shard", "the card", "the card's metadata"])
def test_card_of_other_shards_is_refused_until_it_is_rewritten(run: Run, built: Path, name: str, what: str) -> None:
    shard = built / "data" / "objects_4-00000-of-00001.arrow"
    if what == "a shard":
        shutil.copy(built / "data" / "objects_5-00000-of-00001.arrow", shard)
    else:
        old = (built / "README.md").read_text()
        changed = old.replace("sha256:", "sha256:0", 1) if what == "the card" else old.replace("---", "", 1)
        (built / "README.md").write_text(changed)

    message = refused(run("push", built, name))

    flaw = (
        f"{shard} is damaged; restore it with" if what == "a shard" else "was not written for the files that are there"
    )
    assert flaw in message
    assert f": mycanvas select {built}" in message
    assert run("select", built).code == 0
    assert run("push", built, name).code == 0


def test_photos_without_a_stated_license_are_not_published(run: Run, finished: Path, name: str) -> None:
    message = refused(run("push", finished, name, "--dry-run"))

    assert (
        "no maker or license is stated for 12 of 12 source photos and 2 of 2 background photos; "
        "state one for the whole with --license"
    ) in message
    assert run("push", finished, name, "--dry-run", "--license", "CC0-1.0").code == 0


def test_every_published_photo_needs_a_license(run: Run, finished: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(finished, tmp_path / "out")
    file = folder / ".build" / "sources.json"
    sources = read_checked(file, dict[str, Any])
    for each in (*sources["photos"], *sources["backgrounds"]):
        each["attribution"] = "Jo, CC0"
    sources["photos"][0] |= {"used": False, "attribution": None}
    write_checked(file, sources)

    assert "no maker or license is stated for 1 of 12 source photos;" in refused(run("push", folder, name, "--dry-run"))


@pytest.mark.parametrize("license", ["", " ", "unknown", "other", "?"])
def test_license_without_text_is_wrong_usage(run: Run, built: Path, name: str, license: str) -> None:
    message = refused(run("push", built, name, "--dry-run", "--license", license), code=2)

    assert f"--license: expected the name of a license, such as CC-BY-4.0, got {license!r}" in message


def test_a_license_that_the_hub_does_not_know_may_be_mistyped(run: Run, built: Path, name: str) -> None:
    def warned(license: str) -> str:
        done = run("push", built, name, "--dry-run", "--license", license)
        assert done.code == 0
        return done.err

    assert "knows no license CC-BY-4 (did you mean cc-by-4.0?); the card says: other, cc-by-4" in warned("CC-BY-4")
    assert "knows no license My own 1.0; the card says: other, my-own-1.0" in warned("My own 1.0")
    assert "license" not in warned("CC BY 4.0")


def test_a_branch_without_a_name_is_wrong_usage(run: Run, built: Path, name: str) -> None:
    assert "--revision: expected the name of a branch, got ''" in refused(run("push", built, name, "--revision", ""), 2)


def test_missing_and_unknown_token_have_different_messages(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    assert "not logged in to the Hub; run: hf auth login" in refused(run("push", built, name, token=""))
    assert run("push", built, name, "--dry-run", token="").code == 0
    assert "it does not accept your token; log in again" in refused(run("push", built, name, token="hf_other"))
    assert name not in hub.repositories


@pytest.mark.parametrize("repo_id", ["scenes", "a/b/c", "me/..", "me/-x", "me/sc enes"])
def test_a_name_that_no_repository_can_have_is_wrong_usage(run: Run, built: Path, repo_id: str) -> None:
    assert f"expected user/name, as in jane/mycanvas, got '{repo_id}'" in refused(run("push", built, repo_id), code=2)


def test_repository_of_another_user_is_not_written_to(hub: FakeHub, run: Run, built: Path) -> None:
    message = refused(run("push", built, "you/scenes"))

    assert "cannot publish you/scenes: the Hub answered 403: your token does not allow this" in message
    assert "you/scenes" not in hub.repositories


def test_a_repository_that_holds_something_else_is_left_alone(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    head = hub.write(name, {"README.md": b"# Mine", "data/train.csv": b"a,b"})

    for branch in ("main", "new"):
        message = refused(run("push", built, name, "--revision", branch))
        assert f"{name} holds something else (data/train.csv); choose another name" in message
    assert hub.head(name).oid == head
    assert list(hub.repositories[name].branches) == ["main"]


def test_private_scenes_are_not_sent_to_a_public_repository(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    head = hub.write(name, {".gitattributes": b""})

    assert f"{name} is public already" in refused(run("push", built, name, "--private"))
    assert hub.head(name).oid == head


def test_a_commit_by_somebody_else_in_between_is_not_overwritten(
    hub: FakeHub, run: Run, built: Path, name: str
) -> None:
    hub.before_commit = lambda: None if "notes.txt" in hub.head(name).files else _wrote(hub, name)

    message = refused(run("push", built, name))

    assert "the Hub answered 412: another commit was made meanwhile" in message
    assert set(hub.head(name).files) == {"notes.txt"}


def _wrote(hub: FakeHub, name: str) -> None:
    hub.write(name, {"notes.txt": b"first"})


@pytest.mark.parametrize(
    ("route", "status", "why"),
    [
        ("whoami", 503, "cannot log in to the Hub: the Hub answered 503: the Hub is out of order"),
        ("info", 500, "the Hub answered 500: the Hub is out of order; run the same command again later"),
        ("create", 500, "the Hub answered 500: the Hub is out of order; run the same command again later"),
        ("create", 429, "the Hub answered 429: too many requests"),
        ("batch", 403, "the Hub answered 403: your token does not allow this"),
        ("upload", 403, "the Hub answered 403: your token does not allow this"),
        ("commit", 500, "the Hub answered 500: the Hub is out of order; run the same command again later"),
        ("commit", 403, "the Hub answered 403: your token does not allow this"),
    ],
)
def test_refusal_of_the_hub_is_reported_and_nothing_is_published(
    hub: FakeHub, run: Run, built: Path, name: str, route: str, status: int, why: str
) -> None:
    hub.failing[route] = status

    message = refused(run("push", built, name))

    assert why in message
    assert published(hub, name) == 0
    hub.failing.clear()
    assert run("push", built, name).code == 0
    assert published(hub, name) == 1


def test_rows_that_differ_after_publishing_are_reported(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    hub.lost["data/objects_4-00000-of-00001.parquet"] = "data/objects_5-00000-of-00001.parquet"

    assert "rows of objects_4, which are not the" in refused(run("push", built, name))


def test_missing_network_is_reported(hub: FakeHub, built: Path, tmp_path: Path) -> None:
    nowhere = {**environment(hub, tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "builder", "push", str(built), "me/x"]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True)

    message = refused(Done(done.returncode, done.stdout, done.stderr))

    assert "cannot log in to the Hub: the Hub cannot be reached, or the connection broke off" in message
