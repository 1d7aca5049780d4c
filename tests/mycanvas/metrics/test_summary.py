from __future__ import annotations

from dataclasses import replace

from mycanvas.metrics.results import Evaluation, LeftOut, PictureScores
from mycanvas.metrics.summary import NOTE, Arm, details, gain, gains, lines, paper_gain, remarks, rows, summarise
from mycanvas.models.catalogue import DETECTOR, ENCODER

PAPERS = {"encoder": ENCODER, "detector": DETECTOR}


def arm(name: str, by: float, *, reads: bool = True) -> Arm:
    """Two compositions of two pictures with three objects, and one picture with four."""
    pictures = [
        PictureScores(
            id=str(i),
            split="objects_4" if i == 4 else "objects_le3",
            composition=("a", "a", "b", "b", "c")[i],
            prompt="",
            text="",
            scores={
                "cp_clip": value + by,
                "ti_clip": 0.2 if reads else None,
                "identity": value,
                "recall": 1.0,
                "duplicates": i,
                "leaks": 0,
                "swaps": 0,
                "agreement": None,
            },
            boxes=(),
        )
        for i, value in enumerate((0.1, 0.2, 0.3, 0.4, 0.7))
    ]
    left = (LeftOut(id="x.png", split="objects_5", reason="damaged"),)
    return summarise(name, Evaluation(pictures=tuple(pictures), left_out=left))


def test_the_poster_s_row_vs_baseline_comes_out_of_its_other_rows() -> None:
    """As printed: +0.25, +0.34, +0.34."""
    assert paper_gain() == {"objects_le3": 0.25, "objects_4": 0.34, "objects_5": 0.34}
    assert dict(rows([]))["paper: vs. baseline"] == ["+0.25", "-", "+0.34", "-", "+0.34", "-"]


def test_our_rows_have_the_means_of_each_split_and_the_gain_over_the_first_arm() -> None:
    table = dict(rows([arm("base", 0.0), arm("ours", 0.1)]))

    assert table["base"] == ["0.25", "0.20", "0.70", "0.20", "-", "-"]
    assert table["ours"] == ["0.35", "0.20", "0.80", "0.20", "-", "-"]
    assert table["ours vs. base"] == ["+0.10", "-", "+0.10", "-", "-", "-"]


def test_details_count_pictures_compositions_and_what_was_left_out() -> None:
    table = dict(details(arm("ours", 0.0)))

    assert table["pictures"] == ["4", "1", "0 (1 left out)"]
    assert table["compositions"] == ["2", "1", "0"]
    assert table["CP-CLIP ↑"] == ["0.25 [0.15, 0.35]", "0.70", "-"]
    assert table["duplicates ↓"][0].startswith("1.50 ")
    assert table["agreement ↑"] == ["-", "-", "-"]
    assert "left out: x.png (damaged)" in lines([arm("ours", 0.0)], PAPERS)


def test_a_difference_that_rounds_to_zero_has_no_minus() -> None:
    assert dict(rows([arm("base", 0.0), arm("ours", -0.001)]))["ours vs. base"][0] == "+0.00"


def test_a_score_that_one_arm_lacks_has_no_gain() -> None:
    assert gain(arm("ours", 0.0), arm("base", 0.0, reads=False), "objects_le3", "ti_clip") is None
    assert gain(arm("ours", 0.0), arm("base", 0.0), "objects_5", "cp_clip") is None


def test_gains_have_intervals_and_signs() -> None:
    table = dict(gains(arm("ours", 0.1), arm("base", 0.0, reads=False)))

    assert table["CP-CLIP ↑"] == ["+0.10 [+0.10, +0.10]", "+0.10", "-"]
    assert table["identity ↑"] == ["+0.00 [+0.00, +0.00]", "+0.00", "-"]
    assert not {"TI-CLIP", "agreement ↑"} & table.keys()  # as one of them, or both, have none


def test_remarks_name_arms_with_other_compositions_and_other_models() -> None:
    base, ours = arm("base", 0.0), arm("ours", 0.1)
    fewer = summarise("fewer", replace(ours.evaluation, pictures=ours.evaluation.pictures[:4]))

    assert remarks([base, ours], PAPERS) == [NOTE]
    assert "fewer: other compositions than base; the means are not comparable." in remarks([base, ours, fewer], PAPERS)
    assert any("models are not comparable" in said for said in remarks([base], PAPERS | {"encoder": "./clip@local-1"}))


def test_lines_fit_a_terminal_and_name_the_models() -> None:
    text = lines([arm("ours", 0.0), arm("base", 0.1)], PAPERS)

    assert max(map(len, text)) <= 80
    assert f"encoder   {ENCODER}" in text


def test_a_name_longer_than_its_column_is_above_the_table() -> None:
    name = "a name that is longer than its column"
    text = lines([arm(name, 0.0)], PAPERS)

    assert text[text.index(name) + 1] == " " * 16 + "<= 3 objects       4 objects  5 objects"
