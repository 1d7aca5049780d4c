"""Store of people's ratings of a dataset: an SQLite file that many processes may read and write at once.

Events are appended, never changed. The current state is the newest entry of each key that is not undone. An event is on
the disk before `add` returns: `synchronous` is FULL. The journal is a write-ahead log; on file systems that may be on a
network, where processes cannot share memory, it is a rollback journal. Each call opens a connection of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from mycanvas.errors import InputError, StoreError
from mycanvas.io.files import os_errors, sync_folder
from mycanvas.io.mounts import MOUNTS, is_local
from mycanvas.ratings.entries import AnyEntry, CaptionEdit, Flag, PairChoice, Preference, Rating, parse_entry
from mycanvas.ratings.events import Event, checked_id, new_id

log = logging.getLogger("mycanvas")

FILE_NAME = "review.sqlite"
"""The name of the file in the hidden folder of a build."""
FORMAT = 1
"""The version of the tables."""
WAIT = 30.0
"""Seconds to wait for other processes that write."""

KINDS: Mapping[str, type[AnyEntry]] = {
    "rank": Rating,
    "flag": Flag,
    "caption": CaptionEdit,
    "preference": Preference,
    "choice": PairChoice,
}
"""The kinds of entries by their names in the file."""

_NAMES = {kind: name for name, kind in KINDS.items()}
_TABLES = (
    "CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, "
    "rater TEXT NOT NULL, session TEXT NOT NULL, at TEXT NOT NULL, value TEXT NOT NULL, checksum TEXT NOT NULL)",
    "CREATE TABLE undone (id TEXT PRIMARY KEY, event TEXT)",
)
_COLUMNS = "id, kind, rater, session, at, value, checksum"
_CURRENT = (
    f"SELECT {_COLUMNS} FROM events "  # noqa: S608
    "WHERE id NOT IN (SELECT event FROM undone WHERE event IS NOT NULL)"
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_UNEXPLAINED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
"""Codes for any error of the file system, also for a full disk."""
_PAGE = 4096

_E = TypeVar("_E", Rating, Flag, CaptionEdit, Preference, PairChoice)


class RatingStore:
    """The file of events of one dataset; it is made when the first event is added, or by `prepare`.

    Args:
        path: the file, `review.sqlite` in the hidden folder of a build.
        mounts: the mounted file systems; only tests give another file.
    """

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        self.path = path
        self._mounts = mounts
        self._checked = False
        self._found_empty = False

    def prepare(self) -> None:
        """Check that each event can be read and that more can be added; a file that was emptied is named by a warning.

        Raises:
            StoreError: as `add`.
        """
        self._warn_if_emptied()
        with self._open_to_write() as connection:
            for row in connection.execute(f"SELECT {_COLUMNS} FROM events"):  # noqa: S608
                self._event(row)

    def add(self, event: Event) -> None:
        """Store an event; it is on the disk when this returns. An event that is stored already changes nothing.

        Raises:
            InputError: another event has the same id.
            StoreError: the file cannot be written, or is damaged.
        """
        row = _row(event)
        with self._open_to_write() as connection:
            found = connection.execute("SELECT kind, rater, value FROM events WHERE id = ?", (event.id,)).fetchone()
            if found is None:
                connection.execute(
                    "INSERT INTO events (id, kind, rater, session, at, value, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, _checksum(row)),
                )
            elif tuple(found) != (row[1], row[2], row[5]):
                raise InputError(f"the id {event.id} is that of another event; expected a new UUID")

    def undo(
        self,
        rater: str,
        session: str | None = None,
        *,
        kinds: Sequence[type[AnyEntry]] = tuple(_NAMES),
        id: str | None = None,  # noqa: A002
    ) -> Event | None:
        """Undo a person's newest event, after which the entry before it counts again.

        Args:
            rater: the person.
            session: only events of this session; None: of any.
            kinds: only events with entries of these classes.
            id: a UUID of this request; if it is repeated, nothing more is undone and the result is the same.

        Returns:
            The event; None if there is none.

        Raises:
            ValueError: the id is not a UUID.
            StoreError: as `add`.
        """
        request = checked_id(id) if id else new_id()
        names = [_NAMES[kind] for kind in kinds]
        if not self.path.is_file():
            return None
        with self._open_to_write() as connection:
            done = connection.execute("SELECT event FROM undone WHERE id = ?", (request,)).fetchone()
            if done:
                found = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", done).fetchone()  # noqa: S608
                return self._event(found) if found else None
            where, given = f" AND rater = ? AND kind IN ({', '.join('?' * len(names))})", [rater, *names]
            if session is not None:
                where, given = f"{where} AND session = ?", [*given, session]
            found = connection.execute(f"{_CURRENT}{where} ORDER BY number DESC LIMIT 1", given).fetchone()
            event = self._event(found) if found else None
            connection.execute("INSERT INTO undone (id, event) VALUES (?, ?)", (request, event.id if event else None))
            return event

    def ratings(self) -> tuple[Rating, ...]:
        """The current rank of each rater and scene."""
        return self.current(Rating)

    def flags(self) -> tuple[Flag, ...]:
        """The current flag of each rater and scene; removed flags are left out."""
        return tuple(flag for flag in self.current(Flag) if flag.reason)

    def captions(self) -> dict[str, str]:
        """The newest caption of each scene that has one from a person, by the scene's id."""
        return {edit.item: edit.caption for edit in self.current(CaptionEdit) if edit.caption is not None}

    def preferences(self) -> tuple[Preference, ...]:
        """The current scores of the study."""
        return self.current(Preference)

    def choices(self) -> tuple[PairChoice, ...]:
        """The current choices of the study."""
        return self.current(PairChoice)

    def current(self, kind: type[_E], rater: str | None = None) -> tuple[_E, ...]:
        """The newest entry of each key, in the order in which the keys were first given.

        Args:
            kind: a class of entries.
            rater: only those of this person; None: of all.

        Raises:
            StoreError: the file cannot be read, or is damaged.
        """
        where = "" if rater is None else " AND rater = ?"
        given = [_NAMES[kind], *([] if rater is None else [rater])]
        found: dict[tuple[str, ...], _E] = {}
        with self._open_to_read() as connection:
            if connection is None:
                return ()
            rows = connection.execute(f"{_CURRENT} AND kind = ?{where} ORDER BY number", given)
            for row in rows:
                entry = self._event(row).entry
                if isinstance(entry, kind):
                    found[entry.key] = entry
        return tuple(found.values())

    @contextmanager
    def _open_to_write(self) -> Iterator[sqlite3.Connection]:
        with os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not os.path.lexists(self.path)
        with self._errors("write"), closing(self._connect(os.fspath(self.path))) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            self._set_journal(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._check(connection, make=True)
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
        if is_new:
            sync_folder(self.path.parent)

    @contextmanager
    def _open_to_read(self) -> Iterator[sqlite3.Connection | None]:
        """Open the file for reading; None if there is no file, or nothing in it yet."""
        if not os.path.lexists(self.path):
            yield None
            return
        self._warn_if_emptied()
        # With mode=ro, SQLite would leave the files of its log behind.
        name = f"file:{quote(os.path.abspath(self.path))}?mode=rw"
        has_log = self.path.with_name(f"{self.path.name}-wal").exists()
        if not has_log and not os.access(self.path.parent, os.W_OK):
            name += "&immutable=1"  # on a read-only disk no process writes, and SQLite could not make its lock files
        with self._errors("read"), closing(self._connect(name, uri=True)) as connection:
            connection.execute("BEGIN")
            yield connection if self._check(connection, make=False) else None

    def _warn_if_emptied(self) -> None:
        """A new file has its tables from the first moment on, unless the process that made it was killed just then."""
        with os_errors(self.path, "read"):
            emptied = self.path.is_file() and not self.path.stat().st_size
        if emptied and not self._found_empty:
            log.warning("%s is empty; if it had ranks, they are lost: restore it from a copy", self.path)
        self._found_empty = emptied

    def _connect(self, name: str, *, uri: bool = False) -> sqlite3.Connection:
        if os.path.lexists(self.path) and not self.path.is_file():
            raise StoreError(f"{self.path} is not a regular file; move it away")
        connection = sqlite3.connect(name, timeout=WAIT, isolation_level=None, uri=uri)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        journal = "wal" if is_local(self.path.parent, self._mounts) else "delete"
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == journal:
            return
        try:
            connection.execute(f"PRAGMA journal_mode = {journal}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or journal == "delete":
                raise
            # Another process writes at this moment; a rollback journal is as safe, and a later call changes it.

    def _check(self, connection: sqlite3.Connection, *, make: bool) -> bool:
        """Whether the tables exist; make them if asked to, and check the pages on the first call."""
        tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'")}
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not tables and not version:
            if make:
                for table in _TABLES:
                    connection.execute(table)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            return make
        if version > FORMAT:
            raise StoreError(
                f"{self.path} was written by a later version of mycanvas (format {version}, this one reads {FORMAT}); "
                "upgrade with: pip install --upgrade mycanvas"
            )
        if tables != set(_TABLES):
            raise StoreError(f"{self.path} is not a file of reviews; move it away")
        if not self._checked:
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise self._damaged()
            self._checked = True
        return True

    def _event(self, row: Sequence[Any]) -> Event:
        *values, checksum = row
        try:
            if checksum != _checksum(values):
                raise ValueError(checksum)
            name, kind, _, session, at, value = values
            return Event(id=name, entry=parse_entry(json.loads(value), KINDS[kind]), session=session, at=at)  # type: ignore[type-var]
        except (ValueError, TypeError, LookupError, RecursionError):
            raise self._damaged() from None

    def _damaged(self) -> StoreError:
        return StoreError(
            f"{self.path} is damaged; restore it from a copy, or move it and its -wal file away and review again"
        )

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _DAMAGED:
                raise self._damaged() from error
            remedy = {
                sqlite3.SQLITE_BUSY: f"another program used it for {WAIT:g} s; end it, then try again",
                sqlite3.SQLITE_FULL: "make room, then try again",
                sqlite3.SQLITE_READONLY: "choose a place that you may write to",
                sqlite3.SQLITE_CANTOPEN: "check its rights and those of its folder",
            }.get(code, "check its rights and its disk")
            if code in _UNEXPLAINED:
                self._explain()
            raise StoreError(f"cannot {action} {self.path}: {error}; {remedy}") from error

    def _explain(self) -> None:
        """Raise the error of the file system, if there still is one: SQLite does not report it."""
        with os_errors(self.path), tempfile.TemporaryFile(dir=self.path.parent) as file:
            file.write(bytes(_PAGE))


def _row(event: Event) -> tuple[str, ...]:
    entry = event.entry
    value = json.dumps(asdict(entry), sort_keys=True)
    at = event.at or datetime.now(UTC).isoformat(timespec="microseconds")
    return event.id, _NAMES[type(entry)], entry.rater, event.session, at, value


def _checksum(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()
