"""A dataset to review, and the application behind its guard with a client that has entered."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from builder.pipeline.build_folder import BuildFolder
from builder.review.access import AccessGuard
from builder.review.app import make_app
from builder.review.server import ReviewPlan, guarded_app, routers
from mycanvas.ratings.store import RatingStore
from tests.builder.review.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PORT = 8643
HOST = f"http://127.0.0.1:{PORT}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """guard: of a review. client: has entered. path: of the session. announced: the addresses since the first."""

    guard: AccessGuard
    client: TestClient
    path: str
    announced: list[str]


@pytest.fixture(scope="session")
def reviewed_build(build_shapes: Callable[[int, int], Path]) -> Path:
    """A dataset of 40 small scenes; a test that writes to it copies it first."""
    return build_shapes(40, 160)


@pytest.fixture
def dataset(reviewed_build: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reviewed_build, tmp_path / "out"))


@pytest.fixture
def routes(dataset: Path) -> Routes:
    return Routes(dataset)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; the test fails if it asks anything of another host or gets no icon, or a script fails."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    outside: list[str] = []
    failed: list[str] = []
    missing: list[str] = []
    context.on("request", lambda request: None if is_here(request.url) else outside.append(request.url))
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.on("pageerror", lambda error: failed.append(str(error)))
    found.on("console", lambda message: missing.append(message.text) if is_icon(message.location["url"]) else None)
    yield found
    context.close()
    assert outside == []
    assert failed == []
    assert missing == []


def is_icon(url: str) -> bool:
    return url.endswith(("/favicon.ico", "/manifest.json"))


def is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve a dataset to a client in this process: everything, behind the guard."""
    announced: list[str] = []
    with guarded_app(ReviewPlan(folder=BuildFolder.open(folder)), PORT, announced.append) as guard:
        client = TestClient(guard, base_url=HOST, raise_server_exceptions=False)
        path = guard.address.removeprefix(HOST).split("/?")[0]
        assert client.get(guard.address).status_code == 200
        yield Served(guard=guard, client=client, path=path, announced=announced)


class Routes:
    """The routes of a review alone, without guard and page."""

    def __init__(self, folder: Path, study: Path | None = None) -> None:
        self.folder = folder
        plan = ReviewPlan(folder=BuildFolder.open(folder), study=study)
        app = make_app("", list(routers(plan)), {})
        self.client = TestClient(app, raise_server_exceptions=False)
        self.store = RatingStore(plan.folder.review_file)

    def get(self, place: str) -> Any:
        """The JSON at a place."""
        answer = self.client.get(place)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, place: str, **values: object) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of the answer to JSON with an id."""
        answer = self.client.post(place, json={"id": str(uuid.uuid4()), "rater": "ana", **values})
        return answer.status_code, answer.json()
