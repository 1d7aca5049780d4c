"""Prepare the files to publish on the Hub from a finished build, and digests of their rows' ids."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.clean import push_files
from builder.pipeline.manifest import card_describes, check_whole, has_plots, read_manifest
from builder.publish.files import Rows, Shard
from builder.publish.pairs import PAIRS, PairFiles, find_pairs
from builder.publish.parquet import write_parquet, writers
from dataset_card import Preview, digest_in, hub_card
from mycanvas import __version__
from mycanvas.dataset import Dataset, Encoded, Scene, open_dataset
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, os_errors, sha256_of
from mycanvas.io.messages import counted
from mycanvas.io.progress import tracked

CARD, DIGESTS, CONCEPTS, REPORT = "README.md", "mycanvas.json", "concepts", "report.html"
PREVIEW_SIDE = 512
PREVIEWS = 2
"""Pictures of each split on the card, of different compositions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """The marker of a Parquet file."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """All files to publish. small: content by path. splits: by the split's name, CONCEPTS, or "pairs/" and the name."""

    shards: tuple[Shard, ...]
    small: Mapping[str, bytes]
    splits: Mapping[str, Rows]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by its path."""
        shards = {shard.path: shard.size for shard in self.shards}
        return shards | {path: len(content) for path, content in self.small.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A build that may be published.

    sums: the sha256 of each of its shards, by its name in the folder. photos: ids of the source photos to publish.
    held_back: ids of the others, in the order of the dataset. plots: paths of the card's plots.
    pairs: an export of pairs that is published too. report: a page about the build that is published too.
    """

    sums: Mapping[str, str]
    photos: frozenset[str]
    held_back: tuple[str, ...]
    plots: tuple[str, ...]
    pairs: PairFiles | None = None
    report: bytes | None = None


def check_publishable(
    folder: BuildFolder,
    license: str | None,
    *,
    all_photos: bool = False,
    pairs: Path | None = None,
    report: Callable[[BuildFolder], bytes] | None = None,
) -> Checked:
    """Check that a folder may be published as it is.

    Args:
        folder: a build.
        license: of the dataset, in place of the build's.
        all_photos: publish all source photos, not only those that scenes show.
        pairs: an export of pairs to publish too.
        report: makes a page about the build to publish too; it shows all photos.

    Raises:
        StoreError: the build is not finished, its card describes other files, a license is missing, or the pairs are of
            another dataset or show photos that are not published.
    """
    path = folder.path
    manifest = read_manifest(folder)
    check_whole(folder)
    remedy = f"run: mycanvas select {shlex.quote(str(path))}"
    if not card_describes(folder, manifest):
        raise StoreError(f"{path}: the card, README.md, was not written for the files that are there now; {remedy}")
    if not has_plots(folder, manifest):
        raise StoreError(f"{path}: a plot of the card is missing or was changed; {remedy}")
    dataset = open_dataset(folder.path)
    photos = tuple(dataset.photo_ids())
    published = frozenset(photos) if all_photos else dataset.shown_photos() & set(photos)
    if not (license or manifest.made_from.license):
        _check_photos(folder, frozenset(photos) if report else published)
    held_back = tuple(name for name in photos if name not in published)
    files = find_pairs(pairs, dataset, published) if pairs else None
    page = report(folder) if report else None
    return Checked(
        sums=manifest.files,
        photos=published,
        held_back=held_back,
        plots=tuple(manifest.plots),
        pairs=files,
        report=page,
    )


def _check_photos(folder: BuildFolder, published: Collection[str]) -> None:
    """Raise StoreError if the license of a published photo, or of the photo of a background, is not stated."""
    sources = folder.sources()
    stated = {
        "source photo": [photo.attribution for photo in sources.photos if photo.id in published],
        "background photo": [background.attribution for background in sources.backgrounds if background.photo_id],
    }
    unknown = [f"{own.count(None)} of {counted(len(own), kind)}" for kind, own in stated.items() if None in own]
    if unknown:
        raise StoreError(
            f"{folder.path}: no maker or license is stated for {' and '.join(unknown)}; "
            "state one for the whole with --license (such as CC-BY-4.0), or write it in concepts.toml or in an "
            "ATTRIBUTION.txt beside the folders of photos, and run the same `mycanvas build` again"
        )


def prepare(folder: BuildFolder, checked: Checked, repo_id: str, license: str | None, *, keep: bool) -> Publication:
    """Make the files to publish.

    Args:
        folder: a build that passed `check_publishable`.
        checked: the return value of `check_publishable`.
        repo_id: the repository that the card names.
        license: replaces the build's; None: keep that.
        keep: leave the Parquet files in .build/push, where an interrupted push finds them again.
    """
    shards = tuple(_shards(folder, checked, keep=keep))
    sizes = {CONCEPTS: 0, "default": 0}
    for shard in shards:
        sizes[CONCEPTS if shard.path.startswith(CONCEPTS) else "default"] += shard.size
    pairs = checked.pairs
    shards += pairs.shards if pairs else ()
    dataset = open_dataset(folder.path)
    previews = list(_previews(dataset))
    own_card = _read_card(folder.path / CARD)
    sizes["all"] = sizes["default"]
    pictures = [preview for preview, _ in previews]
    paired = tuple(pairs.splits) if pairs else ()
    card = hub_card(own_card, repo_id, sizes, license, pictures, len(checked.photos), checked.held_back, paired)
    splits = _splits(dataset, checked.photos)
    splits |= {f"{PAIRS}/{split}": rows for split, rows in pairs.splits.items()} if pairs else {}
    digests = {
        "mycanvas": __version__,
        "shards": digest_in(own_card),
        "splits": {key: asdict(splits[key]) for key in splits},
        "card": git_name(card.encode()),
    }
    small = {CARD: card.encode(), DIGESTS: (json.dumps(digests, indent=1) + "\n").encode()}
    small |= {name: (folder.path / name).read_bytes() for name in checked.plots}
    small |= {REPORT: checked.report} if checked.report else {}
    return Publication(
        shards=shards, small=small | {preview.path: picture for preview, picture in previews}, splits=splits
    )


def _read_card(file: Path) -> str:
    try:
        with os_errors(file, "read"):
            return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{file} is not UTF-8: {error.reason} at byte {error.start}; correct it, or delete it and run: "
            f"mycanvas select {shlex.quote(str(file.parent))}"
        ) from None


def _shards(folder: BuildFolder, checked: Checked, *, keep: bool) -> Iterator[Shard]:
    """Write each Arrow shard as Parquet, unless it was written before from the same rows."""
    sums = {name: _sum_of_rows(name, arrow, checked) for name, arrow in checked.sums.items()}
    kept = folder.hidden / "push"
    scratch = TemporaryDirectory(prefix="mycanvas-", ignore_cleanup_errors=True)
    with scratch as temporary, ThreadPoolExecutor(writers()) as pool:
        make = partial(_shard, folder.path, checked, kept, kept if keep else Path(temporary))
        made = pool.map(make, sums.items())
        try:
            yield from tracked(made, "writing Parquet", len(sums), "shard")
        finally:
            pool.shutdown(cancel_futures=True)
    if keep:
        for old in push_files(folder):
            if old.stem not in sums.values():
                old.unlink()


def _sum_of_rows(name: str, arrow: str, checked: Checked) -> str:
    """The sum of a shard, and of the photos that are published of it."""
    if not (name.startswith(CONCEPTS) and checked.held_back):
        return arrow
    return hashlib.sha256("\n".join([arrow, *sorted(checked.photos)]).encode()).hexdigest()


def _shard(dataset: Path, checked: Checked, kept: Path, place: Path, named: tuple[str, str]) -> Shard:
    """Find the Parquet file in `kept`, or write it to `place`; if `place` is not `kept`, delete it after measuring."""
    name, arrow = named
    path = Path(name).with_suffix(".parquet").as_posix()
    marker = kept / f"{arrow}.json"
    file = marker.with_suffix(".parquet")
    found = read_checked_or_none(marker, _Prepared)
    if found is None or not has_sha256(file, found.sha256):
        marker, file = place / marker.name, place / file.name
        write_parquet(dataset / name, file, checked.photos if name.startswith(CONCEPTS) else None)
        found = _Prepared(size=file.stat().st_size, sha256=sha256_of(file))
        write_checked(marker, asdict(found))
    if place == kept:
        return Shard(path=path, local=file, **asdict(found))
    if file.parent == place:
        file.unlink()
    return Shard(path=path, local=None, **asdict(found))


def _splits(dataset: Dataset, photos: Collection[str]) -> dict[str, Rows]:
    """The rows of each split, scenes before the published source photos."""
    scenes = {split: Rows.count(dataset.ids(split)) for split in dataset.splits}
    return scenes | {CONCEPTS: Rows.count(name for name in dataset.photo_ids() if name in photos)}


def _previews(dataset: Dataset) -> Iterator[tuple[Preview, bytes]]:
    """Small pictures of scenes of each split."""
    for split in dataset.splits:
        for index, scene in enumerate(_of_compositions(dataset.scenes(split), PREVIEWS)):
            preview = Preview(path=f"previews/{split}-{index}.jpg", caption=scene.caption)
            yield preview, _small(scene.image)


def _of_compositions(scenes: Iterable[Scene], most: int) -> list[Scene]:
    """The first scene of each composition, at most this many."""
    found: dict[str, Scene] = {}
    for scene in scenes:
        found.setdefault(scene.composition, scene)
        if len(found) == most:
            break
    return list(found.values())


def git_name(content: bytes) -> str:
    """The name by which git and the Hub know the content of a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _small(encoded: Encoded) -> bytes:
    """A JPEG with sides of at most PREVIEW_SIDE pixels."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(encoded)) as image:
        image.draft("RGB", (PREVIEW_SIDE, PREVIEW_SIDE))
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
