"""From a model's name to a folder on this machine: safetensors and settings only, at one revision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mycanvas.errors import ModelError

Kind = Literal["transformers", "diffusers"]
"""Which library reads the folder."""

FILES: Mapping[Kind, tuple[str, ...]] = {
    "transformers": ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"),
    "diffusers": ("model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.jinja", "*/*.safetensors"),
}
"""What is fetched of a repository. Never pickles, and of a pipeline not the single-file copy beside its folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A model on this machine. revision: the repository's commit, or a digest of a local folder's content."""

    path: Path
    revision: str


def split_name(name: str) -> tuple[str, str | None]:
    """A model's name and its revision: "owner/model@revision" -> ("owner/model", "revision")."""
    model, _, revision = name.partition("@")
    return model, revision or None


def is_local(name: str) -> bool:
    """Whether a name means a folder: "/…", "./…", "../…" or "~…"; everything else is a repository on the Hub."""
    return name.startswith(("/", "./", "../", "~"))


def fetch(name: str, kind: Kind, *, offline: bool = False) -> Snapshot:
    """The model's files on this machine, downloaded where they are not yet.

    Args:
        name: "owner/model" or "owner/model@revision" on the Hub, or a folder.
        kind: which library will read it.
        offline: use only what is there already.

    Raises:
        ModelError: it is not there and cannot be had, or it has no safetensors.
    """
    snapshot = _local(Path(name).expanduser()) if is_local(name) else _from_hub(name, kind, offline=offline)
    if not any(snapshot.path.rglob("*.safetensors")):
        raise ModelError(f"{name} has no .safetensors files, and pickled weights are never loaded; name another one")
    return snapshot


def _local(folder: Path) -> Snapshot:
    if not folder.is_dir():
        raise ModelError(f"no model in {folder}: it is not a folder")
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        small = file.suffix in {".json", ".txt"}
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes() if small else b"")
    return Snapshot(path=folder, revision=f"local-{digest.hexdigest()[:16]}")


def _from_hub(name: str, kind: Kind, *, offline: bool) -> Snapshot:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    model, revision = split_name(name)
    try:
        path = huggingface_hub.snapshot_download(
            model, revision=revision, allow_patterns=list(FILES[kind]), local_files_only=offline
        )
    except LocalEntryNotFoundError:
        raise ModelError(f"{name} is not on this machine, and the Hub cannot be reached") from None
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(f"{name} cannot be had from the Hub: {error}") from error
    return Snapshot(path=Path(path), revision=Path(path).name)
