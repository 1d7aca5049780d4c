"""List, fetch and describe the models that a configuration requires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.config import BuildConfig
from mycanvas.io.tables import table_lines
from mycanvas.models import KNOWN, ONNX, RELEASE, Snapshot, is_local, size_of, split_name
from mycanvas.models.required import RequiredModel, fetch_models


def required_models(config: BuildConfig, stages: Sequence[str] | None = None) -> tuple[RequiredModel, ...]:
    """List every model that the stages of a build run on this machine, in the order of the stages; None: all stages."""
    return tuple(
        model
        for stage in (config.backends() if stages is None else stages)
        for model in config.backend(stage).required_models(config.backend_table(stage))
    )


def fetch_required_models(config: BuildConfig, stages: Sequence[str] | None = None) -> Mapping[str, Snapshot]:
    """Find every required model on this machine, and download the missing ones.

    Args:
        config: of the build.
        stages: those whose models are required; None: all.

    Returns:
        The snapshot of each model, by its name in the configuration.

    Raises:
        MissingExtra: a package that runs one of the models is not installed.
        ModelError: models are not available (the message lists all that are missing), or one has another architecture.
    """

    def remedy(missing: Sequence[RequiredModel]) -> str:
        if all(model.name.endswith(ONNX) for model in missing):
            return "Correct segment.rembg.file, or remove it to use the published file of segment.rembg.model."
        if all(is_local(model.name) for model in missing):
            return "Name a folder that holds the model, or a repository on the Hub."
        only_networks = all(model.kind == "onnx" for model in missing)
        download = f"mycanvas models --profile {config.profile} --download"
        return (
            f"On a machine with a network, run: {download} (with a build.toml: mycanvas models build.toml --download); "
            f"or {'give its file as segment.rembg.file' if only_networks else 'name a folder that holds the model'}."
        )

    found = fetch_models(required_models(config, stages), remedy)
    return {model.name: snapshot for model, snapshot in found.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRow:
    """One row of `mycanvas models`.

    revision: None: the newest. gigabytes: size on this machine, or approximate size of the download; None: unknown.
    license, commercial: None if unknown. available: whether the whole model is on this machine.
    """

    stage: str
    model: str
    revision: str | None
    gigabytes: float | None
    license: str | None
    commercial: bool | None
    available: bool


def list_required(config: BuildConfig) -> tuple[ModelRow, ...]:
    """Describe every model that a build runs on this machine, without using the network."""
    return tuple(_model_row(model) for model in required_models(config))


def _model_row(required: RequiredModel) -> ModelRow:
    model, revision = split_name(required.name)
    found, about = required.find(), KNOWN.get(model)
    if required.kind == "onnx" and model in KNOWN:
        revision = RELEASE
    size = round(size_of(found) / 1e9, 1) if found else about.gigabytes if about else None
    return ModelRow(
        stage=required.role,
        model=model,
        revision=found.revision if found else revision,
        gigabytes=size,
        license=about.license if about else None,
        commercial=about.commercial if about else None,
        available=found is not None,
    )


def table_of_models(rows: Sequence[ModelRow]) -> list[str]:
    """Format the rows as a table for a terminal, with the size of the missing models."""
    if not rows:
        return ["This configuration runs no models on this machine: nothing to download."]
    cells = [("stage", "model", "revision", "GB", "license", "available")]
    for row in rows:
        license = (row.license or "see its page") + (" (not for commercial use)" if row.commercial is False else "")
        size = "?" if row.gigabytes is None else f"{row.gigabytes:.1f}"
        cells.append(
            (row.stage, row.model, (row.revision or "newest")[:12], size, license, "yes" if row.available else "no")
        )
    lines = table_lines(cells, align="left")
    missing = [row for row in rows if not row.available]
    if missing:
        total = sum(row.gigabytes or 0 for row in missing)
        size = f"{total:.0f}" if total >= 1 else f"{total:.1g}"
        lines += [
            "",
            f"{len(missing)} of {len(rows)} are not on this machine, about {size} GB; fetch them with --download",
        ]
    return lines


def backends_with_models(config: BuildConfig, revisions: Mapping[str, str]) -> dict[str, str]:
    """Map each stage to its backend with the models that it runs: "diffusion owner/name@revision".

    The model of a server has no revision, because servers report only a name.
    """
    found = config.backends()
    for model in required_models(config):
        found[model.role] += f" {published(model.name)}@{revisions.get(model.name, '?')}"
    for stage in found:
        served = config.backend(stage).served_model(config.backend_table(stage))
        if served is not None:
            found[stage] += f" {published(served)}"
    return found


def published(name: str) -> str:
    """Shorten a model's name for publication: no revision, and only the last part of a local path."""
    return Path(name).name if is_local(name) or name.endswith(ONNX) else split_name(name)[0]
