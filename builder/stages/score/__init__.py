"""Captioned -> Candidate: the scores by which select filters scenes (Gen4Gen filters by hand)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from builder.records import Candidate, Captioned, Rejected
from builder.stages.score.base import ScoreConfig, Scorer
from builder.stages.score.classical import Classical
from builder.stages.score.clip import Clip
from builder.stages.score.perceptual_hash import fingerprint

SCORERS: Mapping[str, type[Scorer]] = {"classical": Classical, "clip": Clip}


def score(
    batch: Sequence[Captioned],
    backend: Scorer,
    config: ScoreConfig,  # noqa: ARG001 - every stage takes one
    seed: int,
) -> Iterator[Candidate | Rejected]:
    """Compute each scene's scores and fingerprint; one result per scene, in order."""
    for captioned, scores in zip(batch, backend.score(batch, seed), strict=True):
        if isinstance(scores, Rejected):
            yield scores
        else:
            yield Candidate(captioned=captioned, scores=scores, fingerprint=fingerprint(captioned.scene.image))
