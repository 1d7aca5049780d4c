"""The loader: `load_dataset("mycanvas")`, without copying the shards.

It has two uses: the builder that registration.py registers with `datasets` 3.6 to 5.x, and a loading script of
`datasets` 3.6: `load_dataset("path/to/mycanvas.py", data_dir=..., trust_remote_code=True)`. With shard_file.py beside
it, it needs nothing else of the project.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import datasets
import fsspec
import pyarrow as pa
from datasets.data_files import DataFilesDict, DataFilesList
from datasets.naming import filenames_for_dataset_split
from datasets.table import ConcatenationTable, MemoryMappedTable, table_cast
from datasets.utils.file_utils import xopen
from fsspec.implementations.local import LocalFileSystem

# A relative import, which `datasets` 3.6 copies with the script; it reads a comment on that line as the file to copy.
from .shard_file import Loaded, is_local, is_parquet, read_batches, read_schema, size_and_time

SPLITS = ("objects_le3", "objects_4", "objects_5")
FOLDERS = {"default": "data", "all": "data", "concepts": "concepts"}
"""The folder of each configuration's shards within a built folder."""
DEFAULT_FOLDER = "mycanvas_data"
"""The output of `mycanvas build` and `mycanvas demo`, looked for in the working directory."""

MANIFEST = ".build/selected.json"
"""The file that a build replaces last. It names the current shards with their sha256, rows and bytes."""
FORMAT = 2
"""The version of the manifest that is read."""
STORE = ".build/shards"
"""The folder of shards by content, <sha256>.arrow. A shard there never changes; data/ has links to the current ones."""
SHARD_NAME = re.compile(r"(?P<split>\w+(?:\.\w+)*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.(?P<kind>arrow|parquet)")
_patched_for_streaming = True
"""Keeps `datasets` from patching this module to open URLs, for which it imports scipy.io; `_opened` opens them."""


class MyCanvas(datasets.ArrowBasedBuilder):  # type: ignore[misc]  # datasets' classes are untyped here
    """Builder for the output of `mycanvas build`, or its Parquet copy, on disk or any file system of fsspec.

    Configurations: `default` has the splits of SPLITS that the build filled, `all` has the same scenes as one split
    `train`, `concepts` has the source photos with their masks.
    """

    BUILDER_CONFIGS: tuple[datasets.BuilderConfig, ...] = tuple(datasets.BuilderConfig(name=name) for name in FOLDERS)
    DEFAULT_CONFIG_NAME = "default"

    def __init__(
        self,
        *,
        config_name: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        data_files: Any = None,
        token: bool | str | None = None,
        storage_options: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        """Find the shards, so that the cache is keyed on their paths, sizes and times, not on the folder's name.

        Args:
            config_name: a key of FOLDERS.
            data_dir: a built folder; by default that of MYCANVAS_DATA, else ./mycanvas_data.
            data_files: the files of each split, in place of data_dir, as for any builder of `datasets`.
            token: for hf:// folders.
            storage_options: for fsspec, flat or by protocol.
            others: the other arguments that `datasets` gives every builder.

        Raises:
            FileNotFoundError: there is no such folder, or it has no shards.
            ValueError: shards of a split are missing, or there are several sets of them.
        """
        if not data_files:
            data_files = find_shards(data_dir, config_name or self.DEFAULT_CONFIG_NAME, token, storage_options or {})
        super().__init__(
            config_name=config_name, data_files=data_files, token=token, storage_options=storage_options, **others
        )

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo()

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        files = {
            split: paths if all(map(is_local, paths)) else dl_manager.download(paths)
            for split, paths in self.config.data_files.items()
        }
        if self.info.features is None:
            first = next(iter(files.values()))[0]
            with self._opened(first) as source:
                self.info.features = datasets.Features.from_arrow_schema(read_schema(first, source))
        self._schema = self.info.features.arrow_schema  # made from all features at each access
        return [
            datasets.SplitGenerator(
                name=split, gen_kwargs={"files": list(paths), "loaded": [Loaded.now(path) for path in paths]}
            )
            for split, paths in files.items()
        ]

    def _generate_tables(self, files: Sequence[str], loaded: Sequence[Loaded | None]) -> Iterator[tuple[str, pa.Table]]:
        for file, shard in zip(files, loaded):  # noqa: B905  # a 3.6 script may run on Python 3.9
            if shard is not None:
                shard.check()
            with self._opened(file) as source:
                for index, batch in enumerate(read_batches(file, source)):
                    table = pa.Table.from_batches([batch])
                    yield f"{file}:{index}", table_cast(table, self._schema)

    def _opened(self, file: str) -> Any:
        """Open a shard; a URL with the token and the options that the builder was given."""
        if is_local(file):
            return open(file, "rb")  # callers close it
        config = datasets.DownloadConfig(token=self.token, storage_options=self.storage_options)
        return xopen(file, "rb", download_config=config)

    def _as_dataset(self, split: Any = datasets.Split.TRAIN, in_memory: bool = False) -> datasets.Dataset:
        """Read the rows from the cache, so that a copy of them in another process has the same rows or fails."""
        dataset = super()._as_dataset(split, in_memory=in_memory)
        table = dataset.data
        blocks = [block for row in table.blocks for block in row] if isinstance(table, ConcatenationTable) else [table]
        for block in blocks:
            if isinstance(block, MemoryMappedTable) and os.path.islink(block.path):
                block.replays.insert(0, ("slice", (Loaded.now(os.readlink(block.path)),), {}))
        return dataset

    def _prepare_split(
        self,
        split_generator: datasets.SplitGenerator,
        file_format: str = "arrow",
        num_proc: int | None = None,
        max_shard_size: int | str | None = None,
    ) -> None:
        """Link local shards into the cache, where `datasets` memory-maps them; convert those that cannot be linked."""
        info = split_generator.split_info
        files = split_generator.gen_kwargs["files"]
        downloaded = list(files) != list(self.config.data_files[info.name])
        elsewhere = not self._output_dir.startswith(self._cache_dir)
        lengths = None
        if file_format == "arrow" and not (max_shard_size or downloaded or elsewhere):
            lengths = _rows_as_written(files, self._schema)
        if lengths is None:
            super()._prepare_split(
                split_generator, file_format=file_format, num_proc=num_proc, max_shard_size=max_shard_size
            )
            return
        links = filenames_for_dataset_split(self._output_dir, self.dataset_name, info.name, "arrow", lengths)
        for file, link in zip(files, links):  # noqa: B905  # a 3.6 script may run on Python 3.9
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)  # left by a run that was killed
            os.symlink(os.path.abspath(file), link)
        info.shard_lengths = lengths
        info.num_examples = sum(lengths)
        info.num_bytes = sum(os.path.getsize(file) for file in files)


def find_shards(
    data_dir: str | os.PathLike[str] | None, config: str, token: bool | str | None, options: dict[str, Any]
) -> DataFilesDict:
    """The shards of a built folder by split, each with its version, which changes when the shard is rewritten."""
    root = _root(data_dir)
    files, path = _file_system(root, token, options)
    folder = FOLDERS.get(config, "data")
    recorded = _recorded(files, path, root)
    shards = _list(files, posixpath.join(path, folder))
    if recorded is not None:
        shards = _current(recorded, folder, {**shards, **_list(files, posixpath.join(path, STORE))}, root)
    splits = _splits(shards, posixpath.join(root, folder))
    if not splits:
        found = files.exists(path)
        wrong = f"holds no {folder}/<split>-00000-of-00001.arrow or .parquet" if found else "does not exist"
        raise FileNotFoundError(f"{root} {wrong}; give a folder that `mycanvas build` or `mycanvas demo` wrote")
    if config == "all":
        splits = {"train": [name for names in splits.values() for name in names]}
    local = isinstance(files, LocalFileSystem)
    return DataFilesDict(
        {
            split: DataFilesList(
                [shards[name]["name"] if local else files.unstrip_protocol(shards[name]["name"]) for name in names],
                [_version(shards[name], local) for name in names],
            )
            for split, names in splits.items()
        }
    )


def _file_system(root: str, token: bool | str | None, options: dict[str, Any]) -> tuple[Any, str]:
    """The file system of a folder, and its path there. A folder on this machine may have any name, also `a::b`."""
    if "://" not in root or os.path.isdir(root):
        return LocalFileSystem(), os.path.abspath(root)
    protocol = fsspec.utils.get_protocol(root)
    options = {**options.get(protocol, options), **({"token": token} if token and protocol == "hf" else {})}
    files, path = fsspec.core.url_to_fs(root, **options)
    return files, path


def _recorded(files: Any, path: str, root: str) -> dict[str, Any] | None:
    """The manifest of a build, or None where there is none to read: in a copy of a dataset without its .build folder.

    Raises:
        ValueError: the build has not finished, or its manifest is damaged or of another version of this program.
    """
    try:
        values = _checked_manifest(files.cat_file(posixpath.join(path, MANIFEST)))
    except (FileNotFoundError, NotADirectoryError):
        if not files.exists(posixpath.join(path, ".build")):
            return None
        raise ValueError(
            f"{root} is being built, or its build was stopped; run the same `mycanvas build` to finish it"
        ) from None
    if values is None:
        raise ValueError(f"{posixpath.join(root, MANIFEST)} is damaged; restore it with: {_select(root)}")
    if values["format"] < FORMAT:
        raise ValueError(f"{root} was built by an earlier version of mycanvas; build into another folder")
    if values["format"] > FORMAT:
        raise ValueError(f"{root} was built by a later version of mycanvas; run: pip install --upgrade mycanvas")
    return values if values["files"] else None


def _checked_manifest(content: bytes) -> dict[str, Any] | None:
    """The values of a manifest, of any version; None if it is damaged. Its checksum is of the other values."""
    try:
        values = json.loads(content)
        if not values.keys() & {"format", "checksum"}:
            return {"format": 1}  # the first version had neither key
        written = values.pop("checksum")
        others = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
        whole = hashlib.sha256(others).hexdigest() == written and isinstance(values["format"], int)
        if values["format"] == FORMAT:
            whole &= isinstance(values["files"], dict) and isinstance(values["bytes"], dict)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return values if whole else None


def _list(files: Any, folder: str) -> dict[str, dict[str, Any]]:
    """List the files of a folder with the facts that fsspec gives, by name; empty where there is no such folder."""
    try:
        return {posixpath.basename(entry["name"]): entry for entry in files.ls(folder, detail=True)}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _current(
    recorded: Mapping[str, Any], folder: str, found: Mapping[str, dict[str, Any]], root: str
) -> dict[str, dict[str, Any]]:
    """The shards of a manifest, by name: by content where they are stored so, else under their own names.

    Raises:
        ValueError: one is missing, or has another size than was written.
    """
    shards = {}
    for path, digest in recorded["files"].items():
        if posixpath.dirname(path) != folder:
            continue
        name = posixpath.basename(path)
        entry = found.get(f"{digest}.arrow") or found.get(name)
        size = recorded.get("bytes", {}).get(path)
        if entry is None or size not in (None, entry["size"]):
            flaw = "is missing" if entry is None else f"is damaged: it has {entry['size']} bytes, expected {size}"
            raise ValueError(f"{posixpath.join(root, path)} {flaw}; restore it with: {_select(root)}")
        shards[name] = entry
    return shards


def _select(root: str) -> str:
    return f"mycanvas select {shlex.quote(root)}"


def _root(data_dir: str | os.PathLike[str] | None) -> str:
    folder = data_dir or os.environ.get("MYCANVAS_DATA")
    if not folder and os.path.isdir(DEFAULT_FOLDER):
        folder = DEFAULT_FOLDER
    if not folder:
        raise FileNotFoundError(
            'load_dataset("mycanvas") found no dataset: give data_dir=, set MYCANVAS_DATA to a built folder, '
            f"or run `mycanvas demo`, which writes ./{DEFAULT_FOLDER}"
        )
    root = os.path.expanduser(folder)
    try:
        os.path.abspath(root).encode()
    except UnicodeEncodeError:
        raise ValueError(f"the path {root!a} is not UTF-8, which `datasets` requires; rename its folders") from None
    return root


def _splits(names: Iterable[str], folder: str) -> dict[str, list[str]]:
    """The complete sets of shard names by split, in the order of SPLITS; other files are ignored."""
    found: dict[str, list[re.Match[str]]] = {}
    for name in sorted(names):
        shard = SHARD_NAME.fullmatch(name)
        if shard:
            found.setdefault(shard["split"], []).append(shard)
    order = sorted(found, key=lambda split: (SPLITS.index(split) if split in SPLITS else len(SPLITS), split))
    return {split: _complete(split, found[split], folder) for split in order}


def _complete(split: str, shards: Sequence[re.Match[str]], folder: str) -> list[str]:
    """The names of a split's shards, in order.

    Raises:
        ValueError: there are several sets of shards, or some are missing.
    """
    names = [shard[0] for shard in shards]
    sets = {(shard["count"], shard["kind"]): shard[0] for shard in shards}
    if len(sets) > 1:
        raise ValueError(f"{folder} holds several sets of shards of {split} ({', '.join(sets.values())}); keep one")
    ((count, kind),) = sets
    expected = [f"{split}-{index:05d}-of-{count}.{kind}" for index in range(int(count))]
    missing = [name for name in expected if name not in names]
    if missing:
        raise ValueError(
            f"{folder} is incomplete: {len(missing)} of {int(count)} shards of {split} are missing, "
            f"the first is {missing[0]}; copy or download the folder again"
        )
    return expected


def _version(entry: dict[str, Any], local: bool) -> tuple[str, ...]:
    """Values that change when a shard is rewritten under the same name."""
    if local:
        size, time = size_and_time(entry["name"])
        return str(size), str(time)
    return tuple(str(entry.get(sign)) for sign in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id"))


def _rows_as_written(files: Sequence[str], schema: pa.Schema) -> list[int] | None:
    """The rows of each shard if all are IPC streams of exactly this schema, else None."""
    lengths = []
    for file in files:
        with pa.memory_map(file) as source:
            if is_parquet(source) or not read_schema(file, source).equals(schema):
                return None
            lengths.append(sum(batch.num_rows for batch in read_batches(file, source)))
    return lengths
