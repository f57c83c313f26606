"""OpenVINO on its CPU plugin, in float32 and compiled for latency: a call is one request.

One row is copied into the request's own input, which takes less time than handing over an array;
a large batch is handed over. The output is copied out, since the next request overwrites it.
"""

from __future__ import annotations

from machine import usable_cores
from tasks import Array, Params, Task

from contenders import NoTrainer, onnx_model

SCALES_EPSILON = False


def available() -> str | None:
    """Say why OpenVINO cannot be used, or None."""
    return onnx_model.available("openvino")


def pin(threads: int | None) -> None:
    """Do nothing: a compiled model has its own threads."""


Trainer = NoTrainer


class Predictor:
    """A request, from and to NumPy."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        import openvino

        core = openvino.Core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "INFERENCE_PRECISION_HINT": "f32",  # it may choose bfloat16 by itself
        }
        model = core.read_model(onnx_model.model(task, params))
        self.tensor = openvino.Tensor
        self.request = core.compile_model(model, "CPU", options).create_infer_request()
        self.input = self.request.get_input_tensor().data
        self.output = self.request.get_output_tensor().data

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        if len(x) == 1:
            self.input[:] = x
        else:
            self.request.set_input_tensor(self.tensor(x, shared_memory=True))
        self.request.infer()
        y: Array = self.output.copy()
        return y
