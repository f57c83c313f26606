"""The rows that the core trains on, or that it scores."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from fastmlp._checks.arrays import check_sparse
from fastmlp._checks.content import rows_of
from fastmlp._data.shares import Shares


class Streamed(Protocol):
    """Rows that are read a window of them at a time."""

    @property
    def n_rows(self) -> int:
        """The number of rows."""

    @property
    def weight_sum(self) -> float:
        """What they weigh together."""

    def weighed(self, dtype: str) -> Self:
        """Return the rows with the weights of a network of that type."""

    def set_aside(self, fraction: float, seed: int) -> tuple[Self, "Data"]:
        """Return the rest, and rows to validate on."""

    def windows(self, seed: int, *, shuffles: bool) -> Any:
        """Return the windows of a run, as `fastmlp._training.run.run` takes them."""


@dataclass(frozen=True)
class Data:
    """Inputs, targets and weights, as the core reads them.

    Parameters
    ----------
    x, t, sample_weight : ndarray
        Of all samples.
    frame : object
        The inputs as the user gave them, where their columns have names.
    rows : ndarray of int or None
        Those that are meant; None for all.
    shares : Shares or None
        Where several processes share the samples: `x` and `frame` are then what this one holds and
        was given of them, the rest is of all samples.
    streamed : Streamed or None
        Where there are more samples than memory is for: the arrays are then one of them.
    """

    x: NDArray[Any]
    t: NDArray[Any]
    sample_weight: NDArray[Any] | None = None
    frame: Any = None
    rows: NDArray[Any] | None = None
    shares: Shares | None = None
    streamed: Streamed | None = None

    @property
    def n_rows(self) -> int:
        """The number of samples."""
        if self.streamed is not None:
            return self.streamed.n_rows
        return len(self.t) if self.rows is None else len(self.rows)

    def weight(self) -> NDArray[Any] | None:
        """Return what its samples weigh."""
        if self.rows is None or self.sample_weight is None:
            return self.sample_weight
        weight: NDArray[Any] = self.sample_weight[self.rows]
        return weight

    def weight_sum(self) -> float:
        """Return what its samples weigh together, or their number where all weigh the same."""
        if self.streamed is not None:
            return self.streamed.weight_sum
        weight = self.weight()
        return float(self.n_rows if weight is None else weight.sum(dtype=np.float64))

    def gathered(self) -> "Data":
        """Return samples that several processes share for each of them."""
        shares, rows = self.shares, self.rows
        if shares is None or rows is None:
            return self
        frame = None if self.frame is None else shares.gathered_frame(self.frame, rows)
        return Data(shares.gathered(self.x, rows), self.t[rows], self.weight(), frame)

    def on_its_own(self) -> "Data":
        """Return its rows in arrays of their own."""
        rows = self.rows
        if rows is None:
            return self
        x = self.x
        if issparse(x):  # SciPy relies on indices that somebody may be changing
            x = x.copy()
            check_sparse("X", x)
        frame = None if self.frame is None else rows_of(self.frame, rows)
        return Data(x[rows], self.t[rows], self.weight(), frame)
