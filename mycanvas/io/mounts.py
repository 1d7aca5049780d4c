"""File systems: which of them processes on one machine share memory through."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The mounted file systems, on Linux."""

LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})
"""Types of file systems that are on one machine; all others may be on a network: nfs4, cifs, 9p, fuse.sshfs."""


def is_local(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a path is surely on a file system of this machine; False where that is not known.

    Args:
        path: a file or folder, which need not exist.
        mounts: a file of mounts in the format of proc(5), /proc/pid/mountinfo.
    """
    place = Path(os.path.realpath(path))
    found: tuple[int, str] = (-1, "")
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        fields, _, after = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not after:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), parts[4]))
        if place.is_relative_to(point) and len(point.parts) >= found[0]:  # a later mount covers an earlier one
            found = (len(point.parts), after.split(" ")[0])
    return found[1] in LOCAL
