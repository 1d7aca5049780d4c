from __future__ import annotations

from pathlib import Path

import numpy as np
import supervision
import yaml

from mycanvas.export import export
from tests.mycanvas.export.conftest import Row


def test_supervision_reads_every_scene_and_box(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "yolo", out)

    for split, rows in scenes.items():
        read = supervision.DetectionDataset.from_yolo(
            str(out / "images" / split), str(out / "labels" / split), str(out / "data.yaml")
        )
        assert len(read) == len(rows)
        for row in rows:
            path = out / "images" / split / f"{row['id']}.jpg"
            found = read.annotations[str(path)]
            assert path.read_bytes() == row["image"]
            assert [read.classes[number] for number in found.class_id] == row["concept_tokens"]
            x, y, width, height = np.array(row["boxes"]).T
            np.testing.assert_allclose(found.xyxy, np.stack([x, y, x + width, y + height], axis=1), atol=0.01)


def test_the_configuration_names_folders_that_are_there(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "yolo", out)

    data = yaml.safe_load((out / "data.yaml").read_text())

    pictures = [path for folder in data["train"] for path in (out / folder).iterdir()]
    assert len(pictures) == sum(len(rows) for rows in scenes.values())
    assert data["val"] == data["train"]
    assert list(data["names"]) == list(range(len(data["names"])))
