"""Routes of the tab Study. No answer holds the name of an arm, or a path."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from builder.review.answers import Body, picture
from builder.review.study import Comparison, Study
from mycanvas.errors import InputError
from mycanvas.ratings.entries import PairChoice, Preference
from mycanvas.ratings.store import Event, RatingStore

log = logging.getLogger("mycanvas")


class _Sent(Body):
    """id: a UUID that the page made. session: of the page."""

    id: str
    rater: str
    session: str = ""


class _Score(_Sent):
    picture: str
    question: str
    score: int


class _Choice(_Sent):
    """pictures: the left and the right one. chosen: the better one."""

    pictures: list[str]
    question: str
    chosen: str


def study_routes(study: Study, store: RatingStore) -> APIRouter:
    """The routes, for one study."""
    router = APIRouter()

    @router.get("/api/study")
    def listed(rater: str) -> dict[str, Any]:
        given = _given(study, store, rater)
        return {
            "kind": study.kind,
            "questions": [{"name": name, "text": text} for name, text in study.questions.items()],
            "comparisons": [_shown(study, comparison, given) for comparison in study.comparisons(rater)],
        }

    @router.get("/pictures/study/{picture_id}")
    def pictured(picture_id: str) -> Response:
        item, arm = study.place(picture_id)
        try:
            return picture(study.png(picture_id), "png", lasting=True)
        except InputError as error:
            log.warning("the picture %s of arm %s cannot be shown: %s", item.id, arm, error)
            raise InputError("the picture cannot be read; the terminal shows which one") from error

    @router.post("/api/study/scores")
    def score(sent: _Score) -> dict[str, Any]:
        item, arm = study.place(sent.picture)
        _check_question(study, sent.question)
        entry = Preference(
            rater=sent.rater, item=item.id, score=sent.score, arm=arm, split=item.split, question=sent.question
        )
        store.add(Event(id=sent.id, session=sent.session, entry=entry))
        return {"saved": sent.id}

    @router.post("/api/study/choices")
    def choose(sent: _Choice) -> dict[str, Any]:
        places = {name: study.place(name) for name in sent.pictures}
        items = {item.id: item for item, _ in places.values()}
        if len(places) != 2 or len(items) != 1 or sent.chosen not in places:
            raise InputError("expected two pictures of one prompt, and one of them as the choice")
        _check_question(study, sent.question)
        (item,) = items.values()
        left, right = (arm for _, arm in places.values())
        entry = PairChoice(
            rater=sent.rater,
            item=item.id,
            arms=(left, right),
            chosen=places[sent.chosen][1],
            split=item.split,
            question=sent.question,
        )
        store.add(Event(id=sent.id, session=sent.session, entry=entry))
        return {"saved": sent.id}

    @router.post("/api/study/undo")
    def undo(sent: _Sent) -> dict[str, Any]:
        undone = store.undo(sent.rater, kinds=(Preference, PairChoice), id=sent.id)
        return {"undone": None if undone is None else undone.entry.item}

    return router


def _given(study: Study, store: RatingStore, rater: str) -> dict[tuple[str, ...], Any]:
    """What a person has answered: a score by picture and question, or the chosen picture by pair and question."""
    known = {(item.id, arm) for item in study.items for arm in study.arms}
    found: dict[tuple[str, ...], Any] = {}
    for each in store.current(Preference, rater):
        if (each.item, each.arm) in known:
            found[study.picture_id(each.item, each.arm), each.question] = each.score
    for choice in store.current(PairChoice, rater):
        if {(choice.item, arm) for arm in choice.arms} <= known:
            pair = sorted(study.picture_id(choice.item, arm) for arm in choice.arms)
            found[*pair, choice.question] = study.picture_id(choice.item, choice.chosen)
    return found


def _shown(study: Study, comparison: Comparison, given: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """A comparison as the browser gets it, with the answers by question: scores by picture, or the chosen picture."""
    pictures = [study.picture_id(comparison.item.id, arm) for arm in comparison.arms]
    if study.kind == "pairs":
        answers: dict[str, Any] = {name: given.get((*sorted(pictures), name)) for name in study.questions}
    else:
        answers = {name: {each: given.get((each, name)) for each in pictures} for name in study.questions}
    return {"item": comparison.item.id, "prompt": comparison.item.prompt, "pictures": pictures, "answers": answers}


def _check_question(study: Study, question: str) -> None:
    if question not in study.questions:
        raise InputError(f"question: expected one of the study's, got {question!r}")
