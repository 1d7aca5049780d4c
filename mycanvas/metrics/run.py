"""Run an evaluation: from names of folders, models and settings to scores, and from scores to a report."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycanvas.dataset import Concept, Dataset, open_dataset
from mycanvas.errors import ConfigError
from mycanvas.io.files import write_text
from mycanvas.io.progress import Progress
from mycanvas.io.reports import write_numbers
from mycanvas.io.text import UNWRITABLE, split_named
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.manifest import MANIFEST, read_generated, read_prompts
from mycanvas.metrics.pictures import Picture, dataset_pictures
from mycanvas.metrics.protocol import follow
from mycanvas.metrics.references import Cache, cache_folder, encode_references
from mycanvas.metrics.report import Run, as_html
from mycanvas.metrics.settings import Settings
from mycanvas.metrics.summary import summarise
from mycanvas.models import Snapshot, pick_device, pick_dtype, split_name
from mycanvas.models.catalogue import DETECTOR, ENCODER
from mycanvas.models.detectors import Detector, load_detector
from mycanvas.models.encoders import Encoder, load_encoder
from mycanvas.models.required import fetch_options

NUMBERS, PAGE = "scores.json", "report.html"
FILES = (NUMBERS, PAGE)
"""Files that `write_report` writes."""

Pictures = Mapping[str, Sequence[Picture]]
"""The pictures of each arm, by its name."""


def score(
    dataset: Dataset,
    arms: Sequence[str] = (),
    *,
    prompts: Path | None = None,
    compositions: Collection[str] | None = None,
    encoder: str | None = None,
    detector: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    cache: Path | None = None,
    **settings: Any,
) -> Run:
    """Score pictures with models from the Hub or from disk.

    Args:
        dataset: has the concepts' photos; without arms its own scenes are scored.
        arms: "name=folder" or "folder", as on the command line; the first is the baseline.
        prompts: JSON Lines; each arm must have a picture of each.
        compositions: to score; None: all of the arms.
        encoder: the encoder's name; None: the paper's.
        detector: the detector's name; None: the paper's.
        device: see `mycanvas.models.pick_device`.
        dtype: see `mycanvas.models.pick_dtype`.
        cache: folder for embeddings of source photos; None: in the user's cache.
        settings: fields of Settings; None: its default.

    Raises:
        ConfigError: two arms have the same name, or a setting is out of range.
        InputError: pictures, manifests or photos cannot be used.
        ModelError: a model is not available, or fails.
    """
    choices = Settings(**{name: value for name, value in settings.items() if value is not None})
    every = _read_arms(dataset.mapped(), arms, prompts)
    pictures = {name: [one for one in own if _is_among(one, compositions)] for name, own in every.items()}
    left_out = {one.composition for own in every.values() for one in own if not _is_among(one, compositions)}
    models = _load_models(encoder or ENCODER, detector or DETECTOR, choices.threshold, device, dtype)
    embeddings = Cache(cache_folder(models.encoder_version, cache))
    references = encode_references(_concepts(pictures), models.encoder, choices, embeddings)
    scored = []
    for name, own in pictures.items():
        with Progress(name, len(own), "picture") as progress:
            found = evaluate(own, references, models.encoder, models.detector, choices, progress=progress.update)
            scored.append(summarise(name, found))
    return Run(
        arms=tuple(scored),
        pictures=pictures,
        compositions_left_out=tuple(sorted(left_out)),
        models=models.names,
        precision=models.precision,
        settings=choices,
    )


def write_report(run: Run, folder: Path) -> Path:
    """Write FILES to a folder; returns the path of the page."""
    write_numbers(folder / NUMBERS, run.as_json())
    page = folder / PAGE
    write_text(page, as_html(run))
    return page


def _is_among(picture: Picture, compositions: Collection[str] | None) -> bool:
    return compositions is None or picture.composition in compositions


def _read_arms(dataset: Dataset, arms: Sequence[str], prompts: Path | None) -> Pictures:
    """The pictures of each arm, with the backgrounds of the prompts where these are given."""
    concepts = dataset.concepts()
    if arms:
        pictures = {name: _read_folder(folder, concepts) for name, folder in _named_folders(arms)}
    else:
        pictures = {dataset.name: dataset_pictures(dataset, concepts)}
    if prompts is None:
        return pictures
    expected = read_prompts(prompts)
    return {name: follow(expected, own, name) for name, own in pictures.items()}


def _read_folder(folder: Path, concepts: Mapping[str, Concept]) -> tuple[Picture, ...]:
    """The pictures of a built dataset, or of a folder with a manifest."""
    built = (folder / "data").is_dir() and not (folder / MANIFEST).exists()
    if built:
        return dataset_pictures(open_dataset(folder).mapped(), concepts)
    return read_generated(folder, concepts)


def _named_folders(arms: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The name and the folder of each arm; without "name=" the folder's own name."""
    seen: set[str] = set()
    for arm in arms:
        name, path = split_named(arm)
        if name is None:
            name = os.path.basename(os.path.realpath(arm))
        if not name or not path or name in seen or UNWRITABLE.search(name):
            raise ConfigError(f"each folder needs a name of its own, got {arm!r}; write NAME=DIR")
        seen.add(name)
        yield name, Path(path)


def _concepts(pictures: Pictures) -> list[Concept]:
    """Each concept that a picture should show, once."""
    shown = (concept for own in pictures.values() for picture in own for concept in picture.concepts)
    return list({concept.name: concept for concept in shown}.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Models:
    """Loaded models.

    names: with revisions, by role. precision: where and how they run ("cuda bfloat16").
    encoder_version: text that changes whenever the encoder's embeddings may change.
    """

    encoder: Encoder
    detector: Detector
    names: Mapping[str, str]
    precision: str
    encoder_version: str


def _load_models(encoder: str, detector: str, threshold: float, device: str, dtype: str) -> _Models:
    names = {"encoder": encoder, "detector": detector}
    snapshots = fetch_options(names)
    precision = _precision(device, dtype)
    return _Models(
        encoder=load_encoder(snapshots["encoder"].path, device=device, dtype=dtype),
        detector=load_detector(snapshots["detector"].path, threshold=threshold, device=device, dtype=dtype),
        names={role: f"{split_name(name)[0]}@{snapshots[role].revision}" for role, name in names.items()},
        precision=precision,
        encoder_version=f"{_version(snapshots['encoder'])} {precision}",
    )


def _version(model: Snapshot) -> str:
    """Text that changes with a model's weights: its revision, and the newest time of its files.

    The revision of a folder with weights in several files does not cover their content.
    """
    return f"{model.revision} {max(file.stat().st_mtime_ns for file in model.path.iterdir())}"


def _precision(device: str, dtype: str) -> str:
    place = pick_device(device)
    return f"{place.type} {pick_dtype(dtype, place)}"
