"""Access to the review server: one ASGI middleware in front of every route, Gradio's own included.

The server listens on this machine only, but other users of the machine, and any web page that is open in the browser,
can reach it too. So a request must

- name this server as its host, or a page of another site could reach it under a name that it controls (DNS rebinding);
- come from a page of this server, if it has an Origin; one that may change something must have one;
- carry the session's cookie, which the browser gets once, in exchange for the token of the address that was printed,
  but for two empty files;
- be for one of the paths that the pages use. Of Gradio these are its page and its static files: no uploads, no files.

Browsers send cookies to all ports of a host. The cookie is therefore limited to a path that cannot be guessed, so that
a server of another user gets none.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
SAFE_METHODS = ("GET", "HEAD")
ROUTES = ("/api/", "/pictures/", "/pages/")
"""Paths of the routes of the tabs and their files, below the session's path."""
GRADIO_FILES = ("/assets/", "/static/")
GRADIO_PAGES = ("/", "/theme.css")
"""Paths of Gradio that the pages use, for reading only."""

EMPTY = {"/manifest.json": ("{}", "application/manifest+json"), "/favicon.ico": ("", "image/x-icon")}
"""Files, with their types, for which browsers ask outside of the session's path, so without its cookie."""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio compiles templates in the browser
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer: the pages ask nothing of the network, and no other site may frame or read them."""

_ENTERED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>MyCanvas review</title>
<link rel="icon" href="data:,"><meta http-equiv="refresh" content="0;url=./">
<p><a href="./">Open the review</a></p></html>"""
"""Answer to the token. A redirect would keep the initiator of the request: if that is another site, such as a terminal
in a browser, SameSite=Strict would keep the cookie back."""


class AccessGuard:
    """Lets only the browser of the person who started the server pass.

    Args:
        app: the application behind it, whose routes are below `path`.
        port: the port on which it is served.
        path: the session's path, from `new_path`.
        announce: called with a new address when somebody opens one that was used already.
    """

    def __init__(self, app: ASGIApp, *, port: int, path: str, announce: Callable[[str], None]) -> None:
        self.app = app
        self._path = path
        self._announce = announce
        self._hosts = tuple(f"{name}:{port}" for name in HOSTS)
        self._cookie = f"mycanvas-review-{port}"
        self._session = secrets.token_urlsafe(32)
        self._token = secrets.token_urlsafe(32)
        self._spent: set[str] = set()

    @property
    def address(self) -> str:
        """The address to open; it works once."""
        return f"http://{self._hosts[0]}{self._path}/?token={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with the reason why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers, method = Headers(scope=scope), scope.get("method", "")
        given = _token(scope) if method == "GET" and scope["path"] == f"{self._path}/" else None
        refused = self._fault_of_origin(headers, method, is_entering=given is not None)
        if refused is None and given is not None:
            answer = HTMLResponse(_ENTERED) if self._has_cookie(headers) else self._enter(given)
            await answer(scope, receive, _with_headers(send, no_store=True))
            return
        if refused is None and scope["path"] in EMPTY and method in SAFE_METHODS:
            content, kind = EMPTY[scope["path"]]
            await Response(content, media_type=kind)(scope, receive, _with_headers(send, no_store=True))
            return
        if refused is None and not self._has_cookie(headers):
            refused = _refusal("open the address that `mycanvas review` printed")
        if refused is None and not self._is_served(scope["path"], method):
            refused = PlainTextResponse("not found", HTTPStatus.NOT_FOUND)
        if refused is None:
            await self.app(scope, receive, _with_headers(send, no_store=not self._is_static(scope["path"])))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refused(scope, receive, _with_headers(send, no_store=True))

    def _fault_of_origin(self, headers: Headers, method: str, *, is_entering: bool) -> Response | None:
        """Refuse a request for another host, or from another site's page."""
        host, origin, site = headers.getlist("host"), headers.getlist("origin"), headers.get("sec-fetch-site")
        if len(host) != 1 or host[0] not in self._hosts:
            return _refusal(f"expected the host {self._hosts[0]}")
        if origin != [f"http://{host[0]}"] and (origin or method not in SAFE_METHODS):
            return _refusal("expected a request of the review's own pages")
        if site not in (None, "same-origin", "none") and not is_entering:
            return _refusal("expected a request of the review's own pages")
        return None

    def _enter(self, given: str) -> Response:
        """Exchange the token for the cookie, once."""
        if any(_equal(given, spent) for spent in self._spent):
            self._spent.discard(given)  # so that one used address brings one new one, not a stream of them
            self._announce(self.address)
            return _refusal("this address was used already; the terminal shows a new one")
        if not _equal(given, self._token):
            return _refusal("open the address that `mycanvas review` printed last")
        self._spent.add(given)
        self._token = secrets.token_urlsafe(32)
        answer = HTMLResponse(_ENTERED)
        answer.set_cookie(self._cookie, self._session, path=f"{self._path}/", httponly=True, samesite="strict")
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        return any(_equal(value, self._session) for value in _cookies(headers.getlist("cookie"), self._cookie))

    def _is_served(self, path: str, method: str) -> bool:
        if not path.startswith(f"{self._path}/"):
            return False
        inner = path.removeprefix(self._path)
        return inner.startswith(ROUTES) or (
            method in SAFE_METHODS and (inner in GRADIO_PAGES or inner.startswith(GRADIO_FILES))
        )

    def _is_static(self, path: str) -> bool:
        return path.removeprefix(self._path).startswith(GRADIO_FILES)


def new_path() -> str:
    """A path for one session that cannot be guessed, without a slash at its end."""
    return f"/{secrets.token_urlsafe(16)}"


def _token(scope: Scope) -> str | None:
    found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
    return found[0] if len(found) == 1 else None


def _cookies(lines: Iterable[str], name: str) -> Iterable[str]:
    """The values of the cookies of a name."""
    for line in lines:
        try:
            found = SimpleCookie(line)
        except CookieError:
            continue
        if name in found:
            yield found[name].value


def _equal(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _refusal(reason: str) -> Response:
    return PlainTextResponse(f"refused: {reason}\n", HTTPStatus.FORBIDDEN)


def _with_headers(send: Send, *, no_store: bool) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if no_store:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
