"""Publish a finished build as a dataset repository on the Hugging Face Hub: one commit, whose rows are then read back.

The changed files are found in remote.py. `HfApi.create_commit` leaves unchanged files out of a commit too, but only
after it has put every large one through an upload; and it has no dry run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.claim import claim
from builder.pipeline.clean import remove_push_files
from builder.publish.client import hub_client, no_bars
from builder.publish.files import Rows
from builder.publish.publication import CONCEPTS, REPORT, Publication, check_publishable, prepare
from builder.publish.remote import Remote, changed_files, check_repo_id, dropped_files, read_remote
from dataset_card import HUB_LICENSES, license_yaml
from mycanvas.errors import ConfigError, HubError
from mycanvas.io.hub_errors import hub_errors, is_unreachable
from mycanvas.io.messages import byte_size, closest, counted
from mycanvas.io.progress import BYTES, Progress, tracked

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

    Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """The result of a push, or of a dry run.

    revision: the branch. commit: its last commit, the previous one where nothing had changed; None: a dry run.
    photos: the size in bytes of the published source photos. held_back: the number of those that no scene shows.
    report: whether a report is among the files, which shows all photos.
    reached: whether the Hub answered; if not, this is a dry run. creates: whether the repository is new.
    send: the size in bytes of each file that is new or changed. keep: the number of unchanged files.
    delete: files that the dataset no longer has. splits: the rows of each split.
    """

    repo_id: str
    url: str
    revision: str
    send: Mapping[str, int]
    keep: int
    delete: tuple[str, ...]
    commit: str | None
    splits: Mapping[str, Rows]
    photos: int
    held_back: int
    report: bool
    reached: bool
    creates: bool
    private: bool

    def lines(self) -> list[str]:
        """The result as lines for the terminal."""
        send, delete = ("sent", "deleted") if self.commit else ("would send", "would delete")
        longest = max(map(len, self.send), default=0)
        kept = f"; {self.keep} unchanged" if self.keep else ""
        total = f"{send} {counted(len(self.send), 'file')}, {byte_size(sum(self.send.values()))}{kept}"
        parts = "of a changed file, only the parts that the Hub does not have are uploaded"
        rows = ", ".join(f"{split} {found.rows}" for split, found in self.splits.items())
        branch = "" if self.revision == "main" else f', revision="{self.revision}"'
        return [
            *(f"{send}  {path:<{longest}}  {byte_size(size):>9}" for path, size in self.send.items()),
            *(f"{delete}  {path}" for path in self.delete),
            total if self.send else f"nothing to send: {counted(self.keep, 'file')} unchanged",
            *([parts] if self.send and self.keep else []),
            f"{'read back' if self.commit else 'it would hold'}: {rows} rows",
            self._about_photos(),
            *([self._about_report()] if self.report else []),
            *([] if self.commit else self._advice()),
            *([f'load it:     datasets.load_dataset("{self.repo_id}"{branch})'] if self.commit else []),
            *([f"look at it:  {self.url}"] if self.commit else []),
        ]

    def _about_photos(self) -> str:
        number, verb = self.splits[CONCEPTS].rows, "published" if self.commit else "would publish"
        others = f"; not {self.held_back} that no scene shows (--all-photos)" if self.held_back else ""
        return (
            f"{verb} {counted(number, 'source photo')} with the scenes, {byte_size(self.photos)} of the above{others}"
        )

    def _about_report(self) -> str:
        every = counted(self.splits[CONCEPTS].rows + self.held_back, "source photo")
        others = f", also the {self.held_back} that no scene shows" if self.held_back else ""
        return f"{'published' if self.commit else 'would publish'} {REPORT}, with small pictures of all {every}{others}"

    def _advice(self) -> list[str]:
        lines = []
        if not self.reached:
            lines.append(
                f"the Hub cannot be reached, so it is unknown whether {self.repo_id} exists, what it holds, and "
                "whether you may write there; the files above are those of a first push"
            )
        if self.creates and not self.private:
            lines.append(
                "recommended: --private; look at the dataset on the Hub first, and make it public in its settings"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """The result as JSON's types."""
        photos = {"rows": self.splits[CONCEPTS].rows, "bytes": self.photos, "held_back": self.held_back}
        rows = {split: found.rows for split, found in self.splits.items()}
        sent = {"send": dict(self.send), "keep": self.keep, "delete": list(self.delete)}
        where = {"repository": self.repo_id, "url": self.url, "revision": self.revision}
        return {**where, **sent, "commit": self.commit, "rows": rows, "photos": photos, "hub_reached": self.reached}


def push(
    path: Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str = "main",
    license: str | None = None,
    all_photos: bool = False,
    pairs: Path | None = None,
    report: Callable[[BuildFolder], bytes] | None = None,
    dry_run: bool = False,
) -> Push:
    """Publish a built dataset, or its changes since the last push; an interrupted push resumes where it stopped.

    Everything is checked before anything is sent, and everything is sent before one commit makes it visible. Then the
    rows are read back as any reader would read them.

    Args:
        path: the folder of a finished build.
        repo_id: "user/mycanvas"; it is created if it does not exist.
        private: create the repository as private, and refuse a public one.
        revision: the branch; it is created if it does not exist.
        license: SPDX identifier, in place of the build's.
        all_photos: publish all source photos, not only those that scenes show.
        pairs: an export of pairs to publish too, as the config "pairs"; None: those of an earlier push are deleted.
        report: makes a page about the build to publish too, which shows every photo; None: that of an earlier push is
            deleted.
        dry_run: only report what would be sent; write nothing, neither here nor on the Hub. It works offline too.

    Raises:
        ConfigError: the name of the repository, of the branch or of the license is invalid.
        StoreError: the folder cannot be published as it is.
        HubError: the Hub refused, cannot be reached, or returns other rows than were sent.
    """
    check_repo_id(repo_id)
    if not revision.strip():
        raise ConfigError(f"--revision: expected the name of a branch, got {revision!r}")
    _check_license(license)
    folder = BuildFolder.open(path)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(claim(folder, folder.request()))
        checked = check_publishable(folder, license, all_photos=all_photos, pairs=pairs, report=report)
        stack.enter_context(no_bars())
        api = hub_client(anonymous=dry_run)
        remote = _look(api, repo_id, revision, private, offline=dry_run)
        publication = prepare(folder, checked, repo_id, license, keep=not dry_run)
        sizes = publication.sizes()
        changed = changed_files(publication, remote)
        dropped = dropped_files(publication, remote)
        photos = sum(sizes[name] for name in sizes if name.startswith(f"{CONCEPTS}/"))
        commit = None
        if not dry_run:
            log.info(
                "publishing %s (%s) with the scenes", counted(len(checked.photos), "source photo"), byte_size(photos)
            )
            with hub_errors(f"publish {repo_id}"):
                _create(api, repo_id, revision, remote, private)
                commit = _send(api, repo_id, revision, remote, publication, changed, dropped)
            with hub_errors(f"read {repo_id} back"):
                _compare(repo_id, commit, publication.splits)
            remove_push_files(folder)
        send = {name: sizes[name] for name in changed}
        return Push(
            repo_id=repo_id,
            url=f"{api.endpoint}/datasets/{repo_id}{'' if revision == 'main' else f'/tree/{quote(revision)}'}",
            revision=revision,
            send=send,
            keep=len(sizes) - len(send),
            delete=dropped,
            commit=commit,
            splits=publication.splits,
            photos=photos,
            held_back=len(checked.held_back),
            report=checked.report is not None,
            reached=remote.reached,
            creates=not remote.exists,
            private=private,
        )


def _check_license(license: str | None) -> None:
    """Refuse a value that names no license; warn of one that the Hub does not know, as it may be mistyped."""
    if license is None:
        return
    fields = license_yaml(license)
    if fields in ({"license": "unknown"}, {"license": "other"}):
        raise ConfigError(f"--license: expected the name of a license, such as CC-BY-4.0, got {license!r}")
    if name := fields.get("license_name"):
        near = closest(name, HUB_LICENSES - {"other", "unknown"}, similarity=0.6)
        hint = f" (did you mean {near}?)" if near else ""
        log.warning("the Hub knows no license %s%s; the card says: other, %s", license, hint, name)


def _look(api: HfApi, repo_id: str, revision: str, private: bool, *, offline: bool) -> Remote:
    """The current state of the branch, for a user whose token is valid; offline: allow that the Hub is not reached."""
    from huggingface_hub import get_token

    try:
        if get_token() is not None:
            with hub_errors("log in to the Hub"):
                api.whoami()
        with hub_errors(f"look at {repo_id}"):
            return read_remote(api, repo_id, revision, private)
    except HubError as error:
        if offline and is_unreachable(error):
            return Remote(exists=False, head=None, hashes={}, reached=False)
        raise


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
    dropped: Iterable[str],
) -> str:
    """Upload the shards one by one, then commit all files; return the commit.

    The Hub keeps each shard that has arrived, so that an interrupted push does not send it again. `create_commit` alone
    would upload all of them in one session, of which an interruption loses more.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = remote.head or str(api.repo_info(repo_id, repo_type="dataset", revision=revision).sha)
    large = [
        (CommitOperationAdd(shard.path, shard.local), shard.size)
        for shard in publication.shards
        if shard.path in changed and shard.local
    ]
    with Progress("sending", sum(size for _, size in large), BYTES) as progress:
        for addition, size in large:
            api.preupload_lfs_files(repo_id, [addition], repo_type="dataset", revision=revision)
            progress.update(size)
    small = [CommitOperationAdd(path, content) for path, content in publication.small.items() if path in changed]
    operations: list[Operation] = [*(addition for addition, _ in large), *small, *map(CommitOperationDelete, dropped)]
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
        HubError: they differ.
    """
    import datasets

    for split, sent in tracked(splits.items(), "reading back", len(splits), "split"):
        config, _, part = "concepts/train".rpartition("/") if split == CONCEPTS else split.rpartition("/")
        config = config or "default"
        rows = datasets.load_dataset(repo_id, config, split=part, revision=commit, streaming=True, columns=["id"])
        found = Rows.count(row["id"] for row in rows)
        if found != sent:
            raise HubError(
                f"{repo_id} at {commit} returns {found.rows} rows of {split}, which are not the {sent.rows} rows that "
                "were sent; delete .build/push and run the same command again"
            )
