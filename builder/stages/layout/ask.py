"""Questions to a language model: asked, checked, and asked again with the complaint until an answer holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from builder.seeds import rng_for
from builder.stages.layout.replies import ACCEPTED, Replies, Task
from mycanvas.io.messages import explain
from mycanvas.models.llm.chat import Chat, ChatConfig, NoReply, Reply, Request

REPEATED = 2000
"""Characters of a refused reply that the model is shown again."""

QUOTED = 60
"""Characters of a name from a reply that are repeated."""

Answer = TypeVar("Answer")
Object = Mapping[str, Any]
"""What a JSON object was read as."""


class Unusable(Exception):
    """A reply cannot be used. kind: what it is counted as. Its words go back to the model."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Question(Generic[Answer]):
    """What is to be found out.

    of: the scene's id or the composition. turns: examples and, last, the question. check: what an answer means;
    raises Unusable.
    """

    task: Task
    of: str
    turns: tuple[str, ...]
    schema: Mapping[str, Any]
    check: Callable[[Object], Answer]


@dataclass(slots=True)
class _Open:
    """A question's turns so far, and what came last."""

    turns: tuple[str, ...]
    complaint: str = ""


class Asker:
    """Puts questions to one model.

    Args:
        chat: who answers.
        replies: where earlier answers are.
        config: the model's name, and how often a question is asked.
    """

    def __init__(self, chat: Chat, replies: Replies, config: ChatConfig) -> None:
        self._chat = chat
        self._replies = replies
        self._config = config

    def ask(self, questions: Sequence[Question[Answer]], seed: int) -> list[Answer | NoReply]:
        """One result per question, in order: its answer, or why there is none.

        All questions are asked at once; then again, those whose reply could not be used, with the complaint.

        Args:
            questions: of different scenes or compositions.
            seed: the build's.

        Raises:
            ModelError: nobody will answer.
        """
        results: dict[int, Answer | NoReply] = {}
        asked = {index: _Open(turns=question.turns) for index, question in enumerate(questions)}
        for attempt in range(self._config.tries):
            requests = {i: self._request(questions[i], asked[i], attempt, seed) for i in asked if i not in results}
            for index, request, answer in self._answers(requests):
                question, verdict = questions[index], None
                if isinstance(answer, NoReply):
                    results[index] = answer
                else:
                    try:
                        results[index], verdict = question.check(read_object(answer.text)), ACCEPTED
                    except Unusable as complaint:
                        verdict = complaint.kind
                        asked[index] = _complained(question, answer.text, complaint)
                self._replies.keep(request, answer, verdict, question.task, question.of)
        return [results[index] if index in results else self._given_up(state) for index, state in asked.items()]

    def _answers(self, requests: Mapping[int, Request]) -> Iterator[tuple[int, Request, Reply | NoReply]]:
        """Those that are known first, then the others as they come."""
        unknown: dict[int, Request] = {}
        for index, request in requests.items():
            known = self._replies.find(request)
            if known:
                yield index, request, known
            else:
                unknown[index] = request
        if unknown:
            for (index, request), answer in zip(unknown.items(), self._chat.complete([*unknown.values()]), strict=True):
                yield index, request, answer

    def _request(self, question: Question[Answer], state: _Open, attempt: int, seed: int) -> Request:
        """Temperature from U(0, 1), one for each question (Gen4Gen)."""
        warm = rng_for(seed, question.of, f"llm {question.task}")
        draw = rng_for(seed, question.of, f"llm {question.task} {attempt}")
        return Request(
            model=self._config.model,
            turns=state.turns,
            schema=question.schema,
            temperature=round(float(warm.uniform(0, 1)), 3),
            seed=int(draw.integers(2**31)),
            max_tokens=self._config.max_tokens,
        )

    def _given_up(self, state: _Open) -> NoReply:
        tries = self._config.tries
        return NoReply(reason=f"none of {tries} replies can be used; of the last, {state.complaint}", retriable=False)


def of_form(wrong: ValidationError, known: Sequence[str]) -> Unusable:
    """The complaint that a reply is not of the expected form; known: the keys that it may have."""
    error = wrong.errors()[0]
    return Unusable("not finite" if error["type"] == "finite_number" else "wrong form", explain(error, known))


def check_names(found: Sequence[str], expected: Sequence[str]) -> None:
    """Each name once, and no other.

    Raises:
        Unusable: naming one that is missing or too many.
    """
    for name in found:
        if name not in expected:
            raise Unusable("wrong names", f"{quoted(name)} is not asked for; the names are {', '.join(expected)}")
    for name in expected:
        if name not in found:
            raise Unusable("missing", f"{name} is missing")


def closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with just these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _complained(question: Question[Answer], text: str | None, complaint: Unusable) -> _Open:
    said = (text or "")[:REPEATED] or "(nothing)"
    again = f"That cannot be used: {complaint}. Answer again, with the JSON object alone."
    return _Open(turns=(*question.turns, said, again), complaint=str(complaint))


def read_object(text: str | None) -> Object:
    """The one JSON object in a reply, which may stand in prose or in a fence of a markdown document.

    Args:
        text: the reply; None: it was too long to be read.

    Raises:
        Unusable: there is none, there are several, or a key stands twice in it.
    """
    if text is None:
        raise Unusable("too long", "the reply was far too long; expected one short JSON object")
    text = text.rpartition("</think>")[2]
    start = text.find("{")
    if start < 0:
        raise Unusable("not JSON", "there is no JSON object in the reply")
    try:
        found, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        where = f": {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unusable("not JSON", f"the reply is not valid JSON{where}") from None
    if "{" in text[end:]:
        raise Unusable("not JSON", "the reply holds more than one JSON object")
    return dict(found)


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unusable("doubled", f"{quoted(twice)} stands more than once")
    return found


def quoted(name: str) -> str:
    """A name out of a reply, as it can be repeated anywhere: short, and of plain characters."""
    return json.dumps(name[:QUOTED])


def _not_a_number(constant: str) -> float:
    raise Unusable("not finite", f"{constant} is no number that can be used")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_not_a_number)
