"""The rows that early stopping sets aside."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from fastmlp._data.rows import Data


def split_rows(
    data: Data, fraction: float, random_state: np.random.RandomState, *, stratifies: bool
) -> tuple[Data, Data]:
    """Return the rows to train on and those to validate on, by the same draws as scikit-learn's
    `train_test_split`.

    Both look into the same arrays.

    Raises
    ------
    ValueError
        If there are too few to validate on, or a part has no weight.
    """
    kind = StratifiedShuffleSplit if stratifies else ShuffleSplit
    splitter = kind(1, test_size=fraction, random_state=random_state)
    # A column of truth values: as a matrix it would be turned into texts, row by row.
    y = data.t.ravel() if stratifies else data.t
    rows = next(splitter.split(y, y))
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
