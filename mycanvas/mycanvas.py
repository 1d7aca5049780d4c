"""The loader: `load_dataset("mycanvas")`, without copying the shards.

A self-contained file with two uses: the builder that registration.py registers with `datasets` 3.6 to 5.x, and a
loading script of `datasets` 3.6: `load_dataset("path/to/mycanvas.py", data_dir=..., trust_remote_code=True)`.
"""

from __future__ import annotations

import contextlib
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
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets.data_files import DataFilesDict, DataFilesList
from datasets.exceptions import DatasetGenerationError
from datasets.naming import filenames_for_dataset_split
from datasets.table import ConcatenationTable, MemoryMappedTable, table_cast
from datasets.utils.file_utils import xopen
from fsspec.implementations.local import LocalFileSystem

SPLITS = ("objects_le3", "objects_4", "objects_5")
FOLDERS = {"default": "data", "all": "data", "concepts": "concepts"}
"""The folder of each configuration's shards within a built folder."""
DEFAULT_FOLDER = "mycanvas_data"
"""The output of `mycanvas build` and `mycanvas demo`, looked for in the working directory."""

MANIFEST = ".build/selected.json"
"""The file that a build replaces last. It names the current shards with their sha256, rows and bytes."""
STORE = ".build/shards"
"""The folder of shards by content, <sha256>.arrow. A shard there never changes; data/ has links to the current ones."""
SHARD_NAME = re.compile(r"(?P<split>\w+(?:\.\w+)*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.(?P<kind>arrow|parquet)")
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""The last bytes of an Arrow IPC stream; pyarrow does not notice a stream that is cut between two batches."""
PARQUET_ROWS = 32
"""Rows that are read from Parquet at once: about 20 MB of images at 1024 pixels."""
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
            split: paths if all(map(_is_local, paths)) else dl_manager.download(paths)
            for split, paths in self.config.data_files.items()
        }
        if self.info.features is None:
            first = next(iter(files.values()))[0]
            with self._opened(first) as source:
                self.info.features = datasets.Features.from_arrow_schema(_schema(first, source))
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
                    yield f"{file}:{index}", table_cast(table, self.info.features.arrow_schema)

    def _opened(self, file: str) -> Any:
        """Open a shard; a URL with the token and the options that the builder was given."""
        if _is_local(file):
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
            lengths = _rows_as_written(files, self.info.features.arrow_schema)
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


class Loaded(int):
    """A local shard as it was when it was loaded, for a dataset's copies in other processes; as a number, it is 0.

    `datasets` pickles a memory-mapped table as its path and the operations to repeat. With this as the start of the
    first operation, `slice`, the shard is compared on both sides. Without, another shard under that path would be read.
    """

    file: str
    version: tuple[int, int]

    @classmethod
    def now(cls, file: str) -> Loaded | None:
        """The shard as it is now; None for a URL."""
        return cls.at(file, _size_and_time(file)) if _is_local(file) else None

    @classmethod
    def at(cls, file: str, version: tuple[int, int]) -> Loaded:
        """The shard of this size and time of modification."""
        loaded = cls(0)
        loaded.file, loaded.version = file, version
        return loaded

    def check(self) -> Loaded:
        """Return self if the shard has not changed.

        Raises:
            DatasetGenerationError: it was removed or written again; the message names it.
        """
        try:
            now = _size_and_time(self.file)
        except FileNotFoundError:
            now = None
        if now != self.version:
            happened = "was removed" if now is None else "changed"
            raise DatasetGenerationError(
                f"{self.file} {happened} after this dataset was loaded; call load_dataset again to read what is there"
            )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (self.check().file, self.version)

    def __deepcopy__(self, _copies: Any) -> Loaded:
        return self


def _loaded(file: str, version: tuple[int, int]) -> Loaded:
    return Loaded.at(file, version).check()


def _size_and_time(file: str) -> tuple[int, int]:
    stat = os.stat(file)
    return stat.st_size, stat.st_mtime_ns


def _is_local(file: str) -> bool:
    """Whether a shard is a path, not a URL; paths are absolute and normalized, and so have no //."""
    return "://" not in file


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
        ValueError: the build has not finished, or its manifest is damaged.
    """
    try:
        values = json.loads(files.cat_file(posixpath.join(path, MANIFEST)))
        if isinstance(values, dict) and all(isinstance(values.get(key, {}), dict) for key in ("files", "bytes")):
            return values if values.get("files") else None
    except (FileNotFoundError, NotADirectoryError):
        if not files.exists(posixpath.join(path, ".build")):
            return None
        raise ValueError(
            f"{root} is being built, or its build was stopped; run the same `mycanvas build` to finish it"
        ) from None
    except ValueError:
        pass
    raise ValueError(f"{posixpath.join(root, MANIFEST)} is damaged; write it again with: {_select(root)}")


def _list(files: Any, folder: str) -> dict[str, dict[str, Any]]:
    """The entries of `ls` for a folder, by name; empty where there is no such folder."""
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
            raise ValueError(f"{posixpath.join(root, path)} {flaw}; write it again with: {_select(root)}")
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
    return os.path.expanduser(folder)


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
        size, time = _size_and_time(entry["name"])
        return str(size), str(time)
    return tuple(str(entry.get(sign)) for sign in ("size", "mtime", "ETag", "etag", "LastModified", "blob_id"))


def _rows_as_written(files: Sequence[str], schema: pa.Schema) -> list[int] | None:
    """The rows of each shard if all are IPC streams of exactly this schema, else None."""
    lengths = []
    for file in files:
        with pa.memory_map(file) as source:
            if _is_parquet(source) or not _schema(file, source).equals(schema):
                return None
            lengths.append(sum(batch.num_rows for batch in read_batches(file, source)))
    return lengths


def _schema(file: str, source: Any) -> pa.Schema:
    """The schema of a shard, with lists as "Sequence", which all versions of `datasets` read: 3.6 has no "List"."""
    with _named(file):
        schema = pq.read_schema(source) if _is_parquet(source) else pa.ipc.open_stream(source).schema
    named = {
        key: text.replace(b'"_type": "List"', b'"_type": "Sequence"') for key, text in (schema.metadata or {}).items()
    }
    return schema.with_metadata(named)


def read_batches(file: str, source: Any) -> Iterator[pa.RecordBatch]:
    """The validated record batches of a shard; validating a memory map reads no image.

    Raises:
        DatasetGenerationError: it is damaged, or a picture in it is only a path, which `datasets` would open.
    """
    with _named(file):
        media: list[int] | None = None
        for batch in _batches(source):
            if media is None:
                media = [index for index, field in enumerate(batch.schema) if "path: " in str(field.type)]
            if any(_has_path_only(batch.column(index)) for index in media):
                raise DatasetGenerationError(
                    f"{file} has a picture that is only a path; expected its bytes, as `mycanvas build` writes them"
                )
            yield batch


def _batches(source: Any) -> Iterator[pa.RecordBatch]:
    if _is_parquet(source):
        yield from pq.ParquetFile(source).iter_batches(PARQUET_ROWS)
        return
    for batch in pa.ipc.open_stream(source):
        batch.validate(full=True)
        yield batch
    source.seek(-len(END_OF_STREAM), os.SEEK_END)
    if source.read() != END_OF_STREAM:
        raise pa.ArrowInvalid("the end of the stream is missing")


def _has_path_only(column: pa.Array) -> bool:
    """Whether a column has a picture, sound or film without its bytes, at any depth."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        if {"bytes", "path"}.issubset(names):
            content, path = column.field("bytes"), column.field("path")
            if not content.null_count:
                return False
            paths = pc.and_(column.is_valid(), pc.and_(content.is_null(), path.is_valid()))
            return bool(pc.any(paths).as_py())
        return any(map(_has_path_only, column.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.types.is_nested(kind.value_type) and _has_path_only(column.flatten())
    return False


def _is_parquet(source: Any) -> bool:
    """Whether a shard is Parquet, by its content: a downloaded file has no suffix. Rewinds the source."""
    source.seek(0)
    magic = source.read(4)
    source.seek(0)
    return bool(magic == b"PAR1")


@contextlib.contextmanager
def _named(file: str) -> Iterator[None]:
    """Name the shard in errors of pyarrow."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DatasetGenerationError(
            f"{file} is damaged or cut off ({error}); copy or download it again, or build it again"
        ) from error
