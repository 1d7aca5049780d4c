"""Routes of the tab Scenes: ranks, flags and captions. Each is saved before it is answered, and stored once."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from builder.review.answers import Rater, Sent, picture, save
from builder.review.cutouts import ReviewedCutouts
from builder.review.scenes import CandidateScene, SceneIndex, order_for
from builder.stages.caption.edited import edited_words
from mycanvas.errors import InputError
from mycanvas.ratings.entries import FLAGS, CaptionEdit, Flag, Rating
from mycanvas.ratings.store import RatingStore
from mycanvas.schema import split_of

KINDS = {Rating: "rank", Flag: "flag", CaptionEdit: "caption"}
"""The entries that this tab makes, and undoes."""


class _Rank(Sent):
    """score: checked by Rating."""

    item: str
    score: Any


class _Flagged(Sent):
    item: str
    reason: str | None
    photo: str = ""
    note: str = ""


class _Caption(Sent):
    item: str
    caption: str | None


def scene_routes(scenes: SceneIndex, cutouts: ReviewedCutouts, store: RatingStore, max_words: int) -> APIRouter:
    """The routes, for the scenes of one build. max_words: of a caption."""
    router = APIRouter()

    @router.get("/api/scenes")
    def listed(rater: Rater) -> dict[str, Any]:
        ranks = {rating.item: rating.score for rating in store.current(Rating, rater)}
        flags = {flag.item: flag.reason for flag in store.current(Flag, rater) if flag.reason}
        left_out = cutouts.left_out()
        leaves = {scene.id: not left_out.isdisjoint(scene.source_images) for scene in scenes.every().values()}
        order = sorted(order_for(rater, list(scenes.every().values())), key=lambda scene: leaves[scene.id])
        return {
            "flags": FLAGS,
            "order": [
                {
                    "id": scene.id,
                    "composition": scene.composition,
                    "split": split_of(scene.num_objects),
                    "rank": ranks.get(scene.id),
                    "flag": flags.get(scene.id),
                    "leaves": leaves[scene.id],
                }
                for scene in order
            ],
        }

    @router.get("/api/scenes/{scene_id}")
    def described(scene_id: str) -> dict[str, Any]:
        scene = scenes.get(scene_id)
        edited = store.captions().get(scene_id)
        return {
            "id": scene.id,
            "caption": scene.caption if edited is None else edited,
            "edited": edited is not None,
            "max_words": max_words,
            "boxes": scene.boxes,
            "tokens": scene.concept_tokens,
            "nouns": scene.class_names,
            "photos": [cutouts.shown_photo(photo) for photo in scene.source_images],
        }

    @router.get("/pictures/scenes/{scene_id}")
    def pictured(scene_id: str) -> Response:
        return picture(scenes.picture(scene_id), "jpeg", lasting=True)

    @router.post("/api/ranks")
    def rank(sent: _Rank) -> dict[str, Any]:
        scenes.get(sent.item)
        entry = Rating(rater=sent.rater, item=sent.item, score=sent.score)
        return save(store, sent, entry)

    @router.post("/api/flags")
    def flag(sent: _Flagged) -> dict[str, Any]:
        scene = scenes.get(sent.item)
        if sent.photo and sent.photo not in scene.source_images:
            raise InputError(f"photo: expected one that the scene shows, got {sent.photo!r}")
        entry = Flag(rater=sent.rater, item=sent.item, reason=sent.reason, photo=sent.photo, note=sent.note)
        return save(store, sent, entry)

    @router.post("/api/captions")
    def caption(sent: _Caption) -> dict[str, Any]:
        scene = scenes.get(sent.item)
        text = None if sent.caption is None else _caption(sent.caption, scene, max_words)
        entry = CaptionEdit(rater=sent.rater, item=sent.item, caption=text)
        return {**save(store, sent, entry), "caption": scene.caption if text is None else text}

    @router.post("/api/scenes/undo")
    def undo(sent: Sent) -> dict[str, Any]:
        undone = store.undo(sent.rater, kinds=tuple(KINDS), id=sent.id)
        if undone is None:
            return {"undone": None}
        item = undone.entry.item
        return {
            "undone": KINDS[type(undone.entry)],
            "item": item,
            "rank": next((each.score for each in store.current(Rating, sent.rater) if each.item == item), None),
            "flag": next((each.reason for each in store.current(Flag, sent.rater) if each.item == item), None),
        }

    return router


def _caption(text: str, scene: CandidateScene, max_words: int) -> str:
    """An edited caption as `mycanvas select` will use it.

    Raises:
        InputError: it does not name each class, or breaks another rule of captions.
    """
    words = edited_words(text, scene.class_names, scene.concept_tokens, scene.boxes, max_words)
    if isinstance(words, str):
        raise InputError(f"{words}; expected each of {', '.join(dict.fromkeys(scene.class_names))}")
    return words.caption
