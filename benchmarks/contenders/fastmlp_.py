"""fastmlp itself, through its layer-level API; the estimators for whole fits.

An epoch is one call of `Network.fit`: the way from Python to the core and back is part of the time.
"""

from __future__ import annotations

from typing import Any

from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, data

from contenders import missing, sklearn_

SCALES_EPSILON = False

_HYPERPARAMETERS = {
    "adam": {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON},
    "sgd": {"momentum": MOMENTUM},
}


def available() -> str | None:
    """Say why fastmlp cannot be used, or None."""
    return missing("fastmlp")


if available() is None:
    import fastmlp


def pin(threads: int | None) -> None:
    """Do nothing: every network has its own `n_jobs`."""


def estimator(kind: str, threads: int | None, settings: dict[str, Any]) -> Any:
    """Make an estimator with these settings, and every other at its default."""
    make = fastmlp.MLPClassifier if kind == "classifier" else fastmlp.MLPRegressor
    return make(random_state=0, n_jobs=threads, **settings)


class Trainer:
    """One call of Network.fit per epoch."""

    def __init__(self, task: Task, threads: int | None) -> None:
        d = data(task)
        self.x = d.x
        self.t = d.labels if task.loss == "cross_entropy" else d.targets
        self.net = _network(task, threads)
        self.settings = {
            "loss": task.loss,
            "optimizer": task.optimizer,
            "batch_size": task.batch,
            "epochs": task.passes,
            "shuffle": False,
            "learning_rate": task.learning_rate,
            **_HYPERPARAMETERS[task.optimizer],
        }

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        self.net.params = params

    def params(self) -> Params:
        """Copy the weights."""
        return [(w.copy(), b.copy()) for w, b in self.net.params]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        self.net.fit(self.x, self.t, **self.settings)


class Predictor:
    """A call of the network."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        self.net = _network(task, threads)
        self.net.params = params

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        y: Array = self.net(x)
        return y


class EstimatorPredictor(sklearn_.Predictor):
    """predict_proba of a classifier, predict of a regressor."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        mlp = fastmlp.from_sklearn(sklearn_.fitted(task, params))
        super().__init__(task, params, threads, mlp=mlp.set_params(n_jobs=threads))


def _network(task: Task, threads: int | None) -> Any:
    *hidden, n_outputs = task.sizes[1:]
    layers: list[Any] = []
    for units in hidden:
        layers.append(fastmlp.Dense(units, task.hidden))
        if task.dropout:
            layers.append(fastmlp.Dropout(task.dropout))
    layers.append(fastmlp.Dense(n_outputs, task.output))
    n_features = task.sizes[0]
    return fastmlp.Network(
        layers, n_features=n_features, random_state=0, dtype="float32", n_jobs=threads
    )
