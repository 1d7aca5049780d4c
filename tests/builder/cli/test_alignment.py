"""`mycanvas alignment`, from datasets to a table, numbers and a plot, with tiny random models."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (registers the name)
from builder.cli.alignment import alignment
from builder.cli.main import main
from mycanvas import __version__
from mycanvas.alignment.measure import THRESHOLD
from mycanvas.alignment.run import measure_datasets
from mycanvas.models.encoders import load_encoder

Model = Callable[[str], Path]


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(9, 192)


@pytest.fixture
def laion(tmp_path: Path) -> Path:
    """A Parquet file as img2dataset writes LAION: images, captions, one missing image and one broken one."""
    images: list[bytes | None] = []
    for index in range(5):
        content = io.BytesIO()
        pixels = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(content, "JPEG")
        images.append(content.getvalue())
    rows = {"jpg": [*images, None, b"broken"], "TEXT": ["a cat in a garden"] * 7, "URL": ["https://example.org"] * 7}
    pq.write_table(pa.table(rows), tmp_path / "laion.parquet")
    return tmp_path / "laion.parquet"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    main(["alignment", *map(str, arguments)])
    return capsys.readouterr().out


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return list(datasets.load_dataset("mycanvas", "all", data_dir=str(folder), split="train"))


def test_two_datasets_side_by_side(
    built: Path, laion: Path, tiny_model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"ours={built}", laion, "--encoder", tiny_model("clip"), "--device", "cpu", "--weak-below", 0.1]
    text = run(capsys, *arguments, "--output", tmp_path / "report")
    found = json.loads(run(capsys, *arguments, "--json"))
    ours, theirs = found["datasets"]

    encoder = load_encoder(tiny_model("clip"))
    scenes = rows_of(built)
    captions = [row["caption"] for row in scenes]
    cosines = [float(encoder.images([row["image"]])[0] @ encoder.texts([row["caption"]])[0]) for row in scenes]
    assert ours["name"] == "ours"
    assert ours["n"] == len(scenes)
    assert ours["mean"] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert ours["sd"] == pytest.approx(np.std(cosines, ddof=1), abs=1e-5)
    assert ours["fraction_below"] == pytest.approx(np.mean(np.array(cosines) < 0.1))
    assert ours["words_per_caption"] == pytest.approx(np.mean([len(caption.split()) for caption in captions]))
    assert (theirs["name"], theirs["n"]) == (str(laion), 5)
    assert theirs["left_out"] == {"without an image": 1, "with an unreadable image": 1}
    head, first, second, note = text.splitlines()[1:5]
    assert head.split()[:4] == ["dataset", "pairs", "mean", "sd"]
    assert "< 0.1" in head
    assert first.split()[:2] == ["ours", str(len(scenes))]
    assert second.split()[:2] == [str(laion), "5"]
    assert note == f"{laion}: rows left out: 1 with an unreadable image, 1 without an image"
    assert json.loads((tmp_path / "report/alignment.json").read_text()) == found | {"mycanvas": __version__}
    assert f"report: {tmp_path / 'report/alignment.svg'}" in text
    assert "ours: " in (tmp_path / "report/alignment.svg").read_text()


def test_columns_and_splits_of_one_dataset(built: Path, laion: Path, tiny_model: Model) -> None:
    found = measure_datasets(
        [f"ours={built}", f"theirs={laion}"],
        limit=100,
        caption_column=["ours=prompt"],
        image_column=["theirs=jpg"],
        split=["train", "ours=objects_4"],
        encoder=str(tiny_model("clip")),
        device="cpu",
    )
    prompts = [row["prompt"] for row in rows_of(built) if row["num_objects"] == 4]

    assert len(found.alignments[0].cosines) == len(prompts) > 0
    assert found.alignments[0].words == pytest.approx(np.mean([len(prompt.split()) for prompt in prompts]))
    assert len(found.alignments[1].cosines) == 5


def test_other_encoders_than_the_paper_s_have_no_threshold(
    laion: Path, tiny_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure_datasets([str(laion)], limit=3, encoder=str(tiny_model("clip")), device="cpu").threshold is None
    text = run(capsys, laion, "--encoder", tiny_model("siglip"), "--device", "cpu", "--limit", 3)
    assert text.splitlines()[2].split()[1] == "3"
    assert "<" not in text


def test_threshold_in_help_is_laion_s() -> None:
    """It is repeated there because help is printed without importing the measure."""
    (weak_below,) = (option for option in alignment.params if option.name == "weak_below")

    assert f"[default: {THRESHOLD} for CLIP B/32]" in str(weak_below.to_info_dict()["help"])


def test_other_files_in_the_output_are_refused_before_anything_is_measured(
    laion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alignment.svg").write_text("<svg>mine</svg>")
    with pytest.raises(SystemExit) as ended:
        main(["alignment", str(laion), "--output", str(tmp_path), "--encoder", "./nowhere"])

    assert ended.value.code == 1
    assert f"{tmp_path / 'alignment.svg'} exists and is not a report of mycanvas" in capsys.readouterr().err
    assert (tmp_path / "alignment.svg").read_text() == "<svg>mine</svg>"


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "Missing argument '[NAME=]DATASET...'", 2),
        (["a=x/y", "a=x/z"], "each dataset needs a unique, printable name, got 'a=x/z'; write NAME=DATASET", 2),
        (["=x/y"], "each dataset needs a unique, printable name, got '=x/y'", 2),
        (["a=x/y", "--split", "b=train"], "b=train: no dataset is named b; the datasets are a", 2),
        (["absent"], "absent does not exist", 1),
        (["absent", "--limit", "0"], "Invalid value for '--limit'", 2),
    ],
)
def test_wrong_usage_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["alignment", *arguments])
    printed = capsys.readouterr()

    assert ended.value.code == code
    assert message in printed.err
    assert printed.out == ""
