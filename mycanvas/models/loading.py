"""Common parts of loading models: from this machine only, without code of the repository, quietly, and whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from mycanvas.errors import ModelError

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments of every `from_pretrained` of transformers; without them, it may ask a question on the terminal."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide the progress bars and log messages of transformers."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def check_weights(name: str, missing: Collection[str]) -> None:
    """Refuse a model that lacks weights: transformers initialises them at random.

    Raises:
        ModelError: weights are missing.
    """
    if missing:
        raise ModelError(f"{name} lacks {len(missing)} of its weights, such as {min(missing)}")
