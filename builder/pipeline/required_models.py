"""Which models a configuration needs, and where they lie once they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from builder.config.schema import BuildConfig
from mycanvas.errors import MissingExtra, ModelError
from mycanvas.io.tables import table_lines
from mycanvas.models import KNOWN, RELEASE, Kind, Snapshot, detectors, encoders, fetch, is_local, size_of, split_name
from mycanvas.models.checkpoint import model_type

PACKAGES: Mapping[Kind, tuple[str, ...]] = {
    "transformers": ("torch", "transformers"),
    "diffusers": ("torch", "diffusers", "transformers", "accelerate"),
    "onnx": ("rembg", "onnxruntime"),
}
"""What must be installed to run a model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One model of one stage.

    name: as the configuration gives it. variant: of its weights. types: architectures that will do, by transformers'
    names; empty: whichever the library loads.
    """

    stage: str
    name: str
    kind: Kind
    variant: str | None = None
    types: tuple[str, ...] = ()

    def fetch(self, *, offline: bool = False) -> Snapshot:
        """The model on this machine; see `mycanvas.models.download`."""
        return fetch(self.name, self.kind, variant=self.variant, offline=offline)

    def line(self) -> str:
        """What a person reads where it is missing."""
        model, _ = split_name(self.name)
        size = f", {KNOWN[model].gigabytes:g} GB" if model in KNOWN else ""
        return f"{self.stage:<8} {model}{size}"


def needs(config: BuildConfig) -> tuple[Need, ...]:
    """Every model that the stages of a build run on this machine, in the order of the stages."""
    return tuple(need for stage in config.learned() for need in _of_stage(stage, config))


def _of_stage(stage: str, config: BuildConfig) -> Iterator[Need]:
    if stage == "segment":
        yield Need(stage=stage, name=config.segment.rembg.name(), kind="onnx")
    if stage == "layout" and config.layout.llm.base_url is None:
        yield Need(stage=stage, name=config.layout.llm.model, kind="transformers")
    if stage == "repaint":
        diffusion = config.repaint.diffusion
        for name in filter(None, (diffusion.model, diffusion.refiner)):
            yield Need(stage=stage, name=name, kind="diffusers", variant=diffusion.variant)
    if stage == "caption":
        yield Need(stage=stage, name=config.caption.vlm.model, kind="transformers")
    if stage == "score":
        clip = config.score.clip
        yield Need(stage=stage, name=clip.encoder, kind="transformers", types=tuple(encoders.FAMILIES))
        yield Need(stage=stage, name=clip.detector, kind="transformers", types=tuple(detectors.FAMILIES))


def fetch_needs(config: BuildConfig) -> Mapping[str, Snapshot]:
    """Every needed model on this machine, by its name in the configuration; downloaded where it is not yet.

    Raises:
        MissingExtra: a package that runs one of them is not installed.
        ModelError: one cannot be had, when the message names all that are missing; or is of another kind.
    """
    expected = needs(config)
    for package in (package for need in expected for package in PACKAGES[need.kind]):
        if find_spec(package) is None:
            raise MissingExtra(package, extra="models")
    there = {need: found for need in expected if (found := found_here(need))}
    missing = [need for need in expected if need not in there]
    for need in missing:
        try:
            there[need] = need.fetch()
        except ModelError as error:
            raise ModelError(_told(missing, error, config.profile)) from error
    for need in expected:
        if need.types and (kind := model_type(there[need].path)) not in need.types:
            raise ModelError(f"{need.stage}: {need.name} is of type {kind!r}; expected one of {', '.join(need.types)}")
        if need.kind == "transformers" and _takes_films(there[need].path) and find_spec("torchvision") is None:
            raise ModelError(
                f"{need.name} takes torchvision, which is not installed; the one that fits the installed torch is on "
                "https://pytorch.org/get-started/locally"
            )
    return {need.name: there[need] for need in expected}


def _takes_films(folder: Path) -> bool:
    """Whether a checkpoint comes with a processor for films, which transformers builds on torchvision (Qwen3-VL)."""
    processor = folder / "processor_config.json"
    named = processor.is_file() and '"video_processor"' in processor.read_text(encoding="utf-8", errors="replace")
    return named or (folder / "video_preprocessor_config.json").is_file()


def found_here(need: Need) -> Snapshot | None:
    """The model if all of it is on this machine already."""
    try:
        return need.fetch(offline=True)
    except ModelError:
        return None


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


def list_needs(config: BuildConfig) -> tuple[Listed, ...]:
    """Every model that a build runs on this machine; asks nobody."""
    return tuple(_listed(need) for need in needs(config))


def _listed(need: Need) -> Listed:
    model, revision = split_name(need.name)
    found, about = found_here(need), KNOWN.get(model)
    if need.kind == "onnx" and model in KNOWN:
        revision = RELEASE
    size = round(size_of(found) / 1e9, 1) if found else about.gigabytes if about else None
    return Listed(
        stage=need.stage,
        model=model,
        revision=found.revision if found else revision,
        gigabytes=size,
        license=about.license if about else None,
        commercial=about.commercial if about else None,
        here=found is not None,
    )


def table_of_needs(rows: Sequence[Listed]) -> list[str]:
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


def _told(missing: Sequence[Need], error: ModelError, profile: str) -> str:
    lines = [str(error), "Not on this machine:", *(f"  {need.line()}" for need in missing)]
    if all(is_local(need.name) for need in missing):
        return "\n".join([*lines, "Name a folder that holds the model, or a repository on the Hub."])
    command = (
        f"mycanvas models --profile {profile} --download (with a build.toml: mycanvas models build.toml --download)"
    )
    return "\n".join([*lines, f"Where there is a network, run: {command}; or name a folder that holds the model."])


def backends_with_models(config: BuildConfig, revisions: Mapping[str, str]) -> dict[str, str]:
    """Stage -> its backend, with the models that it runs and their revisions: "diffusion owner/name@revision".

    A server says nothing of its model but the name that it goes by there.
    """
    found = config.backends()
    for need in needs(config):
        found[need.stage] += f" {published(need.name)}@{revisions.get(need.name, '?')}"
    if "layout" in config.learned() and config.layout.llm.base_url is not None:
        found["layout"] += f" {published(config.layout.llm.model)}"
    return found


def published(name: str) -> str:
    """A model's name without its revision, and without where it lies on somebody's machine."""
    return Path(name).name if is_local(name) or name.endswith(".onnx") else split_name(name)[0]
