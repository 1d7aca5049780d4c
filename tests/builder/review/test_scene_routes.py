"""Ranks, flags and captions: stored once, each person's own, in an order that visits every composition."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pytest

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.plan import marker_file
from builder.pipeline.stored_records import PlanStep
from builder.review.scenes import CandidateScene, order_for
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.ratings.entries import FLAGS
from tests.builder.review.conftest import Routes


def order(routes: Routes, rater: str) -> list[dict[str, Any]]:
    found: Any = routes.get(f"/api/scenes?rater={rater}")
    return list(found["order"])


def rank(
    routes: Routes, item: str, score: object, *, rater: str = "ana", name: str = ""
) -> tuple[int, dict[str, object]]:
    return routes.post("/api/ranks", id=name or str(uuid.uuid4()), rater=rater, item=item, score=score)


def scene(number: int, composition: str) -> CandidateScene:
    return CandidateScene(
        id=f"scene-{number}", caption="", prompt="", boxes=(), concept_tokens=(), class_names=(),
        composition=composition, num_objects=1, source_images=(), shard=0, row=number,
    )  # fmt: skip


def test_compositions_take_turns_in_an_order_of_each_rater() -> None:
    scenes = [scene(number, "abc"[min(number // 10, 2)]) for number in range(40)]

    orders = {rater: order_for(rater, scenes) for rater in ("ana", "bo")}

    assert orders["ana"] == order_for("ana", scenes)
    assert {each.id for each in orders["ana"]} == {each.id for each in scenes}
    assert orders["ana"] != orders["bo"]
    for found in orders.values():
        assert Counter(each.composition for each in found[:30]) == {"a": 10, "b": 10, "c": 10}
        assert all(len({each.composition for each in found[start : start + 3]}) == 3 for start in range(0, 30, 3))


def test_scenes_of_a_refused_cutout_come_last(routes: Routes) -> None:
    before = order(routes, "ana")
    assert not any(each["leaves"] for each in before)
    photo = routes.get(f"/api/scenes/{before[0]['id']}")["photos"][0]
    shown = {each["id"] for each in before if photo in routes.get(f"/api/scenes/{each['id']}")["photos"]}

    routes.client.post(f"/api/cutouts/{photo['sha256']}", json={"rater": "ana", "verdict": "refuse"})

    after = order(routes, "ana")
    assert {each["id"] for each in after if each["leaves"]} == shown
    assert [each["id"] for each in after] == [
        *(each["id"] for each in before if each["id"] not in shown),
        *(each["id"] for each in before if each["id"] in shown),
    ]


def test_rank_that_is_sent_twice_is_stored_once(routes: Routes) -> None:
    name, item = str(uuid.uuid4()), order(routes, "ana")[0]["id"]

    answers = [rank(routes, item, 4, name=name) for _ in range(3)]

    assert answers == [(200, {"saved": name})] * 3
    assert [(each.rater, each.item, each.score) for each in routes.store.ratings()] == [("ana", item, 4)]


def test_raters_do_not_see_each_other_s_ranks(routes: Routes) -> None:
    item = order(routes, "ana")[0]["id"]
    rank(routes, item, 4)
    routes.post("/api/flags", item=item, reason=FLAGS[1])

    assert {each["id"]: (each["rank"], each["flag"]) for each in order(routes, "ana")}[item] == (4, FLAGS[1])
    assert all(each["rank"] is None and each["flag"] is None for each in order(routes, "bo"))


def test_undo_withdraws_the_newest_entry_once_for_each_request(routes: Routes) -> None:
    first, second = (each["id"] for each in order(routes, "ana")[:2])
    rank(routes, first, 2)
    rank(routes, first, 5)
    rank(routes, second, 1)
    request = str(uuid.uuid4())

    answers = [routes.post("/api/scenes/undo", id=request) for _ in range(2)]
    answers.append(routes.post("/api/scenes/undo", rater="ana"))

    assert [answer["item"] for _, answer in answers] == [second, second, first]
    assert [answer["rank"] for _, answer in answers] == [None, None, 2]
    assert routes.post("/api/scenes/undo", rater="bo")[1] == {"undone": None}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"score": 6}, "score: expected a whole number from 1 to 5, got 6"),
        ({"score": True}, "score: expected a whole number from 1 to 5, got true"),
        ({"score": "5"}, 'score: expected a whole number from 1 to 5, got "5"'),
        ({"rater": " "}, 'rater: expected a name, got " "'),
        ({"rater": 7}, "rater: expected text, got 7"),
        ({"rater": "\u202eevil"}, "rater: expected a name without control characters"),
        ({"rater": "a\u200b"}, "rater: expected a name without control characters"),
        ({"id": "1"}, "UUID"),
        ({"item": "../../etc/passwd"}, "no such scene"),
        ({"item": "none"}, "no such scene"),
        ({"more": 1}, "unknown key more"),
    ],
)
def test_wrong_rank_is_refused_with_the_reason(routes: Routes, values: dict[str, object], reason: str) -> None:
    item = order(routes, "ana")[0]["id"]
    sent = {"id": str(uuid.uuid4()), "rater": "ana", "item": item, "score": 3, **values}

    status, answer = routes.post("/api/ranks", **sent)

    assert status == 422
    assert reason in str(answer["error"])
    assert routes.store.ratings() == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "expected a table of keys and values, got []"),
        ("{", "the request is not JSON: "),
        ("{}", "id is missing"),
    ],
)
def test_request_of_another_form_is_refused_in_plain_words(routes: Routes, content: str, reason: str) -> None:
    answer = routes.client.post("/api/ranks", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(reason)


def test_names_that_look_alike_are_one_rater_everywhere(routes: Routes) -> None:
    item = order(routes, "ana")[0]["id"]
    photo = routes.get("/api/cutouts")["concepts"][0]["photos"][0]["sha256"]

    for name in ("Zoe\u0301", " Zo\u00e9 "):
        assert routes.post("/api/ranks", rater=name, item=item, score=3)[0] == 200
    decision = {"verdict": "refuse"}

    assert [each.rater for each in routes.store.ratings()] == ["Zo\u00e9"]
    assert next(each["rank"] for each in order(routes, "Zoe\u0301 ") if each["id"] == item) == 3
    assert routes.client.get("/api/scenes", params={"rater": ""}).status_code == 422
    assert routes.client.post(f"/api/cutouts/{photo}", json={"rater": "", **decision}).status_code == 422
    assert routes.client.post(f"/api/cutouts/{photo}/mask", params={"rater": "\n"}).status_code == 422


def test_bad_cutout_flag_names_a_photo_of_the_scene(routes: Routes) -> None:
    item = order(routes, "ana")[0]["id"]
    found: Any = routes.get(f"/api/scenes/{item}")
    photo = found["photos"][0]["id"]
    sent = {"rater": "ana", "item": item, "reason": FLAGS[-1]}

    assert routes.post("/api/flags", photo="other/1.png", **sent)[0] == 422
    assert routes.post("/api/flags", photo=photo, **sent)[0] == 200
    assert [(flag.reason, flag.photo) for flag in routes.store.flags()] == [(FLAGS[-1], photo)]


def test_caption_must_name_each_class_and_is_shown_to_everyone(routes: Routes) -> None:
    item = order(routes, "ana")[0]["id"]
    found: Any = routes.get(f"/api/scenes/{item}")
    missing = routes.post("/api/captions", item=item, caption="Nothing is here.")

    assert missing[0] == 422
    assert found["nouns"][0] in str(missing[1]["error"])
    text = f"Here:  {found['caption']}"
    status, answer = routes.post("/api/captions", item=item, caption=text)
    assert (status, answer["caption"]) == (200, f"Here: {found['caption']}")
    after: Any = routes.get(f"/api/scenes/{item}")
    assert (after["caption"], after["edited"]) == (f"Here: {found['caption']}", True)
    restored = routes.post("/api/captions", rater="bo", item=item, caption=None)
    assert restored[1]["caption"] == found["caption"]


def test_caption_is_as_long_as_the_build_allows(routes: Routes) -> None:
    folder = BuildFolder.open(routes.folder)
    step = read_checked(marker_file(folder.plan_folder, 0), PlanStep)
    shorter = replace(step, request={**step.request, "caption.max_words": 12})
    write_checked(marker_file(folder.plan_folder, 0), asdict(shorter))
    routes = Routes(routes.folder)
    item = order(routes, "ana")[0]["id"]
    found: Any = routes.get(f"/api/scenes/{item}")

    assert found["max_words"] == 12
    status, answer = routes.post("/api/captions", item=item, caption=f"{'very ' * 12}nice: {found['caption']}")
    assert (status, "12" in answer["error"]) == (422, True), answer


def test_dataset_that_is_moved_is_reported_as_gone_and_nothing_is_written(routes: Routes) -> None:
    item = order(routes, "ana")[0]["id"]
    moved = routes.folder.rename(routes.folder.with_name("moved"))
    reason = f"{routes.folder} is gone; move it back, or start the review with its new path"

    for place in ("/api/scenes?rater=ana", "/api/cutouts"):
        answer = routes.client.get(place)
        assert (answer.status_code, answer.json()) == (500, {"error": reason})
    assert routes.post("/api/ranks", item=item, score=3) == (500, {"error": reason})
    assert not routes.folder.exists()

    moved.rename(routes.folder)
    assert routes.post("/api/ranks", item=item, score=3)[0] == 200


def test_scenes_of_an_unfinished_build_are_shown(routes: Routes) -> None:
    candidates = sorted((routes.folder / ".build" / "candidates").glob("*.json"))
    before = len(order(routes, "ana"))
    for file in candidates[1:]:
        file.unlink()
    (routes.folder / ".build" / "selected.json").unlink()

    assert 0 <= len(order(routes, "ana")) <= before
    candidates[0].unlink()
    assert order(routes, "ana") == []
