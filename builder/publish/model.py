"""Publish a trained model, the folder of `mycanvas train`, as a model repository on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.publish.client import hub_client, no_bars
from builder.publish.remote import DEFAULT_FILES, check_repo_id
from mycanvas.errors import HubError, StoreError
from mycanvas.io.hub_errors import hub_errors
from mycanvas.io.messages import byte_size, counted
from mycanvas.models import is_local
from mycanvas.models.adapters import EMBEDDINGS
from mycanvas.training.artefact import RECORD, SAMPLES, artefact_files, read_record

FOLDERS = (f"{EMBEDDINGS}/*", f"{SAMPLES}/*")
"""Files that a push replaces: those of an earlier training are deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPush:
    """The result of a push, or of a dry run.

    files: the size in bytes of each. commit: None: a dry run. local_base: the folder of its base model.
    """

    repo_id: str
    url: str
    files: dict[str, int]
    commit: str | None
    local_base: str | None = None

    def lines(self) -> list[str]:
        """The result as lines for the terminal."""
        verb, total = "sent" if self.commit else "would send", byte_size(sum(self.files.values()))
        lines = [f"{verb}  {path}  {byte_size(size)}" for path, size in self.files.items()]
        lines.append(f"{verb} {counted(len(self.files), 'file')}, {total}; samples show what was learned")
        if self.local_base:
            lines.append(
                f"the card names {self.local_base}, a folder that others do not have; edit README.md to name a model"
            )
        return [*lines, f"look at it:  {self.url}"] if self.commit else lines

    def as_json(self) -> dict[str, Any]:
        """The result as JSON types."""
        return {
            "repository": self.repo_id,
            "url": self.url,
            "send": self.files,
            "commit": self.commit,
            "local_base": self.local_base,
        }


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training, finished or not."""
    return (folder / RECORD).is_file()


def push_model(
    folder: Path, repo_id: str, *, private: bool = False, revision: str = "main", dry_run: bool = False
) -> ModelPush:
    """Publish a trained model in one commit.

    Args:
        folder: that `mycanvas train` wrote.
        repo_id: "user/name"; it is created if it does not exist.
        private: create the repository as private, and refuse a public one.
        revision: the branch; it is created if it does not exist.
        dry_run: only report what would be sent.

    Raises:
        ConfigError: the name of the repository is invalid.
        StoreError: the training is not finished.
        HubError: the Hub refused, or cannot be reached, or the repository holds something else.
    """
    check_repo_id(repo_id)
    record = read_record(folder, "train again, into a new folder")
    if record is None or not record["finished"]:
        raise StoreError(f"{folder} is not finished; run the same `mycanvas train` again to finish it")
    paths = artefact_files(folder, record)
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(paths)}
    api = hub_client(anonymous=dry_run)
    commit = None
    if not dry_run:
        with hub_errors(f"publish {repo_id}", repo_type="model"), no_bars():
            _check_repository(api, repo_id, private)
            api.create_repo(repo_id, private=private or None, exist_ok=True)
            if revision != "main":
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            commit = _upload(api, folder, repo_id, revision, sorted(files))
    local = record["model"] if is_local(record["model"]) else None
    return ModelPush(repo_id=repo_id, url=f"{api.endpoint}/{repo_id}", files=files, commit=commit, local_base=local)


def _check_repository(api: Any, repo_id: str, private: bool) -> None:
    """Refuse a repository that is public and should not be, or that holds something else."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        visible = api.repo_info(repo_id)
    except RepositoryNotFoundError:
        return
    if private and not visible.private:
        raise HubError(f"{repo_id} is public already; make it private in its settings, or leave out --private")
    found = {file.rfilename for file in visible.siblings or ()}
    if RECORD not in found and (others := sorted(found - DEFAULT_FILES)):
        raise HubError(f"{repo_id} holds something else ({', '.join(others[:3])}); choose another name")


def _upload(api: Any, folder: Path, repo_id: str, revision: str, files: Sequence[str]) -> str:
    """Send the files in one commit that also deletes those of an earlier training."""
    sent = api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        allow_patterns=list(files),
        delete_patterns=list(FOLDERS),
        revision=revision,
        commit_message="mycanvas push: a trained model",
    )
    return str(sent.oid)
