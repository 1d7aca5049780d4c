"""How every model is loaded: from this machine only, no code that came with it, and without talking of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""What every `from_pretrained` of transformers is given; left out, the library may ask on the terminal."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without the progress bars and remarks of transformers, which are not the user's concern."""
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
