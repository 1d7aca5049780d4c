"""Ask a language model for a theme of each composition: likely backgrounds, and the sizes of its objects."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.config import BuildConfig
from builder.pipeline.context import BuildContext
from builder.pipeline.loaded_backends import with_backend
from builder.records import BackgroundRef, Concept, Theme
from builder.stages.layout import THEMES
from mycanvas.io.progress import Progress
from mycanvas.models.runtime import Runtime

log = logging.getLogger("mycanvas")

Composition = tuple[str, ...]
"""Sorted names of the concepts of one scene."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThemeTask:
    """Compositions to ask a theme for. scenes: name of a background scene -> its phrase."""

    compositions: tuple[tuple[Concept, ...], ...]
    scenes: Mapping[str, str]
    config: BuildConfig
    runtime: Runtime


def find_themes(
    context: BuildContext, compositions: Sequence[tuple[Concept, ...]], backgrounds: Sequence[BackgroundRef]
) -> dict[Composition, Theme]:
    """Ask for a theme of each composition.

    Args:
        context: of the build.
        compositions: the concepts of each composition.
        backgrounds: all that scenes may have.

    Returns:
        Composition -> theme, for the usable replies; empty if the layout backend proposes no themes.

    Raises:
        ModelError: the model cannot be reached or run, or `otherwise` is "reject" and a composition has no theme.
    """
    config = context.config
    if config.backend_name("layout") not in THEMES:
        return {}
    if context.has_language_model():
        context = context.alone()
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
            "the language model gave no usable reply for %d of %d compositions; their scenes use any background, and "
            "sizes from concepts.toml",
            *(len(compositions) - len(themes), len(compositions)),
        )
    return themes


def ask_for_themes(task: ThemeTask) -> dict[Composition, Theme | None]:
    """Ask for the themes of one task; None: no usable reply."""
    config = task.config
    themes = with_backend(
        "layout",
        THEMES[config.backend_name("layout")],
        config.backend_table("layout"),
        task.runtime,
        lambda llm: llm.themes(
            task.compositions,
            task.scenes,
            # A background that is repainted by a model may have any phrase, not only those of `scenes`.
            free="repaint" in config.learned(),
            seed=config.seed,
        ),
    )
    names = [tuple(concept.name for concept in concepts) for concepts in task.compositions]
    return dict(zip(names, themes, strict=True))
