"""`mycanvas ratings`, from files of ratings to tables and numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets
import pytest

import mycanvas  # noqa: F401  (registers the name)
from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from mycanvas import __version__
from mycanvas.dataset import planned_splits
from mycanvas.ratings.entries import AnyEntry, PairChoice, Preference, Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.files import read_choices, read_preferences, read_ratings
from mycanvas.ratings.store import RatingStore
from mycanvas.schema import SPLITS

PREFERENCE = {"rater": "a", "item": "x", "score": 8, "arm": "ours", "split": "objects_4"}


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(9, 192)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    main(["ratings", *map(str, arguments)])
    return capsys.readouterr().out


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_ranks_of_scenes_that_are_not_kept_count_too(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = planned_splits(built)
    rows = [{"rater": "ana", "item": scene, "score": 1 + index % 5} for index, scene in enumerate(planned)]
    ratings = write(tmp_path / "ratings.jsonl", rows)
    text = run(capsys, built, "--quality", ratings)
    found = json.loads(run(capsys, built, "--quality", ratings, "--json"))["quality"]

    for split in found["splits"]:
        own = [1 + index % 5 for index, scene in enumerate(planned) if planned[scene] == split]
        assert found["splits"][split]["counts"] == [own.count(rank) for rank in range(1, 6)]
    assert sum(row["total"] for row in found["splits"].values()) == len(planned) == 9
    assert text.startswith("Quality of scenes, 1 to 5: the rounded mean of 9 ratings by 1 person\n")
    assert text.splitlines()[1].split() == ["split", *(f"{w}" for rank in range(1, 6) for w in ("rank", rank)), "total"]


def test_ranks_of_scenes_that_the_dataset_lacks_are_left_out_and_counted(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    copy = BuildFolder(Path(shutil.copytree(built, tmp_path / "out")))
    store = RatingStore(copy.review_file)
    for item, score in ((next(copy.plan().columns("id")).column("id")[0].as_py(), 5), ("other-1", 1)):
        store.add(Event(id=new_id(), entry=Rating(rater="ana", item=item, score=score)))

    found = json.loads(run(capsys, copy.path, "--json"))["quality"]
    main(["select", str(copy.path)])

    assert (found["ratings"], sum(row["total"] for row in found["splits"].values())) == (1, 1)
    assert [message.split(":")[0] for message in caplog.messages] == 2 * [
        "1 of 2 rated items is left out, as the dataset has no such scenes"
    ]


def test_dataset_without_its_build_folder_has_the_kept_scenes(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")["id"]
    copy = shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns(".build"))
    ratings = write(tmp_path / "kept.jsonl", [{"rater": "ana", "item": item, "score": 5} for item in kept])
    found = json.loads(run(capsys, copy, "--quality", ratings, "--json"))["quality"]

    assert sum(row["total"] for row in found["splits"].values()) == len(kept)


def test_damaged_plan_is_an_error(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    plan = copy / ".build" / "plan" / "00000.arrow"
    plan.write_bytes(plan.read_bytes()[:-9])
    ratings = write(tmp_path / "ratings.jsonl", [{"rater": "ana", "item": "a0", "score": 5}])
    with pytest.raises(SystemExit) as ended:
        run(capsys, copy, "--quality", ratings)

    assert ended.value.code == 1
    assert f"{plan} is damaged" in capsys.readouterr().err


def test_preferences_need_no_dataset_and_an_incomplete_last_line_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"rater": f"{n}", "item": "cat2+dog6/0", "score": score, "arm": "Ours + MyCanvas", "split": "objects_le3"}
        for n, score in enumerate((7, 8, 8, 9, 10))
    ]
    path = write(tmp_path / "preferences.jsonl", rows)
    with path.open("a") as file:
        file.write('{"rater": "9", "it')

    title, head, *body = run(capsys, "--preferences", path).split("\n\n")[0].splitlines()
    assert title == "Preference, 1 to 10: mean (± sample sd) of 5 scores by 5 people"
    assert head.split() == ["arm", "<=", "3", "objects", "4", "objects", "5", "objects"]
    assert all(row.startswith("paper: ") for row in body[:-1])
    assert body[-1].split() == ["Ours", "+", "MyCanvas", "8.4", "(±", "1.1)", "-", "-"]
    assert "line 6 is incomplete and left out" in caplog.text


def test_preference_table_of_the_poster_s_arms_fits_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"rater": rater, "item": "x", "score": 8, "arm": arm, "split": split, "question": question}
        for rater in ("ana", "bo")
        for arm in ("Ours + MyCanvas", "CD + MyCanvas", "CD + Source Images")
        for split in SPLITS
        for question in ("personalization", "alignment")
    ]
    text = run(capsys, "--preferences", write(tmp_path / "preferences.jsonl", rows)).splitlines()

    assert text[2 + 2 * 6] == ""  # after the paper's rows, and these
    assert text[15].startswith("Pairs of arms")
    assert max(map(len, text)) <= 80


def test_both_tables_are_separated_and_written_over_earlier_reports(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = next(iter(planned_splits(built)))
    ratings = write(tmp_path / "ratings.jsonl", [{"rater": "ana", "item": scene, "score": 5}])
    both = [built, "--quality", ratings, "--preferences", write(tmp_path / "preferences.jsonl", [PREFERENCE])]
    for _ in range(2):
        text = run(capsys, *both, "--output", tmp_path / "report")
    found = json.loads(run(capsys, *both, "--json"))

    assert "\n\nPreference, 1 to 10" in text
    assert text.splitlines()[-3:] == [f"report: {tmp_path / 'report' / name}.json" for name in found]
    assert list(found) == ["quality", "agreement", "preference"]  # one arm alone is not compared
    for name in found:
        written = json.loads((tmp_path / "report" / f"{name}.json").read_text())
        assert written == found[name] | {"mycanvas": __version__}


def test_other_files_in_the_output_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preferences = write(tmp_path / "preferences.jsonl", [PREFERENCE])
    other = tmp_path / "preference.json"
    other.write_text("{}")
    with pytest.raises(SystemExit) as ended:
        run(capsys, "--preferences", preferences, "--output", tmp_path)

    assert ended.value.code == 1
    assert f"{other} exists and is not a report of mycanvas" in capsys.readouterr().err
    assert other.read_text() == "{}"


def test_ratings_in_the_dataset_are_tabulated_and_written_as_files(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(built, tmp_path / "copy"))
    store = RatingStore(BuildFolder.open(copy).review_file)
    scenes = [*planned_splits(copy)]
    entries: list[AnyEntry] = [
        Rating(rater=rater, item=name, score=1 + (index + shift) % 5)
        for shift, rater in enumerate(("ana", "bo"))
        for index, name in enumerate(scenes)
    ]
    for rater in ("ana", "bo"):
        for index in range(7):
            shared: dict[str, Any] = {"rater": rater, "item": f"p{index}", "split": "objects_4"}
            entries.append(Preference(**shared, score=3 + index, arm="ours"))
            entries.append(Preference(**shared, score=2, arm="base"))
            entries.append(PairChoice(**shared, arms=("base", "ours"), chosen="ours"))
    for entry in entries:
        store.add(Event(id=new_id(), entry=entry))

    text = run(capsys, copy, "--output", tmp_path / "report")
    found = json.loads(run(capsys, copy, "--json"))

    assert list(found) == ["quality", "agreement", "preference", "comparison"]
    assert found["agreement"]["alpha"] < 0.5
    assert found["agreement"]["scenes"] == len(scenes)
    assert found["agreement"]["scores"]["visible"]["scenes"] == len(scenes)
    assert "identity" not in found["agreement"]["scores"]
    (compared,) = found["comparison"]["comparisons"]
    assert compared["by_scores"] == compared["by_choices"] == {"rate": 1.0, "comparisons": 14, "ties": 0}
    assert compared["p"] == compared["holm"] == pytest.approx(2 / 2**7)
    assert "Agreement of raters: Krippendorff's alpha (ordinal) " in text
    row = next(line.split() for line in text.splitlines() if line.startswith("  score "))
    assert row == ["score", "100%", "(14)", "100%", "(14)", "+4.00", "7", "0.016", "0.016"]
    assert max(map(len, text.split("Pairs of")[1].split("report: ")[0].splitlines())) <= 80
    report = tmp_path / "report"
    assert read_ratings(report / "ratings.jsonl") == store.ratings()
    assert read_preferences(report / "preferences.jsonl") == store.preferences()
    assert read_choices(report / "choices.jsonl") == store.choices()

    store.undo("bo", kinds=[Rating])
    with pytest.raises(SystemExit):
        run(capsys, copy, "--output", report)
    assert "ratings.jsonl has ratings that would be lost; choose another --output" in capsys.readouterr().err


def test_one_rating_gives_dashes(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = next(iter(planned_splits(built)))
    ratings = write(tmp_path / "ratings.jsonl", [{"rater": "ana", "item": scene, "score": 5}])

    text = run(capsys, built, "--quality", ratings)

    assert "alpha (ordinal) -, as no scene was ranked by two people" in text
    assert any(line.split() == ["visible", "high", "-", "1"] for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "missing DATASET, --quality FILE, --preferences FILE or --choices FILE: ratings to tabulate", 2),
        (["data"], "data does not exist; give the folder that `mycanvas build` or `mycanvas demo` wrote", 1),
        (["--quality", "ratings.jsonl"], "missing DATASET: --quality FILE ranks its scenes", 2),
        (["data", "--preferences", "p.jsonl"], "cannot read p.jsonl", 1),
        (["--preferences", "absent.jsonl"], "cannot read absent.jsonl", 1),
        (["data", "data", "--quality", "ratings.jsonl"], "Got unexpected extra argument", 2),
    ],
)
def test_wrong_usage_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ratings", *arguments])
    printed = capsys.readouterr()

    assert ended.value.code == code
    assert message in printed.err
    assert printed.out == ""
