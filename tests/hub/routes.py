"""The routes of the fake Hub: one function for each, called with the parts of its path."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.hub.contents import LARGE, Repository, StoredFile, commit_at, git_oid, new_commit
from tests.hub.exchange import USER, Answer, Refusal, Request, json_answer, require_token
from tests.hub.xet import join_chunks

if TYPE_CHECKING:
    from tests.hub.fake_hub import FakeHub


def _entry(path: str, file: StoredFile) -> dict[str, Any]:
    large = {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134}} if file.large else {}
    return {"type": "file", "path": path, "size": file.size, "oid": file.oid, **large}


def _directory(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": git_oid(path.encode())}


def whoami(_hub: FakeHub, request: Request) -> Answer:
    require_token(request)
    return json_answer({"type": "user", "id": "1", "name": USER, "fullname": USER, "orgs": [], "auth": {}})


def create(hub: FakeHub, request: Request) -> Answer:
    asked = request.json()
    name = f"{asked.get('organization') or USER}/{asked['name']}"
    hub.may_write(name, request)
    url = {"url": f"{hub.url}/datasets/{name}"}
    if name in hub.repositories:
        return json_answer({"error": "You already created this dataset repo", **url}, 409)
    private = bool(asked.get("private")) or asked.get("visibility") == "private"
    hub.repositories[name] = Repository(private, {"main": [new_commit("initial commit", {})]})
    return json_answer({**url, "name": name, "id": "1"})


def branch(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    branches = hub.repository(repo, request).branches
    if revision in branches:
        raise Refusal(409, "Reference already exists")
    branches[revision] = [branches["main"][-1]]
    return json_answer({})


def validate(_hub: FakeHub, request: Request) -> Answer:
    """The Hub checks a card's metadata; here, that it is YAML and that the license is one word."""
    import yaml

    head = yaml.safe_load(request.json()["content"].split("---\n")[1])
    wrong = [] if re.fullmatch(r"[a-z0-9.-]+", head["license"]) else [{"message": '"license" must be one of the list'}]
    return json_answer({"errors": wrong, "warnings": []}, 400 if wrong else 200)


def info(hub: FakeHub, request: Request, repo: str, revision: str = "") -> Answer:
    repository = hub.repository(repo, request)
    commit = commit_at(repository, revision or "main")
    siblings = [{"rfilename": path} for path in sorted(commit.files)]
    card: dict[str, Any] = {}
    if "README.md" in commit.files:
        import yaml

        text = hub.content(commit.files["README.md"]).decode()
        card = {"cardData": yaml.safe_load(text.split("---\n")[1])} if text.startswith("---\n") else {}
    values = {"id": repo, "sha": commit.oid, "private": repository.private, "tags": [], "downloads": 0, "likes": 0}
    return json_answer({**values, "siblings": siblings, "gated": False, "disabled": False, **card})


def refs(hub: FakeHub, request: Request, repo: str) -> Answer:
    branches = hub.repository(repo, request).branches
    named = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commits[-1].oid}
        for name, commits in branches.items()
    ]
    return json_answer({"branches": named, "tags": [], "converts": []})


def tree(hub: FakeHub, request: Request, repo: str, revision: str, folder: str = "") -> Answer:
    files = commit_at(hub.repository(repo, request), revision).files
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
    return json_answer(list(entries.values()))


def paths_info(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    files = commit_at(hub.repository(repo, request), revision).files
    asked = request.json()["paths"]
    found = []
    for path in [asked] if isinstance(asked, str) else asked:
        if path in files:
            found.append(_entry(path, files[hub.lost.get(path, path)]))
        elif any(name.startswith(f"{path.rstrip('/')}/") for name in files):
            found.append(_directory(path))
    return json_answer(found)


def preupload(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    files = commit_at(hub.repository(repo, request), revision).files
    modes = []
    for asked in request.json()["files"]:
        there = files.get(asked["path"])
        oid = (there.sha256 if there.large else there.oid) if there else None
        mode = "lfs" if asked["path"].endswith(LARGE) else "regular"
        modes.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return json_answer({"files": modes})


def batch(hub: FakeHub, request: Request, repo: str) -> Answer:
    hub.may_write(repo, request)
    there = hub.repository(repo, request).objects
    objects = []
    for asked in request.json()["objects"]:
        upload = {"upload": {"href": f"{hub.url}/lfs/{repo}/{asked['oid']}", "header": {}}}
        missing = {} if asked["oid"] in there else {"actions": upload}
        objects.append({"oid": asked["oid"], "size": asked["size"], **missing})
    return json_answer({"transfer": "basic", "objects": objects})


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
    named = {"X-Xet-Cas-Url": place["casUrl"], "X-Xet-Access-Token": "x", "X-Xet-Token-Expiration": str(place["exp"])}
    return Answer(200, json.dumps(place).encode(), {"Content-Type": "application/json", **named})


def commit(hub: FakeHub, request: Request, repo: str, revision: str) -> Answer:
    hub.may_write(repo, request)
    hub.before_commit()
    repository = hub.repository(repo, request)
    head = commit_at(repository, revision)
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
    made = new_commit(title, files)
    repository.branches[revision].append(made)
    return json_answer(
        {"success": True, "commitOid": made.oid, "commitUrl": f"{hub.url}/datasets/{repo}/commit/{made.oid}"}
    )


def _large(hub: FakeHub, repository: Repository, sha256: str) -> bytes:
    """The content of an LFS object, which by now must have been sent."""
    blob = hub.blobs / sha256
    if hub.cas:
        join_chunks(hub.cas, sha256, blob)
    elif sha256 not in repository.objects:
        raise Refusal(400, f"LFS object {sha256} was not uploaded")
    return blob.read_bytes()


def resolve(hub: FakeHub, request: Request, repo: str, revision: str, path: str) -> Answer:
    commit = commit_at(hub.repository(repo, request), revision)
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


API = r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)"
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
    ("batch", "POST", r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", batch),
    ("upload", "PUT", "/lfs/(?P<repo>[^/]+/[^/]+)/(?P<sha256>[0-9a-f]{64})", upload),
    ("resolve", "GET HEAD", r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
)
