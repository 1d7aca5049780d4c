"""Decisions about cut-outs: which comes first, where they hold, and which scenes leave because of them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import datasets
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (registers the loader)
from builder.pipeline.build import build, cut_out_only
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from builder.pipeline.prepared_files import read_encoded, read_outline
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.pipeline.scene_layers import SceneLayers
from builder.records import CutoutReview
from builder.sources.cutout_reviews import CutoutReviews
from builder.sources.outlines import outline_of
from mycanvas.dataset import open_dataset
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import read_checked, write_checked
from tests.contracts.decided_builds import (
    SLIM,
    WIDE,
    but_those_of,
    compared,
    config,
    kept,
    of,
    png,
    review,
    sha256,
    use,
    uses,
)
from tests.contracts.small_builds import bytes_of


def test_refused_cutout_leaves_with_its_scenes_at_the_next_selection_and_comes_back(
    copied: tuple[Path, Path],
) -> None:
    photos, output = copied
    before, scenes = compared(output), kept(output)
    review("cone/0.png")(photos, output)

    summary = reselect(output, {})

    left = but_those_of(scenes, "cone/0.png")
    assert kept(output) == left != scenes
    assert f"  dropped: cut-out refused: cone/0.png  -{len(scenes) - len(left)}" in summary.lines()
    rows = datasets.load_dataset("mycanvas", "concepts", data_dir=str(output), split="train")
    used = {row["id"]: row["used"] for row in rows.select_columns(["id", "used"])}
    assert (used["cone/0.png"], used["cone/1.png"]) == (False, True)
    rest = next(open_dataset(output).scenes())
    assert len(SceneLayers(output)(rest)) >= 1 + rest.num_objects
    moved = Path(shutil.move(output, output.with_name("moved")))
    reselect(moved, {"min_visible": 0.5})
    assert not any("cone/0.png" in shown for shown in kept(moved).values())

    shutil.move(moved, output)
    build_reviews(BuildFolder(output)).remove(of(photos, "cone/0.png"))
    reselect(output, {"min_visible": 0.6})

    assert compared(output) == before


def test_refused_cutouts_of_many_photos_are_counted_by_concept(copied: tuple[Path, Path]) -> None:
    photos, output = copied
    for concept in ("ball", "ball2", "cone", "ring"):
        for view in range(2):
            review(f"{concept}/{view}.png")(photos, output)

    lines = reselect(output, {}).lines()

    rules = [line.split("  -")[0].strip() for line in lines if "cut-out" in line]
    assert "dropped: cut-out refused: 2 photos of cone" in rules
    assert len(rules) <= 4


def test_bound_on_the_cutout_keeps_the_scenes_of_accepted_ones(copied: tuple[Path, Path]) -> None:
    photos, output = copied
    sources = read_checked(BuildFolder(output).sources_file, dict)
    for photo in sources["photos"]:
        photo["quality"] = 0.5 if photo["id"] in {"cone/0.png", "slab/0.png"} else photo["quality"]
    write_checked(BuildFolder(output).sources_file, sources)
    scenes = kept(output)
    shards = [list(BuildFolder(output).candidates(index, ("id", "scores"))) for index in range(4)]
    assert all(row["scores"]["cutout"] == 1 for rows in shards for row in rows)  # as no segmenter is needed

    review("cone/0.png", verdict="use")(photos, output)
    reselect(output, {"min_cutout": 0.8})

    low = {name for name, shown in scenes.items() if {"cone/0.png", "slab/0.png"} <= {*shown}}
    assert kept(output).keys() == scenes.keys() - low
    assert any("cone/0.png" in shown for shown in kept(output).values())


def test_each_decision_comes_before_the_next(
    shapes: Path, grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYCANVAS_REVIEWS", str(tmp_path / "user"))
    photos, user = Path(shutil.copytree(shapes, tmp_path / "photos")), CutoutReviews([tmp_path / "user"])
    for name in ("ball/0", "ball/1", "box/0", "cone/0"):
        (photos / f"{name}.mask.png").write_bytes(SLIM)
    leave_out = '[ball]\nleave_out = ["0.png"]\n[ball2]\nuse = ["0.png"]\nleave_out = ["1.png"]\n'
    (photos / "concepts.toml").write_text(f'{leave_out}[ring]\nleave_out = ["0.png"]\nuse = ["1.png"]\n')
    (photos / "slab" / "0.mask.png").write_bytes(png((0, 0, 0, 0)))
    (photos / "slab" / "1.mask.png").write_bytes(b"no picture")
    for name in ("ball/1.png", "ball2/0.png", "box/1.png"):
        user.put(CutoutReview(photo=of(photos, name), verdict="refuse", reason="a hand"))
    for name in ("cone/0.png", "slab/0.png"):
        user.put(CutoutReview(photo=of(photos, name), verdict="use", mask=sha256(WIDE)), WIDE)
    user.put(CutoutReview(photo=of(photos, "ring/0.png"), verdict="use"))

    folder = cut_out_only(config(photos, grounds, tmp_path / "out", segment={"min_quality": 1.0}))

    sources = folder.sources()
    assert {photo.id: (photo.used, photo.why) for photo in sources.photos} == {
        "ball/0.png": (True, "the mask beside the photo"),
        "ball/1.png": (False, "refused in review: a hand"),
        "ball2/0.png": (False, "refused in review: a hand"),
        "ball2/1.png": (False, "leave_out in concepts.toml"),
        "box/0.png": (True, "the mask beside the photo"),
        "box/1.png": (False, "refused in review: a hand"),
        "cone/0.png": (True, "the mask from review"),
        "cone/1.png": (True, "quality 1.000, at least 1"),
        "ring/0.png": (True, "accepted in review"),
        "ring/1.png": (True, "use in concepts.toml"),
        "slab/0.png": (True, "the mask from review"),
    }
    assert sources.unreadable["slab/1.png"].startswith("its mask 1.mask.png: not a picture")
    mask = Image.open(io.BytesIO(read_encoded(folder, uses(folder.path)["slab/0.png"].key)[1] or b""))
    assert (mask.getbbox() or ())[1] == 30  # the upper edge of the mask; that of the object is higher


def test_decision_of_one_build_holds_in_another_one_of_renamed_photos(
    copied: tuple[Path, Path], grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYCANVAS_REVIEWS", str(tmp_path / "user"))
    photos, output = copied
    review("cone/0.png")(photos, output)
    review("slab/0.png", verdict="use", mask=WIDE)(photos, output)
    (photos / "cone" / "0.png").rename(photos / "cone" / "first.png")
    moved = Path(shutil.move(photos, tmp_path / "moved"))

    summary = build(config(moved, grounds, tmp_path / "new"))

    found = uses(tmp_path / "new")
    assert use(found, "cone/first.png") == (False, "refused in review")
    assert use(found, "slab/0.png") == (True, "the mask from review")
    assert not any("cone/first.png" in shown for shown in kept(tmp_path / "new").values())
    assert summary.note is None
    assert reselect(output, {}).note == (
        "1 cut-out was added, accepted or fixed since this build was planned (slab/0.png); "
        "more scenes (--samples) show those that were added or accepted, a build with another --output all"
    )

    monkeypatch.setenv("MYCANVAS_REVIEWS", "off")  # the decisions are in the new build, too
    assert use(uses(tmp_path / "new"), "cone/first.png") == (False, "refused in review")


def test_damaged_decision_or_mask_stops_before_anything_is_lost(copied: tuple[Path, Path], grounds: Path) -> None:
    photos, output = copied
    review("cone/0.png", verdict="use", mask=WIDE)(photos, output)
    reviews = output / ".build" / "reviews"
    (file,), (mask,) = reviews.glob("*.json"), reviews.glob("*.png")
    whole = {file: file.read_bytes(), mask: mask.read_bytes()}
    for damaged, reason in ((file, "decide about the photo again"), (mask, "restore it from a copy")):
        damaged.write_bytes(whole[damaged][:-9])
        before = bytes_of(output)
        with pytest.raises(StoreError, match=rf"cone/0\.png: .*{damaged.name}.* damaged.*{reason}"):
            build(config(photos, grounds, output))
        if damaged == file:
            assert uses(output)["cone/0.png"].used  # the review page can still be opened
            with pytest.raises(StoreError, match=rf"{file.name} is damaged"):
                reselect(output, {})
        assert bytes_of(output) == before
        damaged.write_bytes(whole[damaged])

    assert "cone/0.png" in str(build(config(photos, grounds, output)).note)


def test_concept_whose_photos_are_all_refused_is_left_out_with_the_reason(
    shapes: Path, grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MYCANVAS_REVIEWS", str(tmp_path / "user"))
    for file in shapes.rglob("*.png"):
        CutoutReviews([tmp_path / "user"]).put(CutoutReview(photo=sha256(file.read_bytes()), verdict="refuse"))

    with pytest.raises(InputError, match="no photo gave a cut-out, for the reasons above"):
        build(config(shapes, grounds, tmp_path / "out", segment={"keep_best": True}))

    assert 'concept "cone" is left out: none of its photos gave a cut-out (refused in review)' in caplog.messages


def test_decision_holds_for_its_outline_in_builds_of_another_size_and_for_no_other_outline(
    copied: tuple[Path, Path], grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYCANVAS_REVIEWS", str(tmp_path / "user"))
    photos, output = copied
    scenes, reviews = kept(output), build_reviews(BuildFolder(output))
    for name in ("cone/0.png", "slab/0.png"):
        outline = read_outline(BuildFolder(output), uses(output)[name].key)
        reviews.put(CutoutReview(photo=of(photos, name), verdict="refuse", outline=outline))
    for name, verdict in (("ball/0.png", "refuse"), ("ball2/0.png", "use")):  # of another segmenter
        review = CutoutReview(photo=of(photos, name), verdict=verdict, outline=outline_of(None))  # type: ignore[arg-type]
        reviews.put(review)
    (photos / "slab" / "0.mask.png").write_bytes(png((0, 0, 160, 60)))

    built = cut_out_only(config(photos, grounds, tmp_path / "new", resolution=128))
    reselect(output, {})

    found, gate = uses(built.path), "quality 1.000, at least"
    assert use(found, "cone/0.png") == (False, "refused in review")
    assert use(found, "slab/0.png") == (True, "the mask beside the photo")
    for name, verdict in (("ball/0.png", "refused"), ("ball2/0.png", "accepted")):
        used, why = use(found, name)
        assert (used, why.startswith(gate)) == (True, True)
        assert why.endswith(f"; another outline was {verdict} in review")
        assert found[name].review is None
    assert kept(output) == but_those_of(but_those_of(scenes, "cone/0.png"), "slab/0.png")


def test_outline_of_a_cutout_of_an_earlier_version_is_that_of_its_mask(copied: tuple[Path, Path]) -> None:
    photos, output = copied
    folder, key = BuildFolder(output), uses(output)["cone/0.png"].key
    outline = read_outline(folder, key)
    marker = read_checked(folder.cutout_file(key, "json"), dict)
    write_checked(folder.cutout_file(key, "json"), {name: marker[name] for name in marker.keys() - {"outline"}})
    build_reviews(folder).put(CutoutReview(photo=of(photos, "cone/0.png"), verdict="refuse", outline=outline))

    assert outline == marker["outline"] != outline_of(None)
    assert read_outline(folder, key) == outline
    assert use(uses(output), "cone/0.png") == (False, "refused in review")
