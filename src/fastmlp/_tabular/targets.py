"""What an ensemble learns: classes or numbers, from a user's y to the core's targets and back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from fastmlp._data.labels import LabelCodec
from fastmlp._tabular.member import Task

_LEAST = 1e-15  # of a probability, in log losses
Loss = Callable[[NDArray[np.float64]], float]


class Targets(Protocol):
    """What was learnt of the targets."""

    @property
    def task(self) -> Task:
        """What networks for them are like."""

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the core's targets."""

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return targets of the core as the user gives them."""

    def finish(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the user gets for outputs of networks."""

    def loss(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Loss:
        """Return what training minimises, as a function of outputs."""

    def stand_in(self, outputs: NDArray[np.float64]) -> Any:
        """Return an estimator that predicts these outputs, for a scorer."""


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """Labels, by their codec."""

    codec: LabelCodec

    @property
    def task(self) -> Task:
        """Two outputs at least, also for a single class."""
        return Task(max(len(self.codec.classes), 2))

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return class numbers."""
        self.codec.check(y)
        numbers: NDArray[Any] = np.searchsorted(self.codec.classes, y)
        return numbers

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return labels."""
        labels: NDArray[Any] = self.codec.classes[t]
        return labels

    def finish(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities, whose sum is 1."""
        shares = outputs[:, : len(self.codec.classes)]
        whole: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return whole

    def loss(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Loss:
        """Return the log loss."""
        rows = np.arange(len(t))

        def log_loss(outputs: NDArray[np.float64]) -> float:
            losses = -np.log(np.maximum(outputs[rows, t], _LEAST))
            return float(np.average(losses, weights=weight))

        return log_loss

    def stand_in(self, outputs: NDArray[np.float64]) -> Any:
        """Return a classifier."""
        return _KnownShares(self.codec.classes, self.finish(outputs))


@dataclass(frozen=True)
class NumberTargets:
    """Numbers: their mean, standard deviation and range."""

    middle: float
    spread: float
    low: float
    high: float

    @classmethod
    def learn(cls, y: NDArray[Any]) -> Self:
        """Learn from the targets to train on.

        Raises
        ------
        ValueError
            If they are too large for their squares.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            middle, spread = float(y.mean()), float(y.std())
        if not np.isfinite([middle, spread]).all():
            raise ValueError("y holds numbers whose squares are too large: divide it.")
        return cls(middle, spread or 1.0, float(y.min()), float(y.max()))

    def within(self, low: float, high: float) -> Self:
        """Return what was learnt of some numbers with the range of all."""
        return replace(self, low=low, high=high)

    @property
    def task(self) -> Task:
        """One output."""
        return Task(0)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return standardised numbers."""
        t: NDArray[Any] = (y - self.middle) / self.spread
        return t

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return numbers in the range of the targets."""
        y: NDArray[Any] = np.clip(t * self.spread + self.middle, self.low, self.high)
        return y

    def finish(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions in the range of the targets."""
        return self.decode(outputs[:, 0])

    def loss(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Loss:
        """Return the mean squared error of predictions, in units of the variance."""
        low, high = self.encode(np.array([self.low, self.high]))

        def squared_error(outputs: NDArray[np.float64]) -> float:
            errors = np.clip(outputs[:, 0], low, high) - t
            return float(np.average(errors**2, weights=weight))

        return squared_error

    def stand_in(self, outputs: NDArray[np.float64]) -> Any:
        """Return a regressor."""
        return _KnownNumbers(self.finish(outputs))


class _KnownNumbers(RegressorMixin, BaseEstimator):
    """Predicts what is known already, for scikit-learn's scorers."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values

    def fit(self, X: Any, y: Any) -> Self:
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        return self.values

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _KnownShares(ClassifierMixin, BaseEstimator):
    """The same for classes."""

    def __init__(self, classes: NDArray[Any], shares: NDArray[np.float64]) -> None:
        self.classes, self.shares = classes, shares
        self.classes_ = classes

    def fit(self, X: Any, y: Any) -> Self:
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        labels: NDArray[Any] = self.classes[self.shares.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        return self.shares

    def __sklearn_is_fitted__(self) -> bool:
        return True
