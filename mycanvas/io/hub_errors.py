"""Errors of the Hugging Face Hub and of the network, turned into ours: what failed, why, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from mycanvas.errors import HubError, MyCanvasError
from mycanvas.io.files import remedy_for

RepoType = Literal["model", "dataset"]

ANSWER_SECONDS = 10
"""How long `check_repository` waits for the Hub's answer."""

_REASONS: Mapping[int, str] = {
    401: "it does not accept your token; log in again with: hf auth login",
    403: "your token does not allow this; to write, use a token with the role write of an account that may write there",
    412: "another commit was made meanwhile; look at it, then run the same command again",
    429: "too many requests; wait, then run the same command again",
}
"""By the HTTP status of the Hub's answer."""

_LIBRARIES = frozenset({"aiohttp", "hf_xet", "httpcore", "httpx", "httpx2", "huggingface_hub", "requests", "urllib3"})
"""Libraries whose errors are the Hub's or the network's; which of them huggingface_hub uses depends on its version."""


@contextmanager
def hub_errors(
    action: str, *, raises: type[MyCanvasError] = HubError, repo_type: RepoType = "dataset", hint: str = ""
) -> Iterator[None]:
    """Turn errors of the Hub, of the network and of the libraries that read from it into one of ours.

    Errors of ours that are raised within the block pass through unchanged, and so do mistakes of this program.

    Args:
        action: what the block does, in words that follow "cannot": "publish user/mycanvas".
        raises: the class of the error.
        repo_type: what the block looks for on the Hub.
        hint: more to say at the end of the message.

    Raises:
        MyCanvasError: an error of the class `raises`.
    """
    try:
        yield
    except MyCanvasError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError | RuntimeError | ValueError) or _library(error) in _LIBRARIES):
            raise
        reason = _reason(error, repo_type)
        raise raises(f"cannot {action}: {reason}{f'; {hint}' if hint else ''}") from error


def is_unreachable(error: MyCanvasError) -> bool:
    """Whether an error that `hub_errors` raised says that the Hub gave no answer: no network, or HF_HUB_OFFLINE."""
    cause = error.__cause__
    if cause is None or _answer(cause) is not None:
        return False
    return isinstance(cause, ConnectionError | TimeoutError) or _library(cause) in _LIBRARIES


def check_repository(name: str, repo_type: RepoType, revision: str | None = None) -> None:
    """Ask the Hub once whether it has a repository. Call it within `hub_errors`, before a download.

    A download itself tries again for half a minute before it reports that the Hub, or the repository, is not there.
    """
    from huggingface_hub import HfApi

    HfApi().repo_info(name, revision=revision, repo_type=repo_type, timeout=ANSWER_SECONDS)


def _reason(error: Exception, repo_type: RepoType) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    answer = _answer(error)
    if isinstance(answer, GatedRepoError):
        return "access to it is restricted; request it on its page on the Hub, then log in with: hf auth login"
    if isinstance(answer, RepositoryNotFoundError):
        return f"no such {repo_type} on the Hub, or no access to it; check its name, or log in with: hf auth login"
    if isinstance(answer, RevisionNotFoundError):
        return "it has no such branch, tag or commit"
    if isinstance(answer, HfHubHTTPError):
        status = answer.response.status_code
        broken = "the Hub is out of order; run the same command again later"
        return f"the Hub answered {status}: {broken if status >= 500 else _REASONS.get(status, _text(answer))}"
    if isinstance(error, OSError) and (remedy := remedy_for(error)):
        return f"{_text(error)}; {remedy}"
    if _library(error) == "datasets" or isinstance(error, ValueError):
        return _text(error)
    return f"the Hub cannot be reached, or the connection broke off ({_text(error)}); run the same command again"


def _answer(error: BaseException | None) -> BaseException | None:
    """The Hub's answer that an error wraps; None where the Hub did not answer."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None and not isinstance(error, HfHubHTTPError):
        error = error.__cause__
    return error


def _library(error: BaseException) -> str:
    return type(error).__module__.split(".")[0]


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
