"""Whatever a server does, a request ends in a reply or in a reason, within bounds of time and memory."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from itertools import chain, repeat

import pytest

from builder.config import parse_config
from mycanvas.errors import ConfigError, ModelError
from mycanvas.models.llm.chat import ChatConfig, NoReply, Reply, Request
from mycanvas.models.llm.server import LONGEST_PAUSE, MAX_BYTES, Server
from tests.chat_server import ChatServer, Raw, Said, completion, serve

REQUEST = Request(model="m", turns=("Hello?",), schema={"type": "object"}, temperature=0.5, seed=7, max_tokens=64)


def ask(*said: Said, timeout: float = 5.0, tries: int = 3) -> tuple[Reply | NoReply, list[float], ChatServer]:
    """The answer of a server that says these one after the other, the last for ever; the waits; the server."""
    script: Iterator[Said] = chain(said, repeat(said[-1]))
    waits: list[float] = []
    with serve(lambda _: next(script)) as server:
        config = ChatConfig(model="m", base_url=server.url, timeout=timeout, tries=tries)
        (answer,) = Server(config, waits.append).complete([REQUEST])
    return answer, waits, server


def test_a_request_holds_all_that_a_reply_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    answer, waits, server = ask("Hi.")

    (body,) = server.asked
    assert answer == Reply(text="Hi.")
    assert waits == []
    assert server.keys == ["sk-secret"]
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("m", 0.5, 7, 64)
    assert body["messages"] == [{"role": "user", "content": "Hello?"}]
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again_later_each_time(status: int) -> None:
    answer, waits, _ = ask(Raw(status), Raw(status), "Hi.")

    assert answer == Reply(text="Hi.", troubles=(f"HTTP {status}",) * 2)
    assert 0.75 <= waits[0] <= 1.25
    assert 1.5 <= waits[1] <= 2.5


@pytest.mark.parametrize(
    ("after", "low", "high"),
    [
        ("7", 7, 8),
        ("0", 0, 1),
        (formatdate(time.time() + 3600, usegmt=True), LONGEST_PAUSE, LONGEST_PAUSE),
        (formatdate(time.time() - 3600, usegmt=True), 0, 1),
        ("86400", LONGEST_PAUSE, LONGEST_PAUSE),
        ("-5", 0, 1),
        ("nan", 0.75, 1.25),
        ("soon", 0.75, 1.25),
    ],
)
def test_retry_after_is_heeded_within_reason(after: str, low: float, high: float) -> None:
    _, waits, _ = ask(Raw(429, headers={"Retry-After": after}), "Hi.")

    assert low <= waits[0] <= high


def test_a_server_that_stays_busy_leaves_a_reason_for_another_run() -> None:
    answer, waits, server = ask(Raw(503, b'{"error": {"message": "no room"}}'), tries=3)

    assert isinstance(answer, NoReply)
    assert answer.retriable
    assert answer.troubles == ("HTTP 503",) * 3
    assert "no room" in answer.reason
    assert (len(server.asked), len(waits)) == (3, 2)


def test_what_the_server_refuses_is_not_sent_again() -> None:
    answer, _, server = ask(Raw(400, b'{"error": {"message": "response_format is not supported"}}'))

    assert isinstance(answer, NoReply)
    assert not answer.retriable
    assert "response_format is not supported" in answer.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "remedy"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "base_url")])
def test_what_no_request_can_succeed_with_is_an_error_that_says_what_to_do(status: int, remedy: str) -> None:
    with pytest.raises(ModelError, match=remedy) as failed:
        ask(Raw(status, b'{"error": {"message": "wrong key sk-secret"}}'))

    assert "sk-secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (Raw(0), "connection lost"),
        (Raw(body=completion("Hi."), pause=0.5), "timeout"),
        (Raw(body=completion("Hi."), pause=0.08, parts=50), "timeout"),
        (Raw(body=b"<html>Welcome!</html>", headers={"Content-Type": "text/html"}), "no chat completion"),
        (Raw(body=b"[" * 100_000), "no chat completion"),
        (Raw(body=b'{"choices": []}'), "no chat completion"),
        (Raw(body=b'"choices"'), "no chat completion"),
        (Raw(body=b"\xff\xfe\x00"), "no chat completion"),
        (Raw(body=completion(["Hi."])), "no chat completion"),
        (Raw(body=zlib.compress(bytes(10**7)), headers={"Content-Encoding": "deflate"}), "no chat completion"),
    ],
)
def test_a_response_that_is_no_reply_is_counted_and_asked_for_again(raw: Raw, kind: str) -> None:
    answer, waits, _ = ask(raw, "Hi.", timeout=0.3)

    assert answer == Reply(text="Hi.", troubles=(kind,))
    assert len(waits) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_ten_megabytes_are_not_read_to_their_end(status: int) -> None:
    long = Raw(status, completion("x" * 10_000_000))
    tracemalloc.start()
    answer, _, _ = ask(long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer == Reply(text=None)
    assert peak < 4_000_000


def test_text_that_no_file_can_hold_is_made_so() -> None:
    answer, _, _ = ask(Raw(body=completion("half a character: \ud83d")))

    assert answer == Reply(text="half a character: ?")


def test_nothing_said_is_a_reply_too() -> None:
    assert ask(Raw(body=completion(None)))[0] == Reply(text="")


def test_many_requests_are_sent_at_once_and_answered_in_order() -> None:
    def slowly(body: dict[str, object]) -> str:
        time.sleep(0.2)
        return json.dumps(body["seed"])

    requests = [
        Request(model="m", turns=("?",), schema={}, temperature=0, seed=seed, max_tokens=64) for seed in range(16)
    ]
    with serve(slowly) as server:
        began = time.monotonic()
        answers = list(Server(ChatConfig(model="m", base_url=server.url, batch_size=8)).complete(requests))

    assert answers == [Reply(text=str(seed)) for seed in range(16)]
    assert time.monotonic() - began < 1.6


@pytest.fixture
def nobody() -> str:
    """The address of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_no_server_is_an_error_and_not_a_missing_reply(nobody: str) -> None:
    server = Server(ChatConfig(model="m", base_url=nobody), lambda _: None)

    with pytest.raises(ModelError, match="no language model at http://127"):
        list(server.complete([REQUEST]))
    with pytest.raises(ModelError, match="start the server"):
        server.reach()


def test_a_server_that_does_not_list_its_models_can_be_reached() -> None:
    with serve(lambda _: "Hi.") as server:
        Server(ChatConfig(model="m", base_url=server.url)).reach()


@pytest.mark.parametrize("url", ["ftp://server/v1", "file:///etc/passwd", "server:8000", "http://me:secret@server/v1"])
def test_an_address_is_of_http_and_holds_no_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"layout.llm.base_url: base_url must begin with http") as refused:
        parse_config({"concepts": "photos", "layout": {"llm": {"base_url": url}}})

    assert "secret" not in str(refused.value)


def test_the_cap_is_far_above_what_is_asked_for() -> None:
    answer, _, _ = ask("x" * (MAX_BYTES // 2))

    assert answer == Reply(text="x" * (MAX_BYTES // 2))


def test_a_key_that_a_server_repeats_is_told_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\n")  # as a file has it

    answer, _, server = ask(Raw(400, b'{"error": {"message": "sk-secret may not ask this"}}'))

    assert server.keys == ["sk-secret"]
    assert isinstance(answer, NoReply)
    assert "may not ask this" in answer.reason
    assert "sk-secret" not in answer.reason


@pytest.mark.parametrize("key", ["schl\u00fcssel", "two\nlines"])
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY holds characters") as refused:
        Server(ChatConfig(model="m", base_url="http://localhost:1/v1"))
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://host:x/v1", "http://host:99999/v1", "http://:80/v1"])
def test_an_address_that_is_none_is_refused_before_any_work(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url must begin with"):
        parse_config({"concepts": "a", "layout": {"backend": "llm", "llm": {"base_url": url}}})
