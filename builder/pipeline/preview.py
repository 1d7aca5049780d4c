"""Preview a build: all of its cut-outs and a few of its scenes, in a temporary folder that is always removed.

The scenes are among those of the build's own plan. Cut-outs and painted backgrounds go to the user's cache, from which
the build takes them.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from builder.config import BuildConfig
from builder.engines.base import on_stop_signal
from builder.pipeline.annotations import Annotations
from builder.pipeline.build import concepts_in_use, set_up, started, write_sources
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import refused
from builder.pipeline.claim import claim
from builder.pipeline.context import BuildContext
from builder.pipeline.inputs import Inputs
from builder.pipeline.made import judge, read_made
from builder.pipeline.prepare import cut_out_all, paint_all
from builder.pipeline.rows import Row
from builder.pipeline.samples import Planner, planned_photos
from builder.pipeline.shard import make_scenes
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.themes import find_themes
from builder.records import Rejected, Sample
from builder.stages.plan import draw_plan
from builder.stages.select import select
from mycanvas.dataset import Scene
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked_or_none
from mycanvas.schema import SPLITS, split_of

_PREFIX = "mycanvas-preview-"
_STALE = 3600
"""Seconds after which the folder of a killed preview is removed by the next one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewScenes:
    """A few scenes of a build.

    scenes: those that were made, by split. dropped: id -> the rule by which the build's selection drops a scene.
    rejected: those that could not be made. planned: the number of scenes of the whole build.
    """

    scenes: tuple[Scene, ...]
    dropped: Mapping[str, str]
    rejected: tuple[Rejected, ...]
    planned: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A build that was begun in a temporary folder: every photo is cut out, and no scene is made yet.

    differs: whether the output folder holds a build of another configuration, which the build will refuse.
    """

    context: BuildContext
    inputs: Inputs
    cutouts: tuple[CutoutUse, ...]
    differs: bool

    @property
    def folder(self) -> BuildFolder:
        """The temporary folder."""
        return self.context.folder

    def make(self, count: int) -> PreviewScenes:
        """Make at most `count` scenes of the build, spread over its splits and compositions.

        Raises:
            ConfigError: the configuration and the cut-outs do not fit together.
            InputError: no photo gave a cut-out that can be used.
            ModelError: a model failed.
            StoreError: the temporary folder cannot be written.
        """
        every = self._plan({})
        chosen = spread(every, count)
        if themes := self._themes(chosen):
            ids = {sample.id for sample in chosen}
            chosen = spread([sample for sample in self._plan(themes) if sample.id in ids], count)
        config = self.context.config
        if not config.learned():  # a part for each worker
            config = config.model_copy(update={"shard_size": -(-len(chosen) // config.workers)})
        context = replace(self.context, config=config)
        plan = Planner(context=context, inputs=self.inputs, cutouts=self.cutouts).write(chosen)
        paint_all(context, plan)
        make_scenes(context, plan, self.inputs.backgrounds)
        markers = dict(self.folder.markers())
        rows = [row for index in markers for row in self.folder.candidates(index)]
        judged = judge(
            read_made(self.folder, plan, markers), self.cutouts, Annotations()
        )  # nobody has seen these scenes
        return PreviewScenes(
            scenes=tuple(map(_scene, rows)),
            dropped=select(judged, config.select).dropped,
            rejected=tuple(chain.from_iterable(marker.rejected for marker in markers.values())),
            planned=len(every),
        )

    def _plan(self, themes: Mapping[tuple[str, ...], Any]) -> tuple[Sample, ...]:
        """Draw the plan of the whole build, in which a sample depends only on its own composition's theme."""
        config = self.context.config
        config = config.model_copy(update={"samples": config.first_samples()})
        concepts = concepts_in_use(self.inputs, self.cutouts, config)
        return draw_plan(concepts, planned_photos(self.cutouts), self.inputs.backgrounds, config, themes)

    def _themes(self, samples: Sequence[Sample]) -> Mapping[tuple[str, ...], Any]:
        """Ask for the themes of these samples' compositions alone."""
        compositions = list({sample.composition: sample.concepts for sample in samples}.values())
        return find_themes(self.context, compositions, self.inputs.backgrounds)


@contextmanager
def preview(config: BuildConfig) -> Iterator[Preview]:
    """Begin a build in a temporary folder, which is removed at the end, and cut out its photos.

    Nothing is written at `config.output`; it is only checked as a build checks it.

    Raises:
        ConfigError, InputError, ModelError, StoreError: as `build`.
    """
    output = BuildFolder(config.folder)
    output.check_ownership()
    with _temporary_folder() as path:
        setup = set_up(config, BuildFolder(path))
        with claim(setup.folder, setup.request), started(setup) as context:
            cutouts = cut_out_all(context, setup.inputs.concepts)
            write_sources(context, setup.inputs, cutouts)
            differs = _differs(output, setup.folder)
            yield Preview(context=context, inputs=setup.inputs, cutouts=cutouts, differs=differs)


def spread(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """Choose at most `count` samples: from the splits in turn, and in a split from its compositions in turn.

    Returns:
        The chosen samples, split by split.
    """
    turns: Counter[str] = Counter()
    by_split: defaultdict[str, list[tuple[int, Sample]]] = defaultdict(list)
    for sample in samples:
        by_split[split_of(len(sample.concepts))].append((turns[sample.composition], sample))
        turns[sample.composition] += 1
    own = [sorted(by_split[split], key=lambda turn: turn[0]) for split in SPLITS]  # the first of each composition first
    in_turn = [sample for turn in zip_longest(*own) for entry in turn if entry for sample in entry[1:]]
    return tuple(sorted(in_turn[:count], key=lambda sample: SPLITS.index(split_of(len(sample.concepts)))))


def _differs(output: BuildFolder, begun: BuildFolder) -> bool:
    """Whether a build in `output` has a plan of another request than the build that has begun."""
    before = read_checked_or_none(output.request_file, dict[str, Any])
    return bool(before and output.is_planned() and refused(before, begun.request()))


def _scene(row: Row) -> Scene:
    """Convert a row of candidates to a scene of the dataset."""
    values = {name: value for name, value in row.items() if name not in {"num_objects", "fingerprint"}}
    values |= {name: row[name]["bytes"] for name in ("image", "mask")}
    values |= {name: tuple(row[name]) for name in ("concept_tokens", "class_names", "source_images")}
    boxes = tuple(tuple(box) for box in row["boxes"])
    return Scene(**{**values, "boxes": boxes, "split": split_of(row["num_objects"])})


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Make a temporary folder and remove it at the end, also after an error or Ctrl-C."""
    for left in _left_folders(Path(tempfile.gettempdir())):
        shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        yield path
    finally:
        with on_stop_signal(lambda *_: None):  # a second Ctrl-C does not stop the removal
            shutil.rmtree(path, ignore_errors=True)


def _left_folders(parent: Path) -> Iterator[Path]:
    """The folders of this user's previews that were killed, so that no process holds their locks."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, StoreError):
            facts = path.lstat()
            old = time.time() - facts.st_mtime > _STALE
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and old:
                with BuildFolder(path).locked():
                    pass
                yield path
