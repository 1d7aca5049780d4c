"""`mycanvas init`: the files from which a user starts."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.config import load_config
from builder.sources.concepts import find_concepts
from builder.sources.concepts_template import EXAMPLE_CM
from builder.sources.heights import guess_height


@pytest.fixture
def photos(shapes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shapes, tmp_path / "photos")


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit):
        main([str(argument) for argument in arguments])
    return capsys.readouterr().err


def test_written_files_build_as_they_are(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    main(["init", "photos"])
    main(["build", "build.toml", "--samples", "2", "--resolution", "128", "--workers", "1"])

    described = tomllib.loads((photos / "concepts.toml").read_text(encoding="utf-8"))
    assert described == {
        name: {"class_noun": name.rstrip("2")} for name in ("ball", "ball2", "box", "cone", "ring", "slab")
    }
    assert (tmp_path / "mycanvas_data" / "README.md").is_file()


def test_commented_lines_of_a_concept_may_be_uncommented(photos: Path, tmp_path: Path) -> None:
    main(["init", str(photos), "--config", str(tmp_path / "build.toml")])
    file = photos / "concepts.toml"
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", file.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")

    found = find_concepts(photos).concepts

    heights = {concept.name: (concept.height_cm, concept.height_guessed) for concept in found}
    assert {concept.token for concept in found} == {f"<{name}>" for name in heights}
    assert (heights["ball2"], heights["slab"]) == ((guess_height("ball"), False), (EXAMPLE_CM, False))
    assert all(photo.attribution is None for concept in found for photo in concept.photos)


def test_written_heights_are_the_guesses_of_a_build_and_examples_say_so(photos: Path, tmp_path: Path) -> None:
    main(["init", str(photos), "--config", str(tmp_path / "build.toml")])

    lines = (photos / "concepts.toml").read_text(encoding="utf-8").splitlines()
    written = {name: lines[lines.index(f"[{name}]") + 3] for name in ("ball", "box", "slab")}
    assert written == {
        "ball": "# height_cm = 22",
        "box": "# height_cm = 25",
        "slab": "# height_cm = 30  # no typical one is known: replace it",
    }


@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_an_existing_build_toml_is_left_as_it_is_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path, kind: str
) -> None:
    config = tmp_path / "build.toml"
    if kind == "file":
        config.write_text("mine")
    else:
        config.symlink_to(tmp_path / "nowhere")

    message = failed(capsys, "init", photos, "--config", config)

    assert "build.toml exists already" in message
    assert not (photos / "concepts.toml").exists()
    assert not (tmp_path / "nowhere").exists()
    assert kind != "file" or config.read_text() == "mine"


def test_an_existing_concepts_toml_is_kept_beside_a_new_build_toml(
    capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path
) -> None:
    (photos / "concepts.toml").write_text("# mine")

    main(["init", str(photos), "--config", str(tmp_path / "build.toml")])

    assert (photos / "concepts.toml").read_text() == "# mine"
    assert load_config(tmp_path / "build.toml", None, {}).concepts == photos
    assert f"kept {photos / 'concepts.toml'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "noun", "token"),
    [
        ("狗", "狗", "<concept-1>"),
        ('my "best" cup', "object", "<my-best-cup>"),
        ("a very very long name 7", "object", "<a-very-very-long-name-7>"),
        ("2024", "object", "<2024>"),
    ],
)
def test_a_folder_whose_name_gives_no_noun_or_token_gets_a_stand_in(
    caplog: pytest.LogCaptureFixture, shapes: Path, tmp_path: Path, folder: str, noun: str, token: str
) -> None:
    shutil.copytree(shapes / "ball", tmp_path / "photos" / folder)

    main(["init", str(tmp_path / "photos"), "--config", str(tmp_path / "build.toml")])

    (concept,) = find_concepts(tmp_path / "photos").concepts
    assert (concept.class_noun, concept.token) == (noun, token)
    assert f"the folder name {folder!r} gives no" in caplog.text


def test_output_is_kept_out_of_the_photos(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)

    main(["init", "."])

    config = load_config(Path("build.toml"), None, {})
    assert config.output.resolve() == tmp_path / "mycanvas_data"
    assert Path(str(config.concepts)).resolve() == photos


@pytest.mark.parametrize("source", ["hf://jane/photos", "concepts_list.json", "no_such_folder"])
def test_a_source_that_is_no_folder_of_folders_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "error: " in failed(capsys, "init", source)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_must_be_renamed_is_named(
    capsys: pytest.CaptureFixture[str], shapes: Path, tmp_path: Path
) -> None:
    shutil.copytree(shapes / "ball", tmp_path / "photos" / "ball+ring")

    message = failed(capsys, "init", tmp_path / "photos", "--config", tmp_path / "build.toml")

    assert "'ball+ring' cannot be the name of a concept" in message
