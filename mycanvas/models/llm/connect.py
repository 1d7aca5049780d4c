"""Open a chat: with the configured OpenAI-compatible server, otherwise with a model on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from mycanvas.errors import MissingExtra
from mycanvas.models.llm.chat import Chat, ChatConfig
from mycanvas.models.runtime import Runtime


def open_chat(config: ChatConfig, runtime: Runtime) -> Chat:
    """Connect to the server that the configuration names, or prepare a model on this machine.

    Raises:
        MissingExtra: a package that this requires is not installed.
        ModelError: the model was not fetched.
    """
    try:
        if config.base_url is not None:
            from mycanvas.models.llm.server import Server

            return Server(config)
        from mycanvas.models.llm.local import Local

        return Local(config, runtime)
    except ImportError as missing:
        raise MissingExtra(missing.name or "openai", extra="models") from missing


def check_chat(config: ChatConfig) -> None:
    """Check before any work that the model can answer.

    Raises:
        ModelError: its server does not answer, or refuses the key.
        MissingExtra: a package that it requires is not installed.
    """
    package = "llguidance" if config.base_url is None else "openai"
    if find_spec(package) is None:
        raise MissingExtra(package, extra="models")
    if config.base_url is not None:
        from mycanvas.models.llm.server import Server

        Server(config).reach()
