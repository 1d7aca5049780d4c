"""Which models a configuration needs, and where they lie once they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.config import BuildConfig
from mycanvas.io.tables import table_lines
from mycanvas.models import KNOWN, RELEASE, Snapshot, is_local, size_of, split_name
from mycanvas.models.llm.chat import ChatConfig
from mycanvas.models.required import RequiredModel, fetch_models


def required_models(config: BuildConfig) -> tuple[RequiredModel, ...]:
    """Every model that the stages of a build run on this machine, in the order of the stages."""
    found: list[RequiredModel] = []
    for stage in config.backends():
        found += config.backend(stage).required_models(config.backend_table(stage))
    return tuple(found)


def fetch_required_models(config: BuildConfig) -> Mapping[str, Snapshot]:
    """Every required model on this machine, by its name in the configuration; downloaded where it is missing.

    Raises:
        MissingExtra: a package that runs one of them is not installed.
        ModelError: one is not available (the message lists all that are missing), or is of another architecture.
    """

    def remedy(missing: Sequence[RequiredModel]) -> str:
        if all(is_local(model.name) for model in missing):
            return "Name a folder that holds the model, or a repository on the Hub."
        download = f"mycanvas models --profile {config.profile} --download"
        return (
            f"Where there is a network, run: {download} (with a build.toml: mycanvas models build.toml --download); "
            "or name a folder that holds the model."
        )

    found = fetch_models(required_models(config), remedy)
    return {model.name: snapshot for model, snapshot in found.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One line of `mycanvas models`.

    revision: None where none is asked for. gigabytes: on this machine, or about what will be fetched; None: unknown.
    license, commercial: None where it is not known here. here: all of it is on this machine.
    """

    stage: str
    model: str
    revision: str | None
    gigabytes: float | None
    license: str | None
    commercial: bool | None
    here: bool


def list_required(config: BuildConfig) -> tuple[Listed, ...]:
    """Every model that a build runs on this machine; asks nobody."""
    return tuple(_listed(model) for model in required_models(config))


def _listed(required: RequiredModel) -> Listed:
    model, revision = split_name(required.name)
    found, about = required.find(), KNOWN.get(model)
    if required.kind == "onnx" and model in KNOWN:
        revision = RELEASE
    size = round(size_of(found) / 1e9, 1) if found else about.gigabytes if about else None
    return Listed(
        stage=required.role,
        model=model,
        revision=found.revision if found else revision,
        gigabytes=size,
        license=about.license if about else None,
        commercial=about.commercial if about else None,
        here=found is not None,
    )


def table_of_models(rows: Sequence[Listed]) -> list[str]:
    """The rows for a terminal, and what to type next."""
    if not rows:
        return ["This configuration runs no models on this machine: nothing to download."]
    cells = [("stage", "model", "revision", "GB", "license", "here")]
    for row in rows:
        license = (row.license or "see its page") + (" (not for commercial use)" if row.commercial is False else "")
        size = "?" if row.gigabytes is None else f"{row.gigabytes:.1f}"
        cells.append(
            (row.stage, row.model, (row.revision or "newest")[:12], size, license, "yes" if row.here else "no")
        )
    lines = table_lines(cells, align="left")
    away = [row for row in rows if not row.here]
    if away:
        total = sum(row.gigabytes or 0 for row in away)
        lines += ["", f"{len(away)} of {len(rows)} are not here, about {total:.0f} GB; fetch them with --download"]
    return lines


def backends_with_models(config: BuildConfig, revisions: Mapping[str, str]) -> dict[str, str]:
    """Stage -> its backend, with the models that it runs and their revisions: "diffusion owner/name@revision".

    A server says nothing of its model but the name that it goes by there.
    """
    found = config.backends()
    for model in required_models(config):
        found[model.role] += f" {published(model.name)}@{revisions.get(model.name, '?')}"
    layout = config.backend_table("layout")
    if isinstance(layout, ChatConfig) and layout.base_url is not None:
        found["layout"] += f" {published(layout.model)}"
    return found


def published(name: str) -> str:
    """A model's name without its revision, and without where it lies on somebody's machine."""
    return Path(name).name if is_local(name) or name.endswith(".onnx") else split_name(name)[0]
