"""The output folder of an export: written by one process, in a hidden folder within it, and then moved into place.

    OUT/.mycanvas-export.json         the marker: the export, its files, and whether they are all in place
    OUT/.mycanvas-export.unfinished/  files that are being written
    OUT/.mycanvas-export.lock         there while a process writes

Readers of image folders skip hidden names. An export that fails removes all of these; one that is killed leaves them,
and so does one whose files are whole but cannot be moved; the same command removes or finishes them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mycanvas.errors import StoreError
from mycanvas.io.files import os_errors, sync_folder, unfinished_pattern, write_json
from mycanvas.io.ownership import check_ownership, locked_folder
from mycanvas.io.text import brief

MARKER = ".mycanvas-export.json"
STAGING = ".mycanvas-export.unfinished"
LOCK = ".mycanvas-export.lock"


def write_export(output: Path, identity: Mapping[str, Any], writer: Callable[[Path], None]) -> bool:
    """Write an export whole or not at all, unless the folder holds it already.

    Args:
        output: a folder that is empty, does not exist, or holds this export.
        identity: everything that the exported files depend on, as JSON types.
        writer: writes the files into an empty folder.

    Returns:
        Whether anything was written.

    Raises:
        StoreError: the folder holds other files, another export, or files of this one that were removed or changed;
            another process is writing to it; or it cannot be written.
    """
    check_ownership(output, MARKER, _is_ours)
    with locked_folder(output, LOCK):
        if _is_finished(output, identity):
            return False
        with os_errors(output):
            _write(output, identity, writer)
    return True


def read_identity(output: Path) -> dict[str, Any]:
    """Read the identity with which the finished export in a folder was written, and check its files.

    Raises:
        StoreError: the folder holds no finished export, or files of it were removed or changed.
    """
    if not (output / MARKER).is_file():
        raise StoreError(f"{output} holds no export; expected a folder that `mycanvas export` wrote")
    marked = _read(output / MARKER)
    files = marked.pop("files", {})
    if not marked.pop("finished", False):
        raise StoreError(f"the export in {output} is not finished; run the same `mycanvas export` again")
    _check_files(output, files)
    return marked


def _write(output: Path, identity: Mapping[str, Any], writer: Callable[[Path], None]) -> None:
    marker, staging = output / MARKER, output / STAGING
    for leftover in filter(_is_unfinished_marker, os.listdir(output)):
        (output / leftover).unlink()
    files = _complete_files(output)  # an earlier run was killed while it moved them into place
    if files is None:
        try:
            write_json(marker, {**identity, "finished": False})
            if os.path.lexists(staging):
                shutil.rmtree(staging)
            staging.mkdir()
            writer(staging)
            files = _sizes(staging)
            os.sync()  # once for all files: waiting for each would take longer than writing it
            write_json(marker, {**identity, "files": files, "finished": False})
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            marker.unlink(missing_ok=True)
            raise
    _move_into_place(staging, output)
    write_json(marker, {**identity, "files": files, "finished": True})


def _move_into_place(staging: Path, output: Path) -> None:
    """Move folders first: index files beside them are what makes an export readable."""
    entries = sorted(staging.iterdir(), key=lambda entry: (entry.is_file(), entry.name)) if staging.exists() else []
    for entry in entries:
        if os.path.lexists(output / entry.name):
            raise StoreError(f"{output / entry.name} is in the way; move it, then run the same command again")
    for entry in entries:
        entry.rename(output / entry.name)
    if entries or staging.exists():
        staging.rmdir()
    sync_folder(output)


def _is_finished(output: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder holds this export already; false if it is empty or the export was interrupted."""
    if not check_ownership(output, MARKER, _is_ours):
        return False
    marked = _read(output / MARKER)
    finished, files = bool(marked.pop("finished", False)), marked.pop("files", {})
    if marked != identity:
        kind = "an export" if finished else "an unfinished export"
        keys = [key for key in identity if marked.get(key) != identity[key]]
        changed = "format" if "format" in keys else ", ".join(keys)
        since = ", or of this one before it changed" if changed == "dataset" else ""
        raise StoreError(f"{output} holds {kind} of another {changed}{since}; remove it, or give another --output")
    if finished:
        _check_files(output, files)
    return finished


def _check_files(output: Path, files: Mapping[str, int]) -> None:
    """Check that the files of a finished export are in place, with their sizes in bytes."""
    flaws = [flaw for name, size in files.items() if (flaw := _flaw(output, name, size))]
    if flaws:
        more = f", and {len(flaws) - 1} more of {len(files)} files were removed or changed" if len(flaws) > 1 else ""
        raise StoreError(
            f"{output} is not as it was exported: {flaws[0]}{more}; remove the folder, or give another --output"
        )


def _complete_files(output: Path) -> dict[str, int] | None:
    """The sizes of all files, if they were written whole and are in place or about to be; else None."""
    files: dict[str, int] | None = _read(output / MARKER).get("files") if (output / MARKER).is_file() else None
    places = (output / STAGING, output)
    if files and all(any(not _flaw(place, name, size) for place in places) for name, size in files.items()):
        return files
    return None


def _sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of each file in a folder, by its name relative to the folder."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name)
            found[file.relative_to(folder).as_posix()] = file.stat().st_size
    return dict(sorted(found.items()))


def _flaw(folder: Path, name: str, size: int) -> str | None:
    """How a file differs from the exported one; None where it does not."""
    try:
        found = (folder / name).stat().st_size
    except (OSError, ValueError):  # a name with a character that no file system allows
        return f"{brief(name)} is missing"
    return None if found == size else f"{brief(name)} has {found} bytes, expected {size}"


def _is_ours(name: str) -> bool:
    """Whether an export that was killed before it wrote its marker may have left an entry."""
    return name == LOCK or _is_unfinished_marker(name)


def _is_unfinished_marker(name: str) -> bool:
    return bool(re.fullmatch(unfinished_pattern(re.escape(MARKER)), name))


def _read(marker: Path) -> dict[str, Any]:
    try:
        marked = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"cannot read {marker}: {error}; give --output a new or empty folder") from error
    files = marked.get("files", {}) if isinstance(marked, dict) else None
    if not isinstance(files, dict) or not all(isinstance(size, int) for size in files.values()):
        raise StoreError(f"{marker} is not the marker of an export; give --output a new or empty folder")
    return dict(marked)
