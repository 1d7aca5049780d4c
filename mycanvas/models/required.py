"""Models that a command requires: fetch them before any work, or list all that are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mycanvas.errors import MissingExtra, ModelError
from mycanvas.models.catalogue import KNOWN
from mycanvas.models.checkpoint import model_type
from mycanvas.models.download import Kind, Snapshot, fetch, is_local, split_name

PACKAGES: dict[Kind, tuple[str, ...]] = {
    "transformers": ("torch", "transformers"),
    "diffusers": ("torch", "diffusers", "transformers", "accelerate"),
    "onnx": ("rembg", "onnxruntime"),
}
"""Packages that run each kind of model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredModel:
    """One model that must be on this machine.

    role: its purpose, as messages name it: a stage, or "encoder". name: as the configuration gives it.
    variant: of its weights. types: accepted architectures, by their names in transformers; empty: any.
    """

    role: str
    name: str
    kind: Kind
    variant: str | None = None
    types: tuple[str, ...] = ()

    def find(self) -> Snapshot | None:
        """Return the model if all its files are on this machine; make no request."""
        try:
            return fetch(self.name, self.kind, variant=self.variant, offline=True)
        except ModelError:
            return None

    def describe(self) -> str:
        """One line for a list of missing models: role, name and size."""
        model, _ = split_name(self.name)
        size = f", {KNOWN[model].gigabytes:g} GB" if model in KNOWN else ""
        return f"{self.role:<8} {model}{size}"


def fetch_models(
    required: Sequence[RequiredModel], remedy: Callable[[Sequence[RequiredModel]], str]
) -> dict[RequiredModel, Snapshot]:
    """Find every required model on this machine; download those that are missing.

    Args:
        required: the models, each with its role.
        remedy: returns the last line of the error: how to get the missing models.

    Raises:
        MissingExtra: a package that runs one of them is not installed.
        ModelError: one is not available (the message lists all that are missing), or is of another architecture.
    """
    for package in (package for model in required for package in PACKAGES[model.kind]):
        if find_spec(package) is None:
            raise MissingExtra(package, extra="photo" if package in PACKAGES["onnx"] else "models")
    available = {model: found for model in required if (found := model.find())}
    missing = [model for model in required if model not in available]
    for model in missing:
        try:
            available[model] = fetch(model.name, model.kind, variant=model.variant)
        except ModelError as error:
            lacking = [each for each in missing if each not in available]
            lines = [str(error), "Not on this machine:", *(f"  {each.describe()}" for each in lacking), remedy(lacking)]
            raise ModelError("\n".join(lines)) from error
    for model in required:
        _check_architecture(model, available[model].path)
    return {model: available[model] for model in required}


def fetch_options(names: Mapping[str, str], kind: Kind = "transformers") -> dict[str, Snapshot]:
    """Find the models that a command's options name; download those that are missing.

    Args:
        names: the models by the option that names them: "encoder", "detector".
        kind: the library that reads them.

    Raises:
        MissingExtra: a package that runs them is not installed.
        ModelError: a model is not available; the message lists all that are missing.
    """

    def remedy(missing: Sequence[RequiredModel]) -> str:
        options = " ".join(f"--{model.role} DIR" for model in missing)
        if all(is_local(model.name) for model in missing):
            return f"Name a folder that holds a model: {options}"
        return f"Run this command once where there is a network, or name folders that hold models: {options}"

    required = [RequiredModel(role=role, name=name, kind=kind) for role, name in names.items()]
    return {model.role: snapshot for model, snapshot in fetch_models(required, remedy).items()}


def _check_architecture(model: RequiredModel, path: Path) -> None:
    if model.types and (found := model_type(path)) not in model.types:
        raise ModelError(f"{model.role}: {model.name} is of type {found!r}; expected one of {', '.join(model.types)}")
    if model.kind == "transformers" and _processes_video(path) and find_spec("torchvision") is None:
        raise ModelError(
            f"{model.name} requires torchvision, which is not installed; install the one that fits the installed torch "
            "(https://pytorch.org/get-started/locally)"
        )


def _processes_video(folder: Path) -> bool:
    """Whether a checkpoint has a video processor, which transformers builds on torchvision (Qwen3-VL)."""
    processor = folder / "processor_config.json"
    named = processor.is_file() and '"video_processor"' in processor.read_text(encoding="utf-8", errors="replace")
    return named or (folder / "video_preprocessor_config.json").is_file()
