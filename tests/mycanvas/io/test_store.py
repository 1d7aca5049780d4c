"""Objects of a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from mycanvas.errors import StoreError
from mycanvas.io.store import Store


def test_objects_that_are_removed_while_many_are_read_are_left_out(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    store.write("a", b"1")
    (tmp_path / "folder").mkdir()

    assert store.read_all(["a", "gone"]) == {"a": b"1"}
    assert store.read_all([]) == {}
    with pytest.raises(StoreError, match=r"cannot read file://\S+/folder: .*; check the network and"):
        store.read_all(["a", "folder"])
