"""ONNX Runtime on its CPU provider, every optimisation of the graph on."""

from __future__ import annotations

from machine import usable_cores
from tasks import Array, Params, Task

from contenders import NoTrainer, onnx_model

SCALES_EPSILON = False


def available() -> str | None:
    """Say why ONNX Runtime cannot be used, or None."""
    return onnx_model.available("onnxruntime")


def pin(threads: int | None) -> None:
    """Do nothing: a session has its own threads."""


Trainer = NoTrainer


class Predictor:
    """A run of a session, from and to NumPy."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.graph_optimization_level = level
        model = onnx_model.model(task, params)
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        y: Array = self.session.run(["y"], {"x": x})[0]
        return y


class EstimatorPredictor(Predictor):
    """The bare call again, as the mark that estimators are held against."""
