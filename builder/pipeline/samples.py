"""Plan the scenes of a build: read its plan, and append a step where more scenes are asked for than it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.context import BuildContext
from builder.pipeline.cutout_decisions import choose_more
from builder.pipeline.inputs import Inputs, background_request
from builder.pipeline.plan import Plan, PlannedScene, marker_of
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.stored_records import Marker, PlanStep
from builder.pipeline.themes import find_themes
from builder.records import Sample
from builder.stages.plan import draw_scenes, share_out
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked_or_none, write_checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Planner:
    """Reads the plan of a build and appends to it.

    cutouts: of all photos.
    """

    context: BuildContext
    inputs: Inputs
    cutouts: tuple[CutoutUse, ...]

    def plan(self, samples: int | None = None) -> tuple[Plan, tuple[CutoutUse, ...]]:
        """Read the plan, and append a step if it has fewer scenes than are asked for.

        A damaged step is drawn again, which must give the same scenes.

        Args:
            samples: the number of scenes in all; None: as the configuration has it.

        Returns:
            The plan, and the cut-outs of all photos, with those that it was drawn with.

        Raises:
            ConfigError: the configuration and the cut-outs do not fit together.
            StoreError: a step is damaged, and cannot be drawn again.
        """
        config, folder = self.context.config, self.context.folder
        plan = Plan.read(folder.plan_folder)
        while lost := marker_of(plan.folder, len(plan.steps)):
            plan = self._append(plan, lost, plan.rows + lost.rows)
        if plan.steps and config.keep is not None and samples is None:
            return plan, self.cutouts
        chosen = replace(self, cutouts=choose_more(self.cutouts)) if plan.steps else self
        # A language model on this machine is asked once for each scene, before the others.
        step = chosen.step(plan, **({"attempts": 1} if self.context.has_language_model() else {}))
        grown = chosen._append(plan, step, samples or config.first_samples())
        if grown == plan:
            return plan, self.cutouts
        write_checked(folder.request_file, step.request)
        return grown, chosen.cutouts

    def is_complete(self) -> bool:
        """Whether the plan is whole and has all scenes that are asked for, so that `plan` would only read it."""
        config, folder = self.context.config, self.context.folder.plan_folder
        plan = Plan.read(folder)
        if not plan.steps or marker_of(folder, len(plan.steps)):
            return False
        used = {cutout.concept for cutout in self.cutouts if cutout.used}
        names = [concept.name for concept in self.inputs.concepts if concept.name in used]
        return config.keep is not None or not share_out(
            names, self._config(config.first_samples()), plan.compositions()
        )

    def draw(
        self, plan: Plan, cutouts: Mapping[str, str], request: Mapping[str, object], total: int
    ) -> Iterator[Sample]:
        """Draw the scenes that a plan lacks to have `total`, or the number of each composition that is given.

        Args:
            plan: the earlier steps.
            cutouts: the cut-outs that scenes may show, by photo.
            request: what scenes may depend on: other backgrounds are not shown.
            total: the number of scenes in all.
        """
        config = self._config(total)
        usable = planned_photos(cutout for cutout in self.cutouts if cutout.id in cutouts)
        concepts = {concept.name: concept for concept in self.inputs.concepts if concept.name in usable}
        backgrounds = [each for each in self.inputs.backgrounds if background_request([each]).keys() <= request.keys()]
        shares = share_out([*concepts], config, plan.compositions())
        if not shares:
            return iter(())
        members = [tuple(concepts[name] for name in share.composition) for share in shares]
        themes = find_themes(self.context, members, backgrounds)
        return draw_scenes(shares, list(concepts.values()), usable, backgrounds, config, themes)

    def _config(self, total: int) -> BuildConfig:
        """The configuration of a plan with a number of scenes in all."""
        config = self.context.config.model_copy(update={"samples": total})
        return config if config.keep is None else config.model_copy(update={"samples_per_composition": None})

    def _append(self, plan: Plan, step: PlanStep, total: int) -> Plan:
        """Append a step with the scenes that are missing, if any are.

        Args:
            plan: the earlier steps.
            step: its `sha256` and `rows` count only if it is a damaged one, which is drawn again.
            total: the number of scenes in all.
        """
        samples = self.draw(plan, step.cutouts, step.request, total)
        first = next(samples, None)
        if first is None:
            return plan

        def check(drawn: PlanStep) -> None:
            grown = replace(plan, steps=(*plan.steps, drawn))
            if step.sha256 not in {"", drawn.sha256} or _has_other_scenes(self.context.folder, grown):
                raise StoreError(
                    f"step {len(plan.steps)} of the plan in {plan.folder} is damaged, and cannot be restored, as "
                    "photos or decisions about cut-outs have changed since; restore it from a copy, or build with "
                    "another --output"
                )

        drawn = plan.write_scenes(step, self.with_cutouts(step, chain([first], samples)), check)
        plan.write_marker(drawn)
        return replace(plan, steps=(*plan.steps, drawn))

    def write(self, samples: Iterable[Sample]) -> Plan:
        """Write some scenes as the whole plan of a folder that has none; each is drawn once."""
        plan = Plan(folder=self.context.folder.plan_folder, steps=())
        step = self.step(plan, attempts=1)
        step = plan.write_scenes(step, self.with_cutouts(step, samples))
        plan.write_marker(step)
        return replace(plan, steps=(step,))

    def with_cutouts(self, step: PlanStep, samples: Iterable[Sample]) -> Iterator[PlannedScene]:
        """Add the cut-outs of each sample's photos, which a step of the plan was drawn with."""
        qualities = {cutout.id: cutout.quality or 0.0 for cutout in self.cutouts}
        for sample in samples:
            yield PlannedScene(
                sample=sample,
                cutouts=tuple([step.cutouts[photo] for photo in sample.photo_ids]),
                qualities=tuple([qualities[photo] for photo in sample.photo_ids]),
            )

    def step(self, plan: Plan, **select: object) -> PlanStep:
        """The next step, whose scenes are not drawn yet.

        A first one shows the cut-outs that it was drawn with before, if it was lost; another those that people have not
        refused since.

        Args:
            plan: the earlier steps.
            select: keys of [select] with other values than the configuration's.
        """
        used = [cutout for cutout in self.cutouts if cutout.in_plan and (cutout.used or not plan.steps)]
        return PlanStep(
            request=self.context.request,
            select={**self.context.config.select.model_dump(mode="json"), **select},
            cutouts={cutout.id: cutout.key for cutout in used},
            sha256="",
            rows=1,
            shard_size=self.context.config.shard_size,
        )


def _has_other_scenes(folder: BuildFolder, plan: Plan) -> bool:
    """Whether scenes were made of another last step than this plan has."""
    own = (shard for shard in reversed(plan.shards()) if shard.step == len(plan.steps) - 1)
    files = (folder.candidate_file(shard.number).with_suffix(".json") for shard in own)
    markers = (read_checked_or_none(file, Marker) for file in files if file.is_file())
    return any(marker is not None and marker.plan != plan.steps[-1].sha256 for marker in markers)


def planned_photos(cutouts: Iterable[CutoutUse]) -> Mapping[str, Sequence[str]]:
    """Map each concept to the ids of the photos whose cut-outs scenes may show."""
    planned: defaultdict[str, list[str]] = defaultdict(list)
    for cutout in cutouts:
        if cutout.in_plan:
            planned[cutout.concept].append(cutout.id)
    return planned
