"""Each request to a server ends in a reply or in a reason, within bounds of time and memory."""

from __future__ import annotations

import json
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import chain, repeat
from threading import Barrier, Lock

import openai._base_client
import pytest

from builder.config import parse_config
from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.llm.chat import ChatConfig, NoReply, Reply, Request
from mycanvas.models.llm.server import MAX_BYTES, Server
from tests.chat_server import ChatServer, Raw, Said, completion, serve

REQUEST = Request(model="m", turns=("Hello?",), schema={"type": "object"}, temperature=0.5, seed=7, max_tokens=64)
HANG = 60.0
"""Seconds: no test needs them; they end a test whose server or client waits for ever."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """openai's client retries at once."""
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.0)


def ask(*said: Said, timeout: float = HANG, tries: int = 3) -> tuple[Reply | NoReply, ChatServer]:
    """The answer of a server that sends these in turn and then repeats the last one; the server."""
    script: Iterator[Said] = chain(said, repeat(said[-1]))
    with serve(lambda _: next(script)) as server:
        config = ChatConfig(model="m", base_url=server.url, timeout=timeout, tries=tries)
        (answer,) = Server(config).complete([REQUEST])
    return answer, server


def test_request_holds_all_that_its_reply_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    answer, server = ask("Hi.")

    (body,) = server.asked
    assert answer == Reply(text="Hi.")
    assert server.keys == ["sk-secret"]
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("m", 0.5, 7, 64)
    assert body["messages"] == [{"role": "user", "content": "Hello?"}]
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_busy_server_is_asked_again_and_each_failure_is_counted(status: int) -> None:
    answer, server = ask(Raw(status), Raw(status), "Hi.")

    assert answer == Reply(text="Hi.", troubles=(f"HTTP {status}",) * 2)
    assert len(server.asked) == 3


def test_retry_after_is_the_pause_of_openais_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 10 * HANG)
    monkeypatch.setattr(openai._base_client, "MAX_RETRY_DELAY", 10 * HANG)

    answer, _ = ask(Raw(429, headers={"Retry-After": "0.001"}), "Hi.")

    assert answer == Reply(text="Hi.", troubles=("HTTP 429",))


@pytest.mark.parametrize(
    "busy", [Raw(429, headers={"Retry-After": "86400"}), Raw(425), Raw(503, headers={"x-should-retry": "false"})]
)
def test_busy_server_that_openais_client_does_not_retry_leaves_a_reason_for_another_run(busy: Raw) -> None:
    answer, server = ask(busy, "Hi.")

    assert isinstance(answer, NoReply)
    assert answer.retriable
    assert answer.troubles == (f"HTTP {busy.status}",)
    assert len(server.asked) == 1


def test_server_that_stays_busy_leaves_a_reason_for_another_run() -> None:
    answer, server = ask(Raw(503, b'{"error": {"message": "no room"}}'), tries=3)

    assert isinstance(answer, NoReply)
    assert answer.retriable
    assert answer.troubles == ("HTTP 503",) * 3
    assert "no room" in answer.reason
    assert len(server.asked) == 3


def test_refused_request_is_not_sent_again() -> None:
    answer, server = ask(Raw(400, b'{"error": {"message": "response_format is not supported"}}'))

    assert isinstance(answer, NoReply)
    assert not answer.retriable
    assert answer.troubles == ("HTTP 400",)
    assert "response_format is not supported" in answer.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "remedy"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "base_url")])
def test_status_with_which_no_request_succeeds_is_an_error_at_once_with_its_remedy(status: int, remedy: str) -> None:
    wrong_key = Raw(status, b'{"error": {"message": "wrong key sk-secret"}}')
    asked: list[object] = []
    with serve(lambda body: (asked.append(body), wrong_key)[1]) as server:
        client = Server(ChatConfig(model="m", base_url=server.url, timeout=HANG))

        with pytest.raises(ModelError, match=remedy) as failed:
            list(client.complete([REQUEST]))

    assert len(asked) == 1
    assert "sk-secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (Raw(0), "connection lost"),
        (Raw(body=b"<html>Welcome!</html>", headers={"Content-Type": "text/html"}), "no chat completion"),
        (Raw(body=b"[" * 100_000), "no chat completion"),
        (Raw(body=b'{"choices": []}'), "no chat completion"),
        (Raw(body=b'"choices"'), "no chat completion"),
        (Raw(body=b"\xff\xfe\x00"), "no chat completion"),
        (Raw(body=completion(["Hi."])), "no chat completion"),
        (Raw(body=zlib.compress(bytes(10**7)), headers={"Content-Encoding": "deflate"}), "no chat completion"),
    ],
)
def test_response_without_a_reply_is_counted_and_the_request_is_sent_again(raw: Raw, kind: str) -> None:
    answer, server = ask(raw, "Hi.")

    assert answer == Reply(text="Hi.", troubles=(kind,))
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "slow",
    [
        Raw(body=completion("Hi."), pause=HANG),
        Raw(body=completion("Hi."), pause=0.02, parts=100),
    ],
    ids=["silent", "dribbling"],
)
def test_slow_server_ends_at_the_timeout_and_is_asked_again(slow: Raw) -> None:
    """No attempt is to succeed here, so that a busy machine cannot change the result."""
    answer, server = ask(slow, timeout=0.2, tries=2)

    assert isinstance(answer, NoReply)
    assert answer.retriable
    assert answer.troubles == ("timeout", "timeout")
    assert len(server.asked) == 2


def test_reason_quotes_the_response_that_is_no_chat_completion() -> None:
    answer, _ = ask(Raw(body=b"<html>Welcome!</html>"), tries=2)

    assert isinstance(answer, NoReply)
    assert answer.retriable
    assert answer.troubles == ("no chat completion",) * 2
    assert "not a chat completion: b'<html>Welcome!</html>'" in answer.reason


@pytest.mark.parametrize("status", [200, 500])
def test_reply_of_ten_megabytes_is_not_read_to_its_end(status: int) -> None:
    long = Raw(status, completion("x" * 10_000_000))
    tracemalloc.start()
    answer, _ = ask(long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer == Reply(text=None)
    assert peak < 4_000_000


def test_half_a_surrogate_pair_is_replaced() -> None:
    answer, _ = ask(Raw(body=completion("half a character: \ud83d")))

    assert answer == Reply(text="half a character: ?")


def test_null_content_is_an_empty_reply() -> None:
    assert ask(Raw(body=completion(None)))[0] == Reply(text="")


def test_batch_size_requests_are_in_flight_at_once_and_answered_in_order() -> None:
    batch_size, lock, in_flight = 8, Lock(), [0, 0]
    all_here = Barrier(batch_size, timeout=HANG)  # breaks, and no request is answered, if fewer arrive together

    def when_all_are_here(body: dict[str, object]) -> str:
        with lock:
            in_flight[0] += 1
            in_flight[1] = max(in_flight)
        all_here.wait()
        with lock:
            in_flight[0] -= 1
        return json.dumps(body["seed"])

    requests = [
        Request(model="m", turns=("?",), schema={}, temperature=0, seed=seed, max_tokens=64)
        for seed in range(2 * batch_size)
    ]
    with serve(when_all_are_here) as server:
        config = ChatConfig(model="m", base_url=server.url, batch_size=batch_size, timeout=2 * HANG)
        answers = list(Server(config).complete(requests))

    assert answers == [Reply(text=str(seed)) for seed in range(2 * batch_size)]
    assert in_flight == [0, batch_size]


@pytest.fixture
def unused_url() -> str:
    """An address at which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_refused_connection_is_a_model_error_and_not_a_missing_reply(unused_url: str) -> None:
    server = Server(ChatConfig(model="m", base_url=unused_url))

    with pytest.raises(ModelError, match="no language model at http://127"):
        list(server.complete([REQUEST]))
    with pytest.raises(ModelError, match="start the server"):
        server.reach()


@pytest.mark.parametrize("models", [Raw(404), Raw(500), Raw(body=b"<html>"), Raw(headers={"Content-Encoding": "br"})])
def test_reach_accepts_a_server_that_does_not_list_its_models(models: Raw) -> None:
    with serve(lambda _: "Hi.", models) as server:
        assert Server(ChatConfig(model="m", base_url=server.url)).reach() is None


@pytest.mark.parametrize("status", [401, 403])
def test_reach_refuses_a_server_that_does_not_accept_the_key(status: int) -> None:
    with serve(lambda _: "Hi.", Raw(status)) as server, pytest.raises(ModelError, match="OPENAI_API_KEY"):
        Server(ChatConfig(model="m", base_url=server.url)).reach()


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://server/v1", "file:///etc/passwd", "server:8000", "http://me:secret@server/v1", "http:///v1"),
        *("https://server/v1?api_key=secret", "https://server/v1/?key=secret", "https://server/v1#secret"),
        *("https://server/v1;token=secret", "https://server/\x1b[31msecret", "https://server?secret"),
    ],
)
def test_base_url_is_http_and_holds_no_password_and_no_key(url: str) -> None:
    with pytest.raises(ConfigError, match=r"layout.llm.base_url: base_url must begin with http") as refused:
        parse_config({"concepts": "photos", "layout": {"llm": {"base_url": url}}})

    assert "secret" not in str(refused.value)


def test_reply_of_half_the_limit_is_read_whole() -> None:
    answer, _ = ask("x" * (MAX_BYTES // 2))

    assert answer == Reply(text="x" * (MAX_BYTES // 2))


def test_key_that_a_server_repeats_is_not_in_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\n")  # as a file has it

    answer, server = ask(Raw(400, b'{"error": {"message": "sk-secret may not ask this"}}'))

    assert server.keys == ["sk-secret"]
    assert isinstance(answer, NoReply)
    assert "may not ask this" in answer.reason
    assert "sk-secret" not in answer.reason


@pytest.mark.parametrize("key", ["schl\u00fcssel", "two\nlines"])
def test_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY holds characters") as refused:
        Server(ChatConfig(model="m", base_url="http://localhost:1/v1"))
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://host:x/v1", "http://host:99999/v1", "http://:80/v1"])
def test_malformed_base_url_is_refused_before_any_work(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url must begin with"):
        parse_config({"concepts": "a", "layout": {"backend": "llm", "llm": {"base_url": url}}})
