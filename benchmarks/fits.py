"""Whole fits by estimators: the data sets, their settings, and the answers they must reach.

Three come with scikit-learn and are fitted at its default settings, whose stopping rule all follow;
the fourth has the size of the forest cover data, is generated, and gets a fixed number of epochs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

Arrays = tuple[NDArray[Any], ...]

# How far a fit may stay behind scikit-learn's: held-out score, and training loss as a factor.
# Shuffles and so stopping epochs differ, and the 110 to 450 test rows resolve no better.
SCORE_TOLERANCE = 0.05
LOSS_TOLERANCE = 1.25


@dataclass(frozen=True)
class Fit:
    """A fit of an estimator, with the answer that scikit-learn's gives at the same settings."""

    name: str
    estimator: str  # "classifier" or "regressor"
    load: Callable[[], Arrays]  # x and y
    score: float  # on held-out rows: accuracy or R2
    loss: float  # on the training rows: mean log loss, or half the mean squared error
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    most_rounds: int | None = None  # for fits that take long

    @property
    def data(self) -> Arrays:
        """x, x_test, y, y_test. Features, and the target of a regression, are standardised."""
        return _split(self)

    def training_loss(self, estimator: Any) -> float:
        """Compute the loss of a fitted estimator on the training rows, without penalties."""
        x, _, y, _ = self.data
        if self.estimator == "classifier":
            _, numbers = np.unique(y, return_inverse=True)
            likelihood = estimator.predict_proba(x)[np.arange(len(y)), numbers]
            return float(-np.log(np.maximum(likelihood, 1e-30), dtype=np.float64).mean())
        return float(0.5 * np.mean((estimator.predict(x) - y) ** 2))


def forest_like(rows: int = 581_012) -> Arrays:
    """Draw a table like the forest cover data: 10 numbers and 44 flags, seven uneven classes.

    Classes come from a random network of one layer, with noise.
    """
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((rows, 10))
    flags = rng.random((rows, 44)) < rng.uniform(0.02, 0.3, 44)
    x = np.hstack([numbers, flags])
    hidden = np.tanh(x @ rng.standard_normal((54, 24)) / 3)
    scores = hidden @ rng.standard_normal((24, 7)) + 0.5 * rng.standard_normal((rows, 7))
    return x, scores.argmax(axis=1)


def _from_sklearn(load: Callable[..., Any]) -> Callable[[], Arrays]:
    return lambda: load(return_X_y=True)


@lru_cache(maxsize=1)
def _split(fit: Fit) -> Arrays:
    x, y = fit.load()
    x = StandardScaler().fit_transform(x)
    if fit.estimator == "regressor":
        y = (y - y.mean()) / y.std()
    return tuple(train_test_split(x, y, random_state=0))


FITS = {
    fit.name: fit
    for fit in (
        Fit("digits", "classifier", _from_sklearn(datasets.load_digits), 0.976, 0.0054),
        Fit(
            "breast cancer", "classifier", _from_sklearn(datasets.load_breast_cancer), 0.965, 0.0255
        ),
        Fit("diabetes", "regressor", _from_sklearn(datasets.load_diabetes), 0.222, 0.1437),
        Fit(
            "forest",
            "classifier",
            forest_like,
            0.853,
            0.331,
            # three epochs, whatever the loss does
            {"hidden_layer_sizes": (256, 256), "batch_size": 256, "max_iter": 3},
            most_rounds=3,
        ),
    )
}
