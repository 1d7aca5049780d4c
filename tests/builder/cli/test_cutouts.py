"""`mycanvas cutouts` and `mycanvas inspect --cutouts`."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import main
from builder.inspect.contact_sheet import GAP
from builder.inspect.cutout_sheet import CAPTION, MOST, REFUSED, SIDE, USED
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.source_photos import Sources
from mycanvas.io.checked import write_checked
from tests.builder.stages.segment.bright_objects import TinyModel, bright_photo, disc


@pytest.fixture
def toml(tmp_path: Path, tiny_model: TinyModel, grounds: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five photos of a ball, of which one shows nothing, one has a mask and two are named in concepts.toml."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos" / "ball"
    folder.mkdir(parents=True)
    for view in range(4):
        Image.fromarray(bright_photo(disc(radius=40 + 4 * view))).save(folder / f"{view}.png")
    Image.fromarray(bright_photo(disc(), 118, 118)).save(folder / "4.png")
    Image.fromarray((disc(radius=35) * 255).astype("uint8")).save(folder / "4.mask.png")
    Image.new("RGB", (100, 100), (120, 120, 120)).save(folder / "wall.png")
    (tmp_path / "photos" / "concepts.toml").write_text('[ball]\nuse = ["0.png"]\nleave_out = ["1.png"]\n')
    shutil.copy(tiny_model("saliency"), tmp_path / "own.onnx")
    settings = tmp_path / "build.toml"
    settings.write_text(
        'profile = "photo"\nconcepts = "elsewhere"\nsamples = 2\nsizes = [1]\nresolution = 128\nworkers = 1\n'
        f'backgrounds = "{grounds}"\n[segment.rembg]\nmodel = "u2net"\nfile = "own.onnx"\n'
    )
    return settings


@pytest.mark.usefixtures("toml")
def test_every_photo_is_drawn_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    main(["cutouts", "photos", "--config", "build.toml", "--min-quality", "1", "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert {photo["id"].split("/")[1]: (photo["used"], photo["why"][:16]) for photo in printed["photos"]} == {
        "0.png": (True, "use in concepts."),
        "1.png": (False, "leave_out in con"),
        "2.png": (False, printed["photos"][2]["why"][:16]),
        "3.png": (False, printed["photos"][3]["why"][:16]),
        "4.png": (True, "the mask beside "),
        "wall.png": (False, "no object found"),
    }
    assert printed["photos"][2]["why"].startswith("quality 0.")
    assert printed["photos"][2]["why"].endswith(", below 1")
    assert printed["contact_sheet"] == "mycanvas_cutouts/cutouts.png"
    with Image.open("mycanvas_cutouts/cutouts.png") as sheet:
        assert (sheet.width - 3 * GAP, sheet.height - GAP) == (4 * 2 * SIDE, 2 * (SIDE + CAPTION))
        assert {USED, REFUSED} <= {colour for _, colour in sheet.getcolors(1 << 24)}


def test_a_build_of_the_same_folder_uses_the_cutouts_and_inspect_draws_them(
    toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml.write_text(f"{toml.read_text()}[select]\nduplicate_bits = -1\n")
    main(["cutouts", "photos", "--config", "build.toml", "--output", "out"])
    cutouts = {path: path.stat().st_mtime_ns for path in Path("out/.build/cutouts").iterdir()}
    sheet = Path("out/cutouts.png").read_bytes()
    lines = capsys.readouterr().out.splitlines()

    main(["build", "build.toml", "--concepts", "photos", "--output", "out"])
    capsys.readouterr()
    main(["inspect", "out", "--cutouts"])

    assert lines[0].startswith("ball  4 of 6 photos used, 0.png by use in concepts.toml, 4.png by the mask")
    assert lines[-1] == "contact sheet: out/cutouts.png"
    assert capsys.readouterr().out.splitlines() == lines
    assert Path("out/cutouts.png").read_bytes() == sheet
    assert {path: path.stat().st_mtime_ns for path in Path("out/.build/cutouts").iterdir()} == cutouts


@pytest.mark.usefixtures("toml")
def test_concepts_toml_that_leaves_out_every_photo_is_the_reason_of_the_error(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("photos/ball/4.mask.png").unlink()
    names = [f'"{path.name}"' for path in Path("photos/ball").iterdir()]
    Path("photos/concepts.toml").write_text(f"[ball]\nleave_out = [{', '.join(names)}]\n")

    with pytest.raises(SystemExit):
        main(["build", "build.toml", "--concepts", "photos", "--output", "out"])

    assert 'concept "ball" is left out: none of its photos gave a cut-out (leave_out in concepts.toml' in caplog.text
    assert "no photo gave a cut-out, for the reasons above" in capsys.readouterr().err


@pytest.mark.usefixtures("toml")
def test_a_changed_mask_gives_another_cutout() -> None:
    main(["cutouts", "photos", "--config", "build.toml"])
    before = {path.name for path in Path("mycanvas_cutouts/.build/cutouts").glob("*.cutout.npy")}
    Image.fromarray((disc(radius=40) * 255).astype("uint8")).save("photos/ball/4.mask.png")
    main(["cutouts", "photos", "--config", "build.toml"])

    assert len({path.name for path in Path("mycanvas_cutouts/.build/cutouts").glob("*.cutout.npy")} - before) == 1


def test_only_the_models_that_cut_out_are_required(toml: Path) -> None:
    toml.write_text(f'{toml.read_text()}[caption]\nbackend = "vlm"\n[caption.vlm]\nmodel = "./gone"\n')

    main(["cutouts", "photos", "--config", "build.toml"])

    assert Path("mycanvas_cutouts/cutouts.png").is_file()


@pytest.mark.usefixtures("toml")
def test_inspect_of_a_build_without_cutouts_gives_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    main(["cutouts", "photos", "--config", "build.toml"])
    Path("mycanvas_cutouts/.build/sources.json").unlink()

    with pytest.raises(SystemExit):
        main(["inspect", "mycanvas_cutouts", "--cutouts"])

    assert "mycanvas_cutouts has no cut-outs yet; run the same" in capsys.readouterr().err


def test_a_sheet_of_many_photos_shows_some_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = BuildFolder(tmp_path)
    unreadable = {f"ball/{index:03}.jpg": "damaged" for index in range(MOST + 1)}
    write_checked(folder.request_file, {})
    write_checked(folder.sources_file, asdict(Sources(photos=(), backgrounds=(), unreadable=unreadable)))

    main(["inspect", str(tmp_path), "--cutouts"])

    assert f"cutouts.png ({MOST} of {MOST + 1} photos)\n" in capsys.readouterr().out


def test_mask_or_choice_that_changes_later_drops_scenes_or_is_for_another_build(
    toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml.write_text(f"{toml.read_text()}[select]\nduplicate_bits = -1\n")
    build = ["build", "build.toml", "--concepts", "photos", "--output", "out", "--samples", "12"]
    main(build)
    capsys.readouterr()
    shutil.copy("photos/ball/4.mask.png", "photos/ball/3.mask.png")
    Path("photos/ball/4.mask.png").unlink()
    Path("photos/concepts.toml").write_text('[ball]\nuse = ["1.png"]\n')

    main(build)

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        "ball  4 of 6 photos used, 1.png by use in concepts.toml, 4.png by a mask that was removed since; "
        "not 3.png (cut out before the mask beside the photo was given), wall.png (no object found)"
    )
    assert any(line.startswith("  dropped: cut-out replaced: ball/3.png  -") for line in printed)
    assert (
        "2 cut-outs were added, accepted or fixed since this build was planned (ball/1.png, ball/3.png); "
        "more scenes (--samples) show those that were added or accepted, a build with another --output all"
    ) in printed


@pytest.mark.usefixtures("toml")
def test_gate_that_changes_later_changes_no_scene_and_is_for_another_build(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/concepts.toml").unlink()
    build = ["build", "build.toml", "--concepts", "photos", "--output", "out"]
    main(["cutouts", "photos", "--config", "build.toml"])
    found = BuildFolder(Path("mycanvas_cutouts")).sources().photos
    between = sorted(photo.quality for photo in found if photo.quality is not None)[1]
    main([*build, "--min-quality", f"{between:.9f}"])
    scenes = {path: path.stat().st_mtime_ns for path in Path("out/.build/candidates").iterdir()}
    photos = {photo.id: photo for photo in BuildFolder(Path("out")).sources().photos}
    used = {name for name, photo in photos.items() if photo.used}
    capsys.readouterr()

    main([*build, "--min-quality", "1"])
    raised = BuildFolder(Path("out")).sources().photos
    main([*build, "--min-quality", "0"])
    printed = capsys.readouterr().out

    assert {photo.id for photo in raised if photo.used} == used
    assert any(photo.why.startswith("in the plan; quality 0.") for photo in raised)
    assert {path: path.stat().st_mtime_ns for path in Path("out/.build/candidates").iterdir()} == scenes
    assert {"ball/4.png"} < used < {name for name, photo in photos.items() if photo.quality is not None}
    assert "added, accepted or fixed since this build was planned (ball/" in printed


@pytest.mark.usefixtures("toml")
def test_flaw_that_siblings_lack_is_named_and_counts_in_the_scores_of_scenes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bristly = disc(radius=46)
    for row in range(50, 112, 12):
        bristly[row : row + 3, 10:190] = 1
    Image.fromarray(bright_photo(bristly)).save("photos/ball/5.png")
    Path("photos/concepts.toml").unlink()
    Path("photos/ball/4.mask.png").unlink()

    main(["build", "build.toml", "--concepts", "photos", "--output", "all", "--min-quality", "0", "--samples", "12"])
    main(["cutouts", "photos", "--config", "build.toml", "--output", "few", "--min-quality", "0.9"])
    printed = capsys.readouterr().out

    photos = {photo.id: photo for photo in BuildFolder(Path("all")).sources().photos}
    assert photos["ball/5.png"].lost["thin parts"] > 0.1 > photos["ball/3.png"].lost["thin parts"]
    assert f"thin parts -{photos['ball/5.png'].lost['thin parts']:.2f}" in printed
    shown = [
        (photos[row["source_images"][0]].quality, row["scores"]["cutout"])
        for row in BuildFolder(Path("all")).candidates(0, ("source_images", "scores"))
    ]
    assert {round(quality, 3) for quality, _ in shown} >= {round(photos["ball/5.png"].quality, 3)}
    assert [score for _, score in shown] == pytest.approx([quality for quality, _ in shown], abs=1e-4)
