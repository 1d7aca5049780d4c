"""Makes the dataset: photos of objects -> composed scenes, in the order of the Gen4Gen poster.

From Python: `load_config`, `build` and `select`. They import the stages when they are called, so that
`import builder` takes no time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.config import BuildConfig
    from builder.pipeline.finalize import Summary

__all__ = ["build", "load_config", "select"]


def load_config(
    path: str | os.PathLike[str] | None = None, *, profile: str | None = None, **options: Any
) -> BuildConfig:
    """Read and check the configuration of a build.

    Args:
        path: a build.toml; folders in it, and the default output, are relative to it. None: only the profile and the
            options.
        profile: the profile below both; None: the one that the file names, else "classic".
        options: top-level keys of build.toml, which replace those of the file: `samples=300`, `concepts="photos"`.
            A stage's table is a dict, merged into that of the file: `segment={"keep_best": True}`.

    Raises:
        ConfigError: an unknown profile or key, a value out of range, or a file that is not TOML.
    """
    from builder.config import load_config as load

    return load(None if path is None else Path(path), profile, options)


def build(config: BuildConfig) -> Summary:
    """Make the dataset that a configuration describes in `config.output`, or resume it.

    A script that calls it with more than one worker does so under `if __name__ == "__main__":`, as the workers import
    the script.

    Returns:
        What was made: `summary.funnel.kept` counts the scenes of each split, `summary.photos` has each photo's outcome.

    Raises:
        ConfigError: the configuration and the photos do not fit together.
        InputError: no usable photo.
        ModelError: a required model is not available.
        StoreError: the output folder cannot be used.
    """
    import multiprocessing

    from builder.pipeline.build import build as run
    from mycanvas.errors import ConfigError
    from mycanvas.io.files import access_error

    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ConfigError('a worker process ran build() again; call it under `if __name__ == "__main__":`')
    try:
        return run(config)
    except OSError as error:
        raise access_error(error) from error


def select(folder: str | os.PathLike[str], *, reset: bool = False, **thresholds: float | None) -> Summary:
    """Choose again which scenes of a finished build are kept, without generating any.

    Args:
        folder: the output of a build; a URL as text.
        reset: start from the profile's thresholds, not from the current ones.
        thresholds: keys of [select] in build.toml: `min_visible=0.8`; None removes a bound.

    Raises:
        ConfigError: an unknown threshold, or a value out of range.
        StoreError: the folder holds no finished build, or no scene would be kept.
    """
    from builder.pipeline.finalize import reselect
    from mycanvas.io.files import access_error
    from mycanvas.io.store import is_url

    place = os.fspath(folder)
    try:
        return reselect(place if is_url(place) else Path(place), thresholds, reset=reset)
    except OSError as error:
        raise access_error(error) from error
