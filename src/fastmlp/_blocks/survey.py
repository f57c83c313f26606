"""What has to be known of all blocks before training: rows, targets, and whether they weigh."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from fastmlp._blocks.blocks import Blocks, check_count, naming, take_targets
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
        How often each label of `y` occurs; of targets in columns how often 0 and 1 occur, of shape
        (2, n_outputs), which is of use for an indicator matrix.
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
    def filled(self) -> list[int]:
        """The blocks that have rows."""
        return [block for block, count in enumerate(self.counts) if count]

    @property
    def n_rows(self) -> int:
        """The number of rows altogether."""
        return sum(self.counts)

    @classmethod
    def of(
        cls, blocks: Blocks, read: Callable[[Any], NDArray[Any]], *, by_weight: bool = False
    ) -> "Survey":
        """Look at the targets of all blocks; `read` checks those of one.

        With `by_weight` nothing is learnt of rows without weight.

        Raises
        ------
        ValueError
            If there are no rows, or the targets of a block are not valid or don't go with those of
            the others.
        """
        check_count("memory", blocks.memory)  # which a subclass may have set to anything
        found = cls()
        known: Any = None
        for block in range(len(blocks)):
            with naming(block):
                y, weight = take_targets(blocks, block)
                if _num_samples(y) == 0:
                    found.counts.append(0)
                    continue
                y = read(y)
                found._add(y, weight, by_weight=by_weight)
                has = ~np.isnan(y).all(axis=0) if places(y) is not None else np.True_
                known = has if known is None else known | has
        if not found.n_rows:
            raise ValueError("There must be at least one block with rows; got none.")
        if found.y is None:
            raise ValueError("Sample weights must contain at least one non-zero number.")
        refuse_empty_columns(np.where(np.atleast_2d(known), 0.0, np.nan))
        return found

    def _add(self, y: NDArray[Any], weight: Any, *, by_weight: bool) -> None:
        if self.n_rows and (weight is not None) != self.weighs:
            raise ValueError("Either all blocks have weights, or none has.")
        if self.y is not None and y.shape[1:] != self.y.shape[1:]:
            raise ValueError(
                f"y must have as many columns as in the first block; got {y.shape[1:] or 'one'}."
            )
        self.weighs = weight is not None
        checked = check_weights("sample_weight", weight, len(y), may_vanish=True)
        self.counts.append(len(y))
        if by_weight and checked is not None:
            y = y[checked > 0]
        if not len(y):
            return
        if y.ndim == 1:
            self._count_labels(y)
        else:
            is_first = self.y is None
            self.y = y if is_first else self.y
            if y.dtype.kind == "f":  # NaN is missing
                self.low = np.fmin(self.low, np.fmin.reduce(y))
                self.high = np.fmax(self.high, np.fmax.reduce(y))
            counts = np.stack([(y == 0).sum(axis=0), (y == 1).sum(axis=0)])
            self.label_counts = counts if is_first else self.label_counts + counts

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
            shares = counts.sum() / (len(counts) * counts)
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
        factors = class_factors(class_weight, self.y, self.y)
        numbers = np.searchsorted(self.y, y)  # of a label that only rows without weight have: none
        of_rows: NDArray[np.float64] = factors[numbers.clip(max=len(self.y) - 1)]
        return of_rows
