"""Before there is a plan: a language model says where each composition is seen, and how large its things are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.config import BuildConfig
from builder.pipeline.backends import with_backend
from builder.pipeline.context import BuildContext
from builder.records import BackgroundRef, Concept, Theme
from builder.stages.layout import THEMES
from mycanvas.io.progress import Progress
from mycanvas.models.runtime import Runtime

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


def find_themes(
    context: BuildContext, compositions: Sequence[tuple[Concept, ...]], backgrounds: Sequence[BackgroundRef]
) -> dict[Composition, Theme]:
    """Ask for a theme for each composition; those without a usable reply have none.

    Args:
        context: of the build; a layout backend that proposes no themes gives none.
        compositions: the concepts that meet.
        backgrounds: all that scenes may use.

    Raises:
        ModelError: the model cannot be asked, or `otherwise` is "reject" and some composition has no theme.
    """
    config = context.config
    if config.backend_name("layout") not in THEMES:
        return {}
    scenes = dict(sorted({background.scene: background.phrase for background in backgrounds}.items()))
    step = THEMES[config.backend_name("layout")].batch_size(config.backend_table("layout"))
    tasks = [
        ThemeTask(
            compositions=tuple(compositions[start : start + step]),
            scenes=scenes,
            config=config,
            runtime=context.runtime,
        )
        for start in range(0, len(compositions), step)
    ]
    themes: dict[Composition, Theme] = {}
    with Progress("asking for themes", len(compositions), "composition") as progress:
        for found in context.engine.map(ask_for_themes, tasks):
            themes |= {composition: theme for composition, theme in found.items() if theme}
            progress.update(len(found))
    if len(themes) < len(compositions):
        log.warning(
            "the language model gave nothing usable for %d of %d compositions; their scenes take any background, and "
            "sizes from concepts.toml",
            *(len(compositions) - len(themes), len(compositions)),
        )
    return themes


def ask_for_themes(task: ThemeTask) -> dict[Composition, Theme | None]:
    """What a worker does."""
    config = task.config
    themes = with_backend(
        "layout",
        THEMES[config.backend_name("layout")],
        config.backend_table("layout"),
        task.runtime,
        lambda llm: llm.themes(
            task.compositions,
            task.scenes,
            # Whatever is painted anew may be called what it is painted as.
            free="repaint" in config.learned(),
            seed=config.seed,
        ),
    )
    names = [tuple(concept.name for concept in concepts) for concepts in task.compositions]
    return dict(zip(names, themes, strict=True))
