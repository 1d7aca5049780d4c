"""Embeddings of source photos: each is computed once, and kept by the content of what was encoded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from mycanvas.errors import InputError, ModelError
from mycanvas.io.images import Rgb, cut_out, decode_rgb, quiet_decoding
from mycanvas.metrics.scenes import Concept, Photo
from mycanvas.metrics.settings import Settings
from mycanvas.models.encoders import Embeddings, Encoder

AT_ONCE = 64
"""Photos in memory at a time."""


class Cache:
    """Vectors by the digest of their photo, in memory and, where a folder is given, on disk.

    folder: of one encoder's vectors; what is in it is read as numbers, never as code.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Embeddings] = {}

    def get(self, digest: str) -> Embeddings | None:
        """The vector [D] of a photo, if it is known."""
        if digest not in self._known and self._folder:
            # A file that is cut short or damaged is written again.
            with contextlib.suppress(OSError, ValueError, EOFError):
                vector = np.load(self._folder / f"{digest}.npy", allow_pickle=False)
                if vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all():
                    self._known[digest] = vector
        return self._known.get(digest)

    def __getitem__(self, digest: str) -> Embeddings:
        """The vector [D] of a photo that is known."""
        return self._known[digest]

    def put(self, digest: str, vector: Embeddings) -> None:
        """Keep a vector; a folder that cannot be written to costs time at the next run, and nothing else."""
        self._known[digest] = vector
        if self._folder:
            temporary = self._folder / f".{digest}.{os.getpid()}.npy"
            with contextlib.suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                np.save(temporary, vector, allow_pickle=False)
                temporary.replace(self._folder / f"{digest}.npy")


def cache_folder(encoder: str, root: Path | None = None) -> Path:
    """Where the vectors of an encoder are kept between runs.

    Args:
        encoder: whatever tells it apart from others: name, revision, precision.
        root: of all encoders' folders; None: in the user's cache.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (root or Path(base).expanduser() / "mycanvas" / "embeddings") / _digest([encoder.encode()])


def encode_references(
    concepts: Iterable[Concept], encoder: Encoder, settings: Settings, cache: Cache | None = None
) -> dict[str, Embeddings]:
    """The vectors [P, D] of each concept's photos, by its name; the same photo is encoded once, whoever shows it.

    Raises:
        InputError: a concept has no photo, or one that cannot be read.
        ModelError: the encoder gives no finite numbers for a photo.
    """
    known = cache or Cache()
    digests: dict[str, list[str]] = {}
    new: dict[str, Photo] = {}
    for concept in concepts:
        photos = _photos(concept, settings)
        digests[concept.name] = [_digest(_content(photo, settings)) for photo in photos]
        new |= {
            digest: photo
            for digest, photo in zip(digests[concept.name], photos, strict=True)
            if known.get(digest) is None
        }
    for start in range(0, len(new), AT_ONCE):
        some = dict(islice(new.items(), start, start + AT_ONCE))
        vectors = encoder.images([_pixels(photo, settings) for photo in some.values()])
        for (digest, photo), vector in zip(some.items(), vectors, strict=True):
            if not np.isfinite(vector).all():
                raise ModelError(f'the encoder gave no finite numbers for the photo {photo.id}; try dtype "float32"')
            known.put(digest, vector)
    return {name: np.stack([known[digest] for digest in own]) for name, own in digests.items()}


def _photos(concept: Concept, settings: Settings) -> list[Photo]:
    masked = settings.references == "masked"
    photos = [one for one in concept.photos if (one.used or not settings.only_used) and (one.mask or not masked)]
    if not photos:
        expected = "photos" + " that scenes use" * settings.only_used + " with a mask" * masked
        raise InputError(f"concept {concept.name} has no source {expected}; its pictures cannot be scored")
    return photos


def _pixels(photo: Photo, settings: Settings) -> Rgb:
    try:
        with quiet_decoding():
            pixels = decode_rgb(photo.read())
        return cut_out(pixels, photo.mask()) if photo.mask and settings.references == "masked" else pixels
    except InputError as error:
        raise InputError(f"the source photo {photo.id}: {error}") from error


def _content(photo: Photo, settings: Settings) -> list[bytes]:
    return [photo.read(), photo.mask() if photo.mask and settings.references == "masked" else b""]


def _digest(parts: Sequence[bytes]) -> str:
    digest = blake2b(digest_size=20)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
