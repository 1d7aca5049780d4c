"""Batches, memory, and ONNX files that fit or do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from builder.records import Cutout, Photo
from builder.stages.segment.base import Matte
from builder.stages.segment.rembg import Rembg, RembgConfig
from mycanvas.errors import ModelError
from mycanvas.models.onnx import CUDA, Network
from mycanvas.models.runtime import Runtime
from tests.builder.stages.segment.bright_objects import FakeNetwork, bright_photo, changed, cut, disc, matte


def test_batches_are_halved_when_memory_runs_out_with_the_same_mattes() -> None:
    photos = [bright_photo(disc(radius=radius)) for radius in (30, 35, 40, 45, 50)]
    roomy, narrow = FakeNetwork(), FakeNetwork(room=1)

    wide = matte(roomy, *photos, batch_size=4, rounds=1)
    tight = matte(narrow, *photos, batch_size=4, rounds=1)

    assert [len(stack) for stack in roomy.inputs] == [4, 1]
    assert [len(stack) for stack in narrow.inputs] == [1] * 5
    assert all(np.array_equal(one.alpha, other.alpha) for one, other in zip(wide, tight, strict=True))
    with pytest.raises(ModelError, match="Failed to allocate memory"):
        matte(FakeNetwork(room=0), photos[0])


def test_network_with_a_fixed_batch_gets_padded_stacks(network: Path, tmp_path: Path) -> None:
    def two(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    photos = [Photo(id=str(radius), pixels=bright_photo(disc(radius=radius))) for radius in (35, 40, 45)]

    free = cut(photos, RembgConfig(model="u2net", file=network))
    fixed = cut(photos, RembgConfig(model="u2net", file=changed(network, tmp_path, two)))

    assert all(isinstance(one, Cutout) for one in free)
    assert [one.mask.sum() for one in fixed if isinstance(one, Cutout)] == [
        one.mask.sum() for one in free if isinstance(one, Cutout)
    ]


def test_network_that_fails_on_several_photos_gets_one_at_a_time(network: Path, tmp_path: Path) -> None:
    def one(model: Any) -> None:
        model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [4], [1, 1, 320, 320]))
        model.graph.node[1].output[0] = "saliency"
        model.graph.node.append(helper.make_node("Reshape", ["saliency", "shape"], ["mask"]))

    photos = [Photo(id=str(radius), pixels=bright_photo(disc(radius=radius))) for radius in (35, 40, 45)]

    results = cut(photos, RembgConfig(model="u2net", file=changed(network, tmp_path, one)))

    assert all(isinstance(result, Cutout) for result in results)


def test_failing_network_reports_the_error_of_onnx_runtime(network: Path, tmp_path: Path) -> None:
    def huge(model: Any) -> None:
        graph = model.graph
        graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]))
        graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [4], [1 << 12, 1 << 12, 1 << 12, 256]))
        graph.node[1].output[0] = "saliency"
        graph.node.append(helper.make_node("Expand", ["zero", "shape"], ["everything"]))
        graph.node.append(helper.make_node("ReduceMean", ["everything"], ["mean"]))
        graph.node.append(helper.make_node("Add", ["saliency", "mean"], ["mask"]))

    with pytest.raises(ModelError, match="Failed to allocate memory"):
        cut([Photo(id="x", pixels=bright_photo(disc()))], RembgConfig(file=changed(network, tmp_path, huge)))


def test_file_that_is_no_network_of_this_size_is_refused(network: Path, tmp_path: Path) -> None:
    (tmp_path / "prose.onnx").write_text("Once upon a time")

    def small(model: Any) -> None:
        for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = 320

    with pytest.raises(ModelError, match="is not a network that ONNX Runtime"):
        cut([], RembgConfig(file=tmp_path / "prose.onnx"))
    with pytest.raises(ModelError, match=r"320.* model runs at \[N, 3, 1024, 1024\]"):
        cut([], RembgConfig(file=changed(network, tmp_path, small)))
    assert cut([], RembgConfig(file=tmp_path / "changed.onnx", model="u2net")) == []


def test_wrong_file_is_refused_before_any_work(network: Path, tmp_path: Path) -> None:
    (tmp_path / "prose.onnx").write_text("Once upon a time")

    with pytest.raises(ModelError, match="is not a network that ONNX Runtime"):
        Rembg.check(RembgConfig(file=tmp_path / "prose.onnx"))
    with pytest.raises(ModelError, match="there is no file"):
        Rembg.check(RembgConfig(file=tmp_path / "gone.onnx"))
    Rembg.check(RembgConfig(file=network))


def test_network_runs_without_torch_and_missing_packages_are_named_with_their_extra(network: Path) -> None:
    """In a process that finds neither torch nor rembg."""
    code = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class WithoutTorch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.split(".")[0] in {"torch", "rembg"} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTorch
from mycanvas.errors import MissingExtra
from mycanvas.models import pick_device
from mycanvas.models.onnx import Network
from mycanvas.models.required import RequiredModel, fetch_models
print(Network(Path(sys.argv[1]), 64, device="auto", threads=1).fixed_batch)
network = RequiredModel(role="segment", name=sys.argv[1], kind="onnx")
for work in (lambda: pick_device("cpu"), lambda: fetch_models([network], str)):
    try:
        work()
    except MissingExtra as missing:
        print(missing)
"""
    done = subprocess.run([sys.executable, "-c", code, network], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == [
        "None",
        "torch is not installed; run: pip install 'mycanvas[models]'",
        "rembg is not installed; run: pip install 'mycanvas[photo]'",
    ], done.stderr


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this ONNX Runtime knows CUDA")
def test_without_a_cuda_provider_the_cpu_is_used_with_a_warning(
    network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Network(network, 64, device="cuda", threads=1)

    assert "cut-outs are made on the CPU" in caplog.text


def test_mattes_do_not_depend_on_batch_or_threads(network: Path) -> None:
    photos = [bright_photo(disc((120, 100 + 30 * i), 30, (50 + 5 * i, 60)), 150 + 20 * i) for i in range(5)]

    def mattes(batch_size: int, threads: int) -> list[Matte]:
        config = RembgConfig(model="u2net", file=network, batch_size=batch_size)
        runtime = Runtime(device="cpu", threads=threads, models={str(network): network})
        return list(Rembg.load(config, runtime).matte(photos))

    alone = mattes(1, 1)
    for others in (mattes(2, 1), mattes(5, 3)):
        for one, other in zip(alone, others, strict=True):
            assert np.abs(one.alpha - other.alpha).max() <= 1e-4
            assert one.quality == pytest.approx(other.quality, abs=1e-3)
    assert [one.alpha.shape for one in alone] == [photo.shape[:2] for photo in photos]
