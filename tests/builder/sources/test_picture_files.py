"""No picture in a folder is left out without a word, whatever its name; and no name or file stops a build."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest
from PIL import Image, features

from builder.sources.background_photos import find_backgrounds
from builder.sources.concepts import find_concepts
from builder.sources.concepts_list import read_concepts_list
from mycanvas.errors import ConfigError, InputError
from tests.builder.sources.concept_folders import only, picture

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def encoded(kind: str, shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (300, 300), (20 * shade, 90, 90)).save(stream, kind)
    return stream.getvalue()


def folder_of(root: Path, contents: dict[str, bytes]) -> Path:
    (root / "mug").mkdir(parents=True)
    for name, content in contents.items():
        (root / "mug" / name).write_bytes(content)
    return root


def left_out(root: Path) -> dict[str, str]:
    return {each.sample_id: each.reason for each in find_concepts(root).rejected}


READ = {
    "a.jfif": "JPEG",
    "b.jpe": "JPEG",
    "c.MPO": "JPEG",
    "d": "JPEG",
    "e": "PNG",
    "f": "WEBP",
    "g.jpg": "PNG",
    "h.png": "WEBP",
}


def test_photos_are_read_by_their_content(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {name: encoded(kind, shade) for shade, (name, kind) in enumerate(READ.items())})

    found = find_concepts(root)

    assert [photo.id for photo in only(found).photos] == [f"mug/{name}" for name in READ]
    assert not found.rejected
    assert len(find_backgrounds(root).backgrounds) == len(READ)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not read AVIF")
def test_avif_is_read_where_pillow_reads_it(tmp_path: Path) -> None:
    assert len(only(find_concepts(folder_of(tmp_path, {"a.avif": encoded("AVIF", 1)}))).photos) == 1


OTHERS = ["x.dng", "x.jxl", "x.jp2", "x.cr2", "x.CR3", "x.nef", "x.ARW", "x.raf", "x.tiff", "x.gif", "x.bmp", "x.psd"]


@pytest.mark.parametrize("name", OTHERS)
def test_picture_in_another_format_is_named(tmp_path: Path, name: str) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1), name: encoded("JPEG", 2)})

    suffix = Path(name).suffix.lower()
    assert left_out(root) == {f"mug/{name}": f"{suffix} is not read; save it as .jpg, .jpeg, .png, .webp"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("photo.bak", encoded("JPEG", 2), r"a picture \(JPEG\) under the ending \.bak; to use it, rename it as"),
        ("IMG.2034", encoded("PNG", 2), r"a picture \(PNG\) under the ending \.2034; to use it, rename it as"),
        ("photo.part", encoded("TIFF", 2), r"a picture \(TIFF or a raw photo\) under the ending \.part; .* save it as"),
        ("photo", encoded("GIF", 2), "GIF is not read; expected JPEG, PNG, WEBP"),
        ("phone", HEIC, "HEIF"),
        ("phone.heic", HEIC, "HEIF"),
        ("phone.heic", b"", "an empty file"),
    ],
)
def test_picture_under_another_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1), name: content})

    assert list(left_out(root)) == [f"mug/{name}"]
    assert re.search(reason, left_out(root)[f"mug/{name}"])


def test_files_that_are_no_pictures_are_ignored(tmp_path: Path) -> None:
    texts = dict.fromkeys(("LICENSE", "notes.txt", "captions.json", "movie.mov", ".DS_Store", "empty"), b"words")
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1), **texts, "empty": b""})

    assert not left_out(root)


def test_picture_beside_the_folders_is_named_in_any_format(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1)})
    for name, content in {"loose.heic": HEIC, "loose": encoded("PNG", 2), "LICENSE": b"text"}.items():
        (root / name).write_bytes(content)

    assert sorted(left_out(root)) == ["loose", "loose.heic"]
    assert sorted(each.sample_id for each in find_backgrounds(root).rejected) == ["loose", "loose.heic"]


NAMES = {
    b"caf\xe9.jpg": (r"caf\xe9.jpg", "its name is not UTF-8; rename it"),
    b"red\x1b[31m.jpg": (r"red\x1b[31m.jpg", "its name has a control character; rename it"),
    b"two\nlines.jpg": (r"two\nlines.jpg", "its name has a control character; rename it"),
    "gpj.\u202etxt.jpg".encode(): (r"gpj.\u202etxt.jpg", "its name has a control character; rename it"),
}


@pytest.mark.parametrize("name", NAMES)
def test_photo_whose_name_cannot_be_shown_is_left_out_by_name(tmp_path: Path, name: bytes) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1), os.fsdecode(name): encoded("JPEG", 2)})

    shown, reason = NAMES[name]
    assert left_out(root) == {f"mug/{shown}": reason}
    assert [each.sample_id for each in find_backgrounds(root).rejected] == [f"mug/{shown}"]


def test_photo_keeps_a_name_with_spaces_and_letters_of_any_language(tmp_path: Path) -> None:
    names = ["Screenshot at 9.41\u202fAM.jpg", "猫 👨\u200d👩\u200d👧.jpg", "café.jpg", "a\u00a0b.jpg"]
    root = folder_of(tmp_path, {name: encoded("JPEG", shade) for shade, name in enumerate(names)})

    assert sorted(photo.path.name for photo in only(find_concepts(root)).photos) == sorted(names)


def test_folder_whose_name_is_not_utf8_is_left_out_by_name(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1)})
    (root / os.fsdecode(b"th\xe9")).mkdir()
    (root / os.fsdecode(b"th\xe9") / "a.jpg").write_bytes(encoded("JPEG", 2))

    assert left_out(root) == {r"th\xe9": "its name is not UTF-8; rename it"}
    assert [each.sample_id for each in find_backgrounds(root).rejected] == [r"th\xe9"]


def test_folder_name_with_a_control_character_is_no_background(tmp_path: Path) -> None:
    picture(tmp_path / "red\x1b[31m" / "a.png")
    folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1)})

    (rejected,) = find_backgrounds(tmp_path).rejected

    assert (rejected.sample_id, rejected.reason) == (r"red\x1b[31m", "its name has a control character; rename it")


def test_pipe_in_place_of_a_photo_is_left_out_and_not_waited_for(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1)})
    for name in ("pipe.jpg", "pipe", "pipe.heic"):
        os.mkfifo(root / "mug" / name)

    assert left_out(root) == {
        f"mug/{name}": "a pipe or a device, not a regular file" for name in ("pipe.heic", "pipe.jpg")
    }


@pytest.mark.parametrize("name", ["concepts.toml", "backgrounds.toml"])
def test_pipe_in_place_of_a_description_is_refused(tmp_path: Path, name: str) -> None:
    root = folder_of(tmp_path, {"good.jpg": encoded("JPEG", 1)})
    os.mkfifo(root / name)

    with pytest.raises(ConfigError, match=f"{name} is a pipe or a device, not a regular file; expected a TOML file"):
        (find_concepts if name == "concepts.toml" else find_backgrounds)(root)


def test_pipe_in_place_of_a_concepts_list_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.json")

    with pytest.raises(InputError, match="is a pipe or a device, not a regular file; expected a JSON file"):
        read_concepts_list(tmp_path / "list.json")


def test_concepts_list_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[" * 100_000)

    with pytest.raises(ConfigError, match="is nested too deeply"):
        read_concepts_list(tmp_path / "list.json")
