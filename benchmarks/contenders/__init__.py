"""The contenders: one small file per library, and in each the same names.

available() -> str | None  why the library cannot be used here, or None
pin(threads)               limit the threads of the library; called before every clock starts
TRIES_THREADS: bool        if no number of threads is asked for, whether to look for the fastest
SCALES_EPSILON: bool       whether Adam's epsilon joins the bias-corrected root (numpy_.Adam)
Trainer(task, threads)     set_params(params) starts afresh from these weights; epoch(); params()
Predictor(task, params, threads)  x (rows, features) -> outputs (rows, outputs), NumPy arrays
estimator(kind, threads)   only scikit-learn and fastmlp: a "classifier" or a "regressor"

All train on the same rows in the same order from the same weights, with the numbers in `tasks.py`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

NAMES = ("fastmlp", "sklearn", "numpy", "torch", "jax")


class UnsupportedError(Exception):
    """A library cannot do this task; the message says why."""


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
