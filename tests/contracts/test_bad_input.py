"""A user's mistake ends in one clear message and the right exit code, and loses nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from builder.cli.main import main
from builder.sources.concepts import find_concepts
from builder.stages.backgrounds import find_backgrounds


def fails(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 1) -> str:
    """Run a command that must fail with `code`; return what it says."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr().err
    assert ended.value.code == code, said
    assert "Traceback" not in said
    return said


def build(capsys: pytest.CaptureFixture[str], concepts: Path, output: Path, *more: object, code: int = 1) -> str:
    return fails(capsys, "build", "--concepts", concepts, "--output", output, "--workers", 1, *more, code=code)


def huge_png(path: Path, side: int) -> None:
    """A PNG whose header says side x side; a picture of that size is a few kilobytes when it is all one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 4096)) + chunk(b"IEND", b""))


def test_empty_folder_of_concepts_is_reported_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()

    assert "photos" in build(capsys, tmp_path / "photos", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_folder_of_concepts_is_reported_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "nowhere" in build(capsys, tmp_path / "nowhere", tmp_path / "out")


@pytest.mark.parametrize("kind", ["text", "huge", "cut short"])
def test_a_concept_of_only_broken_photos_is_left_out_by_name(
    capsys: pytest.CaptureFixture[str], shapes: Path, grounds: Path, tmp_path: Path, kind: str
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(shapes, photos)
    shutil.rmtree(photos / "slab")
    (photos / "broken").mkdir()
    target = photos / "broken" / "0.png"
    if kind == "text":
        target.with_suffix(".jpg").write_text("this is not a picture")
    elif kind == "huge":
        huge_png(target, 20_000)
    else:
        target.write_bytes((shapes / "box" / "0.png").read_bytes()[:400])

    arguments = ["--concepts", photos, "--backgrounds", grounds, "--output", tmp_path / "out", "--workers", 1]
    main([str(argument) for argument in ["build", *arguments, "--samples", 6, "--resolution", 128]])

    captured = capsys.readouterr()
    assert "kept" in captured.out
    assert f"broken/0{'.jpg' if kind == 'text' else '.png'}" in (tmp_path / "out/.build/sources.json").read_text()


def test_class_nouns_that_are_not_plain_words_are_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path
) -> None:
    shutil.copytree(shapes, tmp_path / "photos")
    tables = '[ball]\nclass_noun = "my \\"ball\\""\n[box]\nclass_noun = "📦"\n'
    (tmp_path / "photos" / "concepts.toml").write_text(tables, encoding="utf-8")

    said = build(capsys, tmp_path / "photos", tmp_path / "out", code=2)

    for concept in ("ball", "box"):
        assert f"cannot be the class noun of {concept}: expected 1 to 3 plain words" in said
    assert "set class_noun in concepts.toml" in said
    assert not (tmp_path / "out").exists()


def test_accepted_class_nouns_fit_in_every_caption(
    capsys: pytest.CaptureFixture[str], shapes: Path, grounds: Path, tmp_path: Path
) -> None:
    shutil.copytree(shapes, tmp_path / "photos")
    nouns = ("Rubik's cube", "R2-D2", "St. Bernard", "8-ball", "the\u0301ie\u0300re", "H&M bag")
    names = ("ball", "ball2", "box", "cone", "ring", "slab")
    tables = [f'[{name}]\nclass_noun = "{noun}"\n' for name, noun in zip(names, nouns, strict=True)]
    (tmp_path / "photos" / "concepts.toml").write_text("".join(tables), encoding="utf-8")

    arguments = ["--concepts", tmp_path / "photos", "--backgrounds", grounds, "--output", tmp_path / "out"]
    main([str(each) for each in ["build", *arguments, "--samples", 12, "--resolution", 128, "--workers", 1, "--json"]])

    funnel = json.loads(capsys.readouterr().out)["funnel"]
    assert not [reason for reason in funnel["rejected"] if reason.startswith("caption")]
    assert sum(funnel["made"].values()) > 6


@pytest.mark.parametrize("arguments", [["--samples", 0], ["--resolution", 8], ["--profile", "nonsense"]])
def test_invalid_option_value_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path, arguments: list[object]
) -> None:
    said = build(capsys, shapes, tmp_path / "out", *arguments, code=2)

    assert str(arguments[0]).strip("-") in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('compositions = [["ball", "ball2", "box", "cone", "ring", "slab"]]', "1 to 5 concepts, got 6"),
        ('compositions = [["ball", "ringg"]]', "did you mean ring?"),
        ("sampels = 3", "unknown key sampels; did you mean samples?"),
    ],
)
def test_invalid_configuration_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], shapes: Path, grounds: Path, tmp_path: Path, toml: str, message: str
) -> None:
    settings = tmp_path / "build.toml"
    settings.write_text(toml)

    said = build(capsys, shapes, tmp_path / "out", "--backgrounds", grounds, settings, code=2)

    assert message in said


def test_unwritable_output_is_reported_and_left_as_it_is(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")

    said = build(capsys, shapes, tmp_path / "file" / "out")
    assert "cannot write" in said
    assert "a part of this path is not a folder; choose another" in said
    assert "is a file" in build(capsys, shapes, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_output_folder_with_foreign_files_is_refused(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "notes.txt").write_text("mine")

    assert "something else (notes.txt)" in build(capsys, shapes, output)
    assert [path.name for path in output.iterdir()] == ["notes.txt"]


def test_build_stopped_by_a_full_disk_resumes_when_there_is_room(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    """The room that runs out is the size that a process may give a file: to the program, the same error at a write."""
    command = [sys.executable, "-m", "builder", "build", "--concepts", shapes, "--backgrounds", grounds]
    command += ["--output", tmp_path / "out", "--samples", "24", "--resolution", "256", "--workers", "1"]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))

    full = subprocess.run(command, preexec_fn=little_room, capture_output=True, text=True, check=False)
    room = subprocess.run(command, capture_output=True, text=True, check=False)

    assert full.returncode == 1
    assert "cannot write" in full.stderr
    assert "make room, then run the same command again" in full.stderr
    assert "Traceback" not in full.stderr
    assert room.returncode == 0, room.stderr


def test_a_folder_without_a_build_cannot_be_inspected_or_selected(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "copy" / "data").mkdir(parents=True)
    (tmp_path / "copy" / "data" / "objects_4-00000-of-00001.arrow").touch()

    for command in ("inspect", "select"):
        assert "holds no build" in fails(capsys, command, tmp_path)
        assert "does not exist" in fails(capsys, command, tmp_path / "nowhere")
        assert "is a file" in fails(capsys, command, tmp_path / "file")
        assert "is a dataset without its .build folder" in fails(capsys, command, tmp_path / "copy")


def test_an_output_among_the_photos_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], shapes: Path, grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Path(shutil.copytree(shapes, tmp_path / "photos"))
    places = Path(shutil.copytree(grounds, tmp_path / "places"))
    (tmp_path / "link").symlink_to(photos)
    monkeypatch.chdir(photos)

    assert "is in the folder of concepts" in build(capsys, photos, photos / "out", code=2)
    assert "is in the folder of concepts" in build(capsys, Path(), Path("out"), code=2)
    assert "is in the folder of concepts" in build(capsys, photos, tmp_path / "link" / "out", code=2)
    assert "is in the folder of backgrounds" in build(
        capsys, photos, places / "new" / "out", "--backgrounds", places, code=2
    )
    assert not (photos / "out").exists()
    assert not (places / "new").exists()


def test_an_output_in_another_dataset_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path
) -> None:
    main(["cutouts", str(shapes), "--output", str(tmp_path / "out"), "--workers", "1"])
    (tmp_path / "link").symlink_to(tmp_path / "out")
    before = sorted((tmp_path / "out").rglob("*"))
    message = f"is in the dataset's folder {tmp_path / 'out'}, where readers"

    assert message in build(capsys, shapes, tmp_path / "out" / "inner", code=2)
    assert message in build(capsys, shapes, tmp_path / "link" / "data" / "inner", code=2)
    assert message in fails(capsys, "cutouts", shapes, "--output", tmp_path / "out" / ".build", code=2)
    assert sorted((tmp_path / "out").rglob("*")) == before


def test_output_of_an_earlier_build_is_not_read_as_photos(
    shapes: Path, grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shapes, tmp_path, dirs_exist_ok=True)
    shutil.copytree(grounds, tmp_path / "places")
    for folder in (tmp_path, tmp_path / "places"):
        (folder / "mycanvas_data" / ".build").mkdir(parents=True)
        shutil.copy(grounds / "yard" / "0.png", folder / "mycanvas_data" / "contact_sheet.png")
    monkeypatch.chdir(tmp_path)

    assert "mycanvas_data" not in {concept.name for concept in find_concepts(Path()).concepts}
    assert {each.scene for each in find_backgrounds(Path("places")).backgrounds} == {"yard"}


@pytest.mark.parametrize("option", ["--concepts", "--backgrounds", "build.toml"])
@pytest.mark.parametrize(("encoding", "understood"), [("utf-8-sig", True), ("utf-16", False), ("latin-1", False)])
def test_utf8_with_byte_order_mark_is_read_and_other_encodings_are_refused(
    capsys: pytest.CaptureFixture[str],
    shapes: Path,
    grounds: Path,
    tmp_path: Path,
    option: str,
    encoding: str,
    understood: bool,
) -> None:
    photos = Path(shutil.copytree(shapes, tmp_path / "photos"))
    places = Path(shutil.copytree(grounds, tmp_path / "places"))
    file, text = {
        "--concepts": (photos / "concepts.toml", 'none = 1\n[ball]\nclass_noun = "bälle"\n'),
        "--backgrounds": (places / "backgrounds.toml", 'none = 1\n[yard]\nphrase = "in März"\n'),
        "build.toml": (tmp_path / "build.toml", 'license = "ä"\nnone = 1\n'),
    }[option]
    file.write_text(text, encoding=encoding)
    more = [file] if option == "build.toml" else []

    said = build(capsys, photos, tmp_path / "out", "--backgrounds", places, *more, code=2)

    expected = "none" if understood else f"{file} is not UTF-8; save it as UTF-8"
    assert expected in said


def test_keep_best_keeps_a_concept_below_min_quality(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    shapes: Path,
    grounds: Path,
    tmp_path: Path,
) -> None:
    photos = tmp_path / "photos"
    for name in ("ball", "box"):
        shutil.copytree(shapes / name, photos / name)
    (photos / "ring").mkdir()
    Image.open(shapes / "ring" / "0.png").convert("RGB").save(photos / "ring" / "0.png")
    (tmp_path / "build.toml").write_text("[segment]\nmin_quality = 0.9999\n")
    arguments = [tmp_path / "build.toml", "--concepts", photos, "--backgrounds", grounds, "--samples", 2]
    arguments += ["--resolution", 128, "--workers", 1, "--output"]

    main([str(each) for each in ["build", *arguments, tmp_path / "out"]])
    without = capsys.readouterr().out
    main([str(each) for each in ["build", *arguments, tmp_path / "kept", "--keep-best"]])

    assert "below segment.min_quality 0.9999; to use it all the same, add --keep-best" in caplog.text
    assert "\n4 of 5 photos used\n" in without
    assert "\n5 of 5 photos used\n" in capsys.readouterr().out


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Programs that a test starts hear Ctrl-C, also where the tests themselves run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_during_imports_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import os, time\nprint(flush=True)\nos.close(1)\ntime.sleep(600)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "builder", "--help"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)  # seconds; only a guard against a hang

    assert said == "error: stopped; run the same command again to resume\n"
    assert process.returncode == 1


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_workers_start_ends_in_one_line(shapes: Path, grounds: Path, tmp_path: Path, presses: int) -> None:
    command = [sys.executable, "-m", "builder", "build", "--concepts", shapes, "--backgrounds", grounds]
    command += ["--output", tmp_path / "out", "--samples", "40", "--resolution", "256", "--workers", "2"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        parent = psutil.Process(process.pid)
        while process.poll() is None and len(parent.children()) < 2:  # the first is multiprocessing's own
            time.sleep(0.001)
        for _ in range(presses):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        _, said = process.communicate(timeout=120)  # seconds; only a guard against a hang

    assert "Traceback" not in said
    assert said.endswith("error: stopped; run the same command again to resume\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_stdout_is_reported_in_one_line(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "builder", "models"]
        ended = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    reason = "No space left on device; make room, then run the same command again"
    assert ended.stderr == f"error: cannot write the output: {reason}\n"
    assert ended.returncode == 1


def test_an_unknown_command_or_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such command" in fails(capsys, "bild", code=2)
    assert "No such option" in fails(capsys, "build", "--sampels", 3, code=2)
