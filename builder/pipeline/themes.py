"""Before there is a plan: a language model says where each composition is seen, and how large its things are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from tqdm import tqdm

from builder.config.schema import BuildConfig
from builder.engines import Engine
from builder.pipeline.backends import Runtime, with_backend
from builder.records import BackgroundRef, Concept, Theme
from builder.stages.layout import THEMES
from mycanvas.errors import MissingExtra

log = logging.getLogger("mycanvas")

Composition = tuple[str, ...]
"""Names of the concepts that meet, sorted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThemeTask:
    """Compositions to find themes for. scenes: each scene's phrase, by its name."""

    compositions: tuple[tuple[Concept, ...], ...]
    scenes: Mapping[str, str]
    config: BuildConfig
    runtime: Runtime


def reach_model(config: BuildConfig) -> None:
    """Find out, before any work, whether the language model that is going to be asked, if any, can be.

    Raises:
        ModelError: its server is not there.
        MissingExtra: a package that it takes is not installed.
    """
    if config.layout.backend not in THEMES:
        return
    package = "openai" if config.layout.llm.base_url else "llguidance"
    if find_spec(package) is None:
        raise MissingExtra(package, extra="models")
    if config.layout.llm.base_url:
        from mycanvas.models.llm.server import Server

        Server(config.layout.llm).reach()


def find_themes(
    compositions: Sequence[tuple[Concept, ...]],
    backgrounds: Sequence[BackgroundRef],
    config: BuildConfig,
    engine: Engine,
    runtime: Runtime,
) -> dict[Composition, Theme]:
    """A theme for each composition, by its concepts' names; none for those that the model said nothing usable of.

    Raises:
        ModelError: the model cannot be asked, or `otherwise` is "reject" and there is no theme for some composition.
    """
    if config.layout.backend not in THEMES:
        return {}
    scenes = dict(sorted({background.scene: background.phrase for background in backgrounds}.items()))
    step = config.layout.llm.batch_size
    tasks = [
        ThemeTask(compositions=tuple(compositions[start : start + step]), scenes=scenes, config=config, runtime=runtime)
        for start in range(0, len(compositions), step)
    ]
    themes: dict[Composition, Theme] = {}
    with tqdm(total=len(compositions), desc="asking for themes", unit="composition") as bar:
        for found in engine.map(ask_for_themes, tasks):
            themes |= {composition: theme for composition, theme in found.items() if theme}
            bar.update(len(found))
    if len(themes) < len(compositions):
        log.warning(
            "the language model said nothing usable of %d of %d compositions; their scenes take any background, and "
            "sizes from concepts.toml",
            *(len(compositions) - len(themes), len(compositions)),
        )
    return themes


def ask_for_themes(task: ThemeTask) -> dict[Composition, Theme | None]:
    """What a worker does."""
    config = task.config
    themes = with_backend(
        THEMES,
        config.layout,
        task.runtime,
        lambda llm: llm.themes(
            task.compositions,
            task.scenes,
            # Whatever is painted anew may be called what it is painted as.
            free=config.repaint.backend == "diffusion",
            seed=config.seed,
        ),
    )
    names = [tuple(concept.name for concept in concepts) for concepts in task.compositions]
    return dict(zip(names, themes, strict=True))
