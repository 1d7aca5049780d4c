"""Whole objects at an fsspec URL, such as s3://bucket/folder. Credentials come from the environment only.

Nothing is renamed, and no listing is cached. fsspec and the libraries below it retry what may pass.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mycanvas.errors import MissingExtra, MyCanvasError, StoreError
from mycanvas.io.files import atomic, user_cache
from mycanvas.io.text import shown

_URL = re.compile(r"(?P<protocol>[A-Za-z][A-Za-z0-9+.-]*)://.")
_EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}
"""The package and the extra of protocols that fsspec reads with another package."""
_BUCKETS = ("s3", "s3a", "gs", "gcs")
"""Protocols whose URLs begin with a bucket, which nothing creates by writing."""
RESUME = "check the network and the credentials in the environment, then run the same command again"
"""The remedy for a store that fails or cannot be reached."""
_ATTEMPTS, _PAUSE = 4, 0.5
"""How often an object that is not there is created, and the seconds between."""


def is_url(place: str) -> bool:
    """Whether a text is the URL of a store; an existing path never is."""
    return bool(_URL.match(place)) and not os.path.exists(place)


def mirror_of(url: str) -> Path:
    """The folder in the user's cache in which this machine works on what is at a URL."""
    return user_cache("remote") / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:32] / "build"


class Store:
    """The objects below a URL, by name: "data/a.arrow". Each is written whole or not at all, if the store does so.

    Args:
        url: of the store.

    Raises:
        MissingExtra: the package that reads it is not installed.
        StoreError: there is no such protocol.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url.rstrip("/")
        protocol = self.url.split("://")[0].lower()
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as missing:
            if protocol in _EXTRAS:
                package, extra = _EXTRAS[protocol]
                raise MissingExtra(package, extra=extra) from missing
            raise StoreError(f"cannot use {shown(self.url)}: {missing}") from missing
        except ValueError as error:
            raise StoreError(f"cannot use {shown(self.url)}: {error}") from error

    def check_bucket(self) -> None:
        """Refuse a bucket that does not exist, before work is done for it.

        Raises:
            StoreError: there is none, or the store cannot be reached.
        """
        bucket = self._root.split("/")[0]
        if self.url.split("://")[0].lower() in _BUCKETS:
            with self._errors("list", bucket):
                exists = self._files.exists(bucket)
            if not exists:
                missing = f"there is no bucket {shown(bucket)}; create it, or correct the URL"
                raise StoreError(f"{shown(self.url)}: {missing}")

    def names(self, folder: str) -> dict[str, int]:
        """The sizes of the objects directly in a folder, by their names within it."""
        with self._errors("list", folder):
            try:
                found = self._files.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
        return {posixpath.basename(entry["name"]): entry["size"] for entry in found if entry["type"] == "file"}

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none."""
        with self._errors("read", name):
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return content

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        """The contents of those objects that exist; many are read at a time, where the store can."""
        paths = {self._path(name): name for name in names}
        found: dict[str, bytes | Exception] = {}
        with self._errors("read", f"{len(names)} objects"):
            if paths:
                found = self._files.cat(list(paths), on_error="return")
        contents = {}
        for path, name in paths.items():
            with self._errors("read", name), suppress(FileNotFoundError):
                if isinstance(content := found[path], Exception):
                    raise content
                contents[name] = content
        return contents

    def write(self, name: str, content: bytes) -> None:
        """Write an object, in place of an earlier one."""
        with self._errors("write", name):
            self._make_folder(name)
            self._files.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bytes:
        """Write an object if there is none, and return what it holds then: the content of whoever came first.

        Where the store has no such condition, fsspec looks before it writes, and of two that write at the same moment
        the last one counts.
        """
        with self._errors("write", name):
            self._make_folder(name)
            for left in reversed(range(_ATTEMPTS)):
                try:
                    self._files.pipe_file(self._path(name), content, mode="create")
                    break
                except Exception:
                    # It is there already; or it was written, and the answer was lost; or another process is writing it.
                    if (found := self.read(name)) is not None:
                        return found
                    if not left:
                        raise
                time.sleep(_PAUSE)
        return content

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._errors("remove", name):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def upload(self, file: Path, name: str) -> None:
        """Write a file's content to an object, in place of an earlier one."""
        with self._errors("write", name):
            self._make_folder(name)
            self._files.put_file(str(file), self._path(name))

    def holds(self, name: str, sha256: str) -> bool:
        """Whether an object has this sha256; it is read."""
        digest = hashlib.sha256()
        try:
            for block in self._blocks(name):
                digest.update(block)
        except _OtherContent:
            return False
        return digest.hexdigest() == sha256

    def download(self, name: str, file: Path, sha256: str) -> bool:
        """Write an object to a file, whole or not at all; False if it is missing or has another sha256."""
        digest = hashlib.sha256()
        try:
            with atomic(file) as target:
                for block in self._blocks(name):
                    digest.update(block)
                    target.write(block)
                if digest.hexdigest() != sha256:
                    raise _OtherContent
        except _OtherContent:
            return False
        return True

    def _blocks(self, name: str, size: int = 16 * 2**20) -> Iterator[bytes]:
        """The content of an object in blocks, each read with the retries of `cat_file`."""
        path, start = self._path(name), 0
        with self._errors("read", name):
            try:
                total = self._files.size(path)
                while start < total:
                    yield self._files.cat_file(path, start=start, end=min(start + size, total))
                    start += size
            except FileNotFoundError:
                raise _OtherContent from None

    def _make_folder(self, name: str) -> None:
        """Make the folder of an object where the store has folders; S3 would make a bucket."""
        if "s3" not in self._files.protocol:
            self._files.makedirs(posixpath.dirname(self._path(name)), exist_ok=True)

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    @contextmanager
    def _errors(self, action: str, name: str) -> Iterator[None]:
        """Turn what the store's libraries raise, each its own kinds, into an error that says how to resume."""
        try:
            yield
        except (MyCanvasError, _OtherContent):
            raise
        except Exception as error:
            reason = shown(str(error)) or type(error).__name__
            raise StoreError(f"cannot {action} {self.url}/{name}: {reason}; {RESUME}") from error


class _OtherContent(Exception):
    """An object is missing, or has another content than it should."""
