"""Repositories of the fake Hub, their commits and files."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field

from tests.hub.exchange import Refusal

LARGE = (".parquet", ".arrow", ".jpg", ".png", ".webp")
"""Endings of files that the Hub keeps as LFS objects."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a commit. sha256: of its content. oid: git's name of the content. large: an LFS object."""

    size: int
    sha256: str
    oid: str
    large: bool


@dataclass(frozen=True)
class Commit:
    oid: str
    title: str
    files: dict[str, StoredFile]


@dataclass
class Repository:
    """branches: the commits of each, oldest first. objects: the sha256 of the LFS objects that were sent to it."""

    private: bool
    branches: dict[str, list[Commit]]
    objects: set[str] = field(default_factory=set)


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def new_commit(title: str, files: dict[str, StoredFile]) -> Commit:
    oid = hashlib.sha1(f"{title} {time.time_ns()}".encode(), usedforsecurity=False).hexdigest()
    return Commit(oid, title, files)


def commit_at(repository: Repository, revision: str) -> Commit:
    for branch, commits in repository.branches.items():
        for commit in reversed(commits):
            if revision in {branch, commit.oid}:
                return commit
    raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
