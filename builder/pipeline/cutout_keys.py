"""The names of the files of cut-outs in a build folder."""

from __future__ import annotations

import hashlib
import json

from builder.config import BuildConfig
from builder.pipeline.context import BuildContext
from builder.records import PhotoFile
from mycanvas import __version__

PHOTO_SIDE = 2048
"""Longest side in pixels to which a source photo is scaled before it is cut out and published."""


def cutout_key(photo: PhotoFile, context: BuildContext) -> str:
    """The name of a cut-out's files: a digest of the photo's content and all settings that change the pixels."""
    config = context.config
    parameters = {name: value for name, value in config.scene_identity().items() if name.startswith("segment.")}
    networks = config.backend("segment").required_models(config.backend_table("segment"))
    revisions = {model.name: context.runtime.revisions[model.name] for model in networks}
    parts = [__version__, photo.sha256, PHOTO_SIDE, cutout_side(config), {**parameters, **revisions}]
    if photo.outline:
        parts.append(photo.outline.sha256)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def cutout_side(config: BuildConfig) -> int:
    """The longest side at which a cut-out is kept: no scene shows it larger."""
    return max(map(max, config.scene_sizes()))
