"""Replies of a language model: bad ones are counted, never executed, never a crash; all are requested once only."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from builder.records import Layout, Rejected
from builder.stages.layout import arrange
from builder.stages.layout.base import LayoutConfig, find_flaw
from builder.stages.layout.llm import Llm, LlmConfig
from builder.stages.layout.replies import Replies, Tally, tally
from mycanvas.errors import ModelError
from mycanvas.models.llm.chat import NoReply
from tests.builder.stages.layout.scenes import NAMES, Says, box, boxes, setting

BUSY = NoReply(reason="http://server: Error code: 429", retriable=True, troubles=("HTTP 429",) * 4)


def config(**values: object) -> LlmConfig:
    return LlmConfig(**{"tries": 3, **values})


def placed(
    chat: Says, folder: Path | None = None, *, seed: int = 0, scene: str = "scene", **values: object
) -> Layout | Rejected:
    """Run the stage on one scene with these replies."""
    llm = Llm(config(**values), chat, Replies(folder))
    (result,) = arrange([setting(sample_id=scene)], llm, LayoutConfig(), seed)
    return result


def test_objects_are_placed_as_the_model_replies() -> None:
    result = placed(Says(boxes()))

    assert isinstance(result, Layout)
    assert result.placed_by == "llm"
    assert [(p.x, p.y, p.width, p.height) for p in result.placements] == [
        (10 + 80 * index, 125, 70, 70) for index in range(3)
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"verdict": "accepted"}', '{"task": "bo'])
def test_damaged_stored_reply_is_requested_again(tmp_path: Path, content: str) -> None:
    placed(Says(boxes()), tmp_path)
    (stored,) = tmp_path.glob("*/*.json")
    before = stored.read_bytes()
    stored.write_text(content)

    assert tally(tmp_path).accepted == 0
    assert isinstance(placed(Says(boxes()), tmp_path), Layout)
    assert stored.read_bytes() == before


def test_foreign_files_among_replies_are_not_counted(tmp_path: Path) -> None:
    placed(Says(boxes()), tmp_path)
    (stored,) = tmp_path.glob("*/*.json")
    before = tally(tmp_path)
    stored.with_name("copy of a reply.json").write_bytes(stored.read_bytes())
    (stored.parent / "mine.json").mkdir()

    assert tally(tmp_path) == before


def bad_replies(canary: Path) -> dict[str, tuple[str | None, str]]:
    """Bad replies, each with the kind of complaint that it must be counted as."""
    code = f"__import__('pathlib').Path({str(canary)!r}).write_text('run')"
    return {
        "nothing": ("", "not JSON"),
        "prose": ("The cat stands to the left of the dog, as cats do.", "not JSON"),
        "prose that begins JSON": ('Here you are: {"cat": ', "not JSON"),
        "broken JSON": (boxes()[:-1], "not JSON"),
        "single quotes": (boxes().replace('"', "'"), "not JSON"),
        "two objects": (f"{boxes()}\nor rather\n{boxes()}", "not JSON"),
        "an array": (f"[{boxes()[1:-1]}]", "not JSON"),
        "deep": ("{" + '"a":{' * 100_000, "not JSON"),
        "code": (code, "not JSON"),
        "a call of a function": (f"dict(cat={code})", "not JSON"),
        "code in a value": (boxes(cat=code), "wrong form"),
        "code in a number": (boxes(cat={**box(0, 0, 0, 0), "x": code}), "wrong form"),
        "code in a name": (boxes(**{code: box(20, 250, 140, 140)}), "wrong names"),
        "a template": (boxes(**{"{{ 7 * 7 }} %s {0} ${HOME}": box(20, 250, 140, 140)}), "wrong names"),
        "a class in place of a name": (boxes().replace("dog6", "dog"), "wrong names"),
        "other letters": (boxes().replace("cat", "Cat"), "wrong names"),
        "an object missing": (json.dumps({"cat": box(20, 250, 140, 140)}), "missing"),
        "no object": ("{}", "missing"),
        "an object twice": (boxes()[:-1] + ', "cat": ' + json.dumps(box(300, 250, 140, 140)) + "}", "doubled"),
        "a side twice": (boxes().replace('"x"', '"y"', 1), "doubled"),
        "a side missing": (boxes(cat={"x": 1, "y": 2, "width": 3}), "wrong form"),
        "text for a number": (boxes(cat={**box(0, 250, 140, 140), "x": "20"}), "wrong form"),
        "true for a number": (boxes(cat={**box(0, 250, 140, 140), "x": True}), "wrong form"),
        "null": (boxes(cat=None), "wrong form"),
        "a list": (boxes(cat=[20, 250, 140, 140]), "wrong form"),
        "NaN": (boxes(cat=box(float("nan"), 250, 140, 140)), "not finite"),
        "infinite": (boxes(cat=box(20, 250, float("inf"), 140)), "not finite"),
        "a number too large for one": (boxes().replace("20", "1e999", 1), "not finite"),
        "an integer of many digits": (boxes().replace("20", "9" * 4000, 1), "wrong form"),
        "an integer of too many digits": (boxes().replace("20", "9" * 5000, 1), "not JSON"),
        "huge": (boxes(cat=box(20, 250, 1e300, 1e300)), "off canvas"),
        "negative": (boxes(cat=box(-140, 250, 140, 140)), "off canvas"),
        "off canvas": (boxes(mug=box(450, 250, 140, 140)), "off canvas"),
        "below the canvas": (boxes(mug=box(340, 450, 140, 140)), "off canvas"),
        "zero": (boxes(cat=box(20, 250, 0, 140)), "no size"),
        "negative size": (boxes(cat=box(160, 250, -140, 140)), "no size"),
        "next to nothing": (boxes(cat=box(20, 250, 1e-200, 1e-200)), "no size"),
        "small": (boxes(cat=box(20, 350, 40, 40)), "too small"),
        "in the sky": (boxes(cat=box(20, 20, 140, 140)), "off the ground"),
        "out of proportion": (boxes(cat=box(0, 0, 340, 340), dog6=box(342, 200, 84, 110)), "sizes"),
        "one upon another": (boxes(dog6=box(50, 260, 140, 140)), "overlap"),
        "half a character": (boxes(**{"\ud83d": box(20, 250, 140, 140)}), "wrong names"),
        "far too long": (None, "too long"),
        "long": ("cat " * 200_000, "not JSON"),
        "a long name": (boxes(**{"x" * 500_000: 1}), "wrong names"),
    }


@pytest.mark.parametrize("case", bad_replies(Path()))
def test_bad_reply_is_counted_and_the_solver_places_the_scene(case: str, tmp_path: Path) -> None:
    reply, kind = bad_replies(tmp_path / "canary")[case]
    chat = Says(reply)

    result = placed(chat, tmp_path / "replies")

    assert isinstance(result, Layout)
    assert result.placed_by == "solver"
    assert find_flaw(result.setting, result.placements, 0.25) is None
    assert tally(tmp_path / "replies") == Tally(
        accepted=0, refused={kind: 3}, troubles={}, unanswered={"theme": 0, "boxes": 1}
    )
    assert not (tmp_path / "canary").exists()
    assert max(len("".join(request.turns)) for request in chat.asked) < 10_000


@pytest.mark.parametrize(
    "reply",
    [
        f"```json\n{boxes()}\n```",
        f"Here are the boxes:\n\n{boxes()}\n\nI hope that you like them.",
        f"<think>Let me see. {{ not yet }}</think>{boxes()}",
        boxes(cat={**box(20, 250, 140, 140), "why": "cats like it there"}),
        json.dumps(json.loads(boxes()), indent=4),
        json.dumps(dict(reversed(json.loads(boxes()).items()))),
    ],
)
def test_json_is_read_from_surrounding_text(reply: str) -> None:
    result = placed(Says(reply))

    assert isinstance(result, Layout)
    assert result.placements == placed(Says(boxes())).placements  # type: ignore[union-attr]


def test_complaint_is_sent_and_the_next_reply_is_used(tmp_path: Path) -> None:
    chat = Says(boxes(mug=box(450, 250, 140, 140)), boxes())

    result = placed(chat, tmp_path)

    assert isinstance(result, Layout)
    assert result.placed_by == "llm"
    first, second = chat.asked
    assert second.turns[: len(first.turns)] == first.turns
    assert second.turns[-2] == boxes(mug=box(450, 250, 140, 140))
    assert "mug at x 450, y 250, width 140, height 140 leaves the grid of 512 x 512" in second.turns[-1]
    assert second.seed != first.seed
    assert list(tally(tmp_path).lines()) == ["language model: 2 replies, 1 accepted, 1 refused: off canvas 1"]


def test_rerun_sends_no_request_and_gives_the_same_layout(tmp_path: Path) -> None:
    chat = Says("prose", "{}", boxes())
    first = placed(chat, tmp_path)
    counted = tally(tmp_path)

    again = placed(Says(), tmp_path)

    assert len(chat.asked) == 3
    assert isinstance(first, Layout)
    assert isinstance(again, Layout)
    assert (again.placements, again.placed_by) == (first.placements, "llm")
    assert tally(tmp_path) == counted


@pytest.mark.parametrize("change", [{"seed": 1}, {"model": "another"}, {"scene": "other"}, {"grid": 1024}])
def test_another_seed_model_or_question_is_a_new_request(change: dict[str, object], tmp_path: Path) -> None:
    placed(Says(boxes()), tmp_path)
    chat = Says(boxes())

    placed(chat, tmp_path, **change)  # type: ignore[arg-type]

    assert chat.asked


def test_each_scene_has_one_temperature_from_the_whole_range() -> None:
    chat = Says("prose")
    scenes = [setting(sample_id=str(index)) for index in range(200)]

    list(Llm(config(), chat, Replies(None)).place(scenes, LayoutConfig(), seed=0))

    temperatures = [request.temperature for request in chat.asked]
    assert temperatures[:200] == temperatures[200:400] == temperatures[400:]
    assert min(temperatures) < 0.05
    assert max(temperatures) > 0.95
    assert sum(temperatures) / 600 == pytest.approx(0.5, abs=0.08)


def test_scene_without_a_usable_reply_is_rejected_if_configured() -> None:
    result = placed(Says("prose"), otherwise="reject")

    assert isinstance(result, Rejected)
    assert not result.retriable
    assert "none of 3 replies can be used; of the last, there is no JSON object in the reply" in result.reason


def test_scene_without_an_answer_is_retried_by_another_run(tmp_path: Path) -> None:
    result = placed(Says(BUSY), tmp_path, otherwise="reject")
    afterwards = placed(Says(boxes()), tmp_path, otherwise="reject")

    assert result == Rejected(sample_id="scene", stage="layout", reason=BUSY.reason, retriable=True)
    assert isinstance(afterwards, Layout)
    assert list(tally(tmp_path).lines()) == [
        "language model: 1 reply, 1 accepted, 0 refused",
        "its server: 4 requests failed: HTTP 429 4",
    ]


def test_one_bad_scene_does_not_affect_others() -> None:
    chat = Says(boxes(), "prose", boxes(), "prose", "prose")
    llm = Llm(config(otherwise="reject"), chat, Replies(None))

    results = list(arrange([setting(sample_id=name) for name in "abc"], llm, LayoutConfig(), seed=0))

    assert [isinstance(result, Layout) for result in results] == [True, False, True]
    assert len(chat.asked) == 5


def test_summary_is_empty_if_no_request_was_sent(tmp_path: Path) -> None:
    assert list(tally(tmp_path / "nowhere").lines()) == []


SCENES = {"beach": "on a beach", "garden": "in a garden", "yard": "in a yard"}


def theme(**changes: object) -> str:
    backgrounds = [{"scene": "garden", "phrase": f"in a {how} garden"} for how in ("sunny", "rose", "wild")]
    return json.dumps({"backgrounds": backgrounds, "sizes": {"cat": 60, "dog6": 100, "mug": 40}, **changes})


def themes(chat: Says, folder: Path | None = None, *, free: bool = True, **values: object) -> object:
    llm = Llm(config(**values), chat, Replies(folder))
    (found,) = llm.themes([setting().sample.concepts], SCENES, free=free, seed=0)
    return asdict(found) if found else None


def test_theme_has_three_backgrounds_and_the_papers_sizes() -> None:
    assert themes(Says(theme())) == {
        "backgrounds": (
            ("garden", "in a sunny garden"),
            ("garden", "in a rose garden"),
            ("garden", "in a wild garden"),
        ),
        "sizes": {"cat": 0.6, "dog6": 1.0, "mug": 0.4},
    }


def test_fixed_backgrounds_keep_their_own_phrases() -> None:
    reply = theme(backgrounds=[{"scene": scene, "phrase": "on the moon"} for scene in ("yard", "garden", "beach")])

    assert themes(Says(reply), free=False) == {
        "backgrounds": (("yard", "in a yard"), ("garden", "in a garden"), ("beach", "on a beach")),
        "sizes": {"cat": 0.6, "dog6": 1.0, "mug": 0.4},
    }


def test_sizes_are_scaled_and_slightly_small_ones_raised_to_the_minimum() -> None:
    found = themes(Says(theme(sizes={"cat": 25, "dog6": 50, "mug": 16})))

    assert isinstance(found, dict)
    assert found["sizes"] == {"cat": 0.5, "dog6": 1.0, "mug": 0.4}


def phrase(text: object) -> str:
    return theme(backgrounds=[{"scene": "garden", "phrase": text}] * 3)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("prose", "not JSON"),
        ("{}", "wrong form"),
        (theme(backgrounds=[]), "missing"),
        (phrase("in a garden"), "doubled"),
        (phrase("a sunny garden"), "phrase"),
        (phrase("in a <dog6> garden"), "phrase"),
        (phrase("in a garden beside a large dog"), "phrase"),
        (phrase("in a garden, with a cat"), "phrase"),
        (phrase("in a very very very large garden"), "phrase"),
        (phrase("in {{ config }}"), "phrase"),
        (phrase("in\x00 a garden"), "phrase"),
        (phrase(None), "phrase"),
        (phrase(""), "phrase"),
        (phrase(7), "wrong form"),
        (theme(backgrounds=[{"scene": "../../etc", "phrase": "in a garden"}]), "wrong names"),
        (theme(sizes={"cat": 60, "dog6": 100}), "missing"),
        (theme(sizes={"cat": 60, "dog6": 100, "mug": 40, "cow": 100}), "wrong names"),
        (theme(sizes={"cat": 60, "dog6": 100, "mug": 4}), "sizes"),
        (theme(sizes={"cat": 60, "dog6": 100, "mug": -4}), "wrong form"),
        (theme(sizes={"cat": 60, "dog6": 100, "mug": float("nan")}), "not finite"),
        (theme(sizes={"cat": 60, "dog6": 100, "mug": "40"}), "wrong form"),
        (theme(sizes={}), "missing"),
        (None, "too long"),
    ],
)
def test_theme_that_breaks_a_rule_is_counted(reply: str | None, kind: str, tmp_path: Path) -> None:
    assert themes(Says(reply), tmp_path) is None
    assert tally(tmp_path).refused == {kind: 3}
    assert tally(tmp_path).unanswered == {"theme": 1, "boxes": 0}


def test_missing_theme_is_an_error_if_configured() -> None:
    with pytest.raises(ModelError, match=r"no backgrounds for cat\+dog6\+mug: none of 3 replies"):
        themes(Says("prose"), otherwise="reject")


def test_server_without_an_answer_is_an_error_for_themes() -> None:
    with pytest.raises(ModelError, match="429"):
        themes(Says(BUSY))
    with pytest.raises(ModelError, match="400"):
        themes(Says(NoReply(reason="Error code: 400", retriable=False, troubles=("HTTP 400",))))


def test_request_names_all_concepts_and_scenes() -> None:
    chat = Says(theme())
    themes(chat)

    assert all(f'"{name}"' in chat.asked[0].turns[-1] for name in (*NAMES, *SCENES))
