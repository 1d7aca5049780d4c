"""`mycanvas evaluate --alignment, --ratings, --preferences`: from files and datasets to tables, with tiny models."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from builder.cli.evaluation_tables import align
from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from mycanvas import __version__
from mycanvas.dataset import open_dataset
from mycanvas.io.images import decode_rgb
from mycanvas.models.encoders import load_encoder
from mycanvas.schema import SPLITS, split_of

Model = Callable[[str], Path]


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(9, 192)


@pytest.fixture
def laion(tmp_path: Path) -> Path:
    """As img2dataset writes LAION: pictures, captions, and one row that could not be fetched."""
    pictures: list[bytes | None] = []
    for index in range(5):
        content = io.BytesIO()
        pixels = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(content, "JPEG")
        pictures.append(content.getvalue())
    rows = {"jpg": [*pictures, None, b"broken"], "TEXT": ["a cat in a garden"] * 7, "URL": ["https://example.org"] * 7}
    pq.write_table(pa.table(rows), tmp_path / "laion.parquet")
    return tmp_path / "laion.parquet"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    main(["evaluate", *(str(argument) for argument in arguments)])
    return capsys.readouterr().out


def test_alignment_of_ours_and_another_side_by_side(
    built: Path, laion: Path, tiny_model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--alignment", f"ours={built}", "--alignment", laion, "--encoder", tiny_model("clip"), "--device", "cpu"]
    text = run(capsys, *places, "--weak-below", 0.1, "--output", tmp_path / "report")
    found = json.loads(run(capsys, *places, "--weak-below", 0.1, "--json"))["alignment"]
    ours, theirs = found["datasets"]

    encoder = load_encoder(tiny_model("clip"))
    captions = [row["caption"] for row in _rows(built)]
    scenes = list(open_dataset(built).scenes())
    cosines = [
        float(encoder.images([decode_rgb(scene.image)])[0] @ encoder.texts([caption])[0])
        for scene, caption in zip(scenes, captions, strict=True)
    ]
    assert ours["name"] == "ours"
    assert ours["n"] == len(scenes)
    assert ours["mean"] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert ours["sd"] == pytest.approx(np.std(cosines, ddof=1), abs=1e-5)
    assert ours["share_below"] == pytest.approx(np.mean(np.array(cosines) < 0.1))
    assert ours["words_per_caption"] == pytest.approx(np.mean([len(caption.split()) for caption in captions]))
    assert (theirs["name"], theirs["n"]) == (str(laion), 5)
    assert theirs["left_out"] == {"no picture": 1, "unreadable picture": 1}
    head, first, second, note = text.splitlines()[1:5]
    assert head.split()[:4] == ["dataset", "pairs", "mean", "sd"]
    assert "< 0.1" in head
    assert first.split()[:2] == ["ours", str(len(scenes))]
    assert second.split()[:2] == [str(laion), "5"]
    assert note == f"left out of {laion}: 1 no picture, 1 unreadable picture"
    assert json.loads((tmp_path / "report/alignment.json").read_text()) == found | {"mycanvas": __version__}
    assert f"report: {tmp_path / 'report/alignment.svg'}" in text
    assert "ours: " in (tmp_path / "report/alignment.svg").read_text()


def _rows(folder: Path) -> list[dict[str, Any]]:
    import datasets

    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(folder), split="train").remove_columns(
        ["image", "mask"]
    )
    return list(rows)


def test_columns_and_splits_can_be_told_for_one_of_the_datasets(built: Path, laion: Path, tiny_model: Model) -> None:
    found = align(
        [f"ours={built}", f"theirs={laion}"],
        limit=100,
        caption_column=["ours=prompt"],
        image_column=["theirs=jpg"],
        split=["train", "ours=objects_4"],
        encoder=str(tiny_model("clip")),
        device="cpu",
    )
    prompts = [row["prompt"] for row in _rows(built) if row["num_objects"] == 4]

    assert len(found.alignments[0].cosines) == len(prompts) > 0
    assert found.alignments[0].words == pytest.approx(np.mean([len(prompt.split()) for prompt in prompts]))
    assert len(found.alignments[1].cosines) == 5


def test_the_threshold_is_laion_s_for_the_paper_s_encoder_only(
    laion: Path, tiny_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    assert align([str(laion)], limit=3, encoder=str(tiny_model("clip")), device="cpu").threshold is None
    text = run(capsys, "--alignment", laion, "--encoder", tiny_model("siglip"), "--device", "cpu", "--limit", 3)
    assert text.splitlines()[2].split()[1] == "3"
    assert "<" not in text


def test_ratings_of_scenes_that_are_not_kept_count_too(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = BuildFolder.open(built).plan()
    kept = {scene.id for scene in open_dataset(built).scenes()}
    copy = shutil.copytree(built, tmp_path / "without .build", ignore=shutil.ignore_patterns(".build"))
    lines = [{"rater": "ana", "item": row["id"], "score": 1 + index % 5} for index, row in enumerate(planned)]
    ratings = tmp_path / "ratings.jsonl"
    ratings.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    text = run(capsys, "--dataset", built, "--ratings", ratings)
    found = json.loads(run(capsys, "--dataset", built, "--ratings", ratings, "--json"))["quality"]

    for row in found["splits"]:
        own = [1 + index % 5 for index, each in enumerate(planned) if split_of(each["num_objects"]) == row]
        assert found["splits"][row]["counts"] == [own.count(rank) for rank in range(1, 6)]
    assert sum(row["total"] for row in found["splits"].values()) == len(planned) == 9
    assert text.startswith("Quality of scenes, 1 to 5: the rounded mean of 9 ratings by 1 person\n")
    assert text.splitlines()[1].split() == ["split", *(f"{w}" for rank in range(1, 6) for w in ("rank", rank)), "total"]
    only_kept = tmp_path / "kept.jsonl"
    only_kept.write_text("".join(json.dumps(x) + "\n" for x in lines if x["item"] in kept), encoding="utf-8")
    without = json.loads(run(capsys, "--dataset", copy, "--ratings", only_kept, "--json"))["quality"]
    assert sum(row["total"] for row in without["splits"].values()) == len(kept)


def test_preferences_need_no_dataset_and_a_cut_last_line_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        {"rater": f"{n}", "item": "cat2+dog6/0", "score": score, "arm": "Ours + MyCanvas", "split": "objects_le3"}
        for n, score in enumerate((7, 8, 8, 9, 10))
    ]
    path = tmp_path / "preferences.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"rater": "9", "it', encoding="utf-8")

    title, head, *rows = run(capsys, "--preferences", path).splitlines()
    assert title == "Preference, 1 to 10: mean (± sample sd) of 5 scores by 5 people"
    assert head.split() == ["arm", "<=", "3", "objects", "4", "objects", "5", "objects"]
    assert all(row.startswith("paper: ") for row in rows[:-1])
    assert rows[-1].split() == ["Ours", "+", "MyCanvas", "8.4", "(±", "1.1)", "-", "-"]
    assert "line 6 is cut off and left out" in caplog.text


def test_the_poster_s_preference_table_fits_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = ("Ours + MyCanvas", "CD + MyCanvas", "CD + Source Images")
    lines = [
        {"rater": rater, "item": "x", "score": 8, "arm": arm, "split": split, "question": question}
        for rater in ("ana", "bo")
        for arm in arms
        for split in SPLITS
        for question in ("personalization", "alignment")
    ]
    path = tmp_path / "preferences.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    text = run(capsys, "--preferences", path).splitlines()

    assert len(text) == 2 + 2 * 6  # the paper's, and these
    assert max(map(len, text)) <= 80


def test_what_people_said_is_written_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "preferences.jsonl"
    path.write_text('{"rater": "a", "item": "x", "score": 8, "arm": "ours", "split": "objects_4"}\n', encoding="utf-8")
    for _ in range(2):  # and again over its own
        text = run(capsys, "--preferences", path, "--output", tmp_path / "report")
    found = json.loads(run(capsys, "--preferences", path, "--json"))["preference"]

    assert text.splitlines()[-1] == f"report: {tmp_path / 'report/preference.json'}"
    assert json.loads((tmp_path / "report/preference.json").read_text()) == found | {"mycanvas": __version__}


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--alignment", "a=x/y", "--alignment", "a=x/z"], "each dataset needs a name of its own, got 'a=x/z'", 2),
        (["--alignment", "=x/y"], "each dataset needs a name of its own", 2),
        (["--alignment", "a=x/y", "--split", "b=train"], "no --alignment is called b; they are called a", 2),
        (["--alignment", "absent"], "there is no file or folder absent", 1),
        (["--ratings", "ratings.jsonl"], "whose scenes were rated? name their dataset: --dataset DIR", 2),
        (["--preferences", "absent.jsonl"], "absent.jsonl cannot be read", 1),
        (["--preferences", "absent.jsonl", "a_folder"], "whose concepts? name the dataset", 2),
    ],
)
def test_what_cannot_be_meant_is_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments])

    assert ended.value.code == code
    assert message in capsys.readouterr().err
