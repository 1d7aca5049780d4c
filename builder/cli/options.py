"""Options and defaults that several commands share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mycanvas.io.store import is_url
from mycanvas.io.text import is_utf8, shown

Command = TypeVar("Command", bound=Callable[..., None])
"""A command's function, before click turns it into a command."""


class OnceCommand(click.Command):
    """A command that refuses an option given twice; click would use the last value and drop the others silently."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, and count the options among them first."""
        given = Counter(self.make_parser(ctx).parse_args(list(args))[2])
        for option, times in given.items():
            if isinstance(option, click.Option) and not (option.multiple or option.is_flag) and times > 1:
                raise click.UsageError(f"give {max(option.opts, key=len)} once; it was given {times} times", ctx)
        return super().parse_args(ctx, args)


class _Path(click.Path):
    """A path whose name is UTF-8: others cannot be written to configurations, cards and JSON.

    An empty word, which pathlib takes for the current folder, is refused.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a name that is empty or not UTF-8."""
        if value == "":
            self.fail('expected a path, got ""; the current folder is "."', param, ctx)
        if not is_utf8(os.fsdecode(value)):
            self.fail(f"the path {shown(os.fsdecode(value))} is not UTF-8; rename its folder or file", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path, readable=False)  # commands say why one is not


class _Place(_Path):
    """A path, or the URL of a store, which stays text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave a URL as it is."""
        return value if "://" in str(value) and is_url(value) else super().convert(value, param, ctx)


PLACE = _Place(path_type=Path, readable=False)

DEFAULT_DATASET = Path("mycanvas_data")
CONTACT_SHEET = "contact_sheet.png"
"""Name of the contact sheet in a dataset's folder, unless another path is given."""

REPORT = "report.html"
"""The same, for the report."""

CUTOUT_SHEET = "cutouts.png"
"""The same, for the contact sheet of cut-outs."""

SIZES = "SIZE[,SIZE…]"
"""Placeholder for the value of `--resolution` in help texts."""
RESOLUTION = "Size of a scene in pixels: 1024 (a square), 1024x768, or a list from which each scene draws one."
"""The help of `--resolution`."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

folder_argument = click.argument("folder", metavar="DIR", type=PATH)
"""The folder of a built dataset."""

config_argument = click.argument("config_file", metavar="[build.toml]", required=False, type=PATH)


min_quality_option = click.option(
    "--min-quality", type=float, help="Use cut-outs from this quality on, 0 to 1.  [default: that of the segmenter]"
)


def complete_profiles(_context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    """The names of profiles for the completion of the shell."""
    from builder.config.load import profile_names

    return [name for name in profile_names() if name.startswith(begun)]


def profile_option(text: str) -> Callable[[Command], Command]:
    """`--profile`, with this help. Its values are checked where the configuration is read."""
    return click.option("--profile", metavar="NAME", help=text, shell_complete=complete_profiles)


def encoder_option(families: str) -> Callable[[Command], Command]:
    """`--encoder`, for a command that accepts these families of encoders."""
    text = f"{families}: owner/name on the Hub, or ./folder.  [default: the paper's CLIP B/32]"
    return click.option("--encoder", metavar="MODEL", help=text)


def runtime_options(command: Command) -> Command:
    """`--device` and `--dtype`, for a command that runs models."""
    dtypes = click.Choice(["auto", "float32", "bfloat16", "float16"])
    command = click.option("--dtype", type=dtypes, default="auto", show_default=True, help="Precision.")(command)
    return click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1 or mps.")(command)
