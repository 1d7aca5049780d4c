"""The steps of a reproduction, each resumable: build, train and generate for each composition and arm, evaluate."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.config import load_config
from builder.pipeline.build import build
from builder.reproduce.arms import ARMS, Arm
from builder.reproduce.config import Reproduction, training
from builder.reproduce.estimate import Pace, Work, count_class_pictures, measure_pace, pace_key
from builder.reproduce.pasted_look import Look, look_lines, looks_as_json, measure_looks
from mycanvas.dataset import Dataset, file_name, open_dataset
from mycanvas.english import listed
from mycanvas.errors import ConfigError, StoreError
from mycanvas.generation.plan import from_dataset
from mycanvas.generation.record import generated_pictures
from mycanvas.generation.run import generate
from mycanvas.io.checked import read_checked_or_none, write_checked
from mycanvas.io.files import os_errors
from mycanvas.io.messages import counted, differences, nearest
from mycanvas.io.ownership import check_ownership, locked
from mycanvas.io.reports import write_numbers
from mycanvas.metrics.manifest import MANIFEST, read_prompts
from mycanvas.metrics.pictures import composition_concepts
from mycanvas.metrics.report import Run
from mycanvas.metrics.run import score, write_report
from mycanvas.models import pick_device
from mycanvas.models.catalogue import DETECTOR, ENCODER
from mycanvas.models.required import RequiredModel, fetch_models, fetch_options
from mycanvas.models.text_to_image import tokenizers_of
from mycanvas.prompts import PROMPTINGS, Named, token_counter, tokens_of
from mycanvas.training.artefact import is_trained, read_record
from mycanvas.training.methods import METHODS
from mycanvas.training.run import CHECKPOINT, train

RECORD, LOCK, LOOKS = "reproduction.json", ".lock", "pasted_look.json"
TRAINED, GENERATED = "trained", "generated"
"""Folders of the output."""

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduced:
    """The result: the poster's table of all arms, and how pasted their pictures look. page: the report."""

    run: Run
    looks: Sequence[Look]
    page: Path

    def lines(self) -> list[str]:
        """Lines for a terminal."""
        return [*self.run.lines(), "", *look_lines(self.looks), "", f"report: {self.page}"]

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        return {**self.run.as_json(), "pasted_look": looks_as_json(self.looks)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The remaining work, and how long it takes on a device."""

    work: Work
    hours: float
    device: str

    def lines(self) -> list[str]:
        """Lines for a terminal."""
        work = self.work
        counts = {"training": len(work.trainings), "class picture": work.class_pictures, "picture": work.pictures}
        left = [counted(count, noun) for noun, count in counts.items() if count]
        if not left:
            return ["nothing is left to train or generate"]
        time = f"{self.hours:.1f} hours" if self.hours >= 1 else counted(max(1, round(self.hours * 60)), "minute")
        return [f"left: {listed(left)}, about {time} on this device ({self.device})"]

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        work = self.work
        counts = {"trainings": len(work.trainings), "class_pictures": work.class_pictures, "pictures": work.pictures}
        return {**counts, "hours": self.hours}


def reproduce(config: Reproduction, compositions: Sequence[str], *, only_estimate: bool) -> Reproduced | Estimate:
    """Do what is left of a reproduction.

    Args:
        config: the file.
        compositions: of the file, to train now; empty: all. Evaluated are those
            that every arm has so far.
        only_estimate: build the dataset, and say how long the rest takes.

    Raises:
        ConfigError: there is no such composition; or as each step.
        InputError: a prompt for pictures is too long; or as each step.
        MyCanvasError: as each step.
    """
    check_ownership(config.output, RECORD, lambda name: name == LOCK)
    place = _built(config)
    dataset = open_dataset(place)
    chosen = _chosen(dataset, compositions or config.compositions)
    _check_prompts(config, dataset, chosen)
    with os_errors(config.output):
        config.output.mkdir(parents=True, exist_ok=True)
    with locked(config.output / LOCK, config.output):
        _claim(config)
        estimate = _estimate(config, place, dataset, chosen)
        if only_estimate:
            return estimate
        _fetch_evaluators(config)
        for line in estimate.lines() if estimate.work.trainings else []:
            log.info(line)
        for composition in chosen:
            for arm in _arms(config):
                _train_and_generate(config, place, dataset, arm, composition)
        return _evaluate(config, dataset)


def _built(config: Reproduction) -> Path:
    """The folder of the dataset; builds it first, if the file names a build.toml."""
    if config.dataset is not None:
        return config.dataset
    settings = load_config(config.build, None, {})
    if not isinstance(settings.output, Path):
        raise ConfigError(f"{config.build}: training reads a folder; give output a folder, or copy the dataset")
    build(settings)
    return settings.output


def _chosen(dataset: Dataset, names: Sequence[str]) -> list[str]:
    known = tuple(dataset.contents().compositions)
    found = ["+".join(sorted(name.split("+"))) for name in names]
    for name in found:
        if name not in known:
            raise ConfigError(f"there is no composition {name!r} in {dataset.place}; {nearest(name, known)}")
    return list(dict.fromkeys(found)) or list(known)


def _check_prompts(config: Reproduction, dataset: Dataset, chosen: Sequence[str]) -> None:
    """Refuse prompts for pictures that are too long, before the trainings that they are for."""
    folder = fetch_options({"model": config.model}, "diffusers")["model"].path
    concepts = dataset.concepts(with_photos=False)
    for arm in _arms(config):
        tokenizers, prompting = tokenizers_of(folder), PROMPTINGS[arm.prompting]
        for name in chosen if METHODS[arm.method].tokens else ():
            shown = composition_concepts(name, concepts)
            named = [Named(token=concept.token, class_name=concept.class_name) for concept in shown]
            for tokenizer in tokenizers:
                tokenizer.add_tokens(list(tokens_of(name, named, prompting)))
        if tokenizers:  # else training refuses the model
            from_dataset(dataset, chosen, prompting, 1, token_counter(tokenizers))


def _arms(config: Reproduction) -> list[Arm]:
    return [ARMS[name] for name in config.arms]


def _claim(config: Reproduction) -> None:
    """Record what is compared; refuse the folder of another reproduction. Its steps refuse other settings by name."""
    mine = {"model": config.model, "pictures": config.pictures}
    before = read_checked_or_none(config.output / RECORD, dict[str, Any])
    if before is None:
        write_checked(config.output / RECORD, {**mine, "pace": {}})
    elif lines := differences({name: before.get(name) for name in mine}, mine):
        raise StoreError("\n".join([f"{config.output} holds another reproduction", *lines, "Use another output."]))


def _estimate(config: Reproduction, place: Path, dataset: Dataset, chosen: Sequence[str]) -> Estimate:
    from mycanvas.models.checkpoints import steps_made

    def has_begun(arm: Arm, composition: str) -> bool:
        return read_record(_folder(config, arm, composition)) is not None

    trainings = [
        (arm, composition)
        for composition in chosen
        for arm in _arms(config)
        if not is_trained(_folder(config, arm, composition))
    ]
    new = [each for each in trainings if not has_begun(*each)]
    made = Counter[str]()
    for arm, composition in trainings:
        made[arm.method] += steps_made(_folder(config, arm, composition) / CHECKPOINT)
    begun = {name for name in dataset.contents().compositions for arm in _arms(config) if has_begun(arm, name)}
    work = Work(
        trainings=trainings,
        steps_made=made,
        class_pictures=count_class_pictures(config, dataset, new, begun),
        pictures=sum(_missing(config, arm, chosen) for arm in _arms(config)),
    )
    record = read_checked_or_none(config.output / RECORD, dict[str, Any]) or {}
    device = str(pick_device(config.device))
    key = pace_key(config, device)
    known = record.get("pace", {}).get(key)
    pace = Pace(**known) if known else Pace()
    if not work.is_covered(pace):
        pace = measure_pace(config, place, work)
        paces = {**record.get("pace", {}), key: asdict(pace)}
        write_checked(config.output / RECORD, {"model": config.model, "pictures": config.pictures, "pace": paces})
    return Estimate(work=work, hours=work.hours(config, pace), device=device)


def _folder(config: Reproduction, arm: Arm, composition: str) -> Path:
    return config.output / TRAINED / arm.folder / file_name(composition)


def _missing(config: Reproduction, arm: Arm, compositions: Sequence[str]) -> int:
    """Pictures of an arm that are not generated yet."""
    folder = config.output / GENERATED / arm.folder
    there = generated_pictures(folder) if folder.is_dir() else {}
    return sum(max(0, config.pictures - there.get(composition, 0)) for composition in compositions)


def _fetch_evaluators(config: Reproduction) -> None:
    """Fetch the models of the evaluation, so that a missing one is reported before the training, not after it."""
    names = {"encoder": config.evaluate.encoder or ENCODER, "detector": config.evaluate.detector or DETECTOR}
    required = [RequiredModel(role=role, name=name, kind="transformers") for role, name in names.items()]
    fetch_models(required, lambda _: "Run this command once where there is a network, or name folders in [evaluate]")


def _train_and_generate(config: Reproduction, place: Path, dataset: Dataset, arm: Arm, composition: str) -> None:
    log.info("%s, %s", composition, arm.name)
    trained = _folder(config, arm, composition)
    train(place, trained, training(config, arm, composition))
    generate(
        config.model,
        config.output / GENERATED / arm.folder,
        dataset=dataset,
        compositions=[composition],
        loras=[str(trained)],
        prompting=arm.prompting,
        pictures=config.pictures,
        sampling=config.generate.sampling(),
        batch_size=config.generate.batch_size,
        device=config.device,
        dtype=config.dtype,
        offload=config.generate.offload,
        safety_checker=False,
    )


def _evaluate(config: Reproduction, dataset: Dataset) -> Reproduced:
    """Score the compositions that every arm has: arms that are compared have the same ones."""
    folders = {arm.name: config.output / GENERATED / arm.folder for arm in _arms(config)}
    every = set.intersection(*(_complete(folder, config.pictures) for folder in folders.values()))
    arms = [f"{name}={folder}" for name, folder in folders.items()]
    models = {"device": config.device, "dtype": config.dtype, **dict(config.evaluate)}
    run = score(dataset, arms, compositions=every, **models)
    page = write_report(run, config.output)
    looks = measure_looks(dataset, run, config.pictures)
    write_numbers(config.output / LOOKS, looks_as_json(looks))
    return Reproduced(run=run, looks=looks, page=page)


def _complete(folder: Path, pictures: int) -> set[str]:
    """The compositions of which so many pictures are listed in a folder."""
    listed = Counter(prompt.composition for prompt in read_prompts(folder / MANIFEST))
    return {composition for composition, count in listed.items() if count >= pictures}
