"""One training, from a dataset to files: what `mycanvas train` does, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas import __version__
from mycanvas.dataset.class_pictures import ClassPicture, pictures_of
from mycanvas.dataset.composition import Composition, digest_of, find_composition
from mycanvas.errors import ConfigError, MissingExtra, StoreError
from mycanvas.io.checked import write_checked
from mycanvas.io.files import UNFINISHED, remove_unfinished
from mycanvas.io.messages import differences
from mycanvas.io.ownership import check_ownership, locked_folder
from mycanvas.models import pick_device, pick_dtype
from mycanvas.models.required import fetch_options
from mycanvas.training.artefact import RECORD, SAMPLES, artefact_files, read_record, write_card, write_weights
from mycanvas.training.data import Arm, TrainingData
from mycanvas.training.generated import made_class_pictures
from mycanvas.training.methods import METHODS
from mycanvas.training.settings import Settings

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


CHECKPOINT = "checkpoint.safetensors"
LOCK, CLASSES, LOGS = ".lock", "class_pictures", "logs"
"""Entries of the folder that may be there before the record."""
STEPS, STEPS_OF_MANY, MANY = 2000, 3000, 4
"""Steps for up to three concepts, and from MANY concepts on (Gen4Gen, section 4.1)."""
SAMPLE_BACKGROUNDS = ("in a library", "on a rooftop at night")


def train(data: Path, output: Path, settings: Settings) -> bool:
    """Train a model on one composition, or resume; returns whether anything was trained, or the folder held it all.

    Args:
        data: the folder of a built dataset.
        output: a folder that is empty, does not exist, or holds this training.
        settings: what is trained, and how.

    Raises:
        ConfigError: an option does not fit the dataset or the model.
        InputError: the dataset cannot be used.
        ModelError: the model is not available, or memory is too small.
        StoreError: the folder holds something else, or cannot be written.
        MissingExtra: a package is not installed.
    """
    check_ownership(output, RECORD, lambda name: name in (LOCK, CLASSES, LOGS) or name.endswith(UNFINISHED))
    composition = find_composition(data, settings.composition)
    nouns = {concept.class_name for concept in composition.concepts}
    given = pictures_of(settings.regularization, nouns) if settings.regularization else None
    processes = _processes(settings, output)
    with locked_folder(output, LOCK) if processes.is_main_process else nullcontext():
        if processes.is_main_process:
            remove_unfinished(output)
        snapshot = fetch_options({"model": settings.model}, "diffusers")["model"]
        device = processes.device if processes.num_processes > 1 else pick_device(settings.device)
        record = _record(composition, settings, pick_dtype(settings.dtype, device))
        record |= {"revision": snapshot.revision, "data": digest_of(composition, given or ())}
        if _is_finished(output, record):
            return False
        arm = _load(composition, settings, snapshot.path, device)
        classes = made_class_pictures(arm, snapshot.revision, output / CLASSES, processes) if given is None else given
        _train(arm, classes, record, output, processes)
        return True


def _processes(settings: Settings, output: Path) -> Accelerator:
    """The processes that train together, and where they will log."""
    if missing := [name for name in ("accelerate", "peft") if find_spec(name) is None]:
        raise MissingExtra(missing[0], extra="models")
    from accelerate import Accelerator

    if settings.log and find_spec(settings.log) is None:
        raise ConfigError(f"--log {settings.log}: this package is not installed; run: pip install {settings.log}")
    return Accelerator(cpu=settings.device == "cpu", log_with=settings.log, project_dir=output / LOGS)


def _load(composition: Composition, settings: Settings, folder: Path, device: torch.device) -> Arm:
    from mycanvas.models.trainable import load_model

    model = load_model(folder, settings.model)
    if (settings.resolution or 0) % model.multiple:
        raise ConfigError(f"expected --resolution that is a multiple of {model.multiple}, got {settings.resolution}")
    model.place(device, pick_dtype(settings.dtype, device), settings.checkpointing)
    return Arm(composition, settings, settings.resolution or model.resolution, model)


def _train(
    arm: Arm, classes: Sequence[ClassPicture], record: Mapping[str, Any], output: Path, processes: Accelerator
) -> None:
    from mycanvas.models.cache import Cache
    from mycanvas.models.learned import add_lora, add_tokens
    from mycanvas.training.loop import Loop, fit

    settings, method, model = arm.settings, METHODS[arm.settings.method], arm.model
    words = arm.words() if method.tokens else {}
    learned = {part: add_tokens(*model.text(part), words) for part, _ in model.encoders if words}
    data, samples = TrainingData(arm, classes), [arm.prompt(ground) for ground in SAMPLE_BACKGROUNDS]
    weights = add_lora(model.denoiser, method.layers, None if method.full else settings.rank, settings.seed)
    weights |= {f"embeddings{part}": each for part, each in learned.items()}
    loop = Loop(
        draws=lambda step: data.draws(settings.seed, step, settings.batch_size),
        settings=settings,
        steps=record["steps"],
        rate=record["learning_rate"],
        processes=processes,
        checkpoint=output / CHECKPOINT,
        sample=lambda step: _sample(arm, samples, step, output),
    )
    if processes.is_main_process:
        write_checked(output / RECORD, {**record, "finished": False})
    processes.init_trackers("mycanvas")
    fit(Cache(model, list(words)), weights, loop)
    if processes.is_main_process:
        write_weights(output, model, {part: dict(zip(words, each, strict=True)) for part, each in learned.items()})
        about = {**record, "resolution": arm.resolution, "tokens": list(words)}
        write_card(output, model, about, _sample(arm, samples, loop.steps, output))
        write_checked(output / RECORD, {**record, "finished": True})
        (output / CHECKPOINT).unlink(missing_ok=True)
    processes.end_training()


def _record(composition: Composition, settings: Settings, dtype: torch.dtype) -> dict[str, Any]:
    """Everything that the weights depend on, beside the files of the model and the data; known before they are read."""
    method, concepts = METHODS[settings.method], {each.token: each.class_name for each in composition.concepts}
    unused = {"regularization"} | ({"class_pictures"} if settings.regularization else set())
    unused |= {"rank"} if method.full else set()
    given = settings.model_dump(mode="json", exclude={*settings.runtime_fields, *unused})
    rate = method.rate(settings.batch_size) if settings.learning_rate is None else settings.learning_rate
    concrete = {"steps": settings.steps or default_steps(len(concepts)), "learning_rate": rate, "dtype": str(dtype)}
    concrete["composition"] = composition.name  # its concepts may be given in any order
    return given | concrete | {"mycanvas": __version__, "concepts": concepts}


def _sample(arm: Arm, prompts: Sequence[str], step: int, output: Path) -> dict[str, str]:
    """Generate sample pictures; their prompts by their names in the folder."""
    found = {f"{SAMPLES}/{step:06d}-{index}.jpg": prompt for index, prompt in enumerate(prompts)}
    pictures = {output / name: (prompt, arm.settings.seed) for name, prompt in found.items()}
    arm.model.generate(pictures, arm.resolution, arm.settings.sample_steps)
    return found


def default_steps(concepts: int) -> int:
    """The steps of a training of so many concepts, unless others are given."""
    return STEPS_OF_MANY if concepts >= MANY else STEPS


def _is_finished(output: Path, record: Mapping[str, Any]) -> bool:
    """Whether a folder holds this training, finished; StoreError if it holds another one."""
    before = read_record(output)
    if before is None:
        return False
    if lines := differences({name: before.get(name) for name in record}, record):
        last = "Use another --output, or the same settings to resume."
        raise StoreError("\n".join([f"{output} holds another training", *lines, last]))
    return bool(before["finished"] and artefact_files(output, before))
