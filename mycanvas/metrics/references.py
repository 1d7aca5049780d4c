"""Embeddings of source photos: each is computed once, and cached by the content that was encoded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from mycanvas.dataset import Concept, Encoded, Photo
from mycanvas.errors import InputError, ModelError
from mycanvas.io.files import results_cache
from mycanvas.io.images import Rgb, cut_out, decode_rgb, quiet_decoding
from mycanvas.metrics.settings import Settings
from mycanvas.models.encoders import Embeddings, Encoder

BATCH = 64
"""Photos that are decoded at a time."""


class Cache:
    """Embeddings by the digest of their photo, in memory and, where a folder is given, on disk.

    folder: holds the embeddings of one encoder; its files are read as numbers, never as code.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Embeddings] = {}

    def get(self, digest: str) -> Embeddings | None:
        """The embedding [D] of a photo; None: not cached."""
        if digest not in self._known and self._folder:
            # A damaged or truncated file counts as missing, and is written again.
            with contextlib.suppress(OSError, ValueError, EOFError):
                vector = np.load(self._folder / f"{digest}.npy", allow_pickle=False)
                if vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all():
                    self._known[digest] = vector
        return self._known.get(digest)

    def __getitem__(self, digest: str) -> Embeddings:
        """The embedding [D] of a photo that is in memory."""
        return self._known[digest]

    def put(self, digest: str, vector: Embeddings) -> None:
        """Store an embedding; if the folder cannot be written to, it is only computed again at the next run."""
        self._known[digest] = vector
        if self._folder:
            temporary = self._folder / f".{digest}.{os.getpid()}.npy"
            with contextlib.suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                np.save(temporary, vector, allow_pickle=False)
                temporary.replace(self._folder / f"{digest}.npy")


def cache_folder(encoder: str, root: Path | None = None) -> Path | None:
    """The folder that keeps the embeddings of an encoder between runs; None if the user turned the cache off.

    Args:
        encoder: what distinguishes it from others: name, revision, precision.
        root: the folder of all encoders' folders; None: in the user's cache.
    """
    root = root or results_cache("embeddings")
    return root / _digest([encoder.encode()]) if root else None


def encode_references(
    concepts: Iterable[Concept], encoder: Encoder, settings: Settings, cache: Cache | None = None
) -> dict[str, Embeddings]:
    """Encode the photos of concepts: [P, D] by concept name. A photo that several concepts share is encoded once.

    Raises:
        InputError: a concept has no photo, or a photo cannot be read.
        ModelError: the encoder returns numbers that are not finite for a photo.
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
    for start in range(0, len(new), BATCH):
        batch = dict(islice(new.items(), start, start + BATCH))
        vectors = encoder.images([_pixels(photo, settings) for photo in batch.values()])
        for (digest, photo), vector in zip(batch.items(), vectors, strict=True):
            if not np.isfinite(vector).all():
                raise ModelError(
                    f"the encoder returned no finite numbers for the source photo {photo.id}; try --dtype float32"
                )
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
            pixels = decode_rgb(photo.image)
        return cut_out(pixels, photo.mask) if photo.mask and settings.references == "masked" else pixels
    except InputError as error:
        raise InputError(f"the source photo {photo.id}: {error}") from error


def _content(photo: Photo, settings: Settings) -> list[Encoded]:
    return [photo.image, photo.mask if photo.mask and settings.references == "masked" else b""]


def _digest(parts: Sequence[Encoded]) -> str:
    digest = blake2b(digest_size=20)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
