"""A real Chromium, and `mycanvas review` as a process that can be killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, SetCookieParam

NAMES = ("chromium", "chromium-browser", "google-chrome")
SCENE = ".mc-scene .mc-caption:not(:empty)"
"""The caption of the scene on screen."""
EXECUTABLE = next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # which root must not use
        browser = driver.chromium.launch(executable_path=EXECUTABLE, args=sandbox)
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class Server:
    """`mycanvas review` in a process of its own.

    address: as it was printed. lines: all that it printed. cookies: of the browser that has entered.
    """

    def __init__(self, folder: Path, *arguments: object, port: int | None = None) -> None:
        self.port = port or free_port()
        command = [
            sys.executable,
            "-u",
            "-m",
            "builder",
            "review",
            folder,
            "--port",
            self.port,
            "--no-browser",
            *arguments,
        ]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.address = ""
        self.cookies: list[SetCookieParam] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.match(r"open:\s+(\S+)", line):
                self.address = found[1]
                break
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.address, "the server ended"

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self._close()

    def stop(self) -> int:
        """End it as Ctrl-C does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self._close()

    def _close(self) -> int:
        code = self.process.wait(timeout=60)
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()
        return code


def enter(page: Page, server: Server, rater: str) -> None:
    """Open the page of a server, and give a name. The address works once: later pages get the cookie of the first."""
    page.context.add_cookies(server.cookies)
    page.goto(server.address.split("?")[0] if server.cookies else server.address)
    page.wait_for_selector("dialog input, .mc-link:not(:empty):visible")
    server.cookies = page.context.cookies()  # type: ignore[assignment]
    if page.locator("dialog").count():
        page.fill("dialog input", rater)
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog", state="detached")
    open_tab(page, "Cut-outs", ".mc-tile")


def open_tab(page: Page, title: str, ready: str) -> None:
    """Go to a tab, and wait for an element in it."""
    page.get_by_role("tab", name=title).click()
    page.wait_for_selector(ready, state="visible")


def saved(page: Page) -> None:
    """Wait until everything is saved."""
    page.wait_for_function(
        "[...document.querySelectorAll('.mc-saving')].every((each) => each.textContent === 'all saved')"
    )


def shown(page: Page) -> None:
    """Wait until all pictures of the scene, or of the comparison, are there."""
    page.wait_for_function(
        "[...document.querySelectorAll('.mc-scene, .mc-board')].some((each) => each.offsetParent && !each.ariaBusy)"
    )


def call(page: Page, rater: str) -> None:
    """Let another person rate."""
    page.keyboard.press("n")
    page.fill("dialog input", rater)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")


def state(page: Page) -> str:
    """ "3 / 40 · no rank yet" of the tab Scenes."""
    return page.inner_text(".mc-state")


def rank_on(page: Page, count: int, given: dict[str, int]) -> None:
    """Rank scenes by keys, and note the rank of each."""
    for _ in range(count):
        shown(page)
        item = page.evaluate("document.querySelector('.mc-frame img').src").rsplit("/", 1)[1]
        score = 1 + (7 * len(given)) % 5
        given[item] = score
        page.keyboard.press(str(score))
