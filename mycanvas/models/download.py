"""Find or download a model's files, at one revision: safetensors weights with their settings, or one ONNX file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mycanvas.errors import ModelError
from mycanvas.io.files import os_errors
from mycanvas.io.hub_errors import check_repository, hub_errors
from mycanvas.models.onnx_files import onnx_file

Kind = Literal["transformers", "diffusers", "onnx"]
"""The library that reads the folder, or the file."""

FILES: Mapping[Kind, tuple[str, ...]] = {
    "transformers": ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"),
    "diffusers": ("model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.jinja", "*/*.safetensors"),
}
"""Patterns of the files that are downloaded: never pickles, nor the single-file copy beside a pipeline's folders."""

VARIANTS = ("fp16", "bf16", "fp8", "non_ema", "ema_only")
"""Suffixes of further sets of weights in the same folders, beside the plain set."""

WHOLE, PARTS, PART = 16 << 20, 64, 64 << 10
"""The digest of a local file: all of it up to WHOLE bytes; of a larger one, PARTS parts of PART bytes each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A model on this machine: a folder, or an ONNX file.

    revision: the repository's commit, or a digest of a local folder's or a file's content.
    """

    path: Path
    revision: str


def split_name(name: str) -> tuple[str, str | None]:
    """Split "owner/model@revision" into ("owner/model", "revision"); without a revision, into ("owner/model", None)."""
    model, _, revision = name.partition("@")
    return model, revision or None


def is_local(name: str) -> bool:
    """Whether a name is a folder: "/…", "./…", "../…" or "~…"; any other name is a repository on the Hub."""
    return name.startswith(("/", "./", "../", "~"))


def fetch(name: str, kind: Kind, *, variant: str | None = None, offline: bool = False) -> Snapshot:
    """Find a model's files on this machine, and download those that are not there yet.

    Args:
        name: "owner/model" or "owner/model@revision" on the Hub, or a folder; of kind "onnx": see `onnx_file`.
        kind: which library will read it.
        variant: which of several sets of weights to use ("fp16"); None: the files without a variant in their names.
        offline: use only files that are on this machine already.

    Raises:
        ModelError: it is not on this machine and cannot be downloaded, a part is missing, or it has no safetensors.
        InputError: a file of a local folder, or an ONNX file, cannot be read.
        MissingExtra: rembg is not installed, and a session of it must be downloaded.
    """
    if kind == "onnx":
        file = onnx_file(name, offline=offline)
        with os_errors(file, "read"), file.open("rb") as content:
            return Snapshot(path=file, revision=hashlib.file_digest(content, "sha256").hexdigest()[:16])
    local = is_local(name)
    if local:
        with os_errors(Path(name).expanduser(), "read"):
            snapshot = _local(Path(name).expanduser())
    else:
        snapshot = _from_hub(name, kind, variant, offline=offline)
    try:
        missing = _missing(snapshot.path, variant)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(f"{name}: an index in {snapshot.path} cannot be read: {error!r}") from error
    if missing:
        remedy = "copy the whole model there" if local else "delete this folder to download the model again"
        raise ModelError(f"{name} is incomplete: {missing} is missing in {snapshot.path}; {remedy}")
    if not any(snapshot.path.rglob("*.safetensors")):
        raise ModelError(f"{name} has no .safetensors files, and pickled weights are never loaded; use another model")
    return snapshot


def size_of(snapshot: Snapshot) -> int:
    """The bytes that a model takes on this machine."""
    files = snapshot.path.rglob("*") if snapshot.path.is_dir() else (snapshot.path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _missing(folder: Path, variant: str | None) -> str | None:
    """The first file that an index lists and that is not there; None if all are.

    Files are missing where a download was cut off, or where another variant of the weights was downloaded. Indexes are
    those of sharded weights and a pipeline's model_index.json.
    """
    for index in folder.rglob("*.safetensors.index*.json"):
        if not _is_loaded(index, variant):
            continue
        for shard in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())):
            if not (index.parent / str(shard)).is_file():
                return (index.parent / str(shard)).relative_to(folder).as_posix()
    pipeline = folder / "model_index.json"
    if pipeline.is_file():
        for part, library in json.loads(pipeline.read_text(encoding="utf-8")).items():
            is_folder = isinstance(library, list) and library[0] is not None
            if is_folder and not (folder / part).is_dir():
                return str(part)
            weights = (folder / part).glob("*.safetensors")
            if (folder / part / "config.json").is_file() and not any(_is_loaded(file, variant) for file in weights):
                return f"{part}/{_of_variant('*.safetensors', variant)}"
        if variant and not any(folder.glob(_of_variant("*/*.safetensors", variant))):
            return _of_variant("*/*.safetensors", variant)
    return None


def _is_loaded(file: Path, variant: str | None) -> bool:
    """Whether a file of weights, or an index of shards, is loaded for a variant.

    As in diffusers, plain weights are loaded for a part of a pipeline that has none of the variant.
    """
    own = next((name for name in (*VARIANTS, variant) if name and re.search(rf"\.{name}[.-]", file.name)), None)
    return own == variant or (own is None and not any(file.parent.glob(f"*.{variant}[.-]*")))


def _local(folder: Path) -> Snapshot:
    if folder.is_file():
        raise ModelError(
            f"{folder} is a file; expected a folder that save_pretrained wrote. diffusers converts a checkpoint in one "
            "file with from_single_file(FILE).save_pretrained(FOLDER)"
        )
    if not folder.is_dir():
        raise ModelError(f"no model in {folder}: it is not a folder")
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        for content in _digested(file):
            digest.update(content)
    return Snapshot(path=folder, revision=f"local-{digest.hexdigest()[:16]}")


def _digested(file: Path) -> Iterator[bytes]:
    """The bytes that identify a file's content: of large weights, parts from all over, as training changes them all."""
    size = file.stat().st_size
    if size <= WHOLE:
        yield file.read_bytes()
        return
    with file.open("rb") as content:
        for index in range(PARTS):
            content.seek(index * (size - PART) // (PARTS - 1))
            yield content.read(PART)


def _from_hub(name: str, kind: Kind, variant: str | None, *, offline: bool) -> Snapshot:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    model, revision = split_name(name)
    hint = f"a folder here has this name: to use it, write ./{model}" if Path(model).is_dir() else ""
    with hub_errors(f"download {name}", raises=ModelError, repo_type="model", hint=hint):
        if not offline:
            check_repository(model, "model", revision)
        try:
            path = huggingface_hub.snapshot_download(
                model,
                revision=revision,
                allow_patterns=[_of_variant(pattern, variant) for pattern in FILES[kind]],
                ignore_patterns=[f"*.{other}{end}" for other in VARIANTS if other != variant for end in (".*", "-*")],
                local_files_only=offline,
            )
        except LocalEntryNotFoundError:
            raise ModelError(f"{name} is not on this machine") from None
    return Snapshot(path=Path(path), revision=Path(path).name)


def _of_variant(pattern: str, variant: str | None) -> str:
    return pattern.replace("*.safetensors", f"*.{variant}*.safetensors") if variant else pattern
