"""The current state of a repository on the Hub, compared with the files of a publication."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.publish.publication import CARD, DIGESTS, Publication, git_name
from mycanvas.errors import ConfigError, HubError
from mycanvas.schema import SPLITS

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_SPLIT = f"({'|'.join(SPLITS)})"
PUSHED_FILES = re.compile(
    rf"((data|pairs)/{_SPLIT}|concepts/train)-\d{{5}}-of-\d{{5}}\.parquet|previews/{_SPLIT}-\d+\.jpg"
    r"|plots/(positions|sizes)\.png|report\.html"
)
"""Paths that a push writes, and deletes when the dataset no longer has them; it deletes no other files."""
DEFAULT_FILES = frozenset({".gitattributes", "README.md"})
"""The files of a new repository that was created on the Hub's web page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """The current state of a branch of a repository.

    exists: whether there is a repository. head: the branch's last commit; None: there is no such branch yet.
    hashes: by the path of each file of the branch (of main, where there is no such branch), the sha256 of a large file,
        the git blob id of any other.
    reached: whether the Hub answered; if not, nothing is known of the repository.
    """

    exists: bool
    head: str | None
    hashes: Mapping[str, str]
    reached: bool = True


def check_repo_id(repo_id: str) -> None:
    """Raise ConfigError if no repository can have this name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    expected = f"expected user/name, as in jane/mycanvas, got {repo_id!r}"
    if repo_id.count("/") != 1:
        raise ConfigError(expected)
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ConfigError(f"{expected}: {error}") from error


def read_remote(api: HfApi, repo_id: str, revision: str, private: bool) -> Remote:
    """Read the current state of the branch.

    Raises:
        HubError: the repository is public and `private` is set, or it holds files that no push wrote.
    """
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        visible = api.repo_info(repo_id, repo_type="dataset")
    except RepositoryNotFoundError:
        return Remote(exists=False, head=None, hashes={})
    if private and not visible.private:
        raise HubError(f"{repo_id} is public already; make it private in its settings, or leave out --private")
    try:
        head = api.repo_info(repo_id, repo_type="dataset", revision=revision).sha
    except RevisionNotFoundError:
        head = None
    start = head or visible.sha  # a new branch starts from main
    entries = api.list_repo_tree(repo_id, repo_type="dataset", revision=start, recursive=True)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    hashes = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    if DIGESTS not in hashes and (others := sorted(set(hashes) - DEFAULT_FILES)):
        raise HubError(f"{repo_id} holds something else ({', '.join(others[:3])}); choose another name")
    if DIGESTS in hashes and CARD in hashes:
        _check_card(api, repo_id, start, hashes[CARD])
    return Remote(exists=True, head=head, hashes=hashes)


def changed_files(publication: Publication, remote: Remote) -> list[str]:
    """The paths of the files that are new, or differ from those on the Hub."""
    shards = {shard.path: {shard.sha256} for shard in publication.shards}
    small = {
        path: {hashlib.sha256(content).hexdigest(), git_name(content)} for path, content in publication.small.items()
    }
    return [path for path, hashes in {**shards, **small}.items() if remote.hashes.get(path) not in hashes]


def dropped_files(publication: Publication, remote: Remote) -> tuple[str, ...]:
    """The paths of files on the Hub that an earlier push wrote and the dataset no longer has."""
    sizes = publication.sizes()
    return tuple(name for name in remote.hashes if PUSHED_FILES.fullmatch(name) and name not in sizes)


def _check_card(api: HfApi, repo_id: str, revision: str | None, card: str) -> None:
    """Raise HubError if the card was edited on the Hub: a push would replace it. card: its current git blob id."""
    file = Path(api.hf_hub_download(repo_id, DIGESTS, repo_type="dataset", revision=revision))
    try:
        pushed = json.loads(file.read_bytes())
    except ValueError:
        pushed = None
    if isinstance(pushed, dict) and pushed.get("card", card) != card:
        raise HubError(
            f"the card of {repo_id} was edited on the Hub since the last push, and this push would replace it; copy "
            f"the edits that you want to keep into the {CARD} of the folder, delete {CARD} on the Hub, and push again"
        )
