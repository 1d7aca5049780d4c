"""Photos -> a dataset folder: the whole way, each step resumable."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from builder.config.schema import BuildConfig, parse_config
from builder.engines import ENGINES, Engine
from builder.pipeline.backends import Runtime
from builder.pipeline.build_folder import MODEL, BuildFolder
from builder.pipeline.finalize import Summary, finish, last_selection
from builder.pipeline.prepare import PHOTO_SIDE, PaintTask, PhotoReport, PhotoTask, cut_out, paint
from builder.pipeline.required_models import backends_with_models, fetch_needs, needs
from builder.pipeline.shard import ShardTask, make_shard
from builder.pipeline.source_photos import PhotoUse, Sources, judge_photos, shown, use_of
from builder.pipeline.themes import find_themes, reach_model
from builder.records import BackgroundRef, Concept, PhotoFile, Rejected, Sample
from builder.sources.concepts import find_concepts
from builder.sources.hub_datasets import fetch_concepts
from builder.stages.backgrounds import find_backgrounds, procedural_backgrounds
from builder.stages.layout.examples import digest_of_examples
from builder.stages.plan import check_compositions, choose_compositions, draw_plan
from mycanvas import __version__
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.files import write_json, write_text
from mycanvas.models import cores

log = logging.getLogger("mycanvas")


def build(config: BuildConfig) -> Summary:
    """Make the dataset that `config` asks for in `config.output`, or go on making it.

    Raises:
        ConfigError: the configuration and the photos do not fit together.
        InputError: no usable photo.
        StoreError: the output folder cannot be used.
    """
    _check_output(config)
    concepts, unreadable = _concepts(config)
    check_compositions(config.compositions, [concept.name for concept in concepts])
    backgrounds, unusable = _backgrounds(config)
    folder = BuildFolder(config.output)
    models = fetch_needs(config)
    revisions = {name: model.revision for name, model in models.items()}
    runtime = Runtime(
        device=config.device,
        dtype=config.dtype,
        memory=config.memory,
        threads=max(1, cores() // config.workers),
        models={name: model.path for name, model in models.items()},
        revisions=revisions,
        replies=folder.replies,
    )
    if not folder.plan_file.is_file():  # later, what was said before may do
        reach_model(config)
    request = _request(config, concepts, backgrounds, revisions)
    with folder.claim(request), ENGINES["local"](config.workers) as engine:
        photos = _cut_out_all(folder, concepts, config, engine, runtime, revisions)
        sources = Sources(
            photos=photos,
            backgrounds=tuple(map(use_of, backgrounds)),
            unreadable={rejection.sample_id: rejection.reason for rejection in (*unreadable, *unusable)},
        )
        write_json(folder.sources_file, asdict(sources))
        samples = _plan(folder, concepts, photos, backgrounds, config, engine, runtime)
        _paint_all(folder, samples, engine)
        _make_scenes(folder, samples, photos, config, engine, runtime)
        if "select" not in config.model_fields_set:  # a selection made since stays until another is asked for
            config = parse_config({**config.model_dump(mode="json"), "select": last_selection(folder)})
        write_json(folder.config_file, config.model_dump(mode="json"))
        return finish(folder, config)


def _check_output(config: BuildConfig) -> None:
    """Raises ConfigError if what is built would be found among what it is built from."""
    for name, folder in (("concepts", config.concepts), ("backgrounds", config.backgrounds)):
        if isinstance(folder, Path) and folder.is_dir() and config.output.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(
                f"the output {config.output} lies in the folder of {name}, {folder}, where it would be taken for "
                "photos; give --output a folder elsewhere"
            )


def _concepts(config: BuildConfig) -> tuple[tuple[Concept, ...], tuple[Rejected, ...]]:
    source = config.concepts if isinstance(config.concepts, Path) else fetch_concepts(config.concepts)
    found = find_concepts(source)
    for rejection in found.rejected:
        log.warning("%s is left out: %s", rejection.sample_id, rejection.reason)
    return found.concepts, found.rejected


def _backgrounds(config: BuildConfig) -> tuple[tuple[BackgroundRef, ...], tuple[Rejected, ...]]:
    if config.backgrounds is None:
        return procedural_backgrounds(), ()
    found = find_backgrounds(config.backgrounds)
    for rejection in found.rejected:
        log.warning("background %s is left out: %s", rejection.sample_id, rejection.reason)
    return found.backgrounds, found.rejected


def _request(
    config: BuildConfig,
    concepts: Sequence[Concept],
    backgrounds: Sequence[BackgroundRef],
    revisions: Mapping[str, str],
) -> dict[str, Any]:
    """Everything that the scenes depend on, flat, so that a change can be named."""
    request = {"mycanvas": __version__, **config.identity()}
    request |= {f"{MODEL}{name}": revision for name, revision in revisions.items()}
    if "layout" in config.learned() and config.layout.llm.examples is not None:
        request["layout.llm.examples"] = digest_of_examples(config.layout.llm.examples)
    for concept in concepts:
        request[f"concept {concept.name}"] = [concept.token, concept.class_noun, concept.height_cm]
        request |= {f"photo {photo.id}": photo.sha256 for photo in concept.photos}
    for background in backgrounds:
        if background.photo is None:
            request[f"background {background.scene} {background.variant}"] = background.phrase
        else:
            geometry = [background.phrase, background.horizon, background.ground]
            request[f"background {background.photo.id}"] = [background.photo.sha256, *geometry]
    return request


def _cut_out_all(
    folder: BuildFolder,
    concepts: Sequence[Concept],
    config: BuildConfig,
    engine: Engine,
    runtime: Runtime,
    revisions: Mapping[str, str],
) -> tuple[PhotoUse, ...]:
    photos = [photo for concept in concepts for photo in concept.photos]
    step = config.segment.together()
    network = {need.name: revisions[need.name] for need in needs(config) if need.stage == "segment"}
    tasks = [
        PhotoTask(
            folder=folder.path,
            photos=tuple(batch),
            keys=tuple(_cutout_key(photo, config, network) for photo in batch),
            config=config,
            runtime=runtime,
        )
        for batch in (photos[start : start + step] for start in range(0, len(photos), step))
    ]
    reports: dict[str, PhotoReport] = {}
    with tqdm(total=len(photos), desc="cutting out", unit="photo") as bar:
        for batch in engine.map(cut_out, tasks):
            reports |= {report.photo_id: report for report in batch}
            bar.update(len(batch))
    return judge_photos(concepts, reports, config.segment)


def _cutout_key(photo: PhotoFile, config: BuildConfig, network: Mapping[str, str]) -> str:
    """The cut-out's name: changes with the photo's content and everything that its pixels depend on."""
    gate = {"segment.min_quality", "segment.keep_best"}
    parameters = {name: value for name, value in config.identity().items() if name.startswith("segment.")}
    parameters = {name: value for name, value in parameters.items() if name not in gate}
    parts = [__version__, photo.sha256, PHOTO_SIDE, config.resolution, {**parameters, **network}]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _plan(
    folder: BuildFolder,
    concepts: Sequence[Concept],
    photos: Sequence[PhotoUse],
    backgrounds: Sequence[BackgroundRef],
    config: BuildConfig,
    engine: Engine,
    runtime: Runtime,
) -> tuple[Sample, ...]:
    usable: defaultdict[str, list[str]] = defaultdict(list)
    for photo in photos:
        if photo.used:
            usable[photo.concept].append(photo.id)
    there = [concept for concept in concepts if usable[concept.name]]
    if not there:
        best = max((photo.quality or 0.0 for photo in photos), default=0.0)
        raise InputError(
            f"no photo gave a cut-out of quality {config.segment.min_quality:g} (the best has {shown(best)}); "
            "use each concept's best with --keep-best, or give photos with an alpha channel"
        )
    by_name = {concept.name: concept for concept in there}
    meeting = [tuple(by_name[name] for name in names) for names in choose_compositions(sorted(by_name), config)]
    themes = find_themes(meeting, backgrounds, config, engine, runtime)
    samples = draw_plan(there, usable, backgrounds, config, themes)
    write_text(folder.plan_file, "".join(json.dumps(_plan_line(sample)) + "\n" for sample in samples))
    return samples


def _plan_line(sample: Sample) -> dict[str, Any]:
    background = sample.background
    return {
        "id": sample.id,
        "composition": sample.composition,
        "num_objects": len(sample.concepts),
        "photos": sample.photo_ids,
        "background": background.photo.id if background.photo else f"{background.scene}:{background.variant}",
    }


def _paint_all(folder: BuildFolder, samples: Sequence[Sample], engine: Engine) -> None:
    # One picture may go by several phrases.
    expected = {replace(sample.background, phrase="") for sample in samples if sample.background.photo is None}
    ordered = sorted(expected, key=lambda background: (background.scene, background.variant))
    tasks = [PaintTask(folder=folder.path, background=background) for background in ordered]
    if tasks:
        list(tqdm(engine.map(paint, tasks), total=len(tasks), desc="painting", unit="background"))


def _make_scenes(
    folder: BuildFolder,
    samples: Sequence[Sample],
    photos: Sequence[PhotoUse],
    config: BuildConfig,
    engine: Engine,
    runtime: Runtime,
) -> None:
    digest = config.digest()
    shards = [samples[start : start + config.shard_size] for start in range(0, len(samples), config.shard_size)]
    done = {index for index in range(len(shards)) if (marker := folder.marker(index, digest)) and not marker.retriable}
    keys = {photo.id: photo.key for photo in photos if photo.used and photo.key}
    provenance = _provenance(config, folder.revisions())
    tasks = [
        ShardTask(
            folder=folder.path,
            shard=index,
            samples=tuple(shard),
            keys={photo_id: keys[photo_id] for sample in shard for photo_id in sample.photo_ids},
            config=config,
            runtime=runtime,
            provenance=provenance,
        )
        for index, shard in enumerate(shards)
        if index not in done
    ]
    finished = sum(len(shards[index]) for index in done)
    with tqdm(total=len(samples), initial=finished, desc="composing", unit="scene") as bar:
        for report in engine.map(make_shard, tasks):
            bar.update(report.planned)


def _provenance(config: BuildConfig, revisions: Mapping[str, str]) -> Mapping[str, str | int]:
    made_by = backends_with_models(config, revisions)
    return {"mycanvas": __version__, "seed": config.seed, "config": config.digest(), **made_by}
