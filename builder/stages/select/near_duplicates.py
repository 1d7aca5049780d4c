"""Find near-duplicates of pictures by multi-index hashing of their fingerprints (Norouzi et al., arXiv 1307.2982)."""

from __future__ import annotations

from array import array
from itertools import pairwise

import numpy as np

BITS = 64
MOST_PARTS = 16
"""With parts of fewer than four bits, almost every fingerprint shares one with every other: then there is one table."""
SHORT = 32
"""Fingerprints of a bucket that are compared one by one; more are compared with NumPy."""


class NearDuplicates:
    """A set of 64-bit fingerprints that finds one within a few bits of another.

    Two fingerprints that differ in at most n bits are equal in one of n + 1 parts: only those are compared.

    Args:
        bits: the maximum difference; -1: none is near.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        parts = bits + 1 if bits < MOST_PARTS else 1
        edges = [BITS * part // parts for part in range(parts + 1)] if parts else []
        self._parts = [(low, (1 << (high - low)) - 1) for low, high in pairwise(edges)]
        if parts == 1 and bits:
            self._parts = [(0, 0)]
        self._tables: list[dict[int, array[int]]] = [{} for _ in self._parts]

    def has_near(self, fingerprint: int) -> bool:
        """Whether an added fingerprint differs in at most `bits` bits."""
        return any(
            bucket is not None and self._is_near(fingerprint, bucket)
            for (low, mask), table in zip(self._parts, self._tables, strict=True)
            for bucket in (table.get(fingerprint >> low & mask),)
        )

    def add(self, fingerprint: int) -> None:
        """Add a fingerprint."""
        for (low, mask), table in zip(self._parts, self._tables, strict=True):
            table.setdefault(fingerprint >> low & mask, array("Q")).append(fingerprint)

    def _is_near(self, fingerprint: int, bucket: array[int]) -> bool:
        if len(bucket) <= SHORT:
            return any((fingerprint ^ other).bit_count() <= self._bits for other in bucket)
        differences = np.bitwise_count(np.frombuffer(bucket, np.uint64) ^ np.uint64(fingerprint))
        return bool((differences <= self._bits).any())
