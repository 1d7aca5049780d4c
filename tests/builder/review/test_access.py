"""The guard: nobody but the browser that opened the printed address gets anything, from any route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from builder.review.access import ROUTES
from tests.builder.review.conftest import HOST, PORT, Served, serving


@pytest.fixture(scope="module")
def served(reviewed_build: Path) -> Iterator[Served]:
    """No test here changes the dataset."""
    with serving(reviewed_build) as found:
        yield found


def places(served: Served) -> Iterator[tuple[str, str]]:
    """The method and the path of every route, Gradio's included; parameters are filled with a word."""

    def found(routes: list[BaseRoute], prefix: str) -> Iterator[tuple[str, str]]:
        for route in routes:
            if included := getattr(route, "include_context", None):  # of FastAPI's include_router
                yield from found(included.included_router.routes, f"{prefix}{included.prefix}")
            elif isinstance(route, Mount):
                yield "GET", f"{prefix}{route.path}/any"
                yield from found(route.routes, f"{prefix}{route.path}")
            elif isinstance(route, Route):
                path = re.sub(r"{[^}]*}", "any", f"{prefix}{route.path}")
                yield from ((method, path) for method in sorted(route.methods or {"GET"}))

    yield from found(served.guard.app.routes, "")


def test_no_route_answers_without_the_cookie(served: Served) -> None:
    stranger = TestClient(served.guard, base_url=HOST)

    answers = {
        (method, path): stranger.request(method, path, headers={"Origin": HOST}) for method, path in places(served)
    }

    assert len(answers) > 60
    assert sum("/gradio_api/" in path for _, path in answers) > 20
    assert {answer.status_code for answer in answers.values()} == {403}


def test_of_gradio_only_the_page_and_its_static_files_are_served(served: Served) -> None:
    own = tuple(f"{served.path}{each}" for each in ROUTES)
    statuses = {
        path: served.client.request(method, path, headers={"Origin": HOST}).status_code
        for method, path in places(served)
        if not path.startswith(own)
    }

    shown = {path for path, status in statuses.items() if status == 200}
    assert shown <= {f"{served.path}/", f"{served.path}/theme.css"}
    assert {f"{served.path}/gradio_api/upload", f"{served.path}/gradio_api/queue/join"} <= set(statuses)
    assert {status for path, status in statuses.items() if "/gradio_api/" in path} == {404}


@pytest.mark.parametrize(("place", "content"), [("/manifest.json", b"{}"), ("/favicon.ico", b"")])
def test_file_that_browsers_ask_for_without_the_cookie_is_empty(served: Served, place: str, content: bytes) -> None:
    stranger = TestClient(served.guard, base_url=HOST)

    answer = stranger.get(place)
    assert (answer.status_code, answer.content) == (200, content)
    assert stranger.get(place, headers={"Host": "evil.example"}).status_code == 403
    assert stranger.get(place, headers={"Origin": "http://evil.example"}).status_code == 403
    assert stranger.post(place, headers={"Origin": HOST}).status_code == 403
    assert stranger.get(f"{served.path}{place}").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_another_host_is_refused(served: Served, host: str) -> None:
    assert served.client.get(f"{served.path}/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": f"http://127.0.0.1:{PORT + 1}"},
        {"Origin": f"http://localhost:{PORT}"},
        {"Origin": "null"},
        {},
        {"Origin": HOST, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_of_another_page_changes_nothing(served: Served, headers: dict[str, str]) -> None:
    (scene, *_) = served.client.get(f"{served.path}/api/scenes?rater=ana").json()["order"]
    rank = {"id": "00000000-0000-4000-8000-000000000000", "rater": "ana", "item": scene["id"], "score": 5}

    answer = served.client.post(f"{served.path}/api/ranks", json=rank, headers=headers)

    assert answer.status_code == 403
    assert served.client.get(f"{served.path}/api/scenes?rater=ana").json()["order"][0]["rank"] is None


def test_a_picture_cannot_be_embedded_by_another_page(served: Served) -> None:
    (scene, *_) = served.client.get(f"{served.path}/api/scenes?rater=ana").json()["order"]
    place = f"{served.path}/pictures/scenes/{scene['id']}"

    assert served.client.get(place).status_code == 200
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
    ):
        assert served.client.get(place, headers=headers).status_code == 403


def test_localhost_is_this_machine_too(served: Served) -> None:
    client = TestClient(served.guard, base_url=f"http://localhost:{PORT}")
    address = served.guard.address.replace("127.0.0.1", "localhost")

    assert client.get(address).status_code == 200
    assert client.get(f"{served.path}/api/facts").status_code == 200


def test_the_address_works_once_and_a_used_one_brings_a_new_one_to_the_terminal(served: Served) -> None:
    served.announced.clear()
    first = served.guard.address
    owner, other = (TestClient(served.guard, base_url=HOST) for _ in range(2))

    assert owner.get(first).status_code == 200
    assert owner.get(f"{served.path}/api/facts").status_code == 200
    assert owner.get(first).status_code == 200, "the browser that has entered may open it again"
    assert [other.get(first).status_code for _ in range(3)] == [403, 403, 403]
    assert other.get(f"{served.path}/api/facts").status_code == 403
    assert served.announced == [served.guard.address]
    assert served.guard.address != first
    assert other.get(served.announced[0]).status_code == 200
    assert other.get(f"{served.path}/api/facts").status_code == 200


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ff", "?token=a&token=b"])
def test_a_wrong_token_is_refused(served: Served, query: str) -> None:
    stranger = TestClient(served.guard, base_url=HOST)

    assert stranger.get(f"{served.path}/{query}").status_code == 403
    assert "set-cookie" not in stranger.get(f"{served.path}/{query}").headers


def test_the_cookie_is_for_this_browser_and_this_path_only(served: Served) -> None:
    answer = TestClient(served.guard, base_url=HOST).get(served.guard.address)
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}

    assert parts == {"httponly", "samesite=strict", f"path={served.path.lower()}/"}
    assert len(served.path) > 20
    assert "token" not in answer.text


def test_every_answer_forbids_other_sites_and_the_network(served: Served) -> None:
    for place in ("/", "/theme.css", "/api/facts", "/nothing", "/pages/common.js"):
        headers = served.client.get(served.path + place).headers
        assert "connect-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_websockets_pass_the_same_checks(served: Served) -> None:
    stranger = TestClient(served.guard, base_url=HOST)
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in served.client.cookies.jar)

    for headers in ({}, {"Origin": HOST}, {"Origin": "http://evil.example", "Cookie": cookie}, {"Cookie": cookie}):
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            stranger.websocket_connect(f"{served.path}/api/x", headers=headers),
        ):
            pass
        assert closed.value.code == 1008
