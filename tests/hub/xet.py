"""Files from the chunks that Xet's client keeps in a folder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tests.hub.exchange import Refusal


def join_chunks(cas: Path, sha256: str, target: Path) -> None:
    """Write a file, by its sha256, from the chunks that Xet's client keeps in the folder `cas`."""
    import hf_xet

    for shard in (cas / "xet" / "xorbs" / "shards").glob("*.mdb"):
        for file_hash, size, named in _files_of(shard.read_bytes()):
            if named == sha256:
                group = hf_xet.XetSession().new_file_download_group(endpoint=f"local://{cas}")
                group.start_download_file(hf_xet.XetFileInfo(file_hash, size), str(target))
                group.wait_to_finish()
                return
    raise Refusal(400, f"Xet object {sha256} was not uploaded")


def _files_of(shard: bytes) -> Iterator[tuple[str, int, str]]:
    """Xet's hash, the size and the sha256 of each file in a shard of metadata (Xet protocol, "shard format")."""
    at = 48
    while True:
        file_hash, flags, entries = shard[at : at + 32], *struct.unpack_from("<II", shard, at + 32)
        if file_hash == b"\xff" * 32:
            return
        at += 48
        size = sum(struct.unpack_from("<I", shard, at + 48 * index + 36)[0] for index in range(entries))
        at += 48 * entries * (2 if flags & 1 << 31 else 1)
        if flags & 1 << 30:
            yield _hex(file_hash), size, _hex(shard[at : at + 32])
            at += 48


def _hex(content: bytes) -> str:
    """Xet writes a hash as four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", content))
