"""scikit-learn's MLPClassifier and MLPRegressor, fed float32 so that they compute in float32.

An epoch is `fit` with a warm start, which begins a new Adam from the present weights; that it
validates its input is part of the time, as for fastmlp. scikit-learn's squared error stands for
"mse" too: it differs by a constant factor, which Adam does not see.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, data

from contenders import UnsupportedError, missing
from contenders.numpy_ import pin

__all__ = [
    "SCALES_EPSILON",
    "EstimatorPredictor",
    "Predictor",
    "Trainer",
    "available",
    "estimator",
    "pin",
]

SCALES_EPSILON = False

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def available() -> str | None:
    """scikit-learn is always there: fastmlp needs it."""
    return missing("sklearn")


def estimator(
    kind: str, threads: int | None, settings: dict[str, Any]
) -> MLPClassifier | MLPRegressor:
    """Make an estimator with these settings, and every other at its default."""
    return (MLPClassifier if kind == "classifier" else MLPRegressor)(random_state=0, **settings)


class Trainer:
    """Epochs by warm-started fits."""

    def __init__(self, task: Task, threads: int | None) -> None:
        if task.dropout:
            raise UnsupportedError("scikit-learn has no dropout")
        self.data = data(task)
        self.y = _targets(self.data.labels, self.data.targets)
        self.mlp = _initialised(task)

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        _set_params(self.mlp, params)

    def params(self) -> Params:
        """Copy the weights."""
        return [
            (w.copy(), b.copy()) for w, b in zip(self.mlp.coefs_, self.mlp.intercepts_, strict=True)
        ]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        self.mlp.fit(self.data.x, self.y)


class Predictor:
    """predict_proba of a classifier, predict of a regressor."""

    def __init__(self, task: Task, params: Params, threads: int | None, *, mlp: Any = None) -> None:
        mlp = mlp or fitted(task, params)
        self.predict = mlp.predict if task.output == "identity" else mlp.predict_proba
        self.n_outputs = task.sizes[-1]

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs); the second column of a binary classifier's two."""
        y: Array = self.predict(x).reshape(len(x), -1)
        return y[:, -self.n_outputs :]


class EstimatorPredictor(Predictor):
    """The same: there is no other way to predict."""


def fitted(task: Task, params: Params) -> MLPClassifier | MLPRegressor:
    """Make an estimator that has these weights."""
    mlp = _initialised(task)
    _set_params(mlp, params)
    return mlp


def _targets(labels: np.ndarray | None, targets: Array) -> np.ndarray:
    if labels is not None:
        return labels
    return targets[:, 0] if targets.shape[1] == 1 else targets


def _set_params(mlp: MLPClassifier | MLPRegressor, params: Params) -> None:
    mlp.coefs_ = [w.copy() for w, _ in params]
    mlp.intercepts_ = [b.copy() for _, b in params]


def _initialised(task: Task) -> MLPClassifier | MLPRegressor:
    """An estimator whose arrays exist, after one small step that is thrown away."""
    settings = {
        "hidden_layer_sizes": task.sizes[1:-1],
        "activation": task.hidden,
        "solver": task.optimizer,
        "alpha": 0.0,
        "batch_size": task.batch,
        "learning_rate_init": task.learning_rate,
        "max_iter": task.passes,
        "n_iter_no_change": np.inf,  # its count of epochs without progress survives a warm start
        "shuffle": False,
        "random_state": 0,
        "beta_1": BETA_1,
        "beta_2": BETA_2,
        "epsilon": EPSILON,
        "momentum": MOMENTUM,
        "nesterovs_momentum": False,
    }
    n_in, n_out = task.sizes[0], task.sizes[-1]
    x = np.zeros((task.batch, n_in), dtype=np.float32)
    mlp: MLPClassifier | MLPRegressor
    if task.output == "identity":
        y = np.zeros((task.batch, n_out), dtype=np.float32)
        mlp = MLPRegressor(**settings).partial_fit(x, _targets(None, y))
    else:
        labels = np.zeros(task.batch, dtype=np.int64)
        mlp = MLPClassifier(**settings).partial_fit(x, labels, classes=np.arange(max(2, n_out)))
    return mlp.set_params(warm_start=True)
