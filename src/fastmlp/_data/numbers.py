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
    y = y.toarray() if issparse(y) else plain_array("y", y)
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
        return X, t if t.dtype in CORE_DTYPES else t.astype(np.float64)


def _are_plain_numbers(y: Any) -> bool:
    """Whether they are a vector of finite floats."""
    return type(y) is np.ndarray and y.ndim == 1 and is_clean(y.reshape(-1, 1), 1, "float64")


@dataclass(frozen=True)
class NumberCodec:
    """One number per output: there is nothing to encode."""

    n_outputs: int
    stratifies: bool = False

    def check(self, y: NDArray[Any], *, announced: Any = None, all_present: bool = False) -> None:
        """Refuse another number of columns; the rest is about classes."""
        if y.shape[1] != self.n_outputs:
            raise ValueError(f"y has {y.shape[1]} columns; expected {self.n_outputs}.")

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the matrix as it is."""
        return y

    def encode_plain(self, y: Any, loss: str, dtype: str) -> NDArray[Any] | None:
        """Check numbers at once where they are a plain array; None where in doubt."""
        if type(y) is not np.ndarray or y.ndim not in (1, 2):
            return None
        t = y.reshape(-1, 1) if y.ndim == 1 else y
        if not is_clean(t, self.n_outputs, dtype) or _core.first_outside(loss, t) is not None:
            return None
        return t

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return a vector where there is one output."""
        return t.ravel() if t.shape[1] == 1 else t

    def attributes(self) -> dict[str, Any]:
        """Return nothing: the number of outputs is an attribute of the network."""
        return {}
