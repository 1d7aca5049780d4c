"""Routes of the tab Study. No answer holds the name of an arm, or a path."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from builder.review.answers import Rater, Sent, picture, save
from builder.review.cutouts import ReviewedCutouts
from builder.review.study import Comparison, Study, arm_at
from mycanvas.errors import InputError
from mycanvas.ratings.entries import PairChoice, Preference
from mycanvas.ratings.store import RatingStore

log = logging.getLogger("mycanvas")

PHOTOS = 4
"""Most photos of a concept that are shown beside the pictures."""


class _Score(Sent):
    """score: checked by Preference."""

    comparison: str
    position: int
    question: str
    score: Any


class _Choice(Sent):
    """chosen: the position of the better picture, 0 (left) or 1."""

    comparison: str
    question: str
    chosen: int


def study_routes(study: Study, store: RatingStore, cutouts: ReviewedCutouts) -> APIRouter:
    """The routes, for one study. cutouts: of the dataset, whose photos show what the objects should look like."""
    router = APIRouter()

    @router.get("/api/study")
    def listed(rater: Rater) -> dict[str, Any]:
        given = _given(store, rater)
        return {
            "kind": study.kind,
            "questions": [{"name": name, "text": text} for name, text in study.questions.items()],
            "comparisons": [_shown(study, each, given) for each in study.comparisons(rater).values()],
            "concepts": _concepts(study, cutouts),
        }

    @router.get("/pictures/study/{comparison_id}/{position}")
    def pictured(comparison_id: str, position: int, rater: Rater) -> Response:
        comparison = study.comparison(rater, comparison_id)
        try:
            return picture(study.png(comparison, position), "png", lasting=True)
        except InputError as error:
            log.warning("%s of arm %s cannot be shown: %s", comparison.item.id, comparison.arms[position], error)
            raise InputError("the picture cannot be read; the terminal shows which one") from error

    @router.post("/api/study/scores")
    def score(sent: _Score) -> dict[str, Any]:
        comparison = study.comparison(sent.rater, sent.comparison)
        _check_question(study, sent.question)
        entry = Preference(
            rater=sent.rater,
            item=comparison.item.id,
            score=sent.score,
            arm=arm_at(comparison, sent.position),
            split=comparison.item.split,
            question=sent.question,
        )
        return save(store, sent, entry)

    @router.post("/api/study/choices")
    def choose(sent: _Choice) -> dict[str, Any]:
        comparison = study.comparison(sent.rater, sent.comparison)
        _check_question(study, sent.question)
        if study.kind != "pairs":
            raise InputError("this study asks for scores, not for choices")
        left, right = comparison.arms
        entry = PairChoice(
            rater=sent.rater,
            item=comparison.item.id,
            arms=(left, right),
            chosen=arm_at(comparison, sent.chosen),
            split=comparison.item.split,
            question=sent.question,
        )
        return save(store, sent, entry)

    @router.post("/api/study/undo")
    def undo(sent: Sent) -> dict[str, Any]:
        # Answers of other sessions may be of another study, in which this page could not show that they are undone.
        undone = store.undo(sent.rater, sent.session, kinds=(Preference, PairChoice), id=sent.id)
        if undone is None:
            return {"undone": None}
        item, arms = undone.entry.item, getattr(undone.entry, "arms", ())
        given = _given(store, sent.rater)
        for each in study.comparisons(sent.rater).values():
            if each.item.id == item and (not arms or set(arms) == set(each.arms)):
                return {"undone": each.id, "answers": _shown(study, each, given)["answers"]}
        return {"undone": None}

    return router


def _concepts(study: Study, cutouts: ReviewedCutouts) -> dict[str, dict[str, Any]]:
    """The noun and some photos of each concept of the study, those in use first; none if the dataset lacks it."""
    shown: dict[str, dict[str, Any]] = {
        name: {"noun": "", "photos": []} for item in study.items for name in item.concepts
    }
    for sha256, photo in sorted(cutouts.every().items(), key=lambda entry: not entry[1].used):
        if photo.concept in shown and len(shown[photo.concept]["photos"]) < PHOTOS:
            shown[photo.concept]["noun"] = photo.class_noun
            shown[photo.concept]["photos"].append(sha256)
    return shown


def _given(store: RatingStore, rater: str) -> dict[tuple[str, ...], Any]:
    """A person's answers: a score by item, arm and question, or the chosen arm by item, both arms and question."""
    found: dict[tuple[str, ...], Any] = {
        (each.item, each.arm, each.question): each.score for each in store.current(Preference, rater)
    }
    for choice in store.current(PairChoice, rater):
        found[choice.item, *sorted(choice.arms), choice.question] = choice.chosen
    return found


def _shown(study: Study, comparison: Comparison, given: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """A comparison as the browser gets it; answers: by question, a score for each position or the chosen position."""
    item, arms = comparison.item, comparison.arms
    answers: dict[str, Any] = {}
    for name in study.questions:
        if study.kind == "pairs":
            chosen = given.get((item.id, *sorted(arms), name))
            answers[name] = arms.index(chosen) if chosen in arms else None
        else:
            answers[name] = [given.get((item.id, arm, name)) for arm in arms]
    return {
        "id": comparison.id,
        "prompt": item.prompt,
        "concepts": list(dict.fromkeys(item.concepts)),
        "pictures": len(arms),
        "answers": answers,
    }


def _check_question(study: Study, question: str) -> None:
    if question not in study.questions:
        raise InputError(f"question: expected one of the study's, got {question!r}")
