"""Requests to the fake Hub, and its answers and refusals."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

TOKEN = "hf_of_me"
USER = "me"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Raised for an answer that is an error. code: its X-Error-Code."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


def json_answer(values: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(values).encode(), {"Content-Type": "application/json"})


def require_token(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise Refusal(401, "Invalid user token.")
