"""Which models a configuration needs, and where they lie once they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.config import BuildConfig
from mycanvas.models import Kind, Snapshot, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One model of one stage. name: as the configuration gives it."""

    stage: str
    name: str
    kind: Kind


def needs(config: BuildConfig) -> tuple[Need, ...]:
    """Every model that the stages of a build run on this machine, in the order of the stages."""
    return tuple(need for stage in config.learned() for need in _of_stage(stage, config))


def _of_stage(stage: str, config: BuildConfig) -> Iterator[Need]:
    if stage == "layout" and config.layout.llm.base_url is None:
        yield Need(stage=stage, name=config.layout.llm.model, kind="transformers")
    if stage == "repaint":
        diffusion = config.repaint.diffusion
        yield Need(stage=stage, name=diffusion.model, kind="diffusers")
        if diffusion.refiner is not None:
            yield Need(stage=stage, name=diffusion.refiner, kind="diffusers")
    if stage == "caption":
        yield Need(stage=stage, name=config.caption.vlm.model, kind="transformers")
    if stage == "score":
        yield Need(stage=stage, name=config.score.clip.encoder, kind="transformers")
        yield Need(stage=stage, name=config.score.clip.detector, kind="transformers")


def fetch_needs(config: BuildConfig) -> Mapping[str, Snapshot]:
    """Every needed model on this machine, by its name in the configuration; downloaded where it is not yet.

    Raises:
        ModelError: one cannot be had.
    """
    return {need.name: fetch(need.name, need.kind) for need in needs(config)}


def backends_with_models(config: BuildConfig, revisions: Mapping[str, str]) -> dict[str, str]:
    """Stage -> its backend, with the models that it runs and their revisions: "diffusion owner/name@revision"."""
    found = config.backends()
    for need in needs(config):
        found[need.stage] += f" {need.name.partition('@')[0]}@{revisions.get(need.name, '?')}"
    return found
