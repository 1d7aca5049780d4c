"""A study: the manifest, blinding, and the answers that are stored."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from builder.review.study import read_study
from mycanvas.errors import ConfigError, InputError
from mycanvas.ratings.entries import PairChoice, Preference
from mycanvas.ratings.events import Event, new_id
from tests.builder.review.conftest import Routes

ARMS = {"secret-baseline": (200, 30, 30), "secret-ours": (30, 200, 30), "secret-third": (30, 30, 200)}
ITEMS = ("000-0.png", "000-1.png", "001-0.png")


def make_study(folder: Path, **changes: object) -> Path:
    """Pictures of one colour for each arm, with the arm's name in their metadata."""
    folder.mkdir(exist_ok=True)
    named = PngImagePlugin.PngInfo()
    for arm, colour in ARMS.items():
        (folder / arm).mkdir(exist_ok=True)
        named.add_text("parameters", arm)
        for item in ITEMS:
            Image.new("RGB", (32, 32), colour).save(folder / arm / item, pnginfo=named)
    lines = [{"file": item, "composition": "cat2+dog6", "prompt": f"a <cat2> cat, {item[:5]}"} for item in ITEMS]
    (folder / "images.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    values = {"kind": "scores", "seed": 3, "prompts": "images.jsonl", **changes}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    text += "[arms]\n" + "".join(f'{arm} = "{arm}"\n' for arm in ARMS)
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


@pytest.fixture
def routes(dataset: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Routes:
    return Routes(dataset, make_study(tmp_path / "study", kind=getattr(request, "param", "scores")))


def colours(routes: Routes, rater: str, shown: dict[str, Any]) -> list[tuple[int, ...]]:
    """The colour of each picture of a comparison."""
    found = []
    for position in range(shown["pictures"]):
        answer = routes.client.get(f"/pictures/study/{shown['id']}/{position}?rater={rater}")
        assert answer.status_code == 200
        with Image.open(io.BytesIO(answer.content)) as image:
            assert not image.info.get("parameters")
            found.append(image.getpixel((5, 5)))
    return found


def test_browser_gets_no_name_of_an_arm(routes: Routes) -> None:
    listed = routes.client.get("/api/study?rater=ana")
    shown = listed.json()["comparisons"]

    texts = [listed.text, str(listed.headers)]
    for position in range(4):
        answer = routes.client.get(f"/pictures/study/{shown[0]['id']}/{position}?rater=ana")
        texts.append(answer.content.decode("latin-1") + str(answer.headers))
    assert not any("secret" in text for text in texts)
    assert sorted(colours(routes, "ana", shown[0])) == sorted(ARMS.values())


def test_orders_differ_between_raters_and_prompts_and_stay_after_a_restart(routes: Routes, tmp_path: Path) -> None:
    raters = [f"rater {number}" for number in range(8)]
    shown = {rater: routes.client.get(f"/api/study?rater={rater}").json()["comparisons"] for rater in raters}
    orders = {tuple(colours(routes, rater, each)) for rater in raters for each in shown[rater]}

    assert len(orders) > 3
    assert len({tuple(each["prompt"] for each in found) for found in shown.values()}) > 2
    again = read_study(tmp_path / "study" / "study.toml")
    assert [each["id"] for each in shown["rater 1"]] == list(again.comparisons("rater 1"))


def test_scores_are_stored_with_the_arm_that_was_shown(routes: Routes) -> None:
    (first, *_) = routes.client.get("/api/study?rater=ana").json()["comparisons"]
    arms = [{value: arm for arm, value in ARMS.items()}[colour] for colour in colours(routes, "ana", first)]

    for position, score in enumerate((3, 10, 7)):
        sent = {"comparison": first["id"], "position": position, "question": "alignment", "score": score}
        assert routes.post("/api/study/scores", **sent)[0] == 200

    store = routes.store
    assert {each.arm: each.score for each in store.preferences()} == dict(zip(arms, (3, 10, 7), strict=True))
    assert {(each.split, each.question) for each in store.preferences()} == {("objects_le3", "alignment")}
    (again, *_) = routes.client.get("/api/study?rater=ana").json()["comparisons"]
    assert again["answers"] == {"personalization": [None] * 3, "alignment": [3, 10, 7]}
    _, undone = routes.post("/api/study/undo")
    assert undone == {"undone": first["id"], "answers": {"personalization": [None] * 3, "alignment": [3, 10, None]}}
    assert isinstance(store.preferences()[0], Preference)


def test_undo_leaves_answers_of_another_study(routes: Routes) -> None:
    other = Preference(rater="ana", item="x.png", score=5, arm="a", split="objects_le3", question="alignment")
    routes.store.add(Event(id=new_id(), entry=other, session="earlier"))

    assert routes.post("/api/study/undo", session="now") == (200, {"undone": None})
    assert routes.store.preferences() == (other,)


@pytest.mark.parametrize("routes", ["pairs"], indirect=True)
def test_choices_are_stored_with_both_arms_as_shown(routes: Routes) -> None:
    shown = routes.client.get("/api/study?rater=ana").json()["comparisons"]
    names = {value: arm for arm, value in ARMS.items()}
    arms = [names[colour] for colour in colours(routes, "ana", shown[4])]

    sent = {"comparison": shown[4]["id"], "chosen": 1, "question": "alignment"}
    assert routes.post("/api/study/choices", **sent)[0] == 200

    assert len(shown) == len(ITEMS) * 3
    (choice,) = routes.store.choices()
    assert isinstance(choice, PairChoice)
    assert (choice.arms, choice.chosen, choice.split) == (tuple(arms), arms[1], "objects_le3")
    assert routes.client.get("/api/study?rater=ana").json()["comparisons"][4]["answers"]["alignment"] == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"comparison": "other-1"}, "no such comparison"),
        ({"position": 3}, "0 to 2"),
        ({"position": -1}, "0 to 2"),
        ({"question": "other"}, "question"),
        ({"score": 11}, "1 to 10"),
    ],
)
def test_wrong_score_is_refused(routes: Routes, values: dict[str, object], reason: str) -> None:
    (first, *_) = routes.client.get("/api/study?rater=ana").json()["comparisons"]
    sent = {"comparison": first["id"], "position": 0, "question": "alignment", "score": 5, **values}

    status, answer = routes.post("/api/study/scores", **sent)

    assert (status, reason in str(answer["error"])) == (422, True)


def test_manifest_names_what_is_wrong(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    text = study.read_text()

    def error(changed: str) -> str:
        study.write_text(changed)
        with pytest.raises((ConfigError, InputError)) as found:
            read_study(study)
        return str(found.value)

    assert "kind" in error(text.replace('"scores"', '"ranks"'))
    assert "arms" in error(text.split("[arms]")[0])
    assert "arms: expected a table of at least 2 keys, got {'a': 'one'}" in error(
        text.split("[arms]")[0] + '[arms]\na = "one"\n'
    )
    assert "unknown key sed; did you mean seed?" in error(text.replace("seed", "sed"))
    assert "arm secret-ours" in error(text.replace('secret-ours = "secret-ours"', 'secret-ours = "nowhere"'))
    (tmp_path / "secret-third" / ITEMS[1]).unlink()
    assert f"there is no file {ITEMS[1]}" in error(text)
