"""Serve the review of one build on this machine, until the person who started it stops it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.pipeline.build_folder import BuildFolder
from mycanvas.errors import ConfigError, MissingExtra, StoreError
from mycanvas.io.images import quiet_decoding
from mycanvas.ratings.store import RatingStore

if TYPE_CHECKING:
    from fastapi import APIRouter

    from builder.review.access import AccessGuard

log = logging.getLogger("mycanvas")

HOST = "127.0.0.1"
PORT, PORTS_TRIED = 8643, 20
"""The first port that is tried, and how many after it, unless one is given."""
TABS = {"cutouts": "Cut-outs", "scenes": "Scenes", "study": "Study"}
"""Titles by the names of the scripts; without a study, its tab is left out."""
PATIENCE = 1
"""Seconds that open requests get to end after Ctrl-C."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewPlan:
    """A review to serve. study: the manifest of a study. rater: whose name the page need not ask for."""

    folder: BuildFolder
    study: Path | None = None
    rater: str | None = None


def listen(port: int | None) -> socket.socket:
    """Open the port on which to serve: this one, or the first free one from PORT on.

    Raises:
        ConfigError: the port is taken, or none is free.
    """
    for number in [port] if port is not None else range(PORT, PORT + PORTS_TRIED):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that was just stopped holds it else
        try:
            opened.bind((HOST, number))
            opened.listen(128)
        except OSError as error:
            opened.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            continue
        return opened
    if port is None:
        raise ConfigError(f"the ports {PORT} to {PORT + PORTS_TRIED - 1} are all taken; give a free one with --port")
    raise ConfigError(f"port {port} is taken, or needs another user's rights; give another --port, or leave it out")


@contextmanager
def reviewing(plan: ReviewPlan, opened: socket.socket, announce: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Prepare the server. The block gets a function that announces the first address and serves until a stop signal.

    Args:
        plan: what to serve.
        opened: the result of `listen`.
        announce: called with each new address.

    Raises:
        MissingExtra: Gradio is not installed.
        ConfigError, InputError: the study cannot be read.
        StoreError: ranks cannot be stored, or a file of the build is damaged.
    """
    with guarded_app(plan, opened.getsockname()[1], announce) as guard:
        import uvicorn

        config = uvicorn.Config(
            guard,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=PATIENCE,
        )

        def serve() -> None:
            announce(guard.address)
            with quiet_decoding(), suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[opened])

        yield serve


@contextmanager
def guarded_app(plan: ReviewPlan, port: int, announce: Callable[[str], None]) -> Iterator[AccessGuard]:
    """The application behind its guard; its temporary files are removed at the end.

    Raises:
        MissingExtra, ConfigError, InputError, StoreError: as `reviewing`.
    """
    with tempfile.TemporaryDirectory(prefix="mycanvas-review-", ignore_cleanup_errors=True) as scratch:
        # Gradio reads these when it is imported: it reports nothing to anyone, and writes to no shared folder.
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=scratch)
        try:
            from builder.review.access import AccessGuard, new_path
            from builder.review.app import add_page, make_app
        except ImportError as missing:
            raise MissingExtra("gradio", extra="review") from missing
        path = new_path()
        app = make_app(path, [*routers(plan)], {"key": _key(plan.folder.path), "rater": plan.rater})
        try:
            asyncio.run(add_page(app, path, {name: TABS[name] for name in TABS if name != "study" or plan.study}))
        except ImportError as missing:
            raise MissingExtra("gradio", extra="review") from missing
        yield AccessGuard(app, port=port, path=path, announce=announce)


def routers(plan: ReviewPlan) -> Iterator[APIRouter]:
    """The routes of each tab; they answer an error while the dataset is not where it was.

    Raises:
        ConfigError, InputError, StoreError: as `reviewing`.
    """
    from fastapi import APIRouter, Depends

    def check_place() -> None:
        if not plan.folder.request_file.is_file():
            raise StoreError(f"{plan.folder.path} is gone; move it back, or start the review with its new path")

    for router in _tab_routers(plan):
        checked = APIRouter(dependencies=[Depends(check_place)])
        checked.include_router(router)
        yield checked


def _tab_routers(plan: ReviewPlan) -> Iterator[APIRouter]:
    from builder.review.cutout_routes import cutout_routes
    from builder.review.cutouts import ReviewedCutouts
    from builder.review.scene_routes import scene_routes
    from builder.review.scenes import SceneIndex
    from builder.review.study import read_study
    from builder.review.study_routes import study_routes

    store = RatingStore(plan.folder.review_file)
    store.prepare()
    cutouts = ReviewedCutouts(plan.folder)
    yield cutout_routes(cutouts)
    yield scene_routes(SceneIndex(plan.folder), cutouts, store, plan.folder.request()["caption.max_words"])
    if plan.study:
        yield study_routes(read_study(plan.study), store, cutouts)


def _key(folder: Path) -> str:
    """Names a dataset to the browser, which keeps what is not saved yet by it."""
    return hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]
