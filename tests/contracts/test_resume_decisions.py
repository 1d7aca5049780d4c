"""Decisions about cut-outs change while a build is unfinished: it ends as planned, and only their scenes leave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import mycanvas  # noqa: F401  (registers the loader)
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked, write_checked
from tests.contracts.decided_builds import (
    SLIM,
    WIDE,
    Change,
    but_those_of,
    compared,
    config,
    kept,
    made,
    png,
    review,
    sha256,
    stop_halfway,
    use,
    uses,
)


def add_mask(photos: Path, _: Path) -> None:
    (photos / "cone" / "0.mask.png").write_bytes(WIDE)


def add_unusable_mask(photos: Path, _: Path) -> None:
    (photos / "cone" / "0.mask.png").write_bytes(png((0, 0, 0, 0)))


def change_mask(photos: Path, _: Path) -> None:
    (photos / "ring" / "1.mask.png").write_bytes(WIDE)


def remove_mask(photos: Path, _: Path) -> None:
    (photos / "ring" / "1.mask.png").unlink()


def describe(text: str) -> Change:
    return lambda photos, _: (photos / "concepts.toml").write_text(text) and None


CHANGES: Mapping[str, tuple[Change, str | None]] = {
    "mask added": (add_mask, "cone/0.png"),
    "unusable mask added": (add_unusable_mask, None),
    "mask changed": (change_mask, "ring/1.png"),
    "mask removed": (remove_mask, None),
    "use removed, leave_out added": (describe('[cone]\nleave_out = ["0.png"]\n'), "cone/0.png"),
    "leave_out to use": (describe('[ball]\nuse = ["1.png"]\n[box]\nuse = ["1.png"]\n'), None),
    "refused": (review("cone/0.png"), "cone/0.png"),
    "accepted what was left out": (review("box/1.png", verdict="use"), None),
    "mask from review": (review("cone/0.png", verdict="use", mask=WIDE), "cone/0.png"),
}
"""Changes of decisions, each with the photo whose scenes leave the dataset."""


@pytest.mark.parametrize("name", CHANGES)
def test_build_with_half_of_its_shards_ends_as_planned_after_a_decision_changes(
    undisturbed: Path, copied: tuple[Path, Path], grounds: Path, name: str
) -> None:
    (photos, output), (change, gone) = copied, CHANGES[name]
    stop_halfway(output)
    change(photos, output)

    summary = build(config(photos, grounds, output))

    scenes, whole = kept(output), kept(undisturbed / "out")
    assert made(output) == made(undisturbed / "out")
    assert scenes == (but_those_of(whole, gone) if gone else whole)
    assert len(scenes) < len(whole) or gone is None
    leaving = {rule: count for rule, count in summary.funnel.dropped.items() if rule.startswith("cut-out")}
    rule = "replaced" if "mask" in name else "refused"
    assert leaving == ({f"cut-out {rule}: {gone}": len(whole) - len(scenes)} if gone else {})

    shutil.rmtree(photos)
    shutil.copytree(undisturbed / "photos", photos)
    for photo in build_reviews(BuildFolder(output)).every():
        build_reviews(BuildFolder(output)).remove(photo)
    build(config(photos, grounds, output))

    assert compared(output) == compared(undisturbed / "out")


@pytest.mark.parametrize("lost", ["plan.json", "sources.json"])
def test_plan_is_kept_where_one_of_its_files_is_lost_after_a_decision_changed(
    undisturbed: Path, copied: tuple[Path, Path], grounds: Path, lost: str
) -> None:
    photos, output = copied
    stop_halfway(output)
    (output / ".build" / lost).unlink()
    for change, _ in (CHANGES["mask changed"], CHANGES["refused"]):
        change(photos, output)

    build(config(photos, grounds, output))

    assert made(output) == made(undisturbed / "out")
    whole = kept(undisturbed / "out")
    assert kept(output) == but_those_of(but_those_of(whole, "ring/1.png"), "cone/0.png")


def test_lost_cutout_is_made_again_by_the_mask_of_the_plan_or_named(
    undisturbed: Path, copied: tuple[Path, Path], grounds: Path
) -> None:
    photos, output = copied
    key = uses(output)["ring/1.png"].key
    for mask in (SLIM, WIDE):
        for file in (output / ".build" / "cutouts").glob(f"{key}.*"):
            file.unlink()
        (photos / "ring" / "1.mask.png").write_bytes(mask)
        if mask == SLIM:
            build(config(photos, grounds, output))
            assert compared(output) == compared(undisturbed / "out")
    with pytest.raises(StoreError, match=r"the cut-out of ring/1\.png, .* is lost, and .* give the earlier mask again"):
        build(config(photos, grounds, output))

    review("ring/1.png", verdict="use", mask=WIDE)(photos, output)
    (photos / "ring" / "1.mask.png").write_bytes(SLIM)
    build(config(photos, grounds, output))  # the mask beside the photo gives the planned cut-out again

    assert made(output) == made(undisturbed / "out")


def test_build_of_a_version_that_recorded_decisions_in_its_request_is_resumed(
    undisturbed: Path, copied: tuple[Path, Path], grounds: Path
) -> None:
    photos, output = copied
    folder = BuildFolder(output)
    request = {**folder.request(), "mask ring/1.png": sha256(SLIM), "choice ball/1.png": "use"}
    write_checked(folder.request_file, request)
    plan = read_checked(folder.plan_file, dict)
    del plan["cutouts"]
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()
    write_checked(folder.plan_file, {**plan, "request": sha256(canonical)})
    sources = read_checked(folder.sources_file, dict)
    new = {"sha256", "mask", "planned", "beside", "review", "reviewed", "review_mask", "other_review"}
    sources["photos"] = [{key: photo[key] for key in photo.keys() - new} for photo in sources["photos"]]
    write_checked(folder.sources_file, sources)
    stop_halfway(output)
    add_mask(photos, output)
    review("ball/1.png")(photos, output)
    assert use(uses(output), "ball/1.png") == (False, "refused in review")

    build(config(photos, grounds, output))

    whole = kept(undisturbed / "out")
    assert kept(output) == but_those_of(but_those_of(whole, "cone/0.png"), "ball/1.png")
