"""Find and check the inputs of a build (concepts and backgrounds), and make the request that identifies the build."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.config import BuildConfig
from builder.pipeline.build_folder import MODEL, BuildFolder
from builder.pipeline.changes import built_otherwise, refused
from builder.pipeline.own_files import enclosing_build
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.records import BackgroundRef, Concept, Rejected
from builder.sources.background_photos import find_backgrounds
from builder.sources.concepts import find_concepts
from builder.sources.hub_datasets import fetch_concepts
from builder.sources.overrides import with_reviews
from builder.stages.backgrounds import procedural_backgrounds
from mycanvas import __version__
from mycanvas.errors import ConfigError
from mycanvas.io.files import is_inside
from mycanvas.io.text import is_utf8, shown

log = logging.getLogger("mycanvas")

BACKGROUND = "background "
"""Prefix of a background's name in the request of a build."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The concepts and backgrounds of a build. rejected, rejected_backgrounds: photos and folders that are not used."""

    concepts: tuple[Concept, ...]
    backgrounds: tuple[BackgroundRef, ...]
    rejected: tuple[Rejected, ...]
    rejected_backgrounds: tuple[Rejected, ...] = ()


def find_inputs(config: BuildConfig) -> Inputs:
    """Find and check the photos of concepts and backgrounds; warn about each one that is left out.

    Raises:
        ConfigError: the output folder is within an input folder or another dataset, or names, nouns or phrases are
            invalid.
        InputError: there is no usable photo.
        HubError: a dataset on the Hub is not available.
        StoreError: a person's decision about a cut-out is damaged.
    """
    _check_output_is_elsewhere(config)
    concepts = find_concepts(config.concepts if isinstance(config.concepts, Path) else fetch_concepts(config.concepts))
    for rejection in concepts.rejected:
        log.warning('"%s" is left out: %s', rejection.sample_id, rejection.reason)
    backgrounds, rejected = find_build_backgrounds(config)
    return Inputs(
        concepts=with_reviews(concepts.concepts, build_reviews(BuildFolder(config.folder))),
        backgrounds=backgrounds,
        rejected=concepts.rejected,
        rejected_backgrounds=rejected,
    )


def find_build_backgrounds(config: BuildConfig) -> tuple[tuple[BackgroundRef, ...], tuple[Rejected, ...]]:
    """Find and check the backgrounds of a build, and those that are left out, with a warning for each.

    Raises:
        ConfigError: phrases are invalid.
        InputError: there is no usable photo.
    """
    if config.backgrounds is None:
        return procedural_backgrounds(), ()
    found = find_backgrounds(config.backgrounds)
    for rejection in found.rejected:
        log.warning('background "%s" is left out: %s', rejection.sample_id, rejection.reason)
    return found.backgrounds, found.rejected


def build_request(config: BuildConfig, inputs: Inputs, revisions: Mapping[str, str]) -> dict[str, Any]:
    """Collect everything that the plan depends on, flat, so that an error can name the settings that changed.

    Decisions about cut-outs and the gate are not in it: they may change at any time, and the plan records the cut-outs
    that it was drawn with (planned_cutouts.py).

    Args:
        config: the configuration; photos are identified by their content, not by their path.
        inputs: the concepts and backgrounds of the build.
        revisions: model name in the configuration -> revision, for each required model.
    """
    request = {"mycanvas": __version__, **config.scene_identity()}
    request |= {f"{MODEL}{name}": revision for name, revision in revisions.items()}
    for stage, name in config.backends().items():
        identity = config.backend(stage).identity(config.backend_table(stage))
        request |= {f"{stage}.{name}.{key}": value for key, value in identity.items()}
    for concept in inputs.concepts:
        request[f"concept {concept.name}"] = [concept.token, concept.class_noun, concept.height_cm]
        request |= {f"photo {photo.id}": photo.sha256 for photo in concept.photos}
    request |= background_request(inputs.backgrounds)
    return request


def background_request(backgrounds: Sequence[BackgroundRef]) -> dict[str, Any]:
    """The part of a build's request that identifies its backgrounds."""
    request: dict[str, Any] = {}
    for background in backgrounds:
        if background.photo is None:
            request[f"{BACKGROUND}{background.scene} {background.variant}"] = background.phrase
        else:
            geometry = [background.phrase, background.horizon, background.ground]
            request[f"{BACKGROUND}{background.photo.id}"] = [background.photo.sha256, *geometry]
    return request


def check_output(config: BuildConfig, concepts: Collection[str]) -> None:
    """Refuse an output folder that the build is sure to refuse, before its photos exist; `claim` checks the rest.

    Args:
        config: of the build.
        concepts: the names of its concepts.

    Raises:
        ConfigError: the output folder is within an input folder or another dataset, or its name is not UTF-8.
        StoreError: it holds something else, or a build of other concepts or settings.
    """
    _check_output_is_elsewhere(config)
    folder = BuildFolder(config.folder)
    if not (folder.check_ownership() and folder.is_planned()):
        return
    before, names = folder.request(), {f"concept {name}" for name in concepts}
    now = {"mycanvas": __version__, **config.scene_identity()} | {name: before.get(name, True) for name in names}
    known = {name: value for name, value in before.items() if name in now or name.startswith("concept ")}
    if found := refused(known, now):
        raise built_otherwise(config.output, found)


def _check_output_is_elsewhere(config: BuildConfig) -> None:
    """Refuse an output folder that no dataset can be loaded from, or that is among photos or in another dataset."""
    if not is_utf8(output := os.path.abspath(config.folder)):
        raise ConfigError(
            f"the path {shown(output)} is not UTF-8; rename its folders, or give --output a folder elsewhere"
        )
    for name, folder in (("concepts", config.concepts), ("backgrounds", config.backgrounds)):
        if isinstance(folder, Path) and os.path.isdir(folder) and is_inside(config.folder, folder):
            raise ConfigError(
                f"the output {config.output} is in the folder of {name}, {folder}, where it would be read as photos; "
                "give --output a folder elsewhere"
            )
    if other := enclosing_build(config.folder):
        raise ConfigError(
            f"the output {config.output} is in the dataset's folder {other}, where readers would take it for a part of "
            "that dataset; give --output a folder elsewhere"
        )
