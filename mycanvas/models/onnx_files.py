"""Find or download the ONNX file of one of rembg's sessions."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from mycanvas.errors import MissingExtra, ModelError

RELEASE = "v0.0.0"
"""The release of rembg's repository from which it downloads all networks; it checks them against their digests."""


def onnx_file(name: str, *, offline: bool = False) -> Path:
    """Find a network's file on this machine; rembg downloads it if it is not there yet.

    Args:
        name: a session of rembg, such as "isnet-general-use", or the path of a file that ends in ".onnx".
        offline: use only files that are on this machine already.

    Raises:
        MissingExtra: rembg is not installed, and a session of it must be downloaded.
        ModelError: it is not on this machine and cannot be downloaded.
    """
    if name.endswith(".onnx"):
        file = Path(name).expanduser()
        if not file.is_file():
            raise ModelError(f"there is no file {file}; give another .onnx file, or a session of rembg")
        return file
    found = next((file for file in _places(name) if file.is_file()), None)
    if found is None and offline:
        raise ModelError(f"{name} is not on this machine")
    return found or _download(name)


def _places(name: str) -> tuple[Path, Path]:
    """The paths at which rembg keeps a session's file: the current one and the former one.

    Copied from rembg's `BaseSession`, as its first import compiles code for most of a minute.
    """
    data = os.getenv("XDG_DATA_HOME")
    former = Path(os.getenv("U2NET_HOME") or Path(data or "~", ".u2net"))
    current = os.getenv("U2NET_HOME") or os.getenv("REMBG_HOME") or (Path(data, "rembg") if data else "~/.rembg")
    file = f"{name}.onnx"
    return Path(current, "models", name, file).expanduser(), (former / file).expanduser()


def _download(name: str) -> Path:
    # without ONNX Runtime, importing rembg exits the process
    if find_spec("rembg") is None or find_spec("onnxruntime") is None:
        raise MissingExtra("rembg", extra="models")
    from rembg.sessions import sessions

    if name not in sessions or not sessions[name].is_local():
        raise ModelError(f"rembg has no session {name!r} that runs on this machine; use another one")
    try:
        return Path(sessions[name].download_models())
    except (OSError, ValueError) as error:  # requests' errors are the former, a wrong checksum is the latter
        raise ModelError(
            f"{name} is not on this machine, and rembg cannot download it ({error}); "
            f"copy its file to {_places(name)[0]}, or set segment.rembg.file to a file"
        ) from error
