"""Numbers as targets, of a regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import column_or_1d

from fastmlp import _core
from fastmlp._checks.arrays import (
    CORE_DTYPES,
    are_plain_samples,
    check_sparse,
    is_clean,
    naming_text,
    validate_data,
)
from fastmlp._checks.content import plain_array, refuse_unfit
from fastmlp._data.missing import put_back, set_apart


def read_numbers(
    estimator: Any, X: Any, y: Any, *, reset: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check X and y of an estimator; return X and the targets as a matrix.

    Raises
    ------
    ValueError
        If one of them is not valid.
    """
    if _are_plain_numbers(y) and are_plain_samples(estimator, X, y, reset=reset):
        return X, y.reshape(-1, 1)
    refuse_unfit("y", y)
    check_sparse("y", y)
    y, missing = (y.toarray(), None) if issparse(y) else set_apart(y)
    y = plain_array("y", y)
    X, y = validate_data(
        estimator,
        X,
        y,
        multi_output=True,
        y_numeric=True,
        accept_sparse="csr",
        dtype=CORE_DTYPES,
        reset=reset,
    )
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    t = y.reshape(-1, 1) if y.ndim == 1 else y
    with naming_text(X, y):
        t = t if t.dtype in CORE_DTYPES else t.astype(np.float64)
    return X, put_back(t, missing)


def _are_plain_numbers(y: Any) -> bool:
    """Whether they are a vector of finite floats."""
    return type(y) is np.ndarray and y.ndim == 1 and is_clean(y.reshape(-1, 1), 1, "float64")


@dataclass(frozen=True)
class NumberCodec:
    """Numbers as targets, each with one output, one for each of several quantiles, or two.

    Of several outputs for each target, the first ones of all targets come first.

    Parameters
    ----------
    n_targets : int
        The number of targets of a sample.
    quantiles : tuple of float
        Those that are learnt of each, in ascending order; none where the mean or the like is.
    has_spread : bool
        Whether each has two: the mean and the logarithm of the variance of a normal distribution.
    """

    n_targets: int
    quantiles: tuple[float, ...] = ()
    has_spread: bool = False

    @property
    def n_outputs(self) -> int:
        """The number of outputs that a network for them has."""
        return self.n_targets * max(len(self.quantiles), 2 if self.has_spread else 1)

    @property
    def is_plain(self) -> bool:
        """Whether an output is the prediction of a target."""
        return not (self.quantiles or self.has_spread)

    @property
    def stratifies(self) -> bool:
        """Whether a split keeps the shares of the targets: not of numbers."""
        return False

    def check(self, y: NDArray[Any], *, announced: Any = None, all_present: bool = False) -> None:
        """Refuse another number of columns; the rest is about classes."""
        if y.shape[1] != self.n_targets:
            raise ValueError(f"y has {y.shape[1]} columns; expected {self.n_targets}.")

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the matrix as it is, once for each quantile."""
        return np.tile(y, (1, len(self.quantiles))) if self.quantiles else y

    def encode_plain(self, y: Any, loss: str, dtype: str) -> NDArray[Any] | None:
        """Check numbers at once where they are a plain array; None where in doubt."""
        if type(y) is not np.ndarray or y.ndim not in (1, 2):
            return None
        t = y.reshape(-1, 1) if y.ndim == 1 else y
        if not is_clean(t, self.n_targets, dtype) or _core.first_outside(loss, t) is not None:
            return None
        return self.encode(t)

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return a vector where there is one target."""
        return _vector(t[:, : self.n_targets])

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return what is predicted: the outputs, the means among them, or their quantiles in order.

        Quantiles that have crossed are sorted, which brings none further from the true one
        (Chernozhukov, Fernandez-Val and Galichon, "Quantile and probability curves without
        crossing", Econometrica 2010).
        """
        if not self.quantiles:
            return _vector(outputs[:, : self.n_targets])
        by_quantile = outputs.reshape(len(outputs), len(self.quantiles), self.n_targets)
        found = np.sort(by_quantile, axis=1).transpose(0, 2, 1)
        return found[:, 0] if self.n_targets == 1 else found

    def spreads(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the standard deviations of the normal distributions."""
        with np.errstate(over="ignore"):
            return _vector(np.exp(outputs[:, self.n_targets :] / 2))

    def attributes(self) -> dict[str, Any]:
        """Return nothing: the number of outputs is an attribute of the network."""
        return {}


def _vector(columns: NDArray[Any]) -> NDArray[Any]:
    """Return a vector where there is one column."""
    return columns.ravel() if columns.shape[1] == 1 else columns
