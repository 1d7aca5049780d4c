"""How a language model is asked: what goes there, what comes back, and who answers: a server, or a model here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from builder.config.model_config import LlmConfig
from builder.pipeline.backends import Runtime
from mycanvas.errors import MissingExtra


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One reply that is asked for.

    model: as the configuration names it. turns: what user and model have said in turn; the user begins and ends.
    schema: the JSON schema of the reply. seed: of its random draws, 31 bits. max_tokens: it is cut off there.
    """

    model: str
    turns: tuple[str, ...]
    schema: Mapping[str, Any]
    temperature: float
    seed: int
    max_tokens: int

    def key(self) -> str:
        """What the reply is kept under: changes with everything that the reply depends on."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def messages(self) -> list[dict[str, str]]:
        """The turns as chat templates take them. Not every model knows the role of a system."""
        return [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(self.turns)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """text: what the model said; None when it said more than anybody asked for. troubles: what it took to get it."""

    text: str | None
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoReply:
    """reason: why there is none. retriable: another run may get one."""

    reason: str
    retriable: bool
    troubles: tuple[str, ...] = ()


class Chat(Protocol):
    """Answers requests."""

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply | NoReply]:
        """One answer per request, in order.

        Raises:
            ModelError: nobody there will answer any request: no such server, key or model.
        """
        ...


def open_chat(config: LlmConfig, runtime: Runtime) -> Chat:
    """The server that the configuration names, or else a model on this machine.

    Raises:
        MissingExtra: a package that this takes is not installed.
    """
    try:
        if config.base_url is not None:
            from mycanvas.models.llm.server import Server

            return Server(config)
        from mycanvas.models.llm.local import Local

        return Local(config, runtime)
    except ImportError as missing:
        raise MissingExtra(missing.name or "openai", extra="models") from missing
