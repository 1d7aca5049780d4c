"""A real HTTP server that speaks the dataset API of the Hugging Face Hub, as far as publishing and loading need it.

Files travel by git-LFS to the server itself, or by Xet: then the real client cuts them into chunks and keeps those
that are new in a folder of its own format, from which the server puts the committed files together again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "hf_of_me"
USER = "me"
LARGE = (".parquet", ".arrow", ".jpg", ".png", ".webp")
"""Endings of files that the Hub keeps as LFS objects."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a commit. sha256: of its content. oid: git's name of the content. large: an LFS object."""

    size: int
    sha256: str
    oid: str
    large: bool


@dataclass(frozen=True)
class Commit:
    oid: str
    title: str
    files: dict[str, StoredFile]


@dataclass
class Repository:
    """branches: the commits of each, oldest first. objects: the sha256 of the LFS objects that were sent to it."""

    private: bool
    branches: dict[str, list[Commit]]
    objects: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """What the Hub answers instead. code: its X-Error-Code."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


class FakeHub:
    """What the Hub holds, and what it was sent.

    failing: the status that a route answers with, by its name ("commit", "create", "whoami", "preupload", "batch").
    uploads: the sizes of the LFS objects that were sent, in order. downloads: the paths of files that were fetched.
    hold_after: after so many uploads the next one waits for `go_on`, and `held` is set.
    cas: the folder that Xet chunks go to; None: files go by LFS.
    before_commit: called when a commit arrives, before it is looked at.
    lost: path -> the path whose content is given instead.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.repositories: dict[str, Repository] = {}
        self.failing: dict[str, int] = {}
        self.uploads: list[int] = []
        self.downloads: list[str] = []
        self.hold_after: int | None = None
        self.held, self.go_on = Event(), Event()
        self.cas: Path | None = None
        self.before_commit: Callable[[], None] = lambda: None
        self.lost: dict[str, str] = {}
        self.lock = RLock()
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True)

    def environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """The variables by which a program of huggingface_hub talks to this server."""
        values = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": str(int(self.cas is None))}
        return values | ({"HF_TOKEN": token} if token else {})

    def head(self, name: str, branch: str = "main") -> Commit:
        return self.repositories[name].branches[branch][-1]

    def content(self, file: StoredFile) -> bytes:
        return (self.blobs / file.sha256).read_bytes()

    def xet_bytes(self) -> int:
        """Bytes of all chunks that were sent by Xet."""
        assert self.cas
        return sum(file.stat().st_size for file in self.cas.rglob("default.*") if file.suffix != ".tagset")

    def write(self, name: str, files: Mapping[str, bytes | None], *, private: bool = False) -> str:
        """A commit by somebody else, None deletes a file; creates the repository where there is none."""
        repository = self.repositories.setdefault(name, Repository(private, {"main": [_commit("initial commit", {})]}))
        before = repository.branches["main"][-1].files
        stay = {path: file for path, file in before.items() if path not in files}
        added = {path: self.keep(content, large=path.endswith(LARGE)) for path, content in files.items() if content}
        repository.branches["main"].append(_commit("by somebody else", stay | added))
        return self.head(name).oid

    def keep(self, content: bytes, *, large: bool) -> StoredFile:
        sha256 = hashlib.sha256(content).hexdigest()
        (self.blobs / sha256).write_bytes(content)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n"
        return StoredFile(len(content), sha256, _git_oid(pointer.encode() if large else content), large)

    def repository(self, name: str, request: Request) -> Repository:
        """One that the request may see; on the real Hub too, what may not be seen is not there."""
        known = request.headers.get("authorization") == f"Bearer {TOKEN}"
        found = self.repositories.get(name)
        if found is None or (found.private and not known):
            raise Refusal(404 if known else 401, "Repository not found", "RepoNotFound")
        return found

    def may_write(self, name: str, request: Request) -> None:
        _logged_in(request)
        if not name.startswith(f"{USER}/"):
            raise Refusal(403, "You don't have the rights to write to this repository")

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the Hub answers to a request."""
        url = urlsplit(target)
        request = Request(body, {name.lower(): value for name, value in headers.items()}, dict(parse_qsl(url.query)))
        for name, expected, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match and method in expected.split():
                try:
                    if name in self.failing:
                        raise Refusal(self.failing[name], "this was to fail")
                    with self.lock if name != "upload" else _no_lock():
                        parts = {key: unquote(part) for key, part in match.groupdict("").items()}
                        return handler(self, request, **parts)
                except Refusal as refusal:
                    told = {"X-Error-Code": refusal.code} if refusal.code else {}
                    error = json.dumps({"error": str(refusal)}).encode()
                    return Answer(refusal.status, error, {**told, "X-Error-Message": str(refusal)})
        return Answer(404, f'{{"error": "no route {method} {url.path}"}}'.encode())


@contextmanager
def serve(folder: Path) -> Iterator[FakeHub]:
    """A Hub with nothing on it, on a free port of this machine, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = hub.answer(self.command, self.path, dict(self.headers), body)
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)
            except OSError:
                self.close_connection = True  # the client is gone

        do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client was killed, as tests do

    with Server(("127.0.0.1", 0), Handler) as server:
        hub = FakeHub(folder, f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.go_on.set()
            server.shutdown()
            thread.join()


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


def _json(values: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(values).encode(), {"Content-Type": "application/json"})


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _commit(title: str, files: dict[str, StoredFile]) -> Commit:
    oid = hashlib.sha1(f"{title} {time.time_ns()}".encode(), usedforsecurity=False).hexdigest()
    return Commit(oid, title, files)


def _logged_in(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise Refusal(401, "Invalid user token.")


def _at(repository: Repository, revision: str) -> Commit:
    for branch, commits in repository.branches.items():
        for commit in reversed(commits):
            if revision in {branch, commit.oid}:
                return commit
    raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def _entry(path: str, file: StoredFile) -> dict[str, Any]:
    large = {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134}} if file.large else {}
    return {"type": "file", "path": path, "size": file.size, "oid": file.oid, **large}


def _directory(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": _git_oid(path.encode())}


def whoami(_hub: FakeHub, request: Request) -> Answer:
    _logged_in(request)
    return _json({"type": "user", "id": "1", "name": USER, "fullname": USER, "orgs": [], "auth": {}})


def create(hub: FakeHub, request: Request) -> Answer:
    asked = request.json()
    name = f"{asked.get('organization') or USER}/{asked['name']}"
    hub.may_write(name, request)
    url = {"url": f"{hub.url}/datasets/{name}"}
    if name in hub.repositories:
        return _json({"error": "You already created this dataset repo", **url}, 409)
    private = bool(asked.get("private")) or asked.get("visibility") == "private"
    hub.repositories[name] = Repository(private, {"main": [_commit("initial commit", {})]})
    return _json({**url, "name": name, "id": "1"})


def branch(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    branches = hub.repository(repo, request).branches
    if revision in branches:
        raise Refusal(409, "Reference already exists")
    branches[revision] = [branches["main"][-1]]
    return _json({})


def validate(_hub: FakeHub, request: Request) -> Answer:
    """The Hub checks a card's metadata; here, that it is YAML and that the license is one word."""
    import yaml

    head = yaml.safe_load(request.json()["content"].split("---\n")[1])
    wrong = [] if re.fullmatch(r"[a-z0-9.-]+", head["license"]) else [{"message": '"license" must be one of the list'}]
    return _json({"errors": wrong, "warnings": []}, 400 if wrong else 200)


def info(hub: FakeHub, request: Request, repo: str, revision: str = "") -> Answer:
    repository = hub.repository(repo, request)
    commit = _at(repository, revision or "main")
    siblings = [{"rfilename": path} for path in sorted(commit.files)]
    card: dict[str, Any] = {}
    if "README.md" in commit.files:
        import yaml

        text = hub.content(commit.files["README.md"]).decode()
        card = {"cardData": yaml.safe_load(text.split("---\n")[1])} if text.startswith("---\n") else {}
    values = {"id": repo, "sha": commit.oid, "private": repository.private, "tags": [], "downloads": 0, "likes": 0}
    return _json({**values, "siblings": siblings, "gated": False, "disabled": False, **card})


def refs(hub: FakeHub, request: Request, repo: str) -> Answer:
    branches = hub.repository(repo, request).branches
    named = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commits[-1].oid}
        for name, commits in branches.items()
    ]
    return _json({"branches": named, "tags": [], "converts": []})


def tree(hub: FakeHub, request: Request, repo: str, revision: str, folder: str = "") -> Answer:
    files = _at(hub.repository(repo, request), revision).files
    start = f"{folder.strip('/')}/" if folder.strip("/") else ""
    recursive = request.query.get("recursive", "").lower() == "true"
    entries: dict[str, dict[str, Any]] = {}
    for path in sorted(files):
        if not path.startswith(start):
            continue
        parts = path.removeprefix(start).split("/")
        for depth in range(1, len(parts)):
            if recursive or depth == 1:
                above = start + "/".join(parts[:depth])
                entries[above] = _directory(above)
        if recursive or len(parts) == 1:
            entries[path] = _entry(path, files[hub.lost.get(path, path)])
    if start and not entries:
        raise Refusal(404, f"{folder} does not exist", "EntryNotFound")
    return _json(list(entries.values()))


def paths_info(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    files = _at(hub.repository(repo, request), revision).files
    asked = request.json()["paths"]
    found = []
    for path in [asked] if isinstance(asked, str) else asked:
        if path in files:
            found.append(_entry(path, files[hub.lost.get(path, path)]))
        elif any(name.startswith(f"{path.rstrip('/')}/") for name in files):
            found.append(_directory(path))
    return _json(found)


def preupload(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    files = _at(hub.repository(repo, request), revision).files
    modes = []
    for asked in request.json()["files"]:
        there = files.get(asked["path"])
        oid = (there.sha256 if there.large else there.oid) if there else None
        mode = "lfs" if asked["path"].endswith(LARGE) else "regular"
        modes.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return _json({"files": modes})


def batch(hub: FakeHub, request: Request, repo: str) -> Answer:
    hub.may_write(repo, request)
    there = hub.repository(repo, request).objects
    objects = []
    for asked in request.json()["objects"]:
        upload = {"upload": {"href": f"{hub.url}/lfs/{repo}/{asked['oid']}", "header": {}}}
        missing = {} if asked["oid"] in there else {"actions": upload}
        objects.append({"oid": asked["oid"], "size": asked["size"], **missing})
    return _json({"transfer": "basic", "objects": objects})


def upload(hub: FakeHub, request: Request, repo: str, sha256: str) -> Answer:
    with hub.lock:
        wait = hub.hold_after is not None and len(hub.uploads) >= hub.hold_after
        hub.uploads += [] if wait else [len(request.body)]
    if wait:
        hub.held.set()
        hub.go_on.wait()
        raise Refusal(503, "held until the client was gone")
    if hub.keep(request.body, large=True).sha256 != sha256:
        raise Refusal(400, "the content is not what its name says")
    hub.repositories[repo].objects.add(sha256)
    return Answer()


def xet_token(hub: FakeHub, request: Request, repo: str, kind: str, revision: str) -> Answer:  # noqa: ARG001
    if kind == "write":
        hub.may_write(repo, request)
    place = {"accessToken": "x", "exp": int(time.time()) + 3600, "casUrl": f"local://{hub.cas}"}
    told = {"X-Xet-Cas-Url": place["casUrl"], "X-Xet-Access-Token": "x", "X-Xet-Token-Expiration": str(place["exp"])}
    return Answer(200, json.dumps(place).encode(), {"Content-Type": "application/json", **told})


def commit(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    hub.before_commit()
    repository = hub.repository(repo, request)
    head = _at(repository, revision)
    files, title = dict(head.files), ""
    for line in request.body.splitlines():
        step = json.loads(line)
        kind, value = step["key"], step["value"]
        if kind == "header":
            title = value["summary"]
            if value.get("parentCommit", head.oid) != head.oid:
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        elif kind == "file":
            files[value["path"]] = hub.keep(base64.b64decode(value["content"]), large=False)
        elif kind == "lfsFile":
            files[value["path"]] = hub.keep(_large(hub, repository, value["oid"]), large=True)
        elif kind == "deletedFile":
            del files[value["path"]]
        else:
            raise Refusal(400, f"unknown operation {kind}")
    made = _commit(title, files)
    repository.branches[revision].append(made)
    return _json({"success": True, "commitOid": made.oid, "commitUrl": f"{hub.url}/datasets/{repo}/commit/{made.oid}"})


def _large(hub: FakeHub, repository: Repository, sha256: str) -> bytes:
    """The content of an LFS object, which by now must have been sent."""
    blob = hub.blobs / sha256
    if hub.cas:
        _from_chunks(hub.cas, sha256, blob)
    elif sha256 not in repository.objects:
        raise Refusal(400, f"LFS object {sha256} was not uploaded")
    return blob.read_bytes()


def _from_chunks(cas: Path, sha256: str, target: Path) -> None:
    """Put a file together from the chunks that Xet's client left in a folder."""
    import hf_xet

    for shard in (cas / "xet" / "xorbs" / "shards").glob("*.mdb"):
        for file_hash, size, named in _files_of(shard.read_bytes()):
            if named == sha256:
                group = hf_xet.XetSession().new_file_download_group(endpoint=f"local://{cas}")
                group.start_download_file(hf_xet.XetFileInfo(file_hash, size), str(target))
                group.wait_to_finish()
                return
    raise Refusal(400, f"Xet object {sha256} was not uploaded")


def _files_of(shard: bytes) -> Iterator[tuple[str, int, str]]:
    """Xet's hash, the size and the sha256 of each file in a shard of metadata (Xet protocol, "shard format")."""
    at = 48
    while True:
        file_hash, flags, entries = shard[at : at + 32], *struct.unpack_from("<II", shard, at + 32)
        if file_hash == b"\xff" * 32:
            return
        at += 48
        size = sum(struct.unpack_from("<I", shard, at + 48 * index + 36)[0] for index in range(entries))
        at += 48 * entries * (2 if flags & 1 << 31 else 1)
        if flags & 1 << 30:
            yield _hex(file_hash), size, _hex(shard[at : at + 32])
            at += 48


def _hex(content: bytes) -> str:
    """Xet writes a hash as four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", content))


def resolve(hub: FakeHub, request: Request, repo: str, revision: str, path: str) -> Answer:
    commit = _at(hub.repository(repo, request), revision)
    if path not in commit.files:
        raise Refusal(404, "Entry not found", "EntryNotFound")
    hub.downloads.append(path)
    file = commit.files[hub.lost.get(path, path)]
    content, status, part = hub.content(file), 200, {}
    etag = f'"{file.sha256 if file.large else file.oid}"'
    if expected := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
        first, last = int(expected[1]), min(int(expected[2] or file.size), file.size - 1)
        if first >= file.size:
            raise Refusal(416, "range not satisfiable")
        content, status = content[first : last + 1], 206
        part = {"Content-Range": f"bytes {first}-{last}/{file.size}"}
    named = {"ETag": etag, "X-Repo-Commit": commit.oid, "X-Linked-Size": str(file.size), "X-Linked-Etag": etag}
    return Answer(status, content, {"Accept-Ranges": "bytes", **named, **part})


API = r"/api/datasets/(?P<repo>[^/]+/[^/]+)"
ROUTES: tuple[tuple[str, str, str, Callable[..., Answer]], ...] = (
    ("whoami", "GET", "/api/whoami-v2", whoami),
    ("create", "POST", "/api/repos/create", create),
    ("validate", "POST", "/api/validate-yaml", validate),
    ("info", "GET HEAD", API, info),
    ("info", "GET HEAD", API + "/revision/(?P<revision>[^/]+)", info),
    ("refs", "GET", API + "/refs", refs),
    ("branch", "POST", API + "/branch/(?P<revision>[^/]+)", branch),
    ("tree", "GET", API + "/tree/(?P<revision>[^/]+)(?P<folder>/.*)?", tree),
    ("paths", "POST", API + "/paths-info/(?P<revision>[^/]+)", paths_info),
    ("preupload", "POST", API + "/preupload/(?P<revision>[^/]+)", preupload),
    ("commit", "POST", API + "/commit/(?P<revision>[^/]+)", commit),
    ("xet", "GET", API + "/xet-(?P<kind>read|write)-token/(?P<revision>[^/]+)", xet_token),
    ("batch", "POST", r"/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", batch),
    ("upload", "PUT", "/lfs/(?P<repo>[^/]+/[^/]+)/(?P<sha256>[0-9a-f]{64})", upload),
    ("resolve", "GET HEAD", r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
)
