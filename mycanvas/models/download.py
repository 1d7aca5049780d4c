"""From a model's name to its files on this machine, at one revision: safetensors and settings, or one ONNX file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mycanvas.errors import ModelError
from mycanvas.models.onnx_files import onnx_file

Kind = Literal["transformers", "diffusers", "onnx"]
"""Which library reads the folder, or the file."""

FILES: Mapping[Kind, tuple[str, ...]] = {
    "transformers": ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"),
    "diffusers": ("model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.jinja", "*/*.safetensors"),
}
"""What is fetched of a repository. Never pickles, and of a pipeline not the single-file copy beside its folders."""


VARIANTS = ("fp16", "bf16", "fp8", "non_ema", "ema_only")
"""Sets of weights that lie beside the plain ones under the same names."""

WHOLE, PARTS, PART = 16 << 20, 64, 64 << 10
"""Up to so many bytes a local file is digested whole; of a larger one so many parts, each of so many bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A model on this machine: a folder, or an ONNX file.

    revision: the repository's commit, or a digest of a local folder's or a file's content.
    """

    path: Path
    revision: str


def split_name(name: str) -> tuple[str, str | None]:
    """A model's name and its revision: "owner/model@revision" -> ("owner/model", "revision")."""
    model, _, revision = name.partition("@")
    return model, revision or None


def is_local(name: str) -> bool:
    """Whether a name means a folder: "/…", "./…", "../…" or "~…"; everything else is a repository on the Hub."""
    return name.startswith(("/", "./", "../", "~"))


def fetch(name: str, kind: Kind, *, variant: str | None = None, offline: bool = False) -> Snapshot:
    """The model's files on this machine, downloaded where they are not yet.

    Args:
        name: "owner/model" or "owner/model@revision" on the Hub, or a folder; of kind "onnx": see `onnx_file`.
        kind: which library will read it.
        variant: which of several sets of weights ("fp16"); None: those without a variant in their names.
        offline: use only what is there already.

    Raises:
        ModelError: it is not there and cannot be had, a part of it is missing, or it has no safetensors.
        MissingExtra: rembg is not installed, and a session of it must be downloaded.
    """
    if kind == "onnx":
        file = onnx_file(name, offline=offline)
        with file.open("rb") as content:
            return Snapshot(path=file, revision=hashlib.file_digest(content, "sha256").hexdigest()[:16])
    local = is_local(name)
    snapshot = _local(Path(name).expanduser()) if local else _from_hub(name, kind, variant, offline=offline)
    try:
        missing = _missing(snapshot.path, variant)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(f"{name}: an index in {snapshot.path} cannot be read: {error!r}") from error
    if missing:
        raise ModelError(f"{name}: {missing} is missing in {snapshot.path}; run: mycanvas models --download")
    if not any(snapshot.path.rglob("*.safetensors")):
        raise ModelError(f"{name} has no .safetensors files, and pickled weights are never loaded; name another one")
    return snapshot


def size_of(snapshot: Snapshot) -> int:
    """Bytes that a model takes on this machine."""
    files = snapshot.path.rglob("*") if snapshot.path.is_dir() else (snapshot.path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _missing(folder: Path, variant: str | None) -> str | None:
    """A file that an index of shards or a pipeline's index promises and that is not there.

    A download was cut off, or another variant of the weights was fetched.
    """
    for index in folder.rglob("*.safetensors.index*.json"):
        if not _is_loaded(index, variant):
            continue
        for shard in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())):
            if not (index.parent / str(shard)).is_file():
                return (index.parent / str(shard)).relative_to(folder).as_posix()
    pipeline = folder / "model_index.json"
    if pipeline.is_file():
        for part, made_by in json.loads(pipeline.read_text(encoding="utf-8")).items():
            there = not isinstance(made_by, list) or made_by[0] is None or (folder / part).is_dir()
            if not there:
                return str(part)
            weights = (folder / part).glob("*.safetensors")
            if (folder / part / "config.json").is_file() and not any(_is_loaded(file, variant) for file in weights):
                return f"{part}/{_of_variant('*.safetensors', variant)}"
        if variant and not any(folder.glob(_of_variant("*/*.safetensors", variant))):
            return _of_variant("*/*.safetensors", variant)
    return None


def _is_loaded(file: Path, variant: str | None) -> bool:
    """Whether a file of weights, or an index of some, is of those that are loaded.

    Plain ones also serve where a variant is expected and the part has none (diffusers).
    """
    own = next((name for name in (*VARIANTS, variant) if name and re.search(rf"\.{name}[.-]", file.name)), None)
    return own == variant or (own is None and not any(file.parent.glob(f"*.{variant}[.-]*")))


def _local(folder: Path) -> Snapshot:
    if not folder.is_dir():
        raise ModelError(f"no model in {folder}: it is not a folder")
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        for content in _looked_at(file):
            digest.update(content)
    return Snapshot(path=folder, revision=f"local-{digest.hexdigest()[:16]}")


def _looked_at(file: Path) -> Iterator[bytes]:
    """What tells a file's content from another: of weights parts from all over, as training changes them everywhere."""
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
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    model, revision = split_name(name)
    if not offline:
        _ask_hub(name, model, revision)
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
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(f"{name} cannot be had from the Hub: {error}") from error
    return Snapshot(path=Path(path), revision=Path(path).name)


def _ask_hub(name: str, model: str, revision: str | None) -> None:
    """One question before a download, which would ask again and again for half a minute."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    meant = f"; the folder of this name is ./{model}" if Path(model).is_dir() else ""
    try:
        huggingface_hub.HfApi().repo_info(model, revision=revision, timeout=10)
    except (HfHubHTTPError, HFValidationError) as error:
        raise ModelError(f"{name} cannot be had from the Hub: {error}{meant}") from error
    except Exception as error:  # of whichever HTTP library the installed huggingface_hub stands on
        raise ModelError(f"{name} is not on this machine, and the Hub cannot be reached ({error}){meant}") from error


def _of_variant(pattern: str, variant: str | None) -> str:
    return pattern.replace("*.safetensors", f"*.{variant}*.safetensors") if variant else pattern
