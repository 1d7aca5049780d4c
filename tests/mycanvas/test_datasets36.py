"""The loader on datasets 3.6, which still runs loading scripts: in an environment of its own, as CI has one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import datasets
import pytest

import mycanvas

PYTHON = os.environ.get("MYCANVAS_DATASETS36_PYTHON")
PACKAGE = Path(mycanvas.__file__).parent

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="MYCANVAS_DATASETS36_PYTHON names no Python that has datasets 3.6 and wrapt"
)

REGISTERED = "import mycanvas; name, options = 'mycanvas', {}"
SCRIPT = f"name, options = {str(PACKAGE / 'mycanvas.py')!r}, {{'trust_remote_code': True}}"
PROGRAM = """
import json
import sys
from pathlib import Path
import datasets

assert datasets.__version__.startswith("3.6"), datasets.__version__
folder, parquet = sys.argv[1:]
found = {}
for config in ("default", "all", "concepts"):
    for streaming in (False, True):
        rows = datasets.load_dataset(name, config, data_dir=folder, streaming=streaming, **options)
        found[f"{config} {streaming}"] = {split: [row["id"] for row in rows[split]] for split in rows}
part = datasets.load_dataset(name, data_dir=folder, split="objects_le3[1:3]", **options)
found["parquet"] = datasets.load_dataset(name, data_dir=parquet, split="objects_4", **options)["id"]
found["slice"] = part["id"]
found["boxes"] = part[0]["boxes"]
found["size"] = part[0]["image"].size
found["linked"] = [Path(file["filename"]).resolve().name for file in part.cache_files]
print(json.dumps(found))
"""
SCENES = {"objects_le3": ["a0", "a1", "a2", "a3", "a4"], "objects_4": ["b0", "b1"]}
ALL = {"train": [*SCENES["objects_le3"], *SCENES["objects_4"]]}
PHOTOS = {"train": ["dog6/00.jpg", "dog6/01.jpg"]}


@pytest.mark.parametrize("how", [REGISTERED, SCRIPT], ids=["registered", "as a loading script"])
def test_datasets_3_loads_the_same_rows(built: Path, tmp_path: Path, how: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    if how == REGISTERED:
        environment["PYTHONPATH"] = str(PACKAGE.parent)

    by_5 = datasets.load_dataset("mycanvas", data_dir=str(built), split="objects_4")
    (tmp_path / "hub/data").mkdir(parents=True)
    by_5.to_parquet(tmp_path / "hub/data/objects_4-00000-of-00001.parquet")

    done = subprocess.run(
        [str(PYTHON), "-c", how + PROGRAM, str(built), str(tmp_path / "hub")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "default False": SCENES,
        "default True": SCENES,
        "all False": ALL,
        "all True": ALL,
        "concepts False": PHOTOS,
        "concepts True": PHOTOS,
        "parquet": ["b0", "b1"],
        "slice": ["a1", "a2"],
        "boxes": [[1, 2, 4, 4], [8, 4, 7, 6]],
        "size": [16, 12],
        "linked": ["objects_le3-00000-of-00002.arrow"],
    }
