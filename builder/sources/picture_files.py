"""Tell pictures from other files, by their names and, where those do not say, by their content."""

from __future__ import annotations

from pathlib import Path

from mycanvas.io.formats import READABLE, START, format_of
from mycanvas.io.regular import read_start
from mycanvas.io.text import is_plain_name, is_utf8, shown

USUAL_SUFFIXES = ".jpg, .jpeg, .png, .webp"
"""Those that messages recommend."""
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".heic", ".heif", ".hif", ".avif")
"""Files with these are read, by their content."""
OTHER_SUFFIXES = (
    *(".bmp", ".gif", ".j2k", ".jp2", ".jpf", ".jpx", ".jxl", ".jxr", ".psd", ".svg", ".tif", ".tiff", ".xcf"),
    # Raw photos.
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mrw", ".nef", ".nrw"),
    *(".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
"""Formats that are rejected with a reason, not ignored: a folder copied from a camera may hold nothing else."""


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its suffix or its content; a file without rights or a pipe is none."""
    return path.suffix.lower() in SUFFIXES + OTHER_SUFFIXES or _format(path) is not None


def refusal(path: Path) -> str | None:
    """Why a picture is not read, as far as its name says; None where its content decides."""
    suffix = path.suffix.lower()
    if name_flaw(path.name):
        return name_flaw(path.name)
    if suffix in OTHER_SUFFIXES:
        return f"{suffix} is not read; save it as {USUAL_SUFFIXES}"
    if suffix in SUFFIXES or suffix == "":
        return None
    kind = _format(path)
    remedy = "rename it" if kind in READABLE else "save it"
    return f"a picture ({kind}) under the ending {shown(path.suffix)}; to use it, {remedy} as {USUAL_SUFFIXES}"


def name_flaw(name: str) -> str | None:
    """Why the name of a file or folder cannot be used; None where it can be."""
    if is_plain_name(name):
        return None
    wrong = "has a control character" if is_utf8(name) else "is not UTF-8"
    return f"its name {wrong}; rename it"


def _format(path: Path) -> str | None:
    return format_of(read_start(path, START))
