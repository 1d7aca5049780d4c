"""The chat protocol: settings, request, reply."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Protocol
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from mycanvas.io.config_table import ModelName, Table
from mycanvas.models.required import RequiredModel

_URL = re.compile(r"https?://(?!/)[^\s@?=#\0-\x1f\x7f-\x9f]+")
"""A URL that holds no secret: a rejected scene's reason has the URL, and the card lists the reasons."""


class ChatConfig(Table):
    """Which language model answers, and how patiently it is asked."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"base_url", "batch_size", "timeout"})

    model: ModelName = "Qwen/Qwen3-4B-Instruct-2507"
    """Its name on the server, or, without base_url, a transformers model that runs on this machine."""
    base_url: str | None = None
    """URL of an OpenAI-compatible server, such as "http://localhost:8000/v1"; its key comes from OPENAI_API_KEY."""
    tries: Annotated[int, Field(ge=1, le=20)] = 4
    """Replies requested, each after a complaint about the last, and requests sent for one reply, before giving up."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds to wait for one reply."""
    max_tokens: Annotated[int, Field(ge=64)] = 1024
    """A longer reply is cut off."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    """Replies that a worker requests at once, from a server or in one batch on this machine."""

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and not (_URL.fullmatch(url) and _has_host(url)):
            raise ValueError(  # without the value, which may hold a password
                "base_url must begin with http:// or https:// and hold no name, password or key (no @, ?, = or #); "
                'the key comes from the environment, as OPENAI_API_KEY. An example: "http://localhost:8000/v1"'
            )
        return url

    def required_models(self, role: str) -> tuple[RequiredModel, ...]:
        """The model, if it runs on this machine."""
        local = self.base_url is None
        return (RequiredModel(role=role, name=self.model, kind="transformers"),) if local else ()


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request for one reply.

    model: its name in the configuration. turns: messages of user and model in turn; the user begins and ends.
    schema: JSON schema of the reply. seed: of its random draws, 31 bits. max_tokens: a longer reply is cut off.
    """

    model: str
    turns: tuple[str, ...]
    schema: Mapping[str, Any]
    temperature: float
    seed: int
    max_tokens: int

    def key(self) -> str:
        """The reply's key in the cache: a digest of everything that the reply depends on."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def messages(self) -> list[dict[str, str]]:
        """The turns in the form that chat templates take; no system message, as not every model supports one."""
        return [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(self.turns)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A model's reply.

    text: None if the reply is too long. troubles: the errors of failed requests before it.
    """

    text: str | None
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoReply:
    """No reply was received.

    reason: why. retriable: another run may get one. troubles: the errors of the failed requests.
    """

    reason: str
    retriable: bool
    troubles: tuple[str, ...] = ()


class Chat(Protocol):
    """Answers requests."""

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply | NoReply]:
        """One answer per request, in order.

        Raises:
            ModelError: no request can be answered: the server, key or model is wrong.
        """
        ...
