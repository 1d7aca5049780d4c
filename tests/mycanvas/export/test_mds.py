"""MDS is written and read by mosaicml-streaming, in an environment of its own: it requires other package versions."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

import mycanvas
from mycanvas.errors import MissingExtra
from mycanvas.export import export
from tests.mycanvas.export.conftest import Row

PROGRAM = """
import hashlib, json, sys
from dataclasses import replace
from pathlib import Path
from streaming import StreamingDataset
from mycanvas.export import export
from mycanvas.export.mds import write_mds
from mycanvas.export.selection import Selection
from mycanvas.export.source import open_source

dataset, out = map(Path, sys.argv[1:])
try:
    write_mds(replace(open_source(dataset, Selection()), scene_done=sys.exit), out.with_name("cut"))
except SystemExit:
    assert not list(out.with_name("cut").rglob("index.json")), "a part that reads as a whole"
else:
    raise AssertionError("nothing stopped it")
export(dataset, "mds", out)
found = {}
for split in sorted(path.name for path in out.iterdir() if path.is_dir()):
    rows = found[split] = []
    for row in StreamingDataset(local=str(out), split=split, shuffle=False, batch_size=1):
        for name in ("image", "mask"):
            picture = row[name]
            picture.fp.seek(0)
            row[name] = [picture.format, picture.size, hashlib.sha256(picture.fp.read()).hexdigest()]
        rows.append(row)
print(json.dumps(found))
"""


def test_without_its_package_nothing_is_written(dataset: Path, out: Path) -> None:
    with pytest.raises(MissingExtra, match=r"mosaicml-streaming is not installed; run: pip install 'mycanvas\[mds\]'"):
        export(dataset, "mds", out)

    assert not (out).exists()


def test_a_missing_dependency_of_the_package_is_named(
    dataset: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "streaming.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtra, match="a_package_that_nobody_has is not installed; run: pip install"):
        export(dataset, "mds", out)

    assert not (out).exists()


@pytest.mark.skipif(
    "MYCANVAS_MDS_PYTHON" not in os.environ, reason="MYCANVAS_MDS_PYTHON names no Python that has mosaicml-streaming"
)
def test_streaming_reads_every_scene(dataset: Path, scenes: dict[str, list[Row]], out: Path, tmp_path: Path) -> None:
    without_torchvision(tmp_path / "stubs")
    packages = [Path(mycanvas.__file__).parents[1], tmp_path / "stubs", sysconfig.get_path("purelib")]
    done = subprocess.run(
        [os.environ["MYCANVAS_MDS_PYTHON"], "-c", PROGRAM, str(dataset), str(out)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, packages)),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found) == sorted(scenes)
    for split, rows in scenes.items():
        for read, row in zip(found[split], rows, strict=True):
            expected = {name: value for name, value in row.items() if name != "num_objects"}
            for name, kind in (("image", "JPEG"), ("mask", "PNG")):
                expected[name] = [kind, [192, 192], hashlib.sha256(row[name]).hexdigest()]
            assert read == expected


def without_torchvision(folder: Path) -> None:
    """A stand-in for the torchvision that `import streaming` imports for other data sets; nothing of it is used here.

    The real one does not import beside a torch without CUDA.
    """
    (folder / "torchvision/transforms").mkdir(parents=True)
    (folder / "torchvision/__init__.py").touch()
    (folder / "torchvision/datasets.py").write_text("VisionDataset = object\n")
    (folder / "torchvision/transforms/__init__.py").touch()
    (folder / "torchvision/transforms/functional.py").write_text("to_tensor = None\n")
