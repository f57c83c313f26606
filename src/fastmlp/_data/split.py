"""The rows that early stopping sets aside."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import column_or_1d

from fastmlp._data.rows import Data


def check_groups(groups: Any, kept: NDArray[np.bool_]) -> NDArray[Any] | None:
    """Return the group of each sample that is kept; None without any.

    Raises
    ------
    ValueError
        If there is not one for each sample.
    """
    if groups is None:
        return None
    each: NDArray[Any] = column_or_1d(groups)
    if len(each) != len(kept):
        raise ValueError(f"groups must have one entry per sample ({len(kept)}); got {len(each)}.")
    kept_groups: NDArray[Any] = each[kept]
    return kept_groups


def count_groups(groups: NDArray[Any]) -> int:
    """Return how many groups there are.

    Raises
    ------
    ValueError
        If there is one only.
    """
    count = len(np.unique(groups))
    if count < 2:
        raise ValueError("groups must hold at least two groups: some are set aside.")
    return count


def split_rows(
    data: Data,
    fraction: float,
    random_state: np.random.RandomState,
    *,
    stratifies: bool,
    groups: NDArray[Any] | None = None,
) -> tuple[Data, Data]:
    """Return the rows to train on and those to validate on, by the same draws as scikit-learn's
    `train_test_split`, or `GroupShuffleSplit` where there are groups.

    Both look into the same arrays.

    Raises
    ------
    ValueError
        If there are too few to validate on, or a part has no weight.
    """
    kind: Any = StratifiedShuffleSplit if stratifies else ShuffleSplit
    if groups is not None and count_groups(groups):
        kind = GroupShuffleSplit
    splitter = kind(1, test_size=fraction, random_state=random_state)
    # A column of truth values: as a matrix it would be turned into texts, row by row.
    y = data.t.ravel() if stratifies else data.t
    rows = next(splitter.split(y, y, groups))
    training, validation = (replace(data, rows=part) for part in rows)
    if validation.n_rows < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    for part in (training, validation):
        weight = part.weight()
        if weight is not None and not weight.any():
            raise ValueError(
                "Sample weights must contain at least one non-zero number, among the samples "
                "that early_stopping sets aside and among the rest."
            )
    return training, validation
