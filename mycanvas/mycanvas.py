"""The loader: `load_dataset("mycanvas")`, without copying the shards.

A self-contained file with two uses: the builder that registration.py registers with `datasets` 3.6 to 5.x, and a
loading script of `datasets` 3.6: `load_dataset("path/to/mycanvas.py", data_dir=..., trust_remote_code=True)`.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.data_files import DataFilesDict, DataFilesList
from datasets.exceptions import DatasetGenerationError
from datasets.naming import filenames_for_dataset_split
from datasets.table import table_cast
from fsspec.implementations.local import LocalFileSystem

SPLITS = ("objects_le3", "objects_4", "objects_5")
FOLDERS = {"default": "data", "all": "data", "concepts": "concepts"}
"""The folder of each configuration's shards within a built folder."""
DEFAULT_FOLDER = "mycanvas_data"
"""The output of `mycanvas build` and `mycanvas demo`, looked for in the working directory."""

BUILD_MARKER = ".build/selected.json"
"""The file that a build writes last; without it, some shards may be of an earlier selection."""
SHARD_NAME = re.compile(r"(?P<split>\w+(?:\.\w+)*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.(?P<kind>arrow|parquet)")
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""The last bytes of an Arrow IPC stream; pyarrow does not notice a stream that is cut between two batches."""
PARQUET_ROWS = 32
"""Rows that are read from Parquet at once: about 20 MB of images at 1024 pixels."""


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
            data_files = _find_shards(data_dir, config_name or self.DEFAULT_CONFIG_NAME, token, storage_options or {})
        super().__init__(
            config_name=config_name, data_files=data_files, token=token, storage_options=storage_options, **others
        )

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo()

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        files = dl_manager.download(self.config.data_files)
        if self.info.features is None:
            first = next(iter(files.values()))[0]
            with open(first, "rb") as source:
                self.info.features = datasets.Features.from_arrow_schema(_schema(first, source))
        return [datasets.SplitGenerator(name=split, gen_kwargs={"files": paths}) for split, paths in files.items()]

    def _generate_tables(self, files: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        for file in files:
            with open(file, "rb") as source:
                for index, batch in enumerate(read_batches(file, source)):
                    table = pa.Table.from_batches([batch])
                    yield f"{file}:{index}", table_cast(table, self.info.features.arrow_schema)

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


def _find_shards(
    data_dir: str | os.PathLike[str] | None, config: str, token: bool | str | None, options: dict[str, Any]
) -> DataFilesDict:
    """The shards of a built folder by split, each with its version, which changes when the shard is rewritten."""
    root = _root(data_dir)
    protocol = fsspec.utils.get_protocol(root)
    options = {**options.get(protocol, options), **({"token": token} if token and protocol == "hf" else {})}
    files, path = fsspec.core.url_to_fs(root, **options)
    folder = FOLDERS.get(config, "data")
    if files.exists(posixpath.join(path, ".build")) and not files.exists(posixpath.join(path, BUILD_MARKER)):
        raise ValueError(f"{root} is being built, or its build was stopped; run the same `mycanvas build` to finish it")
    try:
        entries = files.ls(posixpath.join(path, folder), detail=True)
    except (FileNotFoundError, NotADirectoryError):
        entries = []
    shards = {posixpath.basename(entry["name"]): entry for entry in entries}
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
        stat = os.stat(entry["name"])
        return str(stat.st_size), str(stat.st_mtime_ns)
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
    """The validated record batches of a shard; validating a memory map reads no image."""
    with _named(file):
        if _is_parquet(source):
            yield from pq.ParquetFile(source).iter_batches(PARQUET_ROWS)
            return
        for batch in pa.ipc.open_stream(source):
            batch.validate(full=True)
            yield batch
        source.seek(-len(END_OF_STREAM), os.SEEK_END)
        if source.read() != END_OF_STREAM:
            raise pa.ArrowInvalid("the end of the stream is missing")


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
