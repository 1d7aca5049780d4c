"""An ONNX file that finds objects, on the CPU or a CUDA GPU."""

from __future__ import annotations

import logging
from importlib.util import find_spec
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
RUNTIME_ERRORS = (
    *(raised.EngineError, raised.EPFail, raised.Fail, raised.InvalidArgument, raised.InvalidGraph),
    *(raised.InvalidProtobuf, raised.NoModel, raised.NotImplemented, raised.RuntimeException),
)
"""ONNX Runtime's errors: they have no common base class, and running out of memory has no class of its own."""
SILENT = 4
"""ONNX Runtime's log level for fatal errors only: it raises its errors as well, and export warnings help no user."""


class Network:
    """A network that turns one photo into one map.

    fixed_batch: the number of photos per call that its file fixes; None: the file declares any number.
    """

    def __init__(self, file: Path, size: int, *, device: str, threads: int) -> None:
        """Load the network.

        Args:
            file: its input is float32 [N, 3, size, size], its first output [N, 1, size, size].
            size: pixels a side.
            device: see `pick_device`; the CPU if ONNX Runtime has no CUDA provider.
            threads: of the CPU. Sums are not split over threads, so their number changes no result.

        Raises:
            ConfigError: this machine has no such device.
            MissingExtra: a CUDA GPU is to be used, and torch is not installed.
            ModelError: the file is not a network of this input size that ONNX Runtime can run.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        options.intra_op_num_threads = threads
        options.use_deterministic_compute = True
        providers = _providers(device)
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=providers)
        except RUNTIME_ERRORS as error:
            raise ModelError(
                f"{file} is not a network that ONNX Runtime {onnxruntime.__version__} runs: {error}"
            ) from error
        if len(providers) > 1 and CUDA not in self._session.get_providers():
            log.warning("ONNX Runtime cannot use the CUDA GPU; cut-outs are made on the CPU")
        self._input, self._output = self._session.get_inputs()[0], self._session.get_outputs()[0]
        number, *image = self._input.shape
        expected = [3, size, size]
        if len(image) != 3 or any(
            isinstance(actual, int) and actual != side for actual, side in zip(image, expected, strict=True)
        ):
            raise ModelError(
                f"{file} requires input {self._input.shape}, but [segment.rembg] model runs at [N, 3, {size}, {size}]; "
                "set model to the session with this file's size and normalisation"
            )
        self.fixed_batch = number if isinstance(number, int) else None

    def run(self, stack: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network: float32 [N, 3, S, S] photos to float32 [N, S, S] maps.

        Raises:
            ModelError: memory ran out, the network failed, or it did not return one map per photo.
        """
        try:
            answer: Any = self._session.run([self._output.name], {self._input.name: stack})[0]
        except RUNTIME_ERRORS as error:
            raise ModelError(f"the network for cutting out failed: {error}") from error
        if answer.shape != (len(stack), 1, *stack.shape[2:]):
            raise ModelError(
                f"the network for cutting out returned {answer.shape} for {stack.shape}; expected one map per photo"
            )
        return np.asarray(answer[:, 0], np.float32)


def _providers(device: str) -> list[Any]:
    """List the providers, preferred first. Finding a GPU imports torch, which also loads the CUDA libraries.

    Without torch, networks run on the CPU unless `device` names a GPU.
    """
    if find_spec("torch") is None and not device.startswith("cuda"):
        return ["CPUExecutionProvider"]
    if CUDA in onnxruntime.get_available_providers() and device.startswith(("auto", "cuda")):
        chosen = pick_device(device)
        if chosen.type == "cuda":
            # The exhaustive search depends on timing, and runs again for each new shape.
            return [
                (CUDA, {"device_id": chosen.index or 0, "cudnn_conv_algo_search": "HEURISTIC"}),
                "CPUExecutionProvider",
            ]
    elif device.startswith("cuda") or (device == "auto" and pick_device(device).type == "cuda"):
        log.warning(
            "this onnxruntime has no CUDA provider: cut-outs are made on the CPU; install onnxruntime-gpu to use a GPU"
        )
    return ["CPUExecutionProvider"]
