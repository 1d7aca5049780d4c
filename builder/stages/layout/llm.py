"""A language model proposes where a composition is seen, how large its things are, and where they stand (Gen4Gen)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from builder.config.schema import LayoutConfig
from builder.records import Concept, Layout, Rejected, Setting, Theme
from builder.stages.layout.ask import Asker
from builder.stages.layout.boxes import ask_for_boxes
from builder.stages.layout.examples import read_examples
from builder.stages.layout.replies import Replies
from builder.stages.layout.solver import Solver
from builder.stages.layout.theme import ask_for_theme
from mycanvas.errors import ModelError
from mycanvas.models.llm.chat import Chat, NoReply


class Llm:
    """Asks a language model, checks what it says, and leaves to the solver what it cannot say.

    Args:
        config: the stage's.
        chat: the model.
        replies: what it has said before.
    """

    def __init__(self, config: LayoutConfig, chat: Chat, replies: Replies) -> None:
        self.max_overlap = config.max_overlap
        self._config = config.llm
        self._asker = Asker(chat, replies, config.llm)
        self._examples = read_examples(config.llm.examples)
        self._solver = Solver(config)

    def themes(
        self, compositions: Sequence[Sequence[Concept]], scenes: Mapping[str, str], *, free: bool, seed: int
    ) -> list[Theme | None]:
        """One theme per composition, in order; None where no reply can be used and that may be.

        Args:
            compositions: the concepts that meet.
            scenes: each scene's name and phrase.
            free: whether phrases may be the model's own.
            seed: the build's.

        Raises:
            ModelError: the server gave no reply, or none that can be used and `otherwise` is "reject".
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

    def place(self, settings: Sequence[Setting], seed: int) -> Iterator[Layout | Rejected]:
        """One result per setting, in order; `placed_by` says whether the solver had to place it."""
        grid = self._config.grid
        questions = [ask_for_boxes(setting, self._examples, grid, self.max_overlap, seed) for setting in settings]
        answers = self._asker.ask(questions, seed)
        for setting, answer in zip(settings, answers, strict=True):
            if not isinstance(answer, NoReply):
                yield Layout(setting=setting, placements=answer, placed_by="llm")
            elif self._config.otherwise == "reject":
                yield setting.rejected("layout", answer.reason, retriable=answer.retriable)
            else:
                (placed,) = self._solver.place([setting], seed)
                yield placed if isinstance(placed, Rejected) else replace(placed, placed_by="solver")
