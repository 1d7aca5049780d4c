"""Where a dataset is: commands that need a folder on this machine refuse URLs, and say how to fetch the dataset."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from mycanvas.errors import InputError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def check_on_this_machine(folder: Path) -> None:
    """Refuse a URL of another machine. A folder that exists is never taken for a URL.

    Args:
        folder: as the command line gives it: "hf://datasets/jane/scenes" has become hf:/datasets/jane/scenes.

    Raises:
        InputError: with the download command, if the dataset is on the Hub.
    """
    scheme, *parts = folder.parts or ("",)
    if folder.exists() or not parts or not _SCHEME.fullmatch(scheme):
        return
    if scheme != "hf:":
        raise InputError(
            f"expected a folder on this machine, got a dataset on {scheme}//; of one that was built there, "
            "`mycanvas select URL` makes a copy on this machine and prints its path"
        )
    name, _, revision = "/".join(parts[1:] if parts[0] == "datasets" else parts).partition("@")
    name = "/".join(name.split("/")[:2])
    chosen = f" --revision {shlex.quote(revision.split('/')[0].replace('%2F', '/'))}" if revision else ""
    fetch = f"hf download {shlex.quote(name)} --repo-type dataset{chosen} --local-dir DIR"
    raise InputError(f"expected a folder on this machine, got a dataset on the Hub; fetch it with: {fetch}")
