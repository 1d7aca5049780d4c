"""Find or download the ONNX file of one of rembg's sessions, and recognise it by its checksum."""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from mycanvas.errors import MissingExtra, ModelError
from mycanvas.io.files import os_errors

ONNX = ".onnx"
"""The suffix by which the path of a file is told from the name of a session."""
RELEASE = "v0.0.0"
"""The release of rembg's repository from which it downloads all networks; it checks them against their digests."""
PUBLISHED: dict[str, str] = {
    "isnet-general-use": "md5:fc16ebd8b0c10d971d3513d564d01e29",
    "isnet-anime": "md5:6f184e756bb3bd901c8849220a83e38e",
    "birefnet-general": "md5:7a35a0141cbbc80de11d9c9a28f52697",
    "birefnet-general-lite": "md5:4fab47adc4ff364be1713e97b7e66334",
    "birefnet-portrait": "md5:c3a64a6abf20250d090cd055f12a3b67",
    "birefnet-dis": "md5:2d4d44102b446f33a4ebb2e56c051f2b",
    "birefnet-hrsod": "md5:c017ade5de8a50ff0fd74d790d268dda",
    "birefnet-cod": "md5:f6d0d21ca89d287f17e7afe9f5fd3b45",
    "birefnet-massive": "md5:33e726a2136a3d59eb0fdf613e31e3e9",
    "u2net": "md5:60024c5c889badc19c04ad937298a77b",
    "u2netp": "md5:8e83ca70e441ab06c318d82300c84806",
    "u2net_human_seg": "md5:c09ddc2e0104f800e3e1bb4652583d1f",
    "silueta": "md5:55e59e0d8062d2f5d013f4725ee84782",
    "bria-rmbg": "sha256:5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958",
}
"""The digest of each session's file, as in rembg 2.0.86."""
UNCHECKED = "MODEL_CHECKSUM_DISABLED"
"""The environment variable with which rembg downloads files of other content under its sessions' names."""


def onnx_file(name: str, *, offline: bool = False) -> Path:
    """Find a network's file on this machine; rembg downloads it if it is not there yet.

    Args:
        name: a session of rembg, such as "isnet-general-use", or the path of a file that ends in ".onnx".
        offline: use only files that are on this machine already.

    Raises:
        MissingExtra: rembg is not installed, and a session of it must be downloaded.
        ModelError: it is not on this machine and cannot be downloaded, or is not the file that rembg publishes.
    """
    if name.endswith(ONNX):
        file = Path(name).expanduser()
        if not file.is_file():
            raise ModelError(f"there is no file {file}; give another .onnx file, or a session of rembg")
        return file
    found = next((file for file in _places(name) if file.is_file()), None)
    if found is None and offline:
        raise ModelError(f"{name} is not on this machine")
    file = found or _download(name)
    algorithm, _, published = PUBLISHED.get(name, "").partition(":")
    if published and UNCHECKED not in os.environ and _digest(file, algorithm) != published:
        raise ModelError(
            f"{file} is not the file that rembg publishes as {name} (its checksum differs); "
            "delete it to download it again, or give a network of your own as segment.rembg.file"
        )
    return file


def published_session(file: Path) -> str | None:
    """The session of rembg whose published file this is; None if it is another file.

    Raises:
        InputError: it cannot be read.
    """
    found = {f"{algorithm}:{_digest(file, algorithm)}" for algorithm in ("md5", "sha256")}
    return next((name for name, digest in PUBLISHED.items() if digest in found), None)


def _digest(file: Path, algorithm: str) -> str:
    with os_errors(file, "read"), file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


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
        raise MissingExtra("rembg", extra="photo")
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
