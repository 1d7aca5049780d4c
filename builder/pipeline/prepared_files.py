"""Files of cut-outs and painted backgrounds in the build folder. Their markers hold the checksums of the others."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.result_cache import Result
from builder.records import Background, ColourCounts, Cutout, Photo, Rejected
from builder.sources.outlines import outline_of
from mycanvas.errors import StoreError
from mycanvas.io.checked import REMAKE, read_checked, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, write_bytes
from mycanvas.io.images import decode_mask, encode_photo, encode_png

COLOURS = "colours.npy"
"""The kind of the file with a cut-out's colours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutMarker:
    """The marker of a photo that was cut out.

    quality, cut_off, thin, lost: of the cut-out; None or empty where there is none, and then `reason` says why.
    files: the sha256 of each file, by its kind: "photo.jpg", "mask.png", "cutout.npy" and "colours.npy", or only the
        first.
    outline: of its mask, from `sources.outlines`; None where there is none, and in files of earlier versions.
    """

    quality: float | None
    cut_off: bool | None
    thin: float | None
    reason: str | None
    files: Mapping[str, str]
    lost: Mapping[str, float] = field(default_factory=dict)
    outline: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PaintedMarker:
    """The marker of a painted background: its geometry, and the sha256 of its pixels' file."""

    horizon: float
    ground: float
    sha256: str


def prepared_cutout(photo: Photo, result: Cutout | Rejected) -> Result:
    """Encode a photo with its cut-out, if there is one."""
    contents, outline = {"photo.jpg": encode_photo(photo.pixels, photo.alpha)}, None
    if isinstance(result, Cutout):
        if result.mask is not None:
            outline = outline_of(result.mask)
            contents["mask.png"] = encode_png(result.mask.astype(np.uint8) * 255)
        contents["cutout.npy"] = _npy(result.rgba)
        if result.colours is not None:
            contents[COLOURS] = _npy(result.colours)
    marker = CutoutMarker(
        quality=result.quality if isinstance(result, Cutout) else None,
        cut_off=result.cut_off if isinstance(result, Cutout) else None,
        thin=result.thin if isinstance(result, Cutout) else None,
        lost=result.lost if isinstance(result, Cutout) else {},
        reason=result.reason if isinstance(result, Rejected) else None,
        files={kind: hashlib.sha256(content).hexdigest() for kind, content in contents.items()},
        outline=outline,
    )
    return Result(facts=asdict(marker), files=contents)


def prepared_painting(painted: Background) -> Result:
    """Encode a painted background."""
    content = _npy(painted.pixels)
    sha256 = hashlib.sha256(content).hexdigest()
    marker = PaintedMarker(horizon=painted.horizon, ground=painted.ground, sha256=sha256)
    return Result(facts=asdict(marker), files={"npy": content})


def write_prepared(result: Result, file: Callable[[str], Path]) -> None:
    """Write the files of a cut-out or of a painted background, and last the marker; file: the path of each kind."""
    for kind, content in result.files.items():
        write_bytes(file(kind), content)
    write_checked(file("json"), result.facts)


def is_cut_out(folder: BuildFolder, key: str) -> bool:
    """Whether all files of a photo and its cut-out exist and are whole."""
    marker = read_checked_or_none(folder.cutout_file(key, "json"), CutoutMarker)
    if marker is None or (marker.quality is not None and COLOURS not in marker.files):
        return False
    return all(has_sha256(folder.cutout_file(key, kind), digest) for kind, digest in marker.files.items())


def cutout_marker(folder: BuildFolder, key: str) -> CutoutMarker:
    """Read the marker of a photo that was cut out.

    Raises:
        StoreError: it is missing or damaged.
    """
    return read_checked(folder.cutout_file(key, "json"), CutoutMarker)


def read_colours(folder: BuildFolder, key: str) -> ColourCounts:
    """Read the colours of a cut-out.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return _mapped(folder.cutout_file(key, COLOURS))


def read_outline(folder: BuildFolder, key: str) -> str:
    """Read the outline of a cut-out, as of `sources.outlines`; that of no object where there is none.

    Raises:
        StoreError: a file is missing or damaged.
    """
    marker = cutout_marker(folder, key)
    if marker.outline is not None or "mask.png" not in marker.files:
        return marker.outline or outline_of(None)
    return _outline_of_file(folder.cutout_file(key, "mask.png"), marker.files["mask.png"])


def read_cutout(folder: BuildFolder, key: str, photo_id: str) -> Cutout:
    """Read a cut-out. Its pixels are memory-mapped: loaded when accessed, and shared by workers.

    Its checksum is not compared: a build has just done that, by `is_cut_out`.

    Raises:
        StoreError: a file is missing or damaged.
    """
    marker = cutout_marker(folder, key)
    path = folder.cutout_file(key, "cutout.npy")
    if marker.quality is None:
        raise _damaged(path)
    return Cutout(photo_id=photo_id, rgba=_mapped(path), quality=marker.quality, cut_off=bool(marker.cut_off))


def read_encoded(folder: BuildFolder, key: str) -> tuple[bytes, bytes | None]:
    """Read the JPEG of a photo and the PNG of its mask, which is None where there is no cut-out.

    Raises:
        StoreError: a file is missing or damaged.
    """
    files = cutout_marker(folder, key).files
    photo = _read(folder.cutout_file(key, "photo.jpg"), files.get("photo.jpg"))
    mask = _read(folder.cutout_file(key, "mask.png"), files["mask.png"]) if "mask.png" in files else None
    return photo, mask


def is_painted(folder: BuildFolder, name: str) -> bool:
    """Whether a background was painted and is whole."""
    marker = read_checked_or_none(folder.painted_file(name, "json"), PaintedMarker)
    return marker is not None and has_sha256(folder.painted_file(name, "npy"), marker.sha256)


def read_painted(folder: BuildFolder, name: str) -> Background:
    """Read a painted background. As with `read_cutout`, its pixels are memory-mapped and not compared.

    Raises:
        StoreError: a file is missing or damaged.
    """
    marker = read_checked(folder.painted_file(name, "json"), PaintedMarker)
    return Background(pixels=_mapped(folder.painted_file(name, "npy")), horizon=marker.horizon, ground=marker.ground)


@lru_cache(maxsize=2048)
def _outline_of_file(file: Path, sha256: str) -> str:
    return outline_of(decode_mask(_read(file, sha256)) >= 0.5)


def _npy(pixels: NDArray[np.uint8 | np.uint16]) -> bytes:
    """Encode pixels as .npy: larger than a PNG, but a PNG takes longer to write and read than a scene to make."""
    buffer = io.BytesIO()
    np.save(buffer, pixels)
    return buffer.getvalue()


def _mapped(path: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        raise _damaged(path) from None


def _read(file: Path, digest: str | None) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}; {REMAKE}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _damaged(file)
    return content


def _damaged(file: Path) -> StoreError:
    return StoreError(f"{file} is damaged or missing; {REMAKE}")
