"""The preview of `mycanvas build --preview N`: two sheets, and the command of the build itself."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import CUTOUT_SHEET
from builder.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from builder.config import BuildConfig
    from builder.pipeline.preview import Preview, PreviewScenes
    from mycanvas.dataset import Scene
    from mycanvas.errors import MyCanvasError

MOST = 36
"""The most scenes of a preview: what a contact sheet has."""
COLUMNS, SIDE = 3, 640
"""Scenes in a row of the sheet, and pixels of the square in which each is drawn."""
OTHER = "move it, or give another --output: the preview's sheets are beside it"
"""How to give the sheets other names, for messages."""

_OPTION = "--preview"
_WORDS = "mycanvas.words"

preview_option = click.option(
    _OPTION,
    type=click.IntRange(1, MOST),
    metavar="N",
    help="Make only the cut-outs and N of the build's scenes, drawn on two sheets beside --output.",
)


class PreviewCommand(click.Command):
    """A command that keeps the words that it was called with, to repeat them without `--preview`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words, and parse them."""
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The result of a preview.

    scenes: None if none could be made. scenes_sheet: None where it has nothing to show.
    command: of the build. cached: whether the build finds the cut-outs in the cache.
    """

    preview: Preview
    scenes: PreviewScenes | None
    scenes_sheet: Path | None
    cutouts_sheet: Path
    command: Sequence[str]
    cached: bool

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        from builder.pipeline.source_photos import photos_as_json

        scenes = self.scenes.scenes if self.scenes else ()
        rejected = self.scenes.rejected if self.scenes else ()
        dropped = self.scenes.dropped if self.scenes else {}
        return {
            "scenes_sheet": str(self.scenes_sheet) if self.scenes_sheet else None,
            "cutouts_sheet": str(self.cutouts_sheet),
            "scenes": [
                {
                    "id": scene.id,
                    "composition": scene.composition,
                    "split": scene.split,
                    "caption": scene.caption,
                    "dropped": dropped.get(scene.id),
                }
                for scene in scenes
            ],
            "rejected": {rejection.sample_id: rejection.reason for rejection in rejected},
            "photos": photos_as_json(self.preview.folder.sources().every_photo()),
            "cached": self.cached,
            "differs": self.preview.differs,
            "command": list(self.command),
        }

    def lines(self) -> list[str]:
        """Format the result for a terminal, with the commands to run next."""
        from builder.inspect.cutout_sheet import MOST as MOST_PHOTOS
        from builder.pipeline.source_photos import height_lines, summary_lines
        from builder.stages.layout.replies import tally

        photos = self.preview.folder.sources().every_photo()
        part = f" ({MOST_PHOTOS} of {len(photos)} photos)" if len(photos) > MOST_PHOTOS else ""
        return [
            *summary_lines(photos),
            *height_lines(photos),
            *self._scene_lines(),
            *tally(self.preview.folder.replies).lines(),
            "",
            *([f"scenes:    {self.scenes_sheet}"] if self.scenes_sheet else []),
            f"cut-outs:  {self.cutouts_sheet}{part}",
            "overrule:  use = [...], leave_out = [...] in concepts.toml; a mask beside a photo (00.mask.png);",
            f"           after the build, mycanvas review {shlex.quote(str(self.preview.context.config.output))}",
            *self._next_lines(),
        ]

    def _scene_lines(self) -> list[str]:
        from mycanvas.io.tables import table_lines

        if not self.scenes:
            return []
        dropped = self.scenes.dropped
        rows = [
            (scene.composition, f"select drops it: {dropped[scene.id]}" if scene.id in dropped else "kept")
            for scene in self.scenes.scenes
        ]
        rows += [(each.sample_id, f"rejected by {each.stage}: {each.reason}") for each in self.scenes.rejected]
        title = f"{len(rows)} of the {self.scenes.planned} scenes that the build makes:"
        return ["", title, *table_lines(rows, align="left")]

    def _next_lines(self) -> list[str]:
        output = self.preview.context.config.output
        reuse = "" if self.cached else "; the cache is off, so the photos will be cut out again"
        note = (
            [f"{output} holds a build of another configuration: give another --output"] if self.preview.differs else []
        )
        return [f"build:     {shlex.join(self.command)}{reuse}", *note]


def show_preview(config: BuildConfig, count: int, as_json: bool) -> None:
    """Preview a build: draw the sheets of its cut-outs and of some scenes, and print what became of them.

    If no scene can be made, the cut-outs are drawn and printed all the same.
    """
    from builder.inspect.contact_sheet import contact_sheet
    from builder.inspect.cutout_sheet import draw_cutouts
    from builder.inspect.summary import check_sheet, write_sheet
    from builder.pipeline.preview import preview
    from builder.pipeline.result_cache import cache_folder
    from mycanvas.errors import ConfigError, MyCanvasError
    from mycanvas.io.files import os_errors

    if isinstance(config.output, str):
        raise ConfigError(f"a preview is drawn beside a folder; give --output a folder, got {config.output!r}")
    command = command_without_preview()
    scenes_sheet, cutouts_sheet = sheets_beside(config.output)
    for sheet in (scenes_sheet, cutouts_sheet):
        if sheet.parent.is_dir():
            check_sheet(sheet, OTHER)
    with preview(config) as begun:
        with os_errors(cutouts_sheet.parent):  # as the build does; its place was checked just now
            cutouts_sheet.parent.mkdir(parents=True, exist_ok=True)
        write_sheet(cutouts_sheet, partial(draw_cutouts, begun.folder), OTHER)
        scenes: PreviewScenes | None = None
        failure: MyCanvasError | None = None
        try:
            scenes = begun.make(count)
            if scenes.scenes:
                write_sheet(scenes_sheet, partial(contact_sheet, _labelled(scenes), count, COLUMNS, SIDE), OTHER)
        except MyCanvasError as error:
            failure = error
        shown = Shown(
            preview=begun,
            scenes=scenes,
            scenes_sheet=scenes_sheet if scenes and scenes.scenes and not failure else None,
            cutouts_sheet=cutouts_sheet,
            command=command,
            cached=cache_folder() is not None,
        )
        if as_json:
            print_json(shown.as_json())
        else:
            print_lines(shown.lines())
        if failure:
            raise failure


def _labelled(made: PreviewScenes) -> list[Scene]:
    """The scenes, with a note in the captions of those that the build's selection drops."""
    notes = {name: f" [select drops it: {rule}]" for name, rule in made.dropped.items()}
    return [replace(scene, caption=scene.caption + notes.get(scene.id, "")) for scene in made.scenes]


def sheets_beside(output: Path) -> tuple[Path, Path]:
    """The paths of a preview's sheets of scenes and of cut-outs: OUT.preview.png and OUT.cutouts.png."""
    named = output if output.name not in {"", ".."} else Path(os.path.abspath(output))
    return named.with_name(f"{named.name}.preview.png"), named.with_name(f"{named.name}.{CUTOUT_SHEET}")


def command_without_preview() -> list[str]:
    """The words of the command that runs, without `--preview N`."""
    context = click.get_current_context()
    words: list[str] = list(context.meta[_WORDS])
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word != _OPTION and not word.startswith(f"{_OPTION}="):
            kept.append(word)
        skip = word == _OPTION
    return [*context.command_path.split(), *kept]
