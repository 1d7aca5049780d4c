"""From the name of a session of rembg to its ONNX file on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from mycanvas.errors import MissingExtra, ModelError

RELEASE = "v0.0.0"
"""The release of rembg's repository that all its networks are downloaded from, and checked against by their digests."""


def onnx_file(name: str, *, offline: bool = False) -> Path:
    """A network's file on this machine, downloaded by rembg where it is not yet.

    Args:
        name: a session of rembg, such as "isnet-general-use", or the path of a file that ends in ".onnx".
        offline: use only what is there already.

    Raises:
        MissingExtra: rembg is not installed, and a session of it must be downloaded.
        ModelError: it is not there and cannot be had.
    """
    if name.endswith(".onnx"):
        file = Path(name).expanduser()
        if not file.is_file():
            raise ModelError(f"there is no file {file}; name another one, or a session of rembg")
        return file
    found = next((file for file in _places(name) if file.is_file()), None)
    if found is None and offline:
        raise ModelError(f"{name} is not on this machine")
    return found or _download(name)


def _places(name: str) -> tuple[Path, Path]:
    """Where rembg keeps a session's file: today and before.

    Read off rembg's `BaseSession`, whose import compiles for most of a minute the first time.
    """
    data = os.getenv("XDG_DATA_HOME")
    before = Path(os.getenv("U2NET_HOME") or Path(data or "~", ".u2net"))
    today = os.getenv("U2NET_HOME") or os.getenv("REMBG_HOME") or (Path(data, "rembg") if data else "~/.rembg")
    file = f"{name}.onnx"
    return Path(today, "models", name, file).expanduser(), (before / file).expanduser()


def _download(name: str) -> Path:
    # Without ONNX Runtime, importing rembg ends the process.
    if find_spec("rembg") is None or find_spec("onnxruntime") is None:
        raise MissingExtra("rembg", extra="models")
    from rembg.sessions import sessions

    if name not in sessions or not sessions[name].is_local():
        raise ModelError(f"rembg has no session {name!r} that runs on this machine; name another one")
    try:
        return Path(sessions[name].download_models())
    except (OSError, ValueError) as error:  # requests' errors are the former, a wrong checksum is the latter
        raise ModelError(
            f"{name} is not on this machine, and rembg cannot download it ({error}); "
            f"copy its file to {_places(name)[0]}, or name a file with segment.rembg.file"
        ) from error
