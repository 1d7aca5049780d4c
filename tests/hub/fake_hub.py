"""A real HTTP server with the dataset API of the Hugging Face Hub, as far as publishing and loading use it.

Files travel by git-LFS to the server itself, or by Xet: then the real client cuts them into chunks and keeps the new
ones in a folder of its own format, from which the server joins the committed files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.hub.contents import LARGE, Commit, Repository, StoredFile, git_oid, new_commit
from tests.hub.exchange import TOKEN, USER, Answer, Refusal, Request, require_token
from tests.hub.routes import ROUTES


class FakeHub:
    """Contents of the Hub, and a record of the requests to it.

    failing: the status that a route answers with, by its name ("commit", "create", "whoami", "preupload", "batch").
    uploads: the sizes of the LFS objects that were sent, in order. downloads: the paths of files that were fetched.
    hold_after: after so many uploads the next one waits for `go_on`, and `held` is set.
    cas: the folder that Xet chunks go to; None: files go by LFS.
    before_commit: called when a commit arrives, before it is looked at.
    lost: path -> the path whose content is given instead.
    """

    def __init__(self, folder: Path, url: str, cas: Path | None = None) -> None:
        self.folder, self.url = folder, url
        self.repositories: dict[str, Repository] = {}
        self.failing: dict[str, int] = {}
        self.uploads: list[int] = []
        self.downloads: list[str] = []
        self.hold_after: int | None = None
        self.held, self.go_on = Event(), Event()
        self.cas = cas
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
        repository = self.repositories.setdefault(
            name, Repository(private, {"main": [new_commit("initial commit", {})]})
        )
        before = repository.branches["main"][-1].files
        stay = {path: file for path, file in before.items() if path not in files}
        added = {path: self.keep(content, large=path.endswith(LARGE)) for path, content in files.items() if content}
        repository.branches["main"].append(new_commit("by somebody else", stay | added))
        return self.head(name).oid

    def keep(self, content: bytes, *, large: bool) -> StoredFile:
        sha256 = hashlib.sha256(content).hexdigest()
        (self.blobs / sha256).write_bytes(content)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n"
        return StoredFile(len(content), sha256, git_oid(pointer.encode() if large else content), large)

    def repository(self, name: str, request: Request) -> Repository:
        """One that the request may see; on the real Hub too, what may not be seen is not there."""
        known = request.headers.get("authorization") == f"Bearer {TOKEN}"
        found = self.repositories.get(name)
        if found is None or (found.private and not known):
            raise Refusal(404 if known else 401, "Repository not found", "RepoNotFound")
        return found

    def may_write(self, name: str, request: Request) -> None:
        require_token(request)
        if not name.startswith(f"{USER}/"):
            raise Refusal(403, "You don't have the rights to write to this repository")

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """The Hub's answer to a request."""
        url = urlsplit(target)
        request = Request(body, {name.lower(): value for name, value in headers.items()}, dict(parse_qsl(url.query)))
        for name, expected, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match and method in expected.split():
                try:
                    if name in self.failing:
                        raise Refusal(self.failing[name], "this was to fail")
                    with self.lock if name != "upload" else nullcontext():
                        parts = {key: unquote(part) for key, part in match.groupdict("").items()}
                        return handler(self, request, **parts)
                except Refusal as refusal:
                    code = {"X-Error-Code": refusal.code} if refusal.code else {}
                    error = json.dumps({"error": str(refusal)}).encode()
                    return Answer(refusal.status, error, {**code, "X-Error-Message": str(refusal)})
        return Answer(404, f'{{"error": "no route {method} {url.path}"}}'.encode())


@contextmanager
def serve(folder: Path, cas: Path | None = None) -> Iterator[FakeHub]:
    """An empty Hub on a free port of this machine, until the block ends; `cas` as in FakeHub."""

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
        hub = FakeHub(folder, f"http://127.0.0.1:{server.server_port}", cas)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.go_on.set()
            server.shutdown()
            thread.join()
