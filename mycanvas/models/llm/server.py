"""A language model behind an OpenAI-compatible server."""

from __future__ import annotations

import email.utils
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import openai
import wrapt

from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.llm.chat import ChatConfig, NoReply, Reply, Request

MAX_BYTES = 1_000_000
"""No reply to what is asked here comes near this; a longer one is not read to its end."""
NO_KEY = "none"
"""Said where there is no key: openai's client wants one."""
FIRST_PAUSE = 1.0
"""Seconds before a request is sent again; twice as long each time."""
LONGEST_PAUSE = 60.0
"""Seconds that a server can make a request wait, whatever its Retry-After says."""
BUSY = frozenset({408, 409, 425, 429})
"""With these, as with 500 and above, the same request may be answered later."""
HOPELESS: Mapping[int, str] = {
    401: "set OPENAI_API_KEY to a valid key",
    403: "the key in OPENAI_API_KEY may not use this model",
    404: "check layout.llm.base_url (it usually ends in /v1) and layout.llm.model",
}
"""With these, no request will be answered: what to do about it."""


class Server:
    """Sends up to `batch_size` requests at once; waits and tries again when the server is busy.

    Args:
        config: server, model, timeout and tries. The key comes from OPENAI_API_KEY; many servers want none.
        wait: called with the seconds to wait before a request is sent again.

    Raises:
        ConfigError: the key cannot be one.
    """

    def __init__(self, config: ChatConfig, wait: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._wait = wait
        self._key = os.environ.get("OPENAI_API_KEY", "").strip() or NO_KEY
        if not (self._key.isascii() and self._key.isprintable()):
            raise ConfigError("OPENAI_API_KEY holds characters that no key has; set it anew")

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply | NoReply]:
        """One answer per request, in order.

        Raises:
            ModelError: there is no such server, key or model.
        """
        with self._connected() as client, ThreadPoolExecutor(self._config.batch_size) as pool:
            yield from pool.map(partial(self._complete, client), requests)

    def reach(self) -> None:
        """Find out whether the server is there and knows the key.

        Raises:
            ModelError: it is not, or does not.
        """
        try:
            with self._connected() as client:
                client.models.with_raw_response.list()
        except openai.APIStatusError as error:
            if error.status_code in {401, 403}:  # not every server lists its models
                raise self._hopeless(error) from None
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from None
        except openai.OpenAIError:
            pass  # it speaks; whether it makes sense is seen when it is asked something

    def _connected(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self._config.base_url,
            api_key=self._key,
            timeout=self._config.timeout,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},  # so that bytes can be counted as they come
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [self._bound]}),
        )

    def _complete(self, client: openai.OpenAI, request: Request) -> Reply | NoReply:
        rng = np.random.default_rng(request.seed)
        troubles: list[str] = []
        for attempt in range(self._config.tries):
            try:
                return Reply(text=self._text(client, request), troubles=tuple(troubles))
            except TooLong:
                return Reply(text=None, troubles=tuple(troubles))
            except openai.OpenAIError as error:
                failed = error
            troubles.append(self._trouble(failed))
            if isinstance(failed, openai.APIStatusError) and not _busy(failed.status_code):
                return NoReply(reason=self._told(failed), retriable=False, troubles=tuple(troubles))
            if attempt + 1 < self._config.tries:
                self._wait(_pause(failed, attempt, rng))
        if troubles[-1] == "no connection":
            raise self._unreachable(failed)
        return NoReply(reason=self._told(failed), retriable=True, troubles=tuple(troubles))

    @staticmethod
    def _text(client: openai.OpenAI, request: Request) -> str:
        schema = {"name": "reply", "strict": True, "schema": dict(request.schema)}
        asked: dict[str, Any] = {
            "model": request.model,
            "messages": request.messages(),
            "temperature": request.temperature,
            "seed": request.seed,
            "max_tokens": request.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
        answer = client.chat.completions.with_raw_response.create(**asked)
        return _content(answer.content)

    def _trouble(self, error: openai.OpenAIError) -> str:
        """What a failure is counted as.

        Raises:
            ModelError: there is no use in going on.
        """
        if isinstance(error, openai.APIStatusError):
            if error.status_code in HOPELESS:
                raise self._hopeless(error) from None
            return f"HTTP {error.status_code}"
        if isinstance(error, openai.APIConnectionError):
            # By name: openai brings one HTTP library or another.
            if type(error.__cause__).__name__ in {"ConnectError", "ConnectTimeout"}:
                return "no connection"
            return "timeout" if isinstance(error, openai.APITimeoutError) else "connection lost"
        return "no chat completion"

    def _told(self, error: openai.OpenAIError) -> str:
        said = str(error) if self._key == NO_KEY else str(error).replace(self._key, "…")  # some servers repeat it
        return f"{self._config.base_url}: {' '.join(said.split())[:300]}"

    def _hopeless(self, error: openai.APIStatusError) -> ModelError:
        # Its own words are left out: they may hold a part of the key.
        status = error.status_code
        return ModelError(f"{self._config.base_url} answers HTTP {status} for {self._config.model}; {HOPELESS[status]}")

    def _unreachable(self, error: openai.OpenAIError) -> ModelError:
        cause = error.__cause__ or error
        return ModelError(
            f"no language model at {self._config.base_url}: {cause}; start the server or mend layout.llm.base_url, "
            "then run the same command again"
        )

    def _bound(self, response: Any) -> None:
        """Before a response is read: see to it that neither its length nor its slowness can hurt."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise openai.OpenAIError("the server compresses its replies, though it was asked not to")
        deadline = time.monotonic() + self._config.timeout
        response.stream = _BoundedStream(response.stream, response.request, deadline)


class TooLong(openai.OpenAIError):
    """More than MAX_BYTES came. Derives from openai's errors, which its client lets pass as they are."""


class _BoundedStream(wrapt.ObjectProxy[Any]):
    """A response's bytes up to a length and a moment. A proxy, as the client asks for its stream's own class."""

    def __init__(self, stream: Any, request: Any, deadline: float) -> None:
        super().__init__(stream)
        self._self_request = request
        self._self_deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for chunk in self.__wrapped__:
            length += len(chunk)
            if length > MAX_BYTES:
                raise TooLong(f"more than {MAX_BYTES} bytes")
            if time.monotonic() > self._self_deadline:
                raise openai.APITimeoutError(request=self._self_request)
            yield chunk


def _content(body: bytes) -> str:
    """What the model said, from the JSON of a chat completion; nothing in it is trusted to be there."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise openai.OpenAIError(f"not a chat completion: {body[:100]!r}") from None
    if content is not None and not isinstance(content, str):
        raise openai.OpenAIError(f"a chat completion whose content is no text: {body[:100]!r}")
    # JSON may spell half a character out, which no file can hold.
    return (content or "").encode("utf-8", "replace").decode()


def _busy(status: int) -> bool:
    return status in BUSY or status >= 500


def _pause(error: openai.OpenAIError, attempt: int, rng: np.random.Generator) -> float:
    """Seconds to wait: what the server says, else twice as long each time, and a little more or less than others."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    told = _retry_after(headers.get("retry-after", ""))
    own = FIRST_PAUSE * 2**attempt * rng.uniform(0.75, 1.25)
    return float(min(own if told is None else told + rng.uniform(0, 1), LONGEST_PAUSE))


def _retry_after(value: str) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
