"""A tiny saliency network."""

from __future__ import annotations

from pathlib import Path


def saliency(file: Path) -> Path:
    """An ONNX graph as rembg's sessions read them: the brighter a pixel, the more it is object."""
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "H", "W"])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["N", 1, "H", "W"])
    mean = helper.make_tensor("k", TensorProto.FLOAT, [1, 3, 1, 1], [8 / 3] * 3)
    nodes = [helper.make_node("Conv", ["input", "k"], ["c"]), helper.make_node("Sigmoid", ["c"], ["mask"])]
    graph = helper.make_graph(nodes, "saliency", [image], [mask], [mean])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10  # the newest that every supported ONNX Runtime reads
    onnx.save(model, file)
    return file
