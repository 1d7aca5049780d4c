"""Pairs in each trainer's layout, read back as its loader does, and compared with every row of the dataset."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mycanvas.errors import ConfigError, InputError
from mycanvas.export import export
from mycanvas.export.selection import Selection
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign, Row, photo_row, picture, square

Pairs = dict[str, tuple[str, bytes, list[bytes]]]
"""Scene -> its caption, its picture, and its references in order."""


def read_uno(out: Path) -> Pairs:
    rows = json.loads((out / "pairs.json").read_text())
    for count in range(2, 6):
        assert json.loads((out / f"pairs_{count}.json").read_text()) == [
            row for row in rows if len(row["image_paths"]) == count
        ]
    return {
        Path(row["image_tgt_path"]).stem: (
            row["prompt"],
            (out / row["image_tgt_path"]).read_bytes(),
            [(out / path).read_bytes() for path in row["image_paths"]],
        )
        for row in rows
    }


def read_omnigen2(out: Path) -> Pairs:
    found: Pairs = {}
    limits = json.loads((out / "train.yml").read_text())["data"]["max_input_pixels"]
    for entry in json.loads((out / "data.yml").read_text())["data"]:
        assert set(entry) == {"path", "type", "ratio"}
        for line in (out / entry["path"]).read_text().splitlines():
            row = json.loads(line)
            assert row["task_type"] == "ic"
            assert limits[len(row["input_images"]) - 1], "as the loader looks the limit of pixels up"
            references = [(out / path).read_bytes() for path in row["input_images"]]
            found[Path(row["output_image"]).stem] = (
                row["instruction"],
                (out / row["output_image"]).read_bytes(),
                references,
            )
    return found


def read_musubi(out: Path) -> Pairs:
    found: Pairs = {}
    config = tomllib.loads((out / "dataset.toml").read_text())
    assert len({each["cache_directory"] for each in config["datasets"]}) == len(config["datasets"])
    for each in config["datasets"]:
        lines = [json.loads(line) for line in (out / each["image_jsonl_file"]).read_text().splitlines()]
        counts = {sum(key.startswith("control_path_") for key in line) for line in lines}
        assert len(counts) == 1, "no batch mixes numbers of references"
        for line in lines:
            references = [(out / line[f"control_path_{index}"]).read_bytes() for index in range(*counts)]
            found[Path(line["image_path"]).stem] = (
                line["caption"],
                (out / line["image_path"]).read_bytes(),
                references,
            )
    return found


def read_ai_toolkit(out: Path) -> Pairs:
    found: Pairs = {}
    for each in json.loads((out / "config.json").read_text())["config"]["process"][0]["datasets"]:
        folder = out / each["folder_path"]
        assert {path.suffix for path in folder.rglob("*")} == {".jpg", ".txt"}, "it trains on every picture in there"
        for path in folder.glob("*.jpg"):
            controls = [(out / control / path.name).read_bytes() for control in each["control_path"]]
            found[path.stem] = (path.with_suffix(".txt").read_text("utf-8"), path.read_bytes(), controls)
    return found


def read_table(out: Path) -> Pairs:
    found: Pairs = {}
    for shard in sorted((out / "data").glob("*.parquet")):
        for row in pq.read_table(shard).to_pylist():
            conditions = [row[f"cond_img_{index}"] for index in range(5)]
            assert [picture is None for picture in conditions] == [index >= row["num_objects"] for index in range(5)]
            found[row["id"]] = (row["prompt"], row["tgt_img"]["bytes"], [each["bytes"] for each in conditions if each])
    return found


READERS: Mapping[str, Callable[[Path], Pairs]] = {
    "uno": read_uno,
    "omnigen2": read_omnigen2,
    "musubi-edit": read_musubi,
    "ai-toolkit-edit": read_ai_toolkit,
    "pairs": read_table,
}


@pytest.fixture(scope="module")
def references(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, str]:
    """Picture of a cut-out -> the id of its photo, by the names that UNO's export gives them."""
    out = tmp_path_factory.mktemp("references") / "out"
    export(dataset, "uno", out)
    export(dataset, "uno", out.with_name("same"), Selection(pairs="same"))
    files = [*out.glob("references/*"), *out.with_name("same").glob("references/*")]
    return {path.read_bytes(): f"{path.stem.replace('+', '/')}.png" for path in files}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("pairs", ["cross", "same"])
def test_every_scene_has_its_references_in_order(
    dataset: Path, scenes: dict[str, list[Row]], references: dict[bytes, str], out: Path, name: str, pairs: str
) -> None:
    export(dataset, name, out, Selection(pairs=pairs))  # type: ignore[arg-type] # parametrized

    found = READERS[name](out)

    rows = [row for split in scenes.values() for row in split]
    assert sorted(found) == sorted(row["id"] for row in rows)
    for row in rows:
        caption, picture, shown = found[row["id"]]
        assert (caption, picture) == (row["caption"], row["image"])
        photos = [references[content] for content in shown]
        assert [photo.partition("/")[0] for photo in photos] == [
            token.strip("<>") for token in row["concept_tokens"]
        ], "of the object's concept"
        same = [photo == pasted for photo, pasted in zip(photos, row["source_images"], strict=True)]
        assert same == [pairs == "same"] * row["num_objects"]


def test_cut_outs_are_in_the_middle_of_a_white_square(dataset: Path, out: Path) -> None:
    export(dataset, "uno", out)

    paths = list((out / "references").iterdir())
    assert len(paths) > 5
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image).astype(int)
        height, width, _ = pixels.shape
        assert height == width
        assert min(pixels[0].min(), pixels[-1].min(), pixels[:, 0].min(), pixels[:, -1].min()) > 245
        rows, columns = (np.flatnonzero((pixels.min(axis=2) < 200).any(axis=axis)) for axis in (1, 0))
        for found in (rows, columns):
            assert abs((found[0] + found[-1]) / 2 - width / 2) < 4


def test_whole_references_are_the_photos_as_stored(dataset: Path, photos: list[Row], out: Path) -> None:
    export(dataset, "uno", out, Selection(references="whole"))

    stored = {f"{row['concept']}+{Path(row['id']).stem}": row["image"] for row in photos}
    files = list((out / "references").iterdir())

    assert files
    assert all(path.read_bytes() == stored[path.stem] for path in files)


def test_lists_of_uno_mix_no_shapes(foreign: Foreign, out: Path) -> None:
    sizes = [(64, 48), (32, 32), (32, 24), (48, 64)]
    folder = foreign([{"image": picture(encoded(Image.new("RGB", size), "JPEG"))} for size in sizes])

    export(folder, "uno", out)

    lists = {
        path.name: [Path(row["image_tgt_path"]).stem for row in json.loads(path.read_text())]
        for path in out.glob("pairs*.json")
    }
    assert lists == {
        "pairs.json": ["s0", "s1", "s2", "s3"],
        "pairs_2_4x3.json": ["s0", "s2"],
        "pairs_2_1x1.json": ["s1"],
        "pairs_2_3x4.json": ["s3"],
    }


def test_concepts_with_one_photo_are_named_and_the_same_photo_still_serves(foreign: Foreign, out: Path) -> None:
    mask = square()
    folder = foreign([{}], [photo_row("dog6/00.jpg", mask=mask), photo_row("dog6/01.jpg", mask=mask), *cats(mask)])

    with pytest.raises(InputError, match=r"^cat2: .* only one photo .* --pairs same"):
        export(folder, "uno", out)
    export(folder, "uno", out, Selection(pairs="same"))

    assert sorted(path.name for path in (out / "references").iterdir()) == ["cat2+01.jpg", "dog6+00.jpg"]


def test_compositions_that_can_be_crossed_are_listed_as_options(foreign: Foreign, out: Path) -> None:
    alone = {"boxes": [[1, 2, 4, 4]], "concept_tokens": ["<dog6>"], "class_names": ["dog"], "num_objects": 1}
    dog = {**alone, "composition": "dog6", "source_images": ["dog6/00.jpg"]}
    odd = {**dog, "composition": "dog6 alone"}
    dogs = [photo_row(f"dog6/0{number}.jpg", mask=square()) for number in (0, 1)]
    folder = foreign([{}, dog, odd], [*dogs, *cats(square())])

    for composition in ((), ("cat2+dog6",)):
        with pytest.raises(InputError) as raised:
            export(folder, "uno", out, Selection(composition=composition))
        listed = str(raised.value).partition("compositions without them: ")[2]
        assert listed == "--composition dog6 --composition 'dog6 alone'"

    chosen = tuple(word for word in shlex.split(listed) if word != "--composition")
    assert sum(export(folder, "uno", out, Selection(composition=chosen)).counts.values()) == 2


def test_photos_that_scenes_may_not_show_are_no_references(foreign: Foreign, out: Path) -> None:
    mask = square()
    dogs = [photo_row("dog6/00.jpg", mask=mask), photo_row("dog6/01.jpg", mask=mask, used=False)]

    with pytest.raises(InputError, match=r"^cat2, dog6: .* without them: this dataset has none"):
        export(foreign([{}], [*dogs, *cats(mask)]), "uno", out)


def test_pasted_photo_that_the_dataset_lacks_is_named(foreign: Foreign, out: Path) -> None:
    folder = foreign([{}], [photo_row("dog6/07.jpg", mask=square()), *cats(square())])

    with pytest.raises(InputError, match=r"scene s0 .* shows dog6/00\.jpg"):
        export(folder, "uno", out, Selection(pairs="same"))


def test_table_loads_with_decoded_pictures(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "pairs", out)

    loaded = datasets.load_dataset(str(out))

    assert {split: len(rows) for split, rows in loaded.items()} == {split: len(rows) for split, rows in scenes.items()}
    row = loaded["objects_4"][0]
    assert row["tgt_img"].size == (192, 192)
    assert isinstance(row["cond_img_3"], Image.Image)
    assert row["cond_img_4"] is None
    assert re.fullmatch(r"an? \w+", row["cond_prompt_0"])
    assert len(row["reference_images"]) == 4


def test_export_into_the_dataset_is_refused(dataset: Path) -> None:
    with pytest.raises(ConfigError, match="in the dataset's folder"):
        export(dataset, "pairs", dataset / "pairs")

    assert not (dataset / "pairs").exists()


def test_other_formats_have_no_references(dataset: Path, out: Path) -> None:
    with pytest.raises(ConfigError, match="coco has no --pairs; formats that have it: ai-toolkit-edit"):
        export(dataset, "coco", out, Selection(pairs="same"))


def cats(mask: Row) -> list[Row]:
    return [photo_row("cat2/01.jpg", mask=mask, concept_token="<cat2>", class_name="cat")]
