"""Real nodes of Ray on this machine's loopback, each with its own raylet, as `ray start` makes them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import psutil
import pytest

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds that a node has to start, and `wait_until` to wait."""
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}


class Node:
    """A node of a cluster, which starts; address: of its head. Use `wait_for_start`, and `stop` whatever happens."""

    def __init__(self, address: str, *options: str) -> None:
        self.address = address
        words = ["start", "--block", f"--node-ip-address={HOST}", "--object-store-memory=80000000", *options]
        command = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
        # Not a pipe, which would be read without a limit, or fill up.
        self._output = TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", command, *words],
            env={**os.environ, **ENVIRONMENT},
            stdout=self._output,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def wait_for_start(self) -> None:
        """Wait until it has started; fails where it has ended, or does not start in time."""
        wait_until(lambda: self._has_started() or self._process.poll() is not None)
        assert self._has_started(), "a node of Ray did not start"

    def workers(self) -> list[psutil.Process]:
        """The processes on this node that run a task now."""
        return [process for process in self._children() if _title(process) == "ray::Worker.run"]

    def kill(self) -> None:
        """Kill the raylet and all its processes, as when the machine loses its power."""
        for process in [psutil.Process(self._process.pid), *self._children()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the node and all that it started."""
        children = self._children()
        self._process.terminate()
        self._process.wait()
        self._output.close()
        for process in children:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _has_started(self) -> bool:
        size = os.fstat(self._output.fileno()).st_size
        return b"Ray runtime started" in os.pread(self._output.fileno(), size, 0)

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


@contextmanager
def cluster(*nodes: str) -> Iterator[list[Node]]:
    """A cluster whose nodes have these options of `ray start`; the first is the head. Skips where Ray is missing."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'mycanvas[ray]'")
    with socket.socket() as free:
        free.bind((HOST, 0))
        address = f"{HOST}:{free.getsockname()[1]}"
    started: list[Node] = []
    with TemporaryDirectory(prefix="ray") as folder:  # names of sockets may have 107 characters
        head = ["--head", f"--port={address.split(':')[1]}", f"--temp-dir={folder}", "--include-dashboard=false"]
        try:
            for number, options in enumerate(nodes):
                role = head if number == 0 else [f"--address={address}"]
                started.append(Node(address, *role, *options.split()))
                started[-1].wait_for_start()
            yield started
        finally:
            for node in reversed(started):
                node.stop()


def _title(process: psutil.Process) -> str:
    """The title of a process, which Ray sets to what a worker does; empty if it has ended."""
    try:
        return "".join(process.cmdline()[:1])
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def wait_until(happened: Callable[[], object]) -> None:
    """Wait until a function returns a true value."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
