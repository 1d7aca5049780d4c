"""A language model proposes each composition's backgrounds and sizes, and each scene's boxes (Gen4Gen)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from builder.records import Concept, Layout, Rejected, Setting, Theme
from builder.stages.layout.ask import Asker
from builder.stages.layout.base import LayoutConfig, ThemeBackend
from builder.stages.layout.boxes import ask_for_boxes
from builder.stages.layout.examples import digest_of_examples, read_examples
from builder.stages.layout.replies import Replies
from builder.stages.layout.solver import Solver
from builder.stages.layout.theme import ask_for_theme
from mycanvas.errors import ModelError
from mycanvas.io.config_table import Location
from mycanvas.models.llm.chat import Chat, ChatConfig, NoReply
from mycanvas.models.llm.connect import check_chat, open_chat
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime


class LlmConfig(ChatConfig):
    """[layout.llm]: a language model that proposes backgrounds, sizes and boxes. Further keys: `ChatConfig`."""

    runtime_fields: ClassVar[frozenset[str]] = ChatConfig.runtime_fields | {
        "examples"
    }  # `examples` counts by its content

    examples: Location | None = None
    """Folder with COCO's instances_*.json and captions_*.json, to show the model; not given: our own examples."""
    otherwise: Literal["solver", "reject"] = "solver"
    """Fate of a scene without a usable reply: the solver places its objects, or it is rejected."""
    grid: Annotated[int, Field(ge=64, le=4096)] = 512
    """Boxes are requested on a grid of this many cells a side (Gen4Gen: 512)."""


class Llm(ThemeBackend):
    """Requests layouts from a language model and checks them; the solver places scenes without a usable reply.

    Args:
        config: the table [layout.llm].
        chat: the language model.
        replies: the cache of its replies.
    """

    Config = LlmConfig
    learned = True

    def __init__(self, config: LlmConfig, chat: Chat, replies: Replies) -> None:
        self._config = config
        self._asker = Asker(chat, replies, config)
        self._examples = read_examples(config.examples)
        self._solver = Solver()

    @staticmethod
    def required_models(config: LlmConfig) -> tuple[RequiredModel, ...]:
        """The language model, unless a server runs it."""
        return config.required_models("layout")

    @staticmethod
    def identity(config: LlmConfig) -> Mapping[str, str]:
        """The digest of the examples, which count by their content."""
        return {} if config.examples is None else {"examples": digest_of_examples(config.examples)}

    @staticmethod
    def served_model(config: LlmConfig) -> str | None:
        """The language model, if a server runs it."""
        return None if config.base_url is None else config.model

    @staticmethod
    def batch_size(config: LlmConfig) -> int:
        """Replies that a worker requests at once."""
        return config.batch_size

    @staticmethod
    def check(config: LlmConfig) -> None:
        """Check that the model can answer; see `check_chat`."""
        check_chat(config)

    @classmethod
    def load(cls, config: LlmConfig, runtime: Runtime) -> Self:
        """Connect to the server, or prepare the model on this machine; see `open_chat` for the errors."""
        return cls(config, open_chat(config, runtime), Replies(runtime.replies))

    def themes(
        self, compositions: Sequence[Sequence[Concept]], scenes: Mapping[str, str], *, free: bool, seed: int
    ) -> list[Theme | None]:
        """One theme per composition, in order; None if no reply is usable and `otherwise` is "solver".

        Args:
            compositions: each one's concepts.
            scenes: each scene's name and phrase.
            free: whether the model may write its own phrases.
            seed: the build's.

        Raises:
            ModelError: the server did not reply, or no reply is usable and `otherwise` is "reject".
        """
        themes: list[Theme | None] = []
        questions = [ask_for_theme(concepts, scenes, free=free) for concepts in compositions]
        answers = self._asker.ask(questions, seed)
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, NoReply) and (answer.troubles or self._config.otherwise == "reject"):
                later = "; run the same command again later" if answer.retriable else ""
                raise ModelError(f"no backgrounds for {question.of}: {answer.reason}{later}")
            themes.append(None if isinstance(answer, NoReply) else answer)
        return themes

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterator[Layout | Rejected]:
        """One result per setting, in order; `placed_by` is "llm" or "solver"."""
        grid = self._config.grid
        questions = [ask_for_boxes(setting, self._examples, grid, config.max_overlap, seed) for setting in settings]
        answers = self._asker.ask(questions, seed)
        for setting, answer in zip(settings, answers, strict=True):
            if not isinstance(answer, NoReply):
                yield Layout(setting=setting, placements=answer, placed_by="llm")
            elif self._config.otherwise == "reject":
                yield setting.rejected("layout", answer.reason, retriable=answer.retriable)
            else:
                (placed,) = self._solver.place([setting], config, seed)
                yield placed if isinstance(placed, Rejected) else replace(placed, placed_by="solver")
