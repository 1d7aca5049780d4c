"""The client of the Hugging Face Hub, for the user who is logged in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mycanvas.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger("mycanvas")


def hub_client(*, anonymous: bool) -> HfApi:
    """A client of the Hub. anonymous: for a dry run, which also works without a login.

    Raises:
        HubError: nobody is logged in.
    """
    from huggingface_hub import HfApi, get_token

    api = HfApi()
    if get_token() is None:
        if anonymous:
            log.warning("not logged in to the Hub: private repositories are not visible")
            return api
        raise HubError("not logged in to the Hub; run: hf auth login (or set HF_TOKEN)")
    return api


@contextmanager
def no_bars() -> Iterator[None]:
    """Hide the progress bars of huggingface_hub and datasets, which would overwrite ours."""
    from datasets.utils import logging as datasets_bars
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hub_shown, datasets_shown = not are_progress_bars_disabled(), datasets_bars.is_progress_bar_enabled()
    disable_progress_bars()
    datasets_bars.disable_progress_bar()
    try:
        yield
    finally:
        if hub_shown:
            enable_progress_bars()
        if datasets_shown:
            datasets_bars.enable_progress_bar()
