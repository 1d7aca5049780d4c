"""Compute the RGBA layers of the scenes of a finished build.

A build stores no layers: they would make its shards several times as large. It is deterministic, so scenes are composed
again from the plan, the seed, and the cut-outs, painted backgrounds and replies of a language model in .build. Photos
of backgrounds are read again from their folder. A scene is refused if its mask or boxes differ from the stored ones.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from builder.config import parse_config
from builder.engines.local import LocalEngine
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import changes
from builder.pipeline.context import BuildContext, prepare_runtime
from builder.pipeline.inputs import BACKGROUND, background_request, find_build_backgrounds
from builder.pipeline.prepare import one_thread
from builder.pipeline.samples import draw_samples
from builder.pipeline.shard import ShardTask, read_settings
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.stage_runner import StageRunner
from builder.records import BackgroundRef, Canvas, Concept, Sample
from builder.stages.layout import LAYOUTS, arrange
from builder.stages.paste import paste
from builder.stages.repaint import REPAINTERS
from mycanvas import __version__
from mycanvas.dataset import Scene
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import read_checked
from mycanvas.io.images import decode_rgb
from mycanvas.io.layers import PictureLayer


class SceneLayers:
    """Computes the layers of the scenes of one build.

    Args:
        path: the folder of a finished build.

    Raises:
        StoreError: the folder is not that of a build, or it was built with another version or other backgrounds.
        InputError: the photos of backgrounds cannot be read.
        ModelError: a language model made the layouts, and it is not available.
    """

    def __init__(self, path: Path) -> None:
        if not (path / ".build").is_dir():
            raise StoreError(
                f"{path} has no .build folder, whose cut-outs are needed to make layers; "
                "give the folder that `mycanvas build` wrote, not a copy of its dataset"
            )
        self._folder = BuildFolder.open(path)
        self._config = parse_config(read_checked(self._folder.config_file, dict[str, Any]))
        self._runtime = prepare_runtime(self._config, self._folder, ["layout"], workers=1)
        sources = self._folder.sources().photos
        self._keys = {photo.id: photo.key for photo in sources if photo.in_plan}
        self._qualities = {photo.id: photo.quality or 0.0 for photo in sources if photo.id in self._keys}
        self._samples = {sample.id: sample for sample in self._plan(sources)}

    @one_thread()
    def __call__(self, scene: Scene) -> tuple[PictureLayer, ...]:
        """The layers of a scene, back to front: its background, its shadow if there is one, and its objects.

        Raises:
            StoreError: the scene differs from the stored one, or a file of the build is damaged.
        """
        canvas = self._canvas(scene)
        mask = np.asarray(Image.open(io.BytesIO(scene.mask), formats=["PNG"]))
        if not (np.array_equal(mask, canvas.mask) and np.allclose(canvas.boxes, scene.boxes)):
            raise self._differs(scene, "its objects have other visible pixels")
        repainter = REPAINTERS[self._config.backend_name("repaint")]
        table = self._config.backend_table("repaint")
        return repainter.layers(table, canvas, decode_rgb(scene.image), self._config.seed)

    def _canvas(self, scene: Scene) -> Canvas:
        """Compose a scene again, up to the repainting."""
        sample = self._samples.get(scene.id)
        if sample is None or sample.photo_ids != scene.source_images:
            raise self._differs(scene, "the plan has another scene with this id, or none")
        task = ShardTask(
            folder=self._folder.path,
            shard=0,
            samples=(sample,),
            keys=self._keys,
            qualities=self._qualities,
            config=self._config,
            runtime=self._runtime,
            provenance={},
        )
        stages = StageRunner(self._config, self._runtime)
        settings = list(read_settings([sample], self._folder, task))
        canvases = stages.collect(paste(stages.run("layout", LAYOUTS, arrange, settings, self._config.layout)))
        if not canvases:
            raise self._differs(scene, "; ".join(rejected.reason for rejected in stages.pop_rejected()))
        return canvases[0]

    def _differs(self, scene: Scene, reason: str) -> StoreError:
        return StoreError(
            f"scene {scene.id} of {self._folder.path} cannot be composed again as it is stored: {reason}; "
            "packages may have changed since the build, so build again with another --output"
        )

    def _plan(self, photos: Sequence[CutoutUse]) -> tuple[Sample, ...]:
        """Draw the plan again, with what plan.json leaves out: concepts, phrases and sizes."""
        config, folder = self._config, self._folder
        backgrounds = self._backgrounds()
        self._check_request(backgrounds)
        concepts = {photo.concept: _concept(photo) for photo in photos if photo.in_plan}
        context = BuildContext(config=config, folder=folder, engine=LocalEngine(1), runtime=self._runtime)
        return draw_samples(context, list(concepts.values()), photos, backgrounds)

    def _backgrounds(self) -> tuple[BackgroundRef, ...]:
        """The photos of backgrounds, in the folder that the build recorded."""
        photos = self._config.backgrounds
        if photos is not None and not photos.exists():
            raise InputError(
                f"{self._folder.path} was built with backgrounds in {photos}, which does not exist; layers need them "
                "there, so put them back, or build again with another --output"
            )
        return find_build_backgrounds(self._config)[0]

    def _check_request(self, backgrounds: Sequence[BackgroundRef]) -> None:
        """Check that the version and the backgrounds are those of the build."""
        request = self._folder.request()
        now: Mapping[str, Any] = {"mycanvas": __version__, **background_request(backgrounds)}
        before = {name: value for name, value in request.items() if name in now or name.startswith(BACKGROUND)}
        # As JSON, in which the request is stored.
        if found := changes(before, json.loads(json.dumps(now))):
            lines = [f"{self._folder.path} cannot be composed again, because it was built with another configuration"]
            raise StoreError("\n".join([*lines, *found, "Restore it, or build again with another --output."]))


def _concept(photo: CutoutUse) -> Concept:
    """The concept of a photo, without its photos, which the stages after cutting out do not read."""
    return Concept(
        name=photo.concept,
        token=photo.token,
        class_noun=photo.class_noun,
        height_cm=photo.height_cm,
        height_guessed=photo.height_guessed,
        photos=(),
    )
