from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import datasets
import pytest
from PIL import Image

from mycanvas.export import export
from tests.mycanvas.export.conftest import Row

COLUMNS = (
    *("id", "caption", "background", "composition"),
    *("concept_tokens", "class_names", "boxes", "source_images"),
)


def test_datasets_reads_every_scene_as_diffusers_trainers_do(
    dataset: Path, scenes: dict[str, list[Row]], out: Path
) -> None:
    export(dataset, "imagefolder", out)

    loaded = datasets.load_dataset("imagefolder", data_dir=str(out))["train"]

    assert isinstance(loaded[0]["image"], Image.Image)
    assert isinstance(loaded[0]["mask"], Image.Image)
    for name in ("image", "mask"):
        loaded = loaded.cast_column(name, datasets.Image(decode=False))
    found = {row["id"]: row for row in loaded}
    assert len(loaded) == len(found) == sum(len(rows) for rows in scenes.values())
    for split, rows in scenes.items():
        for row in rows:
            read = found[row["id"]]
            assert Path(read["image"]["path"]).read_bytes() == row["image"]
            assert Path(read["mask"]["path"]).read_bytes() == row["mask"]
            assert (read["text"], read["split"]) == (row["prompt"], split)
            assert {name: read[name] for name in COLUMNS} == {name: row[name] for name in COLUMNS}


@pytest.mark.skipif(
    "MYCANVAS_DATASETS36_PYTHON" not in os.environ,
    reason="MYCANVAS_DATASETS36_PYTHON names no Python that has datasets 3.6",
)
def test_datasets_3_reads_the_image_folder(
    dataset: Path, scenes: dict[str, list[Row]], out: Path, tmp_path: Path
) -> None:
    export(dataset, "imagefolder", out)
    program = (
        "import datasets, json, sys\n"
        "rows = datasets.load_dataset('imagefolder', data_dir=sys.argv[1])['train']\n"
        "print(json.dumps([[row['id'], row['text'], row['image'].size, row['mask'].size] for row in rows]))"
    )

    done = subprocess.run(
        [os.environ["MYCANVAS_DATASETS36_PYTHON"], "-c", program, str(out)],
        env={"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    expected = [[row["id"], row["prompt"], [192, 192], [192, 192]] for rows in scenes.values() for row in rows]
    assert sorted(json.loads(done.stdout)) == sorted(expected)
