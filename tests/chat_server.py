"""A real HTTP server with OpenAI's chat API, whose replies are scripted by the test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any


@dataclass(frozen=True)
class Raw:
    """A response as it goes over the wire.

    status: 0 drops the connection. pause: seconds before each of the `parts` in which the body is sent; a server that
    is shut down does not wait them out.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    parts: int = 1


NO_MODELS = Raw(body=b'{"object": "list", "data": []}')
Said = str | Raw
"""The model's text, or a whole response."""


@dataclass
class ChatServer:
    """url: a value for base_url. asked: the bodies of all requests, in order. keys: the API keys sent with them."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128  # with socketserver's 5, the kernel makes some of many clients wait for a second


@contextmanager
def serve(answer: Callable[[dict[str, Any]], Said], models: Raw = NO_MODELS) -> Iterator[ChatServer]:
    """Serve on a free port of this machine until the block ends.

    Args:
        answer: maps the body of a request to its answer; called in a thread for each request.
        models: the answer to a request for the list of models.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(models)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append(body)
                server.keys.append(self.headers["Authorization"].removeprefix("Bearer "))
            said = answer(body)
            self._send(said if isinstance(said, Raw) else Raw(body=completion(said)))

        def _send(self, raw: Raw) -> None:
            self.close_connection = True
            if not raw.status:
                return
            self.send_response(raw.status)
            for name, value in {"Content-Type": "application/json", **raw.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            step = -(-len(raw.body) // raw.parts)
            try:
                for start in range(0, len(raw.body), step):
                    closing.wait(raw.pause)
                    self.wfile.write(raw.body[start : start + step])
            except OSError:
                pass  # the client closed the connection

        def log_message(self, *_: object) -> None:
            pass

    lock, closing = Lock(), Event()
    http = _Listener(("127.0.0.1", 0), Handler)
    server = ChatServer(url=f"http://127.0.0.1:{http.server_port}/v1")
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        closing.set()
        http.shutdown()
        http.server_close()
        thread.join()


def completion(content: object) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    ).encode()


def sensible(body: dict[str, Any]) -> str:
    """The reply of a model that follows its instructions: existing backgrounds, boxes in a row on the ground."""
    schema, question = body["response_format"]["json_schema"]["schema"], body["messages"][-1]["content"]
    if "backgrounds" in schema["properties"]:
        background = schema["properties"]["backgrounds"]
        scenes = background["items"]["properties"]["scene"]["enum"]
        chosen = [
            {"scene": scenes[i % len(scenes)], "phrase": f"in a {how} park"}
            for i, how in enumerate(("sunny", "misty", "snowy")[: background["minItems"]])
        ]
        names = schema["properties"]["sizes"]["required"]
        return json.dumps({"backgrounds": chosen, "sizes": {name: 100 - 10 * i for i, name in enumerate(names)}})
    objects = re.findall(r'- "(.*)": .*, width = ([0-9.]+) x height, size ([0-9]+)%', question)
    grid = schema["properties"][objects[0][0]]["properties"]["x"]["maximum"]
    widths = [float(aspect) * float(size) for _, aspect, size in objects]
    scale = min(0.9 * grid / sum(widths), 0.006 * grid)
    x, said = 0.05 * grid, {}
    for (name, _, size), width in zip(objects, widths, strict=True):
        height = float(size) * scale
        said[name] = {
            "x": round(x),
            "y": round(grid - height) - 1,
            "width": round(width * scale),
            "height": round(height),
        }
        x += width * scale
    return json.dumps(said)


def speaks(model: Path) -> Callable[[dict[str, Any]], str]:
    """Replies of a transformers model on this machine, constrained to the JSON schema of each request."""
    from mycanvas.models.llm.chat import ChatConfig, Reply, Request
    from mycanvas.models.llm.local import Local
    from mycanvas.models.runtime import Runtime

    local = Local(ChatConfig(model=str(model)), Runtime(device="cpu", models={str(model): model}))
    lock = Lock()

    def answer(body: dict[str, Any]) -> str:
        request = Request(
            model=body["model"],
            turns=tuple(message["content"] for message in body["messages"]),
            schema=body["response_format"]["json_schema"]["schema"],
            temperature=body["temperature"],
            seed=body["seed"],
            max_tokens=body["max_tokens"],
        )
        with lock:
            (reply,) = local.complete([request])
        assert isinstance(reply, Reply)
        return reply.text or ""

    return answer
