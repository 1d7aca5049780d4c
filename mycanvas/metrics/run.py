"""From the command line's words to an evaluation: which pictures, which models, which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mycanvas.errors import ConfigError, ModelError
from mycanvas.io.files import write_text
from mycanvas.io.reports import write_numbers
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.protocol import MANIFEST, UNWRITABLE, follow, read_generated, read_prompts
from mycanvas.metrics.references import Cache, cache_folder, encode_references
from mycanvas.metrics.report import Run, as_html, as_json
from mycanvas.metrics.scenes import Dataset, Scene, read_scenes
from mycanvas.metrics.settings import DETECTOR, ENCODER, Settings
from mycanvas.metrics.summary import summarise
from mycanvas.models import KNOWN, Snapshot, fetch, pick_device, pick_dtype, split_name
from mycanvas.models.detectors import load_detector
from mycanvas.models.encoders import load_encoder


def score(
    dataset: Dataset,
    arms: Sequence[str] = (),
    *,
    prompts: Path | None = None,
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
        arms: "name=folder" or "folder", as the command has them; the first is the baseline.
        prompts: JSON Lines; each arm must have a picture of each.
        encoder: its name; None: the paper's.
        detector: its name; None: the paper's.
        device: as `mycanvas.models.pick_device` takes it.
        dtype: as `mycanvas.models.pick_dtype` takes it.
        cache: folder for vectors of source photos; None: in the user's cache.
        settings: fields of Settings; None: its default.

    Raises:
        ConfigError: two arms have the same name, or a setting is out of its range.
        InputError: pictures, manifests or photos cannot be used.
        ModelError: a model cannot be had or run.
    """
    from tqdm import tqdm

    chosen = Settings(**{name: value for name, value in settings.items() if value is not None})
    scenes = dict(_arms(dataset, arms))
    if prompts:
        asked = read_prompts(prompts)
        scenes = {name: follow(asked, own, name) for name, own in scenes.items()}
    names = {"encoder": encoder or ENCODER, "detector": detector or DETECTOR}
    there = fetch_models(names)
    models = {part: f"{split_name(name)[0]}@{there[part].revision}" for part, name in names.items()}
    sees = load_encoder(there["encoder"].path, device=device, dtype=dtype)
    finds = load_detector(there["detector"].path, threshold=chosen.threshold, device=device, dtype=dtype)
    precision = _precision(device, dtype)
    kept = Cache(cache_folder(f"{_version(there['encoder'])} {precision}", cache))
    expected = {concept.name: concept for own in scenes.values() for scene in own for concept in scene.concepts}
    references = encode_references(expected.values(), sees, chosen, kept)
    found = []
    for name, own in scenes.items():
        with tqdm(total=len(own), desc=name, unit="picture", delay=1) as bar:
            found.append(summarise(name, evaluate(own, references, sees, finds, chosen, progress=bar.update)))
    return Run(arms=tuple(found), scenes=scenes, models=models, precision=precision, settings=chosen)


def write_report(run: Run, folder: Path) -> Path:
    """Write scores.json and report.html; returns the page."""
    write_numbers(folder / "scores.json", as_json(run))
    page = folder / "report.html"
    write_text(page, as_html(run))
    return page


def _arms(dataset: Dataset, arms: Sequence[str]) -> Iterator[tuple[str, tuple[Scene, ...]]]:
    if not arms:
        yield dataset.folder.resolve().name, dataset.scenes
    seen: set[str] = set()
    for arm in arms:
        name, equals, path = arm.partition("=")
        if not equals or "/" in name:  # a path may have a "=" in it
            name, path = Path(arm).resolve().name, arm
        if not name or not path or name in seen or UNWRITABLE.search(name):
            raise ConfigError(f"each folder needs a name of its own, got {arm!r}; write NAME=DIR")
        seen.add(name)
        folder = Path(path)
        built = (folder / "data").is_dir() and not (folder / MANIFEST).exists()
        yield name, read_scenes(folder, dataset.concepts) if built else read_generated(folder, dataset.concepts)


def fetch_models(names: Mapping[str, str]) -> dict[str, Snapshot]:
    """The models on this machine, downloaded where they are not yet.

    Args:
        names: model by what it is: "encoder", "detector", as the options are called.

    Raises:
        ModelError: one cannot be had; the message names all that are missing.
    """
    there: dict[str, Snapshot] = {}
    missing = []
    for part, name in names.items():
        try:
            there[part] = fetch(name, "transformers", offline=True)
        except ModelError:
            missing.append(part)
    for part in missing:
        try:
            there[part] = fetch(names[part], "transformers")
        except ModelError as error:
            lacking = [each for each in missing if each not in there]
            lines = [str(error), "Not on this machine:", *(f"  {each:<8} {_told(names[each])}" for each in lacking)]
            options = " ".join(f"--{each} DIR" for each in lacking)
            remedy = "Run this command once where there is a network, or name folders that hold models"
            raise ModelError("\n".join([*lines, f"{remedy}: {options}"])) from error
    return there


def _version(model: Snapshot) -> str:
    """What changes with a model's weights: its revision, and as that is of a folder's weights in parts, their time."""
    return f"{model.revision} {max(file.stat().st_mtime_ns for file in model.path.iterdir())}"


def _precision(device: str, dtype: str) -> str:
    place = pick_device(device)
    return f"{place.type} {pick_dtype(dtype, place)}"


def _told(name: str) -> str:
    model, _ = split_name(name)
    return f"{model}, {KNOWN[model].gigabytes:g} GB" if model in KNOWN else model
