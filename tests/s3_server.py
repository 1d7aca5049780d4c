"""An S3 server of moto on this machine, as a process of its own, which may delay, refuse and lose requests."""

from __future__ import annotations

import itertools
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

STARTUP = 60.0
"""Seconds in which the server must report its port."""
FAULTS = "faults"
"""The argument of a server that has faults."""
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@contextmanager
def s3_server(*, faults: bool = False) -> Iterator[dict[str, str]]:
    """Start a server; gives the environment of programs that use it. faults: whether requests fail now and then."""
    words = [sys.executable, "-W", "ignore", __file__, *([FAULTS] if faults else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            assert select.select([server.stdout], [], [], STARTUP)[0], "the server did not start"
            port = re.fullmatch(r"(\d+)\n", server.stdout.readline())
            assert port
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port[1]}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",  # of moto, which accepts any
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            server.kill()


def with_faults(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Refuse each 41st request, lose each 53rd and the answer to each 67th, and delay each 5th."""
    numbers = itertools.count(1)

    def served(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        number = next(numbers)
        if number % 5 == 0:
            time.sleep(0.02)
        if number % 41 == 0:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))])
            return [SLOW_DOWN]
        answer = application(environ, start) if number % 53 else []
        if number % 53 == 0 or number % 67 == 0:
            b"".join(answer)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    return served


def _serve() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    served = with_faults(application) if FAULTS in sys.argv else application
    server = make_server("127.0.0.1", 0, served, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "key")
    _serve()
