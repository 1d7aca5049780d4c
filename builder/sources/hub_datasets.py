"""A dataset on the Hugging Face Hub -> a folder of photos on this machine, as `find_concepts` reads it, fetched once.

~/.cache/mycanvas/concepts/<owner>--<name>/<revision>/<concept>/*.jpg
                                                     /ATTRIBUTION      the dataset, and the license of its card
                                                     /provenance.json  written last: where each photo comes from
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from builder.config.schema import ON_HUB
from builder.sources.photo_folders import SUFFIXES
from mycanvas.errors import ConfigError, HubError, InputError
from mycanvas.io.files import UNFINISHED, os_errors, write_bytes, write_json, write_text
from mycanvas.io.hub_errors import hub_errors
from mycanvas.io.images import MAX_BYTES as LARGEST_PHOTO

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

log = logging.getLogger("mycanvas")

MAX_PHOTOS = 5_000
MAX_BYTES = 4 * 10**9
"""A source of concepts has a few photos of each thing; more than this is meant for something else."""
LABELS = ("label", "concept", "subject", "class", "class_name", "category")
"""Columns that say what a picture shows, the first that is there."""
DESCRIPTIONS, PROVENANCE = "concepts.toml", "provenance.json"

_NAME = re.compile(
    rf"{ON_HUB}(datasets/)?(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[^/@]+))?(/(?P<part>.+?))?/?", re.ASCII
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A dataset on the Hub, resolved to a commit.

    part: a folder or a configuration of the dataset; empty: all. license: as the dataset's card states it, if it does.
    """

    repo: str
    part: str
    commit: str
    license: str | None


def fetch_concepts(name: str) -> Path:
    """The photos of a dataset on the Hub, in a folder for each concept.

    Of a repository of pictures, each folder is a concept; of rows, each configuration, or each value of a column that
    labels them. What was fetched before is used where the Hub cannot be asked.

    Args:
        name: "hf://owner/name", "hf://owner/name@revision", "hf://owner/name/part": a folder or a configuration.

    Raises:
        ConfigError: the name is none of these.
        HubError: the Hub refuses or cannot be reached, and nothing was fetched before.
        InputError: the dataset has no pictures, or far too many.
    """
    named = _NAME.fullmatch(name)
    if not named:
        raise ConfigError(f"concepts: expected {ON_HUB}owner/name[@revision][/folder or configuration], got {name!r}")
    part = named["part"] or ""
    root = _cache() / named["repo"].replace("/", "--")
    ending = f"-{hashlib.sha256(part.encode()).hexdigest()[:8]}" if part else ""
    known = root / f"{named['revision']}{ending}"  # a commit never changes
    if (known / PROVENANCE).is_file():
        return known
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        with hub_errors(f"fetch {name}"):
            source = _ask(api, named["repo"], part, named["revision"])
    except HubError as error:
        earlier = (
            [] if named["revision"] else [file.parent for file in root.glob(f"{'[0-9a-f]' * 40}{ending}/{PROVENANCE}")]
        )
        if not earlier:
            raise
        folder = max(earlier, key=lambda each: (each / PROVENANCE).stat().st_mtime)
        log.warning("%s; using what was fetched before, of revision %s", error, folder.name[:40])
        return folder
    folder = root / f"{source.commit}{ending}"
    if not (folder / PROVENANCE).is_file():
        with hub_errors(f"fetch {name}"):
            _fetch(api, source, folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mycanvas" / "concepts"


def _ask(api: HfApi, repo: str, part: str, revision: str | None) -> _Source:
    info = api.dataset_info(repo, revision=revision, timeout=20)
    card: Any = info.card_data or {}
    license = card.get("license")
    if license == "other":
        license = card.get("license_name")
    said = ", ".join(license) if isinstance(license, list) else license
    return _Source(repo=repo, part=part, commit=str(info.sha), license=None if said == "unknown" else said)


def _fetch(api: HfApi, source: _Source, folder: Path) -> None:
    """Fill a folder; it gets its name when it is whole."""
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(source.repo, repo_type="dataset", revision=source.commit, recursive=True)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    with os_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        growing = Path(tempfile.mkdtemp(UNFINISHED, f".{folder.name}.", folder.parent))
    try:
        pictures = [file for file in files if _is_picture(file.path, source.part)]
        if pictures:
            from_where = _copy(api, source, files, pictures, growing)
        else:
            with _no_asides():
                from_where = _unpack(source, files, growing)
        if not from_where:
            raise InputError(f"{ON_HUB}{source.repo} has no pictures{' in ' + source.part if source.part else ''}")
        if source.license:
            text = f"{source.repo} on the Hugging Face Hub, revision {source.commit}, license {source.license}\n"
            write_text(growing / "ATTRIBUTION", text)
        about = {"dataset": source.repo, "revision": source.commit, "part": source.part, "license": source.license}
        write_json(growing / PROVENANCE, {**about, "photos": from_where})
        with os_errors(folder):
            try:
                growing.replace(folder)
            except OSError:
                if not (folder / PROVENANCE).is_file():  # else another process was faster, with the same photos
                    raise
    finally:
        shutil.rmtree(growing, ignore_errors=True)


@contextmanager
def _no_asides() -> Iterator[None]:
    """Without what the libraries log beside their errors, which are told, and of cards without metadata."""
    levels = {"datasets": logging.CRITICAL, "huggingface_hub.repocard": logging.ERROR}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _is_picture(path: str, part: str) -> bool:
    return path.lower().endswith(SUFFIXES) and (not part or path.startswith(f"{part}/"))


def _copy(api: HfApi, source: _Source, files: list[RepoFile], pictures: list[RepoFile], folder: Path) -> dict[str, str]:
    """A repository of picture files: one concept for each folder that holds some, and its concepts.toml, if any."""
    _check_size(source, len(pictures), sum(file.size for file in pictures))
    top = f"{source.part}/" if source.part else ""
    described = [file.path for file in files if file.path == f"{top}{DESCRIPTIONS}"]
    paths = sorted(file.path for file in pictures)
    api.snapshot_download(
        source.repo,
        repo_type="dataset",
        revision=source.commit,
        local_dir=folder / ".fetched",
        allow_patterns=[glob.escape(path) for path in (*paths, *described)],
    )
    from_where: dict[str, str] = {}
    for path in paths:
        place = PurePosixPath(path)
        concept = _folder_name(place.parent.name or source.repo.split("/")[1])
        photo = f"{concept}/{place.name}"
        if photo in from_where:  # of train/dog and test/dog
            photo = f"{concept}/{'-'.join(place.parts)}"
        (folder / concept).mkdir(exist_ok=True)
        (folder / ".fetched" / path).replace(folder / photo)
        from_where[photo] = path
    for path in described:
        (folder / ".fetched" / path).replace(folder / DESCRIPTIONS)
    shutil.rmtree(folder / ".fetched")
    return from_where


def _unpack(source: _Source, files: list[RepoFile], folder: Path) -> dict[str, str]:
    """A repository of rows: one concept for each configuration, or for each label where there is only one."""
    import datasets
    from datasets.data_files import EmptyDatasetError
    from datasets.exceptions import DataFilesNotFoundError

    try:
        names = datasets.get_dataset_config_names(source.repo, revision=source.commit)
    except (DataFilesNotFoundError, EmptyDatasetError):
        return {}
    except RuntimeError as error:  # the dataset is a script
        raise InputError(f"{ON_HUB}{source.repo} cannot be read: {error}") from error
    if source.part and source.part not in names:
        raise InputError(f"{source.repo} has no folder and no configuration {source.part}; it has {', '.join(names)}")
    chosen = [source.part] if source.part else names
    sizes = {file.path: file.size for file in files}
    from_where: dict[str, str] = {}
    seen = size = unpacked = 0
    for name in tqdm(chosen, desc="fetching", unit="concept", delay=1):
        builder = datasets.load_dataset_builder(source.repo, name, revision=source.commit)
        read = [
            url.split(f"@{source.commit}/")[-1] for urls in (builder.config.data_files or {}).values() for url in urls
        ]
        size += sum(sizes.get(path, 0) for path in read)
        _check_size(source, 0, size)
        for place, label, content in _rows(builder):
            seen += 1
            unpacked += len(content)
            if seen > MAX_PHOTOS or unpacked > MAX_BYTES:
                continue  # a stream that is left before its end may keep the interpreter from ending
            concept = _folder_name(name if len(chosen) > 1 else label or source.repo.split("/")[1])
            photo = f"{concept}/{seen:05d}{_suffix(content)}"
            write_bytes(folder / photo, content)
            from_where[photo] = f"{name}/{place}"
    _check_size(source, seen, unpacked)
    return from_where


def _rows(builder: Any) -> Iterator[tuple[str, str | None, bytes]]:
    """Where each picture of a configuration stands, what it is labelled, and its encoded bytes.

    A path is followed where `datasets` made it of a file of the repository or of an archive in it; a path that stands
    in the rows themselves may lead anywhere, to files of this machine too, and is no picture.
    """
    import datasets
    import fsspec
    from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder

    follow = isinstance(builder, FolderBasedBuilder)
    for split, rows in builder.as_streaming_dataset().items():
        features = rows.features or {}
        image = next((name for name, kind in features.items() if isinstance(kind, datasets.Image)), None)
        if image is None:
            continue
        column = next((name for name in LABELS if name in features), None)
        named = getattr(features.get(column), "int2str", str)
        raw = rows.decode(False).select_columns([image, *([column] if column else [])])
        for index, row in enumerate(raw):
            picture = row[image] or {}
            content = picture.get("bytes")
            if content is None and follow and picture.get("path"):
                with fsspec.open(picture["path"], "rb") as file:
                    content = file.read(LARGEST_PHOTO + 1)  # of a larger one it is said later that it is
            if content is None:
                continue
            label = row[column] if column else None
            nothing = label is None or (label == -1 and named is not str)  # how a ClassLabel says that there is none
            yield f"{split}/{index}", None if nothing else named(label), content


def _check_size(source: _Source, photos: int, size: int) -> None:
    if photos > MAX_PHOTOS or size > MAX_BYTES:
        has = f"{photos} pictures" if photos > MAX_PHOTOS else f"{size / 1e9:.1f} GB of pictures"
        raise InputError(
            f"{source.repo} has {has}; a source of concepts has a few of each thing, at most {MAX_PHOTOS} and "
            f"{MAX_BYTES / 1e9:g} GB: name a folder or a configuration of it, {ON_HUB}{source.repo}/NAME"
        )


def _folder_name(label: str) -> str:
    """A label as the name of a concept's folder."""
    return re.sub(r"[/\\+\0-\x1f]+", "-", label).strip(" .-") or "thing"


def _suffix(content: bytes) -> str:
    """By what a picture is, not by what it is called."""
    if content.startswith(b"\x89PNG"):
        return ".png"
    return ".webp" if content[8:12] == b"WEBP" else ".jpg"
