"""Fetch a dataset on the Hugging Face Hub once, as a folder of concepts that `find_concepts` reads.

~/.cache/mycanvas/concepts/<owner>--<name>/<revision>/<concept>/*.jpg
                                                     /ATTRIBUTION      the dataset, and the license of its card
                                                     /provenance.json  written last: where each photo comes from
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.sources import ON_HUB
from builder.sources.hub_photos import HubSource, copy_photos
from mycanvas.errors import ConfigError, HubError, InputError
from mycanvas.io.files import UNFINISHED, os_errors, user_cache, write_json, write_text
from mycanvas.io.hub_errors import hub_errors
from mycanvas.io.text import brief_repr

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger("mycanvas")

PROVENANCE = "provenance.json"
REVISION = "[0-9a-f]" * 40
"""A glob pattern of a commit."""

_NAME = re.compile(
    rf"{ON_HUB}(datasets/)?(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[^/@]+))?(/(?P<part>.+?))?/?", re.ASCII
)


def fetch_concepts(name: str) -> Path:
    """Fetch the photos of a dataset on the Hub into a folder for each concept; return the folder that holds these.

    In a repository of pictures, each folder is a concept; in one of rows, each configuration, or each value of a column
    of labels. Where the Hub refuses or cannot be reached, the last fetched revision is used.

    Args:
        name: "hf://owner/name", "hf://owner/name@revision", "hf://owner/name/part": a folder or a configuration.

    Raises:
        ConfigError: the name has another form.
        HubError: the Hub refused or cannot be reached, and no revision was fetched before.
        InputError: the dataset has no pictures, or too many.
    """
    named = _NAME.fullmatch(name)
    if not named:
        raise ConfigError(
            f"concepts: expected {ON_HUB}owner/name[@revision][/folder or configuration], got {brief_repr(name, 200)}"
        )
    part = named["part"] or ""
    root = user_cache("concepts") / named["repo"].replace("/", "--")
    ending = f"-{hashlib.sha256(part.encode()).hexdigest()[:8]}" if part else ""
    fetched = root / f"{named['revision']}{ending}"  # a commit never changes
    if (fetched / PROVENANCE).is_file():
        return fetched
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        with hub_errors(f"fetch {name}"):
            source = _resolve(api, named["repo"], part, named["revision"])
    except HubError as error:
        earlier = [file.parent for file in root.glob(f"{REVISION}{ending}/{PROVENANCE}")]
        if named["revision"] or not earlier:
            raise
        folder = max(earlier, key=lambda each: (each / PROVENANCE).stat().st_mtime)
        log.warning("%s; using revision %s, which was fetched before", error, folder.name[:40])
        return folder
    folder = root / f"{source.commit}{ending}"
    if not (folder / PROVENANCE).is_file():
        with hub_errors(f"fetch {name}"):
            _fetch(api, source, folder)
    return folder


def _resolve(api: HfApi, repo: str, part: str, revision: str | None) -> HubSource:
    info = api.dataset_info(repo, revision=revision, timeout=20)
    card: Any = info.card_data or {}
    license = card.get("license")
    if license == "other":
        license = card.get("license_name")
    license_name = ", ".join(license) if isinstance(license, list) else license
    return HubSource(
        repo=repo, part=part, commit=str(info.sha), license=None if license_name == "unknown" else license_name
    )


def _fetch(api: HfApi, source: HubSource, folder: Path) -> None:
    """Fill a folder, which gets its name when it is complete."""
    with os_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(UNFINISHED, f".{folder.name}.", folder.parent))
    try:
        origins = copy_photos(api, source, unfinished)
        if not origins:
            raise InputError(f"{ON_HUB}{source.repo} has no pictures{' in ' + source.part if source.part else ''}")
        if source.license:
            text = f"{source.repo} on the Hugging Face Hub, revision {source.commit}, license {source.license}\n"
            write_text(unfinished / "ATTRIBUTION", text)
        about = {"dataset": source.repo, "revision": source.commit, "part": source.part, "license": source.license}
        write_json(unfinished / PROVENANCE, {**about, "photos": origins})
        with os_errors(folder):
            try:
                unfinished.replace(folder)
            except OSError:
                if not (folder / PROVENANCE).is_file():  # else another process fetched the same photos first
                    raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
