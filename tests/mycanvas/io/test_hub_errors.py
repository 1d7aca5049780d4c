from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError

from mycanvas.errors import HubError, InputError, ModelError, MyCanvasError
from mycanvas.io.hub_errors import RepoType, hub_errors


class Handler(BaseHTTPRequestHandler):
    """Answers with the status and the error code that the asked revision names: "404-RepoNotFound"."""

    def do_GET(self) -> None:
        status, _, code = self.path.rsplit("/", 1)[1].partition("-")
        self.send_response(int(status))
        self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(json.dumps({"error": "from the server"}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def api() -> Iterator[HfApi]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield HfApi(endpoint=f"http://127.0.0.1:{server.server_port}", token=False)
        server.shutdown()
        thread.join()


def ask(api: HfApi, answer: str, repo_type: RepoType = "dataset") -> str:
    with pytest.raises(HubError) as failed, hub_errors("open me/x", repo_type=repo_type):
        api.repo_info("me/x", repo_type=repo_type, revision=answer)
    return str(failed.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("404-RepoNotFound", "no such dataset on the Hub, or no access to it; check its name"),
        ("404-RevisionNotFound", "it has no such branch, tag or commit"),
        ("403-GatedRepo", "access to it is restricted; request it on its page on the Hub"),
        ("401-", "the Hub answered 401: it does not accept your token; log in again with: hf auth login"),
        ("403-", "the Hub answered 403: your token does not allow this"),
        ("412-", "the Hub answered 412: another commit was made meanwhile"),
        ("429-", "the Hub answered 429: too many requests"),
        ("418-", "the Hub answered 418: "),
    ],
)
def test_answers_of_the_hub_are_explained(api: HfApi, answer: str, reason: str) -> None:
    assert ask(api, answer).startswith(f"cannot open me/x: {reason}")


def test_missing_repository_is_named_by_its_type(api: HfApi) -> None:
    assert "no such model on the Hub" in ask(api, "404-RepoNotFound", "model")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OSError(errno.ENOSPC, "No space left"),
            "[Errno 28] No space left; make room, then run the same command again",
        ),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the Hub cannot be reached, or the connection broke off"),
        (HFValidationError("bad name"), "bad name"),
        (TimeoutError(), "the Hub cannot be reached, or the connection broke off (TimeoutError)"),
    ],
)
def test_other_errors_are_explained(error: Exception, reason: str) -> None:
    with pytest.raises(HubError) as failed, hub_errors("open me/x"):
        raise error

    assert str(failed.value).startswith(f"cannot open me/x: {reason}")
    assert failed.value.__cause__ is error


def test_hub_that_is_not_there_is_reported() -> None:
    api = HfApi(endpoint="http://127.0.0.1:9", token=False)

    with (
        pytest.raises(HubError, match=r"^cannot open me/x: the Hub cannot be reached, or the connection broke off \("),
        hub_errors("open me/x"),
    ):
        api.repo_info("me/x", repo_type="dataset")


@pytest.mark.parametrize("raises", [HubError, InputError, ModelError])
def test_caller_chooses_the_class_and_adds_a_hint(raises: type[MyCanvasError]) -> None:
    with (
        pytest.raises(raises, match=r"^cannot open me/x: bad name; see \./me/x$"),
        hub_errors("open me/x", raises=raises, hint="see ./me/x"),
    ):
        raise ValueError("bad name")


@pytest.mark.parametrize("error", [InputError("ours"), HubError("ours"), KeyError("a mistake of this program")])
def test_our_errors_and_mistakes_pass_through_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as failed, hub_errors("open me/x", raises=ModelError):
        raise error

    assert failed.value is error
    assert failed.value.__cause__ is None
