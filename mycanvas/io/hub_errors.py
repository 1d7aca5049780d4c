"""What goes wrong with the Hugging Face Hub -> what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mycanvas.errors import HubError, MyCanvasError

_ANSWERS: Mapping[int, str] = {
    401: "it does not know your token; log in again with: hf auth login",
    403: "your token may not do this; use one with the role write, of an account that may",
    412: "somebody else wrote there meanwhile; look at what they did, then run the same command again",
    429: "it was asked too often; wait, then run the same command again",
}
"""By the status of the Hub's answer."""

_NETWORK = frozenset({"aiohttp", "hf_xet", "httpcore", "httpx", "httpx2", "requests", "urllib3"})
"""Libraries whose errors are the network's; which of them huggingface_hub stands on depends on its version."""


@contextmanager
def told_by_hub(doing: str) -> Iterator[None]:
    """Turn what the Hub says, or the network, into what to do.

    Args:
        doing: what was tried, as it is to follow "cannot": "publish user/mycanvas".

    Raises:
        HubError: instead of an error of the Hub, of the network, or of a library that cannot use what it got.
    """
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except MyCanvasError:
        raise
    except Exception as error:
        library = type(error).__module__.split(".")[0]
        if not (isinstance(error, OSError | RuntimeError | ValueError) or library in _NETWORK):
            raise  # a mistake of this program
        answer = _answer(error)
        if isinstance(answer, RepositoryNotFoundError):
            why = "no such dataset on the Hub, or not for you; check its name, or log in with: hf auth login"
        elif isinstance(answer, RevisionNotFoundError):
            why = "it has no such branch, tag or commit"
        elif isinstance(answer, HfHubHTTPError):
            status = answer.response.status_code
            broken = "the Hub is out of order; run the same command again later"
            why = f"the Hub answered {status}: " + (broken if status >= 500 else _ANSWERS.get(status, _said(answer)))
        elif library == "datasets" or isinstance(error, ValueError):
            why = _said(error)
        else:
            why = f"the Hub cannot be reached, or broke off ({_said(error)}); run the same command again to go on"
        raise HubError(f"cannot {doing}: {why}") from error


def _answer(error: BaseException | None) -> BaseException | None:
    """The Hub's answer behind an error that only wraps it; None where it did not answer."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None and not isinstance(error, HfHubHTTPError):
        error = error.__cause__
    return error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
