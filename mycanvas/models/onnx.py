"""An ONNX file that finds objects, on the processor or a CUDA card."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from mycanvas.errors import ModelError
from mycanvas.models.device import pick_device

log = logging.getLogger("mycanvas")

CUDA = "CUDAExecutionProvider"
RAISED = (
    *(raised.EngineError, raised.EPFail, raised.Fail, raised.InvalidArgument, raised.InvalidGraph),
    *(raised.InvalidProtobuf, raised.NoModel, raised.NotImplemented, raised.RuntimeException),
)
"""ONNX Runtime's errors; they have no class in common, and that memory ran out is not a class of its own."""
SILENT = 4
"""Of ONNX Runtime's log levels: what goes wrong it also raises, and how a graph was exported is nobody's business."""


class Network:
    """A network from one photo to one map.

    together: how many photos it takes at once, where its file says so; None: any number, or so its file says.
    """

    def __init__(self, file: Path, size: int, *, device: str, threads: int) -> None:
        """Load it.

        Args:
            file: its input is float32 [N, 3, size, size], its first output [N, 1, size, size].
            size: pixels a side.
            device: as `pick_device` takes it; without a CUDA provider of ONNX Runtime it is the processor.
            threads: on the processor. Sums are not split over them: their number changes no result.

        Raises:
            ConfigError: no such device here.
            ModelError: it is no such file.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        options.intra_op_num_threads = threads
        options.use_deterministic_compute = True
        providers = _providers(device)
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=providers)
        except RAISED as error:
            raise ModelError(
                f"{file} is not a network that ONNX Runtime {onnxruntime.__version__} runs: {error}"
            ) from error
        if len(providers) > 1 and CUDA not in self._session.get_providers():
            log.warning("ONNX Runtime cannot use the CUDA card: cut-outs are made on the processor")
        self._input, self._output = self._session.get_inputs()[0], self._session.get_outputs()[0]
        number, *image = self._input.shape
        expected = [3, size, size]
        if len(image) != 3 or any(
            isinstance(have, int) and have != want for have, want in zip(image, expected, strict=True)
        ):
            raise ModelError(
                f"{file} takes {self._input.shape}, and [segment.rembg] model runs at [N, 3, {size}, {size}]; "
                "name the session whose size and normalisation it has"
            )
        self.together = number if isinstance(number, int) else None

    def run(self, stack: NDArray[np.float32]) -> NDArray[np.float32]:
        """The maps of photos, as the network gives them.

        Raises:
            ModelError: there is no memory for so many, it cannot be run, or its answer is no map of each photo.
        """
        try:
            answer: Any = self._session.run([self._output.name], {self._input.name: stack})[0]
        except RAISED as error:
            raise ModelError(f"the network for cutting out failed: {error}") from error
        if answer.shape != (len(stack), 1, *stack.shape[2:]):
            raise ModelError(
                f"the network for cutting out answered {answer.shape} to {stack.shape}, expected one map each"
            )
        return np.asarray(answer[:, 0], np.float32)


def _providers(device: str) -> list[Any]:
    """Where to run, in order of preference. Finding a card imports torch, which also loads the libraries it needs."""
    if CUDA in onnxruntime.get_available_providers() and device.startswith(("auto", "cuda")):
        chosen = pick_device(device)
        if chosen.type == "cuda":
            # The exhaustive search takes whichever algorithm was fastest this time, and searches anew for each shape.
            return [
                (CUDA, {"device_id": chosen.index or 0, "cudnn_conv_algo_search": "HEURISTIC"}),
                "CPUExecutionProvider",
            ]
    elif device.startswith("cuda") or (device == "auto" and pick_device(device).type == "cuda"):
        log.warning(
            "this onnxruntime knows no CUDA: cut-outs are made on the processor; onnxruntime-gpu would use the card"
        )
    return ["CPUExecutionProvider"]
