"""A language model behind an OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import httpx2  # the HTTP library of openai's client
import openai

from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.llm.chat import ChatConfig, NoReply, Reply, Request

MAX_BYTES = 1_000_000
"""Far above any valid reply; reading stops there."""
NO_KEY = "none"
"""Sent where OPENAI_API_KEY is not set: openai's client requires a key, many servers do not."""
BUSY = frozenset({408, 409, 425, 429})
"""With these statuses, as with 500 and above, the same request may succeed in another run."""
HOPELESS: Mapping[int, str] = {
    401: "set OPENAI_API_KEY to a valid key",
    403: "the key in OPENAI_API_KEY may not use this model",
    404: "check layout.llm.base_url (it usually ends in /v1) and layout.llm.model",
}
"""Statuses with which no request can succeed, and how to fix each."""

_failures: ContextVar[list[str]] = ContextVar("_failures")
"""The kinds of the failed attempts at the chat completion that this thread is requesting."""


class Server:
    """Sends up to `batch_size` requests at once; openai's client sends each up to `tries` times.

    Between two attempts the client waits 0.5 to 8 seconds, or as long as the server's Retry-After says. It does not
    retry when that is above two minutes: the request then fails, and another run may succeed.

    Args:
        config: server, model, timeout and tries. The key comes from OPENAI_API_KEY; many servers require none.

    Raises:
        ConfigError: OPENAI_API_KEY holds characters that cannot be sent.
    """

    def __init__(self, config: ChatConfig) -> None:
        self._config = config
        self._key = os.environ.get("OPENAI_API_KEY", "").strip() or NO_KEY
        if not (self._key.isascii() and self._key.isprintable()):
            raise ConfigError("OPENAI_API_KEY holds characters that no key has; set it to the key that the server gave")

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply | NoReply]:
        """One answer per request, in order.

        Raises:
            ModelError: there is no such server, key or model.
        """
        with self._client() as client, ThreadPoolExecutor(self._config.batch_size) as pool:
            yield from pool.map(partial(self._complete, client), requests)

    def reach(self) -> None:
        """Check, by one attempt, that the server answers and accepts the key.

        Raises:
            ModelError: it does not.
        """
        try:
            with self._client() as client:
                client.with_options(max_retries=0).models.with_raw_response.list()
        except openai.APIStatusError as error:
            if error.status_code in {401, 403}:  # not every server lists its models
                raise self._hopeless(error) from None
        except openai.APIConnectionError as error:
            if not isinstance(error.__cause__, _NoCompletion):
                raise self._unreachable(error) from None
        except openai.OpenAIError:
            pass  # the server answers; whether its replies are valid shows at the first request

    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self._config.base_url,
            api_key=self._key,
            timeout=self._config.timeout,
            max_retries=self._config.tries - 1,
            default_headers={"Accept-Encoding": "identity"},  # so that bytes can be counted as they arrive
            http_client=_BoundedClient(self._config.timeout),
        )

    def _complete(self, client: openai.OpenAI, request: Request) -> Reply | NoReply:
        failures: list[str] = []
        _failures.set(failures)
        try:
            text = self._text(client, request)
        except _TooLong:
            return Reply(text=None, troubles=tuple(failures))
        except openai.APIStatusError as error:
            if error.status_code in HOPELESS:
                raise self._hopeless(error) from None
            return self._no_reply(error, failures, _busy(error.status_code))
        except openai.OpenAIError as error:
            if failures[-1:] == ["no connection"]:
                raise self._unreachable(error) from None
            return self._no_reply(error, failures, retriable=True)
        return Reply(text=text, troubles=tuple(failures))

    @staticmethod
    def _text(client: openai.OpenAI, request: Request) -> str:
        schema = {"name": "reply", "strict": True, "schema": dict(request.schema)}
        body: dict[str, Any] = {
            "model": request.model,
            "messages": request.messages(),
            "temperature": request.temperature,
            "seed": request.seed,
            "max_tokens": request.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
        return _content(client.chat.completions.with_raw_response.create(**body).content)

    def _no_reply(self, error: openai.OpenAIError, failures: Sequence[str], retriable: bool) -> NoReply:
        """The error's own words are the reason, but the key, which some servers repeat."""
        cause = error.__cause__
        message = str(cause if isinstance(cause, _NoCompletion) else error)
        if self._key != NO_KEY:
            message = message.replace(self._key, "…")
        reason = f"{self._config.base_url}: {' '.join(message.split())[:300]}"
        return NoReply(reason=reason, retriable=retriable, troubles=tuple(failures))

    def _hopeless(self, error: openai.APIStatusError) -> ModelError:
        # The server's own words are left out: they may hold a part of the key.
        status = error.status_code
        return ModelError(f"{self._config.base_url} answers HTTP {status} for {self._config.model}; {HOPELESS[status]}")

    def _unreachable(self, error: openai.OpenAIError) -> ModelError:
        cause = error.__cause__ or error
        return ModelError(
            f"no language model at {self._config.base_url}: {cause}; start the server or correct layout.llm.base_url, "
            "then run the same command again"
        )


class _BoundedClient(openai.DefaultHttpxClient):
    """Sends each attempt of openai's client: bounds its response in bytes and time, and records why it failed.

    A response that is no chat completion is raised as an error of transport, so that openai's client retries it.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(event_hooks={"response": [self._bound]})
        self._seconds = timeout

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        failures = _failures.get([])
        try:
            response = super().send(request, **options)
            if response.is_success and request.method == "POST":
                _content(response.content)
        except _TooLong:
            raise
        except Exception as error:
            failures.append(_kind(error))
            raise
        if response.is_error:
            failures.append(f"HTTP {response.status_code}")
        return response

    def _bound(self, response: httpx2.Response) -> None:
        """Called before a response is read, redirects included."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _NoCompletion("the server compresses its replies, although the request forbids it")
        response.stream = _BoundedStream(response.stream, time.monotonic() + self._seconds)


class _BoundedStream(httpx2.SyncByteStream):
    """The bytes of a response, up to MAX_BYTES and until `deadline` (of time.monotonic)."""

    def __init__(self, stream: Any, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for chunk in self._stream:
            length += len(chunk)
            if length > MAX_BYTES:
                raise _TooLong(f"more than {MAX_BYTES} bytes")
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the reply is not complete within layout.llm.timeout")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _TooLong(openai.OpenAIError):
    """More than MAX_BYTES arrived. Derives from openai's errors, which its client raises without a retry."""


class _NoCompletion(httpx2.RequestError):
    """A response that is no chat completion. Derives from the errors of transport, which openai's client retries."""


def _kind(error: Exception) -> str:
    """The name under which a failed attempt is counted."""
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return "no connection"
        case httpx2.TimeoutException():
            return "timeout"
        case _NoCompletion():
            return "no chat completion"
        case _:
            return "connection lost"


def _content(body: bytes) -> str:
    """The model's text in the JSON of a chat completion; no part of the JSON is trusted to exist."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise _NoCompletion(f"not a chat completion: {body[:100]!r}") from None
    if content is not None and not isinstance(content, str):
        raise _NoCompletion(f"a chat completion whose content is not text: {body[:100]!r}")
    # JSON may hold half a surrogate pair, which no file can hold.
    return (content or "").encode("utf-8", "replace").decode()


def _busy(status: int) -> bool:
    return status in BUSY or status >= 500
