"""The checks of those who train on blocks: an estimator's, or a network's."""

from copy import copy
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from fastmlp._checks.arrays import check_range
from fastmlp._data.codec import TargetCodec


class RowReader(Protocol):
    """What rows and targets have to pass, and what they become."""

    @property
    def named(self) -> bool:
        """Whether columns have names."""

    def read(self, X: Any, y: Any, *, reset: bool = False) -> tuple[Any, NDArray[Any]]:
        """Check the rows of a block; with `reset` their columns are learnt."""

    def read_targets(self, y: Any) -> NDArray[Any]:
        """Check targets alone."""

    def encode(self, y: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Return the core's targets, for a network of that type."""


class EstimatorReader:
    """The checks of an estimator's fit.

    Parameters
    ----------
    estimator : BaseMLP or Perceptron
        Whose they are.
    codec : TargetCodec
        What was learnt of the targets.
    loss : str
        The core's name of what is minimised; empty where nothing is.
    """

    def __init__(self, estimator: Any, codec: TargetCodec, loss: str = "") -> None:
        self.estimator, self.codec, self.loss = estimator, codec, loss

    @property
    def named(self) -> bool:
        """Whether columns have names."""
        return "feature_names_in_" in vars(self.estimator)

    def read(self, X: Any, y: Any, *, reset: bool = False) -> tuple[Any, NDArray[Any]]:
        """Check the rows of a block; with `reset` their columns are learnt."""
        found: tuple[Any, NDArray[Any]] = self.estimator._read_samples(X, y, reset=reset)
        return found

    def read_targets(self, y: Any) -> NDArray[Any]:
        """Check targets alone."""
        return read_targets(self.estimator, y)

    def encode(self, y: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Return the core's targets, for a network of that type."""
        t = self.codec.encode_plain(y, self.loss, dtype)
        if t is None:
            self.codec.check(y)
            t = self.codec.encode(y)
            check_range("y", t, dtype)
        return t


def read_targets(estimator: Any, y: Any) -> NDArray[Any]:
    """Check targets as the estimator's fit does, without inputs."""
    stand_in = copy(estimator)
    for name in [name for name in vars(stand_in) if name.endswith("_")]:
        vars(stand_in).pop(name)
    targets: NDArray[Any]
    _, targets = stand_in._read_samples(np.zeros((_num_samples(y), 1)), y, reset=True)
    return targets
