"""Captioned -> Candidate: what select judges a scene by (Gen4Gen's filter, done by measurement instead of by hand)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from builder.config.schema import ScoreConfig
from builder.pipeline.backends import Runtime
from builder.records import Candidate, Captioned, Rejected
from builder.stages.score.fingerprint import fingerprint


class Scorer(Protocol):
    """Measures finished scenes."""

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterable[Mapping[str, float] | Rejected]:
        """The scores of each scene, by the names of `mycanvas.schema.SCORES`, in order; or why it cannot be judged."""
        ...


def score(batch: Sequence[Captioned], backend: Scorer, seed: int) -> Iterator[Candidate | Rejected]:
    """Give each scene its scores and its fingerprint; one result per scene, in order."""
    for captioned, scores in zip(batch, backend.score(batch, seed), strict=True):
        if isinstance(scores, Rejected):
            yield scores
        else:
            yield Candidate(captioned=captioned, scores=scores, fingerprint=fingerprint(captioned.scene.image))


def _classical(_config: ScoreConfig, _runtime: Runtime) -> Scorer:
    from builder.stages.score.classical import Classical

    return Classical()


def _clip(config: ScoreConfig, runtime: Runtime) -> Scorer:
    from builder.stages.score.clip import Clip
    from mycanvas.models.detectors import load_detector
    from mycanvas.models.encoders import load_encoder

    clip, device, dtype = config.clip, runtime.device, runtime.dtype
    encoder = load_encoder(runtime.model(clip.encoder), device=device, dtype=dtype, batch_size=clip.batch_size)
    detector = load_detector(
        runtime.model(clip.detector),
        threshold=clip.threshold,
        device=device,
        dtype=dtype,
        batch_size=clip.batch_size,
    )
    return Clip(encoder, detector, clip)


SCORERS: Mapping[str, Callable[[ScoreConfig, Runtime], Scorer]] = {"classical": _classical, "clip": _clip}
