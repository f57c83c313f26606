"""The contenders: one small file per library, and in each the same names.

available() -> str | None  why the library cannot be used here, or None
pin(threads)               limit the threads of the library; called before anything is made
SCALES_EPSILON: bool       whether Adam's epsilon joins the bias-corrected root (numpy_.Adam)
Trainer(task, threads)     set_params(params) starts afresh from these weights; epoch(); params()
Predictor(task, params, threads)  x (rows, features) -> outputs (rows, outputs), NumPy arrays

and where the library has them:

EstimatorPredictor(task, params, threads)  a Predictor by way of an estimator that checks its input
estimator(kind, threads, settings)  an unfitted "classifier" or "regressor", for whole fits
ARITHMETIC: str            if it is not "float32", with PARAMS_TOLERANCE and OUTPUT_TOLERANCE

All train on the same rows in the same order from the same weights, with the numbers in `tasks.py`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

NAMES = (
    "fastmlp",
    "sklearn",
    "numpy",
    "torch",
    "torch_compile",
    "torch_bf16",
    "jax",
    "onnxruntime",
    "openvino",
    "fastmlp_graph",
)
CHOOSES_THREADS = (
    "fastmlp",
    "fastmlp_graph",
)  # by itself; for the others one thread and all are tried


class UnsupportedError(Exception):
    """A library cannot do this task; the message says why."""


class NoTrainer:
    """The `Trainer` of a library that has none."""

    def __init__(self, *_: Any) -> None:
        raise UnsupportedError("it only predicts")


def load(name: str) -> ModuleType:
    """Import the file of a contender; raise UnsupportedError where its library is missing.

    Raises
    ------
    ValueError
        If there is no contender of that name.
    """
    if name not in NAMES:
        raise ValueError(f"unknown contender {name!r}; there are {', '.join(NAMES)}")
    module = import_module(f"contenders.{name}_")
    if reason := module.available():
        raise UnsupportedError(reason)
    return module


def missing(package: str) -> str | None:
    """Say that a package is not installed, or None if it is. Nothing is imported."""
    return None if find_spec(package) else f"{package} is not installed"
