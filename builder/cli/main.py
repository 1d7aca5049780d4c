"""The command line `mycanvas`: the group of its commands, and how their errors are reported."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from builder.cli.alignment import alignment
from builder.cli.build import build
from builder.cli.clean import clean
from builder.cli.cutouts import cutouts
from builder.cli.demo import demo
from builder.cli.evaluate import evaluate
from builder.cli.export import export
from builder.cli.generate import generate
from builder.cli.init import init
from builder.cli.inspect import inspect
from builder.cli.interrupt import STOPPED
from builder.cli.logs import QUIET, VERBOSE, start_logging
from builder.cli.models import models
from builder.cli.output import discard_output, print_any_character, print_lines
from builder.cli.prompts import prompts
from builder.cli.push import push
from builder.cli.ratings import ratings
from builder.cli.reproduce import reproduce
from builder.cli.review import review
from builder.cli.select import select
from builder.cli.train import train
from builder.engines.base import STOP_SIGNALS
from mycanvas import __version__

COMMANDS = (
    *(demo, init, cutouts, build, inspect, review, select, clean, models),
    *(push, export, prompts, evaluate, alignment, ratings, train, generate, reproduce),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mycanvas")
def cli() -> None:
    """Turn photos of objects into a dataset of composed scenes.

    \b
    mycanvas demo                         build one from rendered toys
    mycanvas build --concepts photos      build one from your photos
    mycanvas init photos                  write the files that describe such a build
    """


for command in COMMANDS:
    cli.add_command(command)
for command in (cli, *COMMANDS):
    command.params += [QUIET, VERBOSE]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in a message, not in a traceback.

    Data goes to stdout; progress, warnings and errors go to stderr.

    Args:
        arguments: the words after the program's name; None: those of this process.

    Raises:
        SystemExit: with code 1 if the command failed, with code 2 if it was used wrongly.
    """
    from mycanvas.errors import ConfigError, MyCanvasError
    from mycanvas.io.files import access_error

    start_logging()
    print_any_character()
    _raise_on_signal()
    try:
        cli(arguments, prog_name="mycanvas", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _fail(STOPPED, code=1)
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        print_lines([message.getvalue().removesuffix("\n")], err=True)
        sys.exit(error.exit_code)
    except MyCanvasError as error:
        _fail(str(error), code=2 if isinstance(error, ConfigError) else 1)
    except OSError as error:
        _fail(str(access_error(error)), code=1)
    except MemoryError:
        _fail("memory ran out; end other programs, or build with fewer --workers or a lower --resolution", code=1)


def _raise_on_signal() -> None:
    """Raise KeyboardInterrupt on a stop signal, so that commands can clean up; ignored signals stay ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _fail(message: str, *, code: int) -> NoReturn:
    discard_output()
    print_lines([f"error: {message}"], err=True)
    sys.exit(code)
