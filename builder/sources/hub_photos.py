"""Copy the photos of a dataset on the Hugging Face Hub into a folder for each concept.

A repository of picture files is copied file by file; the pictures of a repository of rows (Parquet, archives with
metadata) are taken out of the rows by `datasets`.
"""

from __future__ import annotations

import glob
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from builder.sources import ON_HUB
from builder.sources.picture_files import OTHER_SUFFIXES, SUFFIXES
from mycanvas.errors import InputError
from mycanvas.io.files import os_errors, write_bytes
from mycanvas.io.images import MAX_BYTES as MAX_PHOTO_BYTES
from mycanvas.io.messages import counted
from mycanvas.io.progress import tracked
from mycanvas.io.text import shown

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

log = logging.getLogger("mycanvas")

MAX_PHOTOS = 5_000
MAX_BYTES = 4 * 10**9
"""A source of concepts has a few photos of each object; a larger dataset is meant for something else."""
LABELS = ("label", "concept", "subject", "class", "class_name", "category")
"""Columns that name the object of a picture; the first one that a dataset has is used."""
DESCRIPTIONS = "concepts.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubSource:
    """A dataset on the Hub, resolved to a commit.

    part: a folder or a configuration of the dataset; "" for all of it. license: as its card states it, or None.
    """

    repo: str
    part: str
    commit: str
    license: str | None


def copy_photos(api: HfApi, source: HubSource, folder: Path) -> dict[str, str]:
    """Copy the photos of a dataset to <folder>/<concept>/, with its concepts.toml if it has one.

    Returns:
        The place of each photo in the dataset, by its path within the folder; empty if the dataset has no pictures.

    Raises:
        InputError: the dataset has too many pictures, or `datasets` cannot read it.
    """
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(source.repo, repo_type="dataset", revision=source.commit, recursive=True)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    pictures = [file for file in files if _has_suffix(file.path, SUFFIXES, source.part)]
    others = [file.path for file in files if _has_suffix(file.path, OTHER_SUFFIXES, source.part)]
    if others:
        of = counted(len(others), "picture")
        log.warning("%s: %s in formats that are not read are left out, such as %s", source.repo, of, shown(others[0]))
    if pictures:
        return _copy_files(api, source, files, pictures, folder)
    with _quiet_libraries():
        return _copy_rows(source, files, folder)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Silence what the libraries log besides raising errors, and their warnings of cards without metadata."""
    levels = {"datasets": logging.CRITICAL, "huggingface_hub.repocard": logging.ERROR}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _has_suffix(path: str, suffixes: tuple[str, ...], part: str) -> bool:
    return path.lower().endswith(suffixes) and (not part or path.startswith(f"{part}/"))


def _copy_files(
    api: HfApi, source: HubSource, files: Sequence[RepoFile], pictures: Sequence[RepoFile], folder: Path
) -> dict[str, str]:
    """Copy a repository of picture files: each folder that holds some is a concept."""
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
    origins: dict[str, str] = {}
    for path in paths:
        place = PurePosixPath(path)
        concept = _folder_name(place.parent.name or source.repo.split("/")[1])
        photo = f"{concept}/{place.name}"
        if photo in origins:  # train/dog and test/dog are one concept
            photo = f"{concept}/{'-'.join(place.parts)}"
        (folder / concept).mkdir(exist_ok=True)
        (folder / ".fetched" / path).replace(folder / photo)
        origins[photo] = path
    for path in described:
        (folder / ".fetched" / path).replace(folder / DESCRIPTIONS)
    with os_errors(folder):
        shutil.rmtree(folder / ".fetched")
    return origins


def _copy_rows(source: HubSource, files: Sequence[RepoFile], folder: Path) -> dict[str, str]:
    """Copy the pictures of a repository of rows: each configuration is a concept; of a single one, each label."""
    import datasets
    from datasets.data_files import EmptyDatasetError
    from datasets.exceptions import DataFilesNotFoundError

    try:
        names = datasets.get_dataset_config_names(source.repo, revision=source.commit)
    except (DataFilesNotFoundError, EmptyDatasetError):
        return {}
    except RuntimeError as error:  # a dataset with a loading script
        raise InputError(f"{ON_HUB}{source.repo} cannot be read: {error}") from error
    if source.part and source.part not in names:
        raise InputError(f"{source.repo} has no folder and no configuration {source.part}; it has {', '.join(names)}")
    chosen = [source.part] if source.part else names
    sizes = {file.path: file.size for file in files}
    origins: dict[str, str] = {}
    seen = size = unpacked = 0
    for name in tracked(chosen, "fetching", len(chosen), "concept"):
        builder = datasets.load_dataset_builder(source.repo, name, revision=source.commit)
        urls = [
            url.split(f"@{source.commit}/")[-1] for part in (builder.config.data_files or {}).values() for url in part
        ]
        size += sum(sizes.get(path, 0) for path in urls)
        _check_size(source, 0, size)
        for place, label, content in _rows(builder):
            seen += 1
            unpacked += len(content)
            if seen > MAX_PHOTOS or unpacked > MAX_BYTES:
                continue  # read on: a stream that is not read to its end may keep the interpreter from exiting
            concept = _folder_name(name if len(chosen) > 1 else label or source.repo.split("/")[1])
            photo = f"{concept}/{seen:05d}{_suffix(content)}"
            write_bytes(folder / photo, content)
            origins[photo] = f"{name}/{place}"
    _check_size(source, seen, unpacked)
    return origins


def _rows(builder: Any) -> Iterator[tuple[str, str | None, bytes]]:
    """The place, the label (or None) and the encoded bytes of each picture of a configuration.

    Paths are opened only where `datasets` made them, from files of the repository or of an archive in it. A path in the
    rows themselves may be any path, of a file on this machine too, and is ignored.
    """
    import datasets
    import fsspec
    from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder

    paths_are_safe = isinstance(builder, FolderBasedBuilder)
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
            if content is None and paths_are_safe and picture.get("path"):
                with fsspec.open(picture["path"], "rb") as file:
                    content = file.read(MAX_PHOTO_BYTES + 1)  # one more byte: `find_photos` rejects it by its size
            if content is None:
                continue
            label = row[column] if column else None
            unlabelled = label is None or (label == -1 and named is not str)  # -1 is a ClassLabel's null
            yield f"{split}/{index}", None if unlabelled else named(label), content


def _check_size(source: HubSource, photos: int, size: int) -> None:
    if photos > MAX_PHOTOS or size > MAX_BYTES:
        has = f"{photos} pictures" if photos > MAX_PHOTOS else f"{size / 1e9:.1f} GB of pictures"
        raise InputError(
            f"{source.repo} has {has}; a source of concepts has a few of each object, at most {MAX_PHOTOS} and "
            f"{MAX_BYTES / 1e9:g} GB: name a folder or a configuration of it, {ON_HUB}{source.repo}/NAME"
        )


def _folder_name(label: str) -> str:
    """A label as the name of a concept's folder; "thing" where nothing of it can be used."""
    return re.sub(r"[/\\+\0-\x1f]+", "-", label).strip(" .-") or "thing"


def _suffix(content: bytes) -> str:
    """The suffix for a picture by its content, whatever its name was."""
    if content.startswith(b"\x89PNG"):
        return ".png"
    return ".webp" if content[8:12] == b"WEBP" else ".jpg"
