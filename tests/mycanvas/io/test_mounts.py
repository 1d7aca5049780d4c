"""Which file systems are surely on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mycanvas.io.mounts import is_local

MOUNTS = r"""22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:22 / /home rw,relatime - nfs4 server:/home rw
24 23 0:23 / /home/ana/local\040disk rw - xfs /dev/vdb rw
25 22 0:24 / /mnt rw,relatime - ext4 /dev/vdc rw
26 25 0:25 / /mnt rw,relatime - cifs //server/share rw
27 22 0:26 / /data rw master:1 propagate_from:2 - fuse.sshfs ana@server:/data rw
28 22 0:27 / /homework rw - tmpfs tmpfs rw
not a line of mounts
"""


@pytest.mark.parametrize(
    ("place", "local"),
    [
        ("/srv/out", True),
        ("/home/ana/out", False),
        ("/home/ana/local disk/out", True),
        ("/mnt/out", False),
        ("/data", False),
        ("/homework/out", True),
        ("/home", False),
    ],
)
def test_innermost_and_newest_mount_decides(place: str, local: bool, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)

    assert is_local(Path(place), mounts) is local


def test_unknown_file_systems_are_not_local(tmp_path: Path) -> None:
    assert not is_local(tmp_path, tmp_path / "no such file")
