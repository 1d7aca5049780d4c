"""A store of a language model's replies and their verdicts: repeated requests cost nothing, and all can be counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mycanvas.io.checked import read_checked_or_none, write_checked
from mycanvas.io.messages import counted
from mycanvas.io.text import brief
from mycanvas.models.llm.chat import NoReply, Reply, Request

ACCEPTED = "accepted"

NAME = r"[0-9a-f]{32}\.json"
"""A regular expression of the name of a reply's file; all other files in the folder are foreign."""

Task = Literal["theme", "boxes"]
"""Kind of question: for a composition's backgrounds and sizes, or for a scene's boxes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """The content of a reply's file. verdict, text: None if there was no reply."""

    task: Task
    of: str
    verdict: str | None
    troubles: tuple[str, ...]
    text: str | None


class Replies:
    """A folder of replies, one file each.

    Args:
        folder: created with the first reply; None: nothing is stored.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, request: Request) -> Reply | None:
        """The stored reply to exactly this request, if there is one."""
        known = self._read(request)
        # An entry without a text holds no reply, only the troubles of a failed request.
        return Reply(text=known.text, troubles=known.troubles) if known and known.text is not None else None

    def keep(self, request: Request, answer: Reply | NoReply, verdict: str | None, task: Task, of: str) -> None:
        """Store an answer.

        Args:
            request: the request.
            answer: its answer; of a failure only the troubles are stored, so that they can be counted.
            verdict: ACCEPTED or the kind of complaint; None if there was no reply.
            task: the kind of question.
            of: the scene's id or the composition.
        """
        if self._folder is None:
            return
        known = self._read(request)
        earlier = known.troubles if known and known.text is None else ()
        text = answer.text if isinstance(answer, Reply) else None
        entry = _Entry(task=task, of=of, verdict=verdict, troubles=(*earlier, *answer.troubles), text=text)
        if entry != known:
            write_checked(self._file(self._folder, request), asdict(entry))

    def _read(self, request: Request) -> _Entry | None:
        """Read a stored answer; None if there is none or it is damaged, so that the request is sent again."""
        return read_checked_or_none(self._file(self._folder, request), _Entry) if self._folder else None

    @staticmethod
    def _file(folder: Path, request: Request) -> Path:
        key = request.key()
        return folder / key[:2] / f"{key}.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Counts of all replies, by their verdicts.

    refused: replies by the kind of complaint. troubles: failed requests by kind ("HTTP 429").
    unanswered: scenes and compositions without a usable reply.
    """

    accepted: int
    refused: Mapping[str, int]
    troubles: Mapping[str, int]
    unanswered: Mapping[Task, int]

    def lines(self) -> Iterator[str]:
        """Summarise the counts in lines of text; no lines if no model was asked."""
        refused = sum(self.refused.values())
        if not (self.accepted or refused or self.troubles):
            return
        total = counted(self.accepted + refused, "reply")
        line = f"language model: {total}, {self.accepted} accepted, {refused} refused"
        left = [counted(count, _NAMES[task]) for task, count in self.unanswered.items() if count]
        yield line + _listed(self.refused) + (f"; without a usable reply: {', '.join(left)}" if left else "")
        if self.troubles:
            yield f"its server: {counted(sum(self.troubles.values()), 'request')} failed{_listed(self.troubles)}"


_NAMES: Mapping[Task, str] = {"theme": "composition", "boxes": "scene"}


def tally(folder: Path) -> Tally:
    """Count all replies that are stored in a folder, which may be missing; damaged ones are not counted."""
    refused: Counter[str] = Counter()
    troubles: Counter[str] = Counter()
    asked: dict[Task, set[str]] = {"theme": set(), "boxes": set()}
    answered: dict[Task, set[str]] = {"theme": set(), "boxes": set()}
    accepted = 0
    for file in sorted(folder.glob("*/*.json")):
        entry = read_checked_or_none(file, _Entry) if re.fullmatch(NAME, file.name) else None
        if entry is None:
            continue
        asked[entry.task].add(entry.of)
        troubles.update(entry.troubles)
        if entry.verdict == ACCEPTED:
            accepted += 1
            answered[entry.task].add(entry.of)
        elif entry.verdict:
            refused[entry.verdict] += 1
    return Tally(
        accepted=accepted,
        refused=dict(refused.most_common()),
        troubles=dict(troubles.most_common()),
        unanswered={task: len(asked[task] - answered[task]) for task in asked},
    )


def _listed(counts: Mapping[str, int]) -> str:
    return f": {', '.join(f'{brief(kind)} {count}' for kind, count in counts.items())}" if counts else ""
