"""Build a dataset folder from photos: all steps in order, each resumable."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from builder.config import BuildConfig, parse_config
from builder.engines import ENGINES
from builder.engines.base import Engine, EngineOptions
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.claim import claim
from builder.pipeline.context import WHOLE, BuildContext, Part, prepare_runtime
from builder.pipeline.finalize import Summary, finalize, last_selection
from builder.pipeline.inputs import Inputs, build_request, find_inputs
from builder.pipeline.keep import make_until_kept
from builder.pipeline.memory import give_back
from builder.pipeline.plan import Plan
from builder.pipeline.prepare import cut_out_all, paint_all
from builder.pipeline.remote import RemoteFolder, in_output
from builder.pipeline.remote_shards import RemoteEngine
from builder.pipeline.samples import Planner
from builder.pipeline.shard import make_scenes
from builder.pipeline.shard_task import MapShards
from builder.pipeline.source_photos import CutoutUse, Sources, background_use, format_quality
from builder.records import Concept
from builder.stages.plan import check_compositions
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.checked import write_checked
from mycanvas.io.text import shown
from mycanvas.models.runtime import Runtime

log = logging.getLogger("mycanvas")


def build(config: BuildConfig) -> Summary:
    """Make the dataset that a configuration describes in `config.output`, or resume it.

    Raises:
        ConfigError: the configuration and the photos do not fit together.
        InputError: there is no usable photo.
        ModelError: a required model is not available.
        StoreError: the output folder cannot be used.
    """
    return in_output(config.output, partial(_build, config))


def _build(config: BuildConfig, folder: BuildFolder) -> Summary:
    setup = set_up(config, folder)
    with claim(folder, setup.request), started(setup) as context:
        planner = cut_out_first(context, setup.inputs)
        plan = make_planned(planner)
        if config.keep is not None:
            make_until_kept(folder, with_last_selection(config, folder), plan, partial(make_planned, planner))
        return make_dataset(config, folder)


def cut_out_first(context: BuildContext, inputs: Inputs) -> Planner:
    """Cut out the photos of a build, as far as this was not done before."""
    cutouts = cut_out_all(context, inputs.concepts)
    write_sources(context, inputs, cutouts)
    concepts_in_use(inputs, cutouts, context.config)
    return Planner(context=context, inputs=inputs, cutouts=cutouts)


def prepare(planner: Planner, samples: int | None = None) -> Plan:
    """Plan the scenes of a build and paint their backgrounds, as far as this was not done before.

    Args:
        planner: of the build.
        samples: the number of scenes in all; None: as the configuration has it.
    """
    plan, cutouts = planner.plan(samples)
    write_sources(planner.context, planner.inputs, cutouts)
    paint_all(planner.context, plan)
    return plan


def make_planned(planner: Planner, samples: int | None = None) -> Plan:
    """Prepare the scenes of a build and make them, as far as this was not done before; `samples`: as for `prepare`."""
    plan = prepare(planner, samples)
    make_scenes(planner.context, plan, planner.inputs.backgrounds)
    return plan


def make_dataset(config: BuildConfig, folder: BuildFolder) -> Summary:
    """Select from the scenes, all of which are made, and write the dataset and its card."""
    give_back()
    config = with_last_selection(config, folder)
    write_checked(folder.config_file, _recorded(config))
    summary = finalize(folder, config)
    folder.publish()
    return summary


def with_last_selection(config: BuildConfig, folder: BuildFolder) -> BuildConfig:
    """A configuration with the selection made since the last build, unless it gives another."""
    if config.select.model_fields_set:
        return config
    return parse_config({**config.model_dump(mode="json"), "select": last_selection(folder)})


def _recorded(config: BuildConfig) -> dict[str, Any]:
    """The configuration as JSON types; the backgrounds are found again from any working folder."""
    values = config.model_dump(mode="json")
    return values if config.backgrounds is None else {**values, "backgrounds": str(config.backgrounds.absolute())}


def cut_out_only(config: BuildConfig) -> BuildFolder:
    """Cut out the photos of a build, and decide which cut-outs it would use; `build` with the same output continues.

    Raises:
        ConfigError, InputError, ModelError, StoreError: as `build`.
    """
    if isinstance(config.output, str):
        raise ConfigError(f"cut-outs alone are for a folder; give --output a folder, got {shown(config.output)}")
    setup = set_up(config, BuildFolder(config.output), ("segment",))
    with claim(setup.folder, setup.request), started(setup) as context:
        write_sources(context, setup.inputs, cut_out_all(context, setup.inputs.concepts))
    return setup.folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """A build whose inputs were checked. stages: those that it runs. request: what its scenes depend on."""

    config: BuildConfig
    stages: tuple[str, ...]
    inputs: Inputs
    folder: BuildFolder
    runtime: Runtime
    request: Mapping[str, Any]


def set_up(config: BuildConfig, folder: BuildFolder, only: tuple[str, ...] = ()) -> Setup:
    """Find the inputs of a build, and check them, its configuration and that its stages, or `only` some, can run.

    Args:
        config: the configuration.
        folder: where to build: that of `config.output`, this machine's copy of it, or a temporary one.
        only: stages; none: all.
    """
    inputs = find_inputs(config)
    if not only:
        check_compositions(config.compositions, [concept.name for concept in inputs.concepts])
    stages = only or tuple(config.backends())
    runtime = prepare_runtime(config, folder, stages, config.workers)
    if not folder.is_planned():  # with a plan, the stored replies may be enough
        for stage in stages:
            config.backend(stage).check(config.backend_table(stage))
    request = build_request(config, inputs, runtime.revisions)
    return Setup(config=config, stages=stages, inputs=inputs, folder=folder, runtime=runtime, request=request)


@contextmanager
def started(setup: Setup, part: Part = WHOLE) -> Iterator[BuildContext]:
    """Start the workers of a build whose folder is locked."""
    config = setup.config
    options = EngineOptions(
        folder=setup.folder.place if isinstance(setup.folder, RemoteFolder) else setup.folder.path,
        workers=config.workers if "workers" in config.model_fields_set else None,
        address=config.address,
        learned=any(config.backend(stage).learned for stage in setup.stages),
        device=config.device,
    )
    with ExitStack() as opened:
        engine: Engine = opened.enter_context(ENGINES[config.engine](options))
        map_shards: MapShards | None = None
        if isinstance(setup.folder, RemoteFolder):
            engine = remote = opened.enter_context(RemoteEngine(engine, setup.folder, config.workers))
            map_shards = remote.map_shards
        yield BuildContext(
            config=config,
            folder=setup.folder,
            engine=engine,
            runtime=setup.runtime,
            request=setup.request,
            part=part,
            map_shards=map_shards,
        )


def write_sources(context: BuildContext, inputs: Inputs, cutouts: tuple[CutoutUse, ...]) -> None:
    """Write the outcome of each photo, and the backgrounds."""
    flawed = {cutout.id: cutout.reason or "" for cutout in cutouts if not cutout.key}
    sources = Sources(
        photos=tuple(cutout for cutout in cutouts if cutout.key),
        backgrounds=tuple(map(background_use, inputs.backgrounds)),
        unreadable={rejection.sample_id: rejection.reason for rejection in inputs.rejected} | flawed,
        gate=context.config.min_quality(),
        keep_best=context.config.segment.keep_best,
        unreadable_backgrounds={rejection.sample_id: rejection.reason for rejection in inputs.rejected_backgrounds},
    )
    write_checked(context.folder.sources_file, asdict(sources))


def concepts_in_use(inputs: Inputs, cutouts: Sequence[CutoutUse], config: BuildConfig) -> list[Concept]:
    """The concepts with a cut-out that the plan is drawn with; warn if there is only one.

    Raises:
        InputError: there is none; the message says how to fix it.
    """
    shown = {cutout.concept for cutout in cutouts if cutout.in_plan}
    concepts = [concept for concept in inputs.concepts if concept.name in shown]
    if not concepts:
        raise InputError(_no_cutout(cutouts, config))
    if len(concepts) == 1 and not config.compositions and 1 not in config.sizes:
        log.warning(
            'only the concept "%s" has a photo that can be used, so that every scene shows one object; '
            "for scenes of several, add folders of other objects and build again with another --output",
            concepts[0].name,
        )
    return concepts


def _no_cutout(cutouts: Sequence[CutoutUse], config: BuildConfig) -> str:
    """Why no photo can be used, and how to fix it."""
    qualities = [cutout.quality for cutout in cutouts if cutout.quality is not None and cutout.below_gate]
    if not qualities:
        return "no photo gave a cut-out, for the reasons above; give photos of one object, or with an alpha channel"
    return (
        f"no photo gave a cut-out of quality {config.min_quality():g} (the best has "
        f"{format_quality(max(qualities))}); use each concept's best with --keep-best, or give photos with an alpha "
        "channel"
    )
