"""docs/architecture.md has every room."""

from __future__ import annotations

import pytest

from tests.documents import ROOT

PAGE = ROOT / "docs" / "architecture.md"


@pytest.mark.parametrize("package", ["builder", "mycanvas"])
def test_every_room_has_a_row(package: str) -> None:
    table = next(part for part in PAGE.read_text("utf-8").split("\n\n") if part.startswith(f"| `{package}/`"))
    named = "".join(row.split("|")[1] for row in table.splitlines())

    rooms = [f"{folder.parent.name}/" for folder in (ROOT / package).glob("*/__init__.py")]
    rooms += [file.name for file in (ROOT / package).glob("[!_]*.py")]
    assert len(rooms) > 8
    assert [room for room in rooms if f"`{room}`" not in named] == []
