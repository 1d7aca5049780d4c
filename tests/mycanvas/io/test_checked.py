"""Files with a checksum and a version: damage is noticed, and files of other versions are named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import FORMAT, digest, read_checked, read_checked_or_none, with_checksum, write_checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    spokes: int
    names: tuple[str, ...] = ()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_checked(tmp_path / "wheel.json", {"spokes": 12, "names": ["café", "a\udce9"]})
    return tmp_path / "wheel.json"


def test_values_are_read_as_they_were_written(file: Path) -> None:
    assert read_checked(file, Wheel) == Wheel(spokes=12, names=("café", "a\udce9"))
    assert read_checked(file, dict[str, Any]) == {"spokes": 12, "names": ["café", "a\udce9"]}


def test_every_flipped_bit_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    values = read_checked(file, dict[str, Any])
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            file.write_bytes(damaged)
            assert read_checked_or_none(file, dict[str, Any]) in (None, values)  # white space has no meaning


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"1", b"[" * 100_000, b'{"format": 2}', b'{"checksum": 1}']
)
def test_another_content_is_damage(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(StoreError, match=r"wheel\.json is damaged; run the same `mycanvas build` again"):
        read_checked(file, Wheel)
    assert read_checked_or_none(file, Wheel) is None


@pytest.mark.parametrize("values", [{}, {"spokes": "many"}, {"spokes": 3, "names": 4}])
def test_values_of_another_form_are_damage(file: Path, values: dict[str, Any]) -> None:
    write_checked(file, values)

    with pytest.raises(StoreError, match="is damaged"):
        read_checked(file, Wheel)


@pytest.mark.parametrize("version", ["2", None, 1])
def test_a_version_that_was_never_written_is_damage(file: Path, version: object) -> None:
    values = {"spokes": 12, "format": version}
    file.write_text(json.dumps({**values, "checksum": digest(values)}))

    with pytest.raises(StoreError, match=r"wheel\.json is damaged"):
        read_checked(file, Wheel)


def test_a_missing_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"wheel\.json is missing; look elsewhere"):
        read_checked(tmp_path / "wheel.json", Wheel, "look elsewhere")
    assert read_checked_or_none(tmp_path / "wheel.json", Wheel) is None


def test_a_later_version_is_refused_and_not_taken_for_damage(file: Path) -> None:
    values = {"spokes": "of another type by then", "format": FORMAT + 1}
    file.write_text(json.dumps({**values, "checksum": digest(values)}))

    for read in (read_checked, read_checked_or_none):
        with pytest.raises(StoreError, match=rf"a later version of mycanvas \(format {FORMAT + 1}, this one reads"):
            read(file, Wheel)


def test_an_earlier_version_is_named_or_made_again(file: Path) -> None:
    file.write_text('{"spokes": 12}')

    with pytest.raises(StoreError, match="was written by an earlier version of mycanvas; build into another --output"):
        read_checked(file, Wheel)
    assert read_checked_or_none(file, Wheel) is None


@pytest.mark.parametrize(("make", "flaw"), [(os.mkdir, "is a folder"), (os.mkfifo, "is a pipe or a device")])
def test_what_is_no_file_is_not_taken_for_damage(tmp_path: Path, make: Callable[[Path], None], flaw: str) -> None:
    make(tmp_path / "wheel.json")

    with pytest.raises(InputError, match=rf"wheel\.json {flaw}"):
        read_checked_or_none(tmp_path / "wheel.json", Wheel)


def test_a_file_that_cannot_be_read_is_not_taken_for_damage(tmp_path: Path) -> None:
    (tmp_path / "wheel.json").symlink_to("wheel.json")

    with pytest.raises(InputError, match=r"cannot read .*wheel\.json: Too many levels of symbolic links"):
        read_checked_or_none(tmp_path / "wheel.json", Wheel)


@pytest.mark.parametrize("key", ["format", "checksum"])
def test_keys_of_the_format_are_reserved(key: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        with_checksum({key: 1})
