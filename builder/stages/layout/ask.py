"""Ask a language model, check its answers, and ask again with the complaint until an answer is usable."""

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
"""Largest number of characters of a refused reply that are shown to the model again."""

QUOTED = 60
"""Largest number of characters of a name from a reply that are quoted."""

Answer = TypeVar("Answer")
JsonObject = Mapping[str, Any]
"""A parsed JSON object."""


class Unusable(Exception):
    """A reply cannot be used; the message goes back to the model. kind: the category in which it is counted."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Question(Generic[Answer]):
    """One question to a language model.

    of: the scene's id or the composition. turns: examples and, last, the question. schema: JSON schema of a reply.
    check: turns a parsed reply into an answer; raises Unusable.
    """

    task: Task
    of: str
    turns: tuple[str, ...]
    schema: Mapping[str, Any]
    check: Callable[[JsonObject], Answer]


@dataclass(slots=True)
class _Dialogue:
    """A question's turns so far, and the last complaint."""

    turns: tuple[str, ...]
    complaint: str = ""


class Asker:
    """Asks one model.

    Args:
        chat: the model.
        replies: the cache of earlier replies.
        config: the model's name, the number of tries and the longest reply.
    """

    def __init__(self, chat: Chat, replies: Replies, config: ChatConfig) -> None:
        self._chat = chat
        self._replies = replies
        self._config = config

    def ask(self, questions: Sequence[Question[Answer]], seed: int) -> list[Answer | NoReply]:
        """One result per question, in order: its answer, or why there is none.

        All questions are asked at once; those whose reply cannot be used are asked again, with the complaint.

        Args:
            questions: each of another scene or composition.
            seed: the build's seed.

        Raises:
            ModelError: the model will answer no request.
        """
        results: dict[int, Answer | NoReply] = {}
        asked = {index: _Dialogue(turns=question.turns) for index, question in enumerate(questions)}
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
                        asked[index] = _with_complaint(question, answer.text, complaint)
                self._replies.keep(request, answer, verdict, question.task, question.of)
        return [results[index] if index in results else self._given_up(state) for index, state in asked.items()]

    def _answers(self, requests: Mapping[int, Request]) -> Iterator[tuple[int, Request, Reply | NoReply]]:
        """Yield the cached replies first, then the others as they arrive."""
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

    def _request(self, question: Question[Answer], state: _Dialogue, attempt: int, seed: int) -> Request:
        """The request of one attempt. Its temperature is drawn from U(0, 1), once for each question (Gen4Gen)."""
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

    def _given_up(self, state: _Dialogue) -> NoReply:
        tries = self._config.tries
        return NoReply(reason=f"none of {tries} replies can be used; of the last, {state.complaint}", retriable=False)


def of_form(wrong: ValidationError, known: Sequence[str]) -> Unusable:
    """The complaint about a reply that fails validation; known: the keys that it may have."""
    error = wrong.errors()[0]
    return Unusable("not finite" if error["type"] == "finite_number" else "wrong form", explain(error, known))


def check_names(found: Sequence[str], expected: Sequence[str]) -> None:
    """Check that a reply has every expected name and no other.

    Raises:
        Unusable: a name is missing or unexpected.
    """
    for name in found:
        if name not in expected:
            raise Unusable("wrong names", f"{quoted(name)} is not asked for; the names are {', '.join(expected)}")
    for name in expected:
        if name not in found:
            raise Unusable("missing", f"{name} is missing")


def closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _with_complaint(question: Question[Answer], text: str | None, complaint: Unusable) -> _Dialogue:
    reply = (text or "")[:REPEATED] or "(nothing)"
    again = f"That cannot be used: {complaint}. Answer again, with the JSON object alone."
    return _Dialogue(turns=(*question.turns, reply, again), complaint=str(complaint))


def read_object(text: str | None) -> JsonObject:
    """Parse the one JSON object in a reply; prose or a Markdown fence may surround it.

    Args:
        text: the reply; None if it was too long to be read.

    Raises:
        Unusable: there is no object or more than one, or a key occurs twice.
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
        raise Unusable("doubled", f"{quoted(twice)} occurs more than once")
    return found


def quoted(name: str) -> str:
    """A name from a reply, shortened and escaped, so that any message can quote it."""
    return json.dumps(name[:QUOTED])


def _not_a_number(constant: str) -> float:
    raise Unusable("not finite", f"{constant} is not a finite number")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_not_a_number)
