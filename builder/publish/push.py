"""A finished build -> a dataset repository on the Hugging Face Hub: one commit of what changed, then read back."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tqdm import tqdm

from builder.pipeline.build_folder import BuildFolder
from builder.publish.publication import CARD, CONCEPTS, DIGESTS, Publication, Rows, check_publishable, git_name, prepare
from dataset_card import HUB_LICENSES, license_yaml
from mycanvas.errors import ConfigError, HubError
from mycanvas.io.files import stored
from mycanvas.io.hub_errors import told_by_hub
from mycanvas.schema import SPLITS

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

    Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

log = logging.getLogger("mycanvas")

_SPLIT = f"({'|'.join(SPLITS)})"
OURS = re.compile(rf"(data/{_SPLIT}|concepts/train)-\d{{5}}-of-\d{{5}}\.parquet|previews/{_SPLIT}-\d+\.jpg")
"""Files that a push writes, and takes away again when they are no longer of the dataset; of others it takes none."""
BARE = frozenset({".gitattributes", "README.md"})
"""What a repository holds that was made on the web page and never used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A branch of a repository as it is now.

    exists: whether the repository does. head: the branch's commit; None: there is no such branch yet, and main counts.
    sums: by the path of each file, the sha256 of its content where it is large, else git's name of it.
    """

    exists: bool
    head: str | None
    sums: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """What a push sent, or would send.

    revision: the branch. commit: its head, an old one where nothing had changed; None: a dry run.
    send: size in bytes of each file that is new or changed. keep: how many are there already.
    delete: files that are no longer of the dataset. splits: the rows of each.
    """

    repo_id: str
    url: str
    revision: str
    send: Mapping[str, int]
    keep: int
    delete: tuple[str, ...]
    commit: str | None
    splits: Mapping[str, Rows]

    def lines(self) -> list[str]:
        """For people."""
        send, delete = ("sent", "deleted") if self.commit else ("would send", "would delete")
        longest = max(map(len, self.send), default=0)
        kept = f"; {self.keep} unchanged" if self.keep else ""
        total = f"{send} {_counted(len(self.send))}, {_size(sum(self.send.values()))}{kept}"
        parts = "of a changed file the Hub takes only the parts that it does not have"
        rows = ", ".join(f"{split} {found.rows}" for split, found in self.splits.items())
        branch = "" if self.revision == "main" else f', revision="{self.revision}"'
        return [
            *(f"{send}  {path:<{longest}}  {_size(size):>9}" for path, size in self.send.items()),
            *(f"{delete}  {path}" for path in self.delete),
            total if self.send else f"nothing to send: {_counted(self.keep)} unchanged",
            *([parts] if self.send and self.keep else []),
            f"{'read back' if self.commit else 'it would hold'}: {rows} rows",
            *([f'load it:     datasets.load_dataset("{self.repo_id}"{branch})'] if self.commit else []),
            *([f"look at it:  {self.url}"] if self.commit else []),
        ]

    def as_json(self) -> dict[str, Any]:
        """Of JSON's types."""
        rows = {split: found.rows for split, found in self.splits.items()}
        sent = {"send": dict(self.send), "keep": self.keep, "delete": list(self.delete)}
        where = {"repository": self.repo_id, "url": self.url, "revision": self.revision}
        return {**where, **sent, "commit": self.commit, "rows": rows}


def push(
    path: Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str = "main",
    license: str | None = None,
    dry_run: bool = False,
) -> Push:
    """Publish a built dataset, or what changed of it since; an interrupted push goes on where it stopped.

    Everything is checked before anything is sent, everything is sent before one commit makes it visible, and then the
    rows are read back as any reader would read them.

    Args:
        path: the folder of a finished build.
        repo_id: "user/mycanvas"; it is created where there is none.
        private: for the eyes of its owner only.
        revision: the branch; it is created where there is none.
        license: SPDX identifier, instead of the build's.
        dry_run: only find out what would be sent. Nothing is written, neither here nor there.

    Raises:
        ConfigError: the repository cannot have this name, or the branch, or this is no license.
        StoreError: the folder cannot be published as it is.
        HubError: the Hub refused, cannot be reached, or gives back something else.
    """
    if repo_id.count("/") != 1:
        raise ConfigError(f"expected user/name, as in jane/mycanvas, got {repo_id!r}")
    if not revision.strip():
        raise ConfigError(f"--revision: expected the name of a branch, got {revision!r}")
    _check_license(license)
    folder = BuildFolder.open(path)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(folder.claim(folder.request()))
        sums = check_publishable(folder, license)
        stack.enter_context(_no_bars())
        api = _api(anonymous=dry_run)
        with told_by_hub(f"look at {repo_id}"):
            remote = _look(api, repo_id, revision, private)
        publication = prepare(folder, sums, repo_id, license, keep=not dry_run)
        changed = _changed(publication, remote)
        gone = tuple(name for name in remote.sums if OURS.fullmatch(name) and name not in publication.sizes())
        commit = None
        if not dry_run:
            with told_by_hub(f"publish {repo_id}"):
                _create(api, repo_id, revision, remote, private)
                commit = _send(api, repo_id, revision, remote, publication, changed, gone)
            with told_by_hub(f"read {repo_id} back"):
                _compare(repo_id, commit, publication.splits)
        sizes = publication.sizes()
        send = {name: sizes[name] for name in changed}
        return Push(
            repo_id=repo_id,
            url=f"{api.endpoint}/datasets/{repo_id}{'' if revision == 'main' else f'/tree/{quote(revision)}'}",
            revision=revision,
            send=send,
            keep=len(sizes) - len(send),
            delete=gone,
            commit=commit,
            splits=publication.splits,
        )


def _check_license(license: str | None) -> None:
    """Look whether a license that was given is one; what the Hub has no name for is told, as it may be mistyped."""
    if license is None:
        return
    said = license_yaml(license)
    if said in ({"license": "unknown"}, {"license": "other"}):
        raise ConfigError(f"--license: expected the name of one, such as CC-BY-4.0, got {license!r}")
    if name := said.get("license_name"):
        near = get_close_matches(name, HUB_LICENSES - {"other", "unknown"}, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        log.warning("the Hub knows no license %s%s; the card says: other, %s", license, hint, name)


def _api(*, anonymous: bool) -> HfApi:
    """The Hub, to somebody who is logged in; to look, nobody has to be."""
    from huggingface_hub import HfApi, get_token

    api = HfApi()
    if get_token() is None:
        if anonymous:
            log.warning("nobody is logged in to the Hub: what is private there is not seen")
            return api
        raise HubError("nobody is logged in to the Hub; run: hf auth login (or set HF_TOKEN)")
    with told_by_hub("log in to the Hub"):
        api.whoami()
    return api


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without huggingface_hub's and datasets' own progress bars, beside which ours could not be read."""
    from datasets.utils import logging as datasets_bars
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown, also = not are_progress_bars_disabled(), datasets_bars.is_progress_bar_enabled()
    disable_progress_bars()
    datasets_bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()
        if also:
            datasets_bars.enable_progress_bar()


def _look(api: HfApi, repo_id: str, revision: str, private: bool) -> Remote:
    """What is there now.

    Raises:
        ConfigError: it cannot have this name.
        HubError: it is public although it is to be private, or holds something that no push wrote.
    """
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        visible = api.repo_info(repo_id, repo_type="dataset")
    except HFValidationError as error:
        raise ConfigError(f"expected user/name, as in jane/mycanvas, got {repo_id!r}: {error}") from error
    except RepositoryNotFoundError:
        return Remote(exists=False, head=None, sums={})
    if private and not visible.private:
        raise HubError(f"{repo_id} is public already; make it private in its settings, or leave out --private")
    try:
        head = api.repo_info(repo_id, repo_type="dataset", revision=revision).sha
    except RevisionNotFoundError:
        head = None
    begin = head or visible.sha  # a new branch begins as main
    entries = api.list_repo_tree(repo_id, repo_type="dataset", revision=begin, recursive=True)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    sums = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    if DIGESTS not in sums and (others := sorted(set(sums) - BARE)):
        raise HubError(f"{repo_id} holds something else ({', '.join(others[:3])}); choose another name")
    if DIGESTS in sums and CARD in sums:
        _check_card(api, repo_id, begin, sums[CARD])
    return Remote(exists=True, head=head, sums=sums)


def _check_card(api: HfApi, repo_id: str, revision: str | None, there: str) -> None:
    """Raises HubError if somebody edited the card on the Hub, which a push would replace. there: its name in git."""
    told = stored(Path(api.hf_hub_download(repo_id, DIGESTS, repo_type="dataset", revision=revision)))
    if isinstance(told, dict) and told.get("card", there) != there:
        raise HubError(
            f"the card of {repo_id} was edited on the Hub since the last push, which this one would replace; copy what "
            f"is to stay into the {CARD} of the folder, delete {CARD} on the Hub, and push again"
        )


def _changed(publication: Publication, remote: Remote) -> list[str]:
    """The paths of the files that are not there as they are here."""
    shards = {shard.path: {shard.sha256} for shard in publication.shards}
    small = {
        path: {hashlib.sha256(content).hexdigest(), git_name(content)} for path, content in publication.small.items()
    }
    return [path for path, names in {**shards, **small}.items() if remote.sums.get(path) not in names]


def _create(api: HfApi, repo_id: str, revision: str, remote: Remote, private: bool) -> None:
    if not remote.exists:
        api.create_repo(repo_id, repo_type="dataset", private=private or None, exist_ok=True)
    if remote.head is None and revision != "main":
        api.create_branch(repo_id, repo_type="dataset", branch=revision, exist_ok=True)


def _send(
    api: HfApi,
    repo_id: str,
    revision: str,
    remote: Remote,
    publication: Publication,
    changed: Iterable[str],
    gone: Iterable[str],
) -> str:
    """Send files, large ones one after the other, then commit them all; the commit that holds them.

    A large file that has arrived is kept by the Hub, so that a push that was interrupted need not send it again.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = remote.head or str(api.repo_info(repo_id, repo_type="dataset", revision=revision).sha)
    large = [
        (CommitOperationAdd(shard.path, shard.local), shard.size)
        for shard in publication.shards
        if shard.path in changed and shard.local
    ]
    with tqdm(
        total=sum(size for _, size in large), desc="sending", unit="B", unit_scale=True, disable=not large
    ) as bar:
        for addition, size in large:
            api.preupload_lfs_files(repo_id, [addition], repo_type="dataset", revision=revision)
            bar.update(size)
    small = [CommitOperationAdd(path, content) for path, content in publication.small.items() if path in changed]
    operations: list[Operation] = [*(addition for addition, _ in large), *small, *map(CommitOperationDelete, gone)]
    if not operations:
        return head
    return api.create_commit(
        repo_id,
        operations,
        commit_message=f"mycanvas push: {sum(split.rows for split in publication.splits.values())} rows",
        repo_type="dataset",
        revision=revision,
        parent_commit=head,
    ).oid


def _compare(repo_id: str, commit: str, splits: Mapping[str, Rows]) -> None:
    """Stream the ids of all rows, as readers do, and compare them with those that were sent.

    Raises:
        HubError: they are others.
    """
    import datasets

    for split, sent in tqdm(splits.items(), desc="reading back", unit="split", delay=1):
        config, part = ("concepts", "train") if split == CONCEPTS else ("default", split)
        rows = datasets.load_dataset(repo_id, config, split=part, revision=commit, streaming=True, columns=["id"])
        found = Rows.count(row["id"] for row in rows)
        if found != sent:
            raise HubError(
                f"{repo_id} at {commit} gives back {found.rows} rows of {split} that are not the {sent.rows} that were "
                "sent; delete .build/push and run the same command again"
            )


def _counted(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"


def _size(size: int) -> str:
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:.2f} MB"
