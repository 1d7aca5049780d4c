"""TOML files that were written by hand: everything that is wrong with one is a clear error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mycanvas.errors import ConfigError
from mycanvas.io.toml import read_toml, toml_key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 100_000, "is nested too deeply; expected tables of plain values"),
        ("a = " + "{b = " * 50_000, "is nested too deeply"),
        ("a." * 20_000 + "b = 1", "is nested too deeply"),
        ("a = " + "9" * 5_000, "is not TOML: .*digits"),
        ("a = 0x" + "f" * 5_000, "a is an integer of more than 64 bits"),
        ("[cat]\nheight = 99999999999999999999", "cat.height is an integer of more than 64 bits"),
        ('[cat]\nnoun = "cat\\u0000"', r"cat.noun has the control character '\\x00'; remove it"),
        ('a = [["x", "\\u001b[31m"]]', r"a has the control character '\\x1b'; remove it"),
        ('["cat\\u0007"]\nb = 1', r"the key 'cat\\x07' has the control character '\\x07'; remove it"),
        ('a = "' + "x" * 2_000_000 + '"', "is larger than 1 MiB; expected a few lines of TOML"),
        ("a = ", "is not TOML"),
    ],
)
def test_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "build.toml").write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_toml(tmp_path / "build.toml")


def test_file_that_is_not_utf8_a_folder_or_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'a = "caf\xe9"')
    os.mkfifo(tmp_path / "pipe.toml")

    for path, message in (("latin.toml", "is not UTF-8"), ("pipe.toml", "is a pipe or a device"), ("", "is a folder")):
        with pytest.raises(ConfigError, match=message):
            read_toml(tmp_path / path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"PK\x03\x04\x14\0\0\0", b'a = "\0"'])
def test_file_that_is_not_text_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "build.toml").write_bytes(content)

    with pytest.raises(ConfigError, match=r"build\.toml is not a text file; expected TOML"):
        read_toml(tmp_path / "build.toml")


def test_text_of_several_lines_and_tabs_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'\xef\xbb\xbfa = """one\r\n\ttwo"""\r\nb = -9223372036854775808\r\n')

    assert read_toml(tmp_path / "a.toml") == {"a": "one\n\ttwo", "b": -(2**63)}


@pytest.mark.parametrize(
    ("name", "key"),
    [("rc_car-2", "rc_car-2"), ("rc car", '"rc car"'), ("café", '"café"'), ("a.b", '"a.b"'), ("", '""')],
)
def test_key_has_quotation_marks_only_where_toml_requires_them(tmp_path: Path, name: str, key: str) -> None:
    (tmp_path / "concepts.toml").write_text(f"[{toml_key(name)}]\n", encoding="utf-8")

    assert toml_key(name) == key
    assert read_toml(tmp_path / "concepts.toml") == {name: {}}
