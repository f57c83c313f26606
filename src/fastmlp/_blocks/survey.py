"""What has to be known of all blocks before training: rows, targets, weights, the size of a row."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from fastmlp._blocks.blocks import Blocks, naming, take_targets
from fastmlp._data.class_weight import class_factors
from fastmlp._data.missing import places, refuse_empty_columns
from fastmlp._data.weights import check_weights


@dataclass
class Survey:
    """What is known of the targets of all blocks.

    Parameters
    ----------
    counts : list of int
        The rows of each block.
    y : ndarray
        Each label once; of targets in columns those of the first block.
    label_counts : ndarray or None
        How often each label of `y` occurs; of an indicator matrix how often 0 and 1 occur, of shape
        (2, n_outputs). None for numbers.
    weighs : bool
        Whether the blocks have weights.
    low, high : ndarray
        Of targets in columns the least and the largest.
    """

    counts: list[int] = field(default_factory=list)
    y: Any = None
    label_counts: NDArray[Any] | None = None
    weighs: bool = False
    low: Any = np.inf
    high: Any = -np.inf

    @property
    def n_rows(self) -> int:
        """The number of rows altogether."""
        return sum(self.counts)

    @classmethod
    def of(cls, blocks: Blocks, read: Callable[[Any], NDArray[Any]]) -> "Survey":
        """Look at the targets of all blocks; `read` checks those of one.

        Raises
        ------
        ValueError
            If there is no block, one has no rows, or the targets of one are not valid or don't go
            with those of the others.
        """
        found = cls()
        known: Any = None
        if len(blocks) < 1:
            raise ValueError("There must be at least one block; got none.")
        for block in range(len(blocks)):
            with naming(block):
                y, weight = take_targets(blocks, block)
                y = read(y)
                found._add(block, y, weight)
                has = ~np.isnan(y).all(axis=0) if places(y) is not None else np.True_
                known = has if known is None else known | has
        refuse_empty_columns(np.where(np.atleast_2d(known), 0.0, np.nan))
        return found

    def _add(self, block: int, y: NDArray[Any], weight: Any) -> None:
        if block and y.shape[1:] != self.y.shape[1:]:
            raise ValueError(
                f"y must have as many columns as in block 0; got {y.shape[1:] or 'one'}."
            )
        if block and (weight is not None) != self.weighs:
            raise ValueError("Either all blocks have weights, or none has.")
        self.weighs = weight is not None
        check_weights("sample_weight", weight, len(y), may_vanish=True)
        self.counts.append(len(y))
        if y.ndim == 1:
            self._count_labels(y)
        else:
            self.y = y if block == 0 else self.y
            if y.dtype.kind == "f":  # NaN is missing
                self.low = np.fmin(self.low, np.fmin.reduce(y))
                self.high = np.fmax(self.high, np.fmax.reduce(y))
            counts = np.stack([(y == 0).sum(axis=0), (y == 1).sum(axis=0)])
            self.label_counts = counts if block == 0 else self.label_counts + counts

    def _count_labels(self, y: NDArray[Any]) -> None:
        labels, counts = np.unique(y, return_counts=True)
        if self.y is None:
            self.y, self.label_counts = labels, counts
            return
        if (labels.dtype.kind in "biuf") != (self.y.dtype.kind in "biuf"):
            raise ValueError("y has numbers where other blocks have texts, or the other way round.")
        both, inverse = np.unique(np.concatenate([self.y, labels]), return_inverse=True)
        total = np.zeros(len(both), dtype=np.int64)
        np.add.at(total, inverse, np.concatenate([self.label_counts, counts]))
        self.y, self.label_counts = both, total

    def class_weight(self, given: Any) -> Any:
        """Return `class_weight` as dicts where it is 'balanced'."""
        if not isinstance(given, str):
            return given
        counts = self.label_counts
        assert counts is not None
        if self.y.ndim == 1:
            shares = self.n_rows / (len(counts) * counts)
            return dict(zip(self.y.tolist(), shares.tolist(), strict=True))
        n_known, n_kinds = counts.sum(axis=0), (counts > 0).sum(axis=0)
        return [
            {label: float(n / (k * count)) for label, count in enumerate(column) if count}
            for column, n, k in zip(counts.T, n_known, n_kinds, strict=True)
        ]

    def factors(self, class_weight: Any, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return what rows weigh on account of their labels, `class_weight` being in dicts."""
        if y.ndim > 1:
            return class_factors(class_weight, y, self.y)
        factors: NDArray[np.float64] = class_factors(class_weight, self.y, self.y)
        return factors[np.searchsorted(self.y, y)]


def read_targets(estimator: Any, y: Any) -> NDArray[Any]:
    """Check targets as the estimator's fit does, without inputs."""
    stand_in = copy(estimator)
    for name in [name for name in vars(stand_in) if name.endswith("_")]:
        vars(stand_in).pop(name)
    n_rows = y.shape[0] if hasattr(y, "shape") else len(y)
    targets: NDArray[Any]
    _, targets = stand_in._read_samples(np.zeros((n_rows, 1)), y, reset=True)
    return targets


def bytes_of(array: Any) -> int:
    """Return the bytes of an array or a sparse matrix."""
    if issparse(array):
        return int(array.data.nbytes + array.indices.nbytes + array.indptr.nbytes)
    return int(array.nbytes)
