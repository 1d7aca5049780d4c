"""Decisions about cut-outs may change at any time: a resumed build ends as planned, and only scenes of theirs leave."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import datasets
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (registers the loader)
from builder.config import BuildConfig
from builder.pipeline.build import build, cut_out_only
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from builder.pipeline.prepared_files import read_encoded
from builder.pipeline.reviewed_cutouts import build_reviews, current_sources
from builder.pipeline.scene_layers import SceneLayers
from builder.pipeline.source_photos import CutoutUse
from builder.sources.cutout_reviews import CutoutReview, CutoutReviews
from mycanvas.dataset import open_dataset
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import read_checked, write_checked
from tests.contracts.small_builds import bytes_of, config_for

Change = Callable[[Path, Path], None]
"""Changes decisions, given the folder of the photos and that of the build."""
COMPOSITIONS = [["cone"], ["ball", "ring"], ["ball2", "cone"], ["box", "slab"]]
TOML = '[ball]\nuse = ["1.png"]\n[box]\nleave_out = ["1.png"]\n'


def png(box: tuple[int, int, int, int], size: tuple[int, int] = (160, 160)) -> bytes:
    """A mask that is white in a box."""
    mask, encoded = Image.new("L", size), io.BytesIO()
    mask.paste(255, box)
    mask.save(encoded, "PNG")
    return encoded.getvalue()


SLIM, WIDE = png((40, 20, 120, 150)), png((30, 30, 130, 140))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of(photos: Path, name: str) -> str:
    return sha256((photos / name).read_bytes())


def decided(shapes: Path, folder: Path) -> Path:
    """The shapes, with a mask beside one and a description that names two."""
    photos = Path(shutil.copytree(shapes, folder / "photos"))
    (photos / "ring" / "1.mask.png").write_bytes(SLIM)
    (photos / "concepts.toml").write_text(TOML)
    return photos


def config(photos: Path, grounds: Path, output: Path, **changes: object) -> BuildConfig:
    return config_for(photos, grounds, output, compositions=COMPOSITIONS, select={"duplicate_bits": -1}, **changes)


@pytest.fixture(scope="module")
def undisturbed(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos` and a finished build `out` of them."""
    folder = tmp_path_factory.mktemp("decided")
    build(config(decided(shapes, folder), grounds, folder / "out"))
    return folder


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of its photos and of its build."""
    return (
        Path(shutil.copytree(undisturbed / "photos", tmp_path / "photos")),
        Path(shutil.copytree(undisturbed / "out", tmp_path / "out")),
    )


def kept(output: Path) -> dict[str, list[str]]:
    """The photos of each scene of a dataset, by its id."""
    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(output), split="train")
    return {row["id"]: row["source_images"] for row in rows.select_columns(["id", "source_images"])}


def but_those_of(scenes: Mapping[str, list[str]], photo: str) -> dict[str, list[str]]:
    return {name: photos for name, photos in scenes.items() if photo not in photos}


def compared(output: Path) -> dict[str, str]:
    """The sums of the files of a build, without its own path, collected decisions and shards of earlier selections."""
    files = bytes_of(output)
    earlier = {f".build/shards/{digest}.arrow" for digest in files.values()} - {
        f".build/shards/{digest}.arrow" for name, digest in files.items() if not name.startswith(".build")
    }
    return {
        name: digest
        for name, digest in files.items()
        if name not in {".build/config.json", *earlier} and not name.startswith(".build/reviews")
    }


def made(output: Path) -> dict[str, str]:
    files = compared(output)
    return {
        name: files[name] for name in files if name.startswith((".build/candidates", ".build/plan", ".build/cutou"))
    }


def stop_halfway(output: Path) -> None:
    """Remove what a build that was killed after half of its shards had not made."""
    unmade = (output / ".build" / "candidates").glob("0000[23].*")
    for file in (*unmade, output / ".build" / "selected.json", output / "README.md"):
        file.unlink()
    for place in ("data", "concepts"):
        shutil.rmtree(output / place)


def use(photos: Mapping[str, CutoutUse], name: str) -> tuple[bool, str]:
    return photos[name].used, photos[name].why


def uses(output: Path) -> dict[str, CutoutUse]:
    return {photo.id: photo for photo in current_sources(BuildFolder.open(output)).photos}


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


def review(name: str, *, verdict: str = "refuse", mask: bytes | None = None) -> Change:
    def decide(photos: Path, output: Path) -> None:
        digest = sha256(mask) if mask else None
        made = CutoutReview(photo=of(photos, name), verdict=verdict, mask=digest)  # type: ignore[arg-type]
        build_reviews(BuildFolder(output)).put(made, mask)

    return decide


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
    new = {"sha256", "mask", "planned", "beside", "review", "reviewed", "review_mask"}
    sources["photos"] = [{key: photo[key] for key in photo.keys() - new} for photo in sources["photos"]]
    write_checked(folder.sources_file, sources)
    stop_halfway(output)
    add_mask(photos, output)
    review("ball/1.png")(photos, output)
    assert use(uses(output), "ball/1.png") == (False, "refused in review")

    build(config(photos, grounds, output))

    whole = kept(undisturbed / "out")
    assert kept(output) == but_those_of(but_those_of(whole, "cone/0.png"), "ball/1.png")


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
        "1 cut-out was accepted or fixed since this build was planned (slab/0.png); "
        "a build with another --output uses them"
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
