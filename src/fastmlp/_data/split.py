"""The rows that early stopping sets aside."""

from dataclasses import replace

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split

from fastmlp._checks.arrays import check_sparse
from fastmlp._checks.content import rows_of
from fastmlp._data.rows import Data


def split_rows(
    data: Data, fraction: float, random_state: np.random.RandomState, *, stratifies: bool
) -> tuple[Data, Data]:
    """Return the rows to train on and those to validate on, by the same draws as scikit-learn.

    Raises
    ------
    ValueError
        If there are too few to validate on, or a part has no weight.
    """
    x = data.x
    if issparse(x):  # SciPy relies on indices that somebody may be changing
        x = x.copy()
        check_sparse("X", x)
    arrays = [array for array in (x, data.t, data.sample_weight) if array is not None]
    *parts, _, rows = train_test_split(
        *arrays,
        np.arange(data.n_rows),
        random_state=random_state,
        test_size=fraction,
        stratify=data.t if stratifies else None,
    )
    training, validation = Data(*parts[::2]), Data(*parts[1::2])
    if data.frame is not None:
        validation = replace(validation, frame=rows_of(data.frame, rows))
    if validation.n_rows < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    for part in (training, validation):
        if part.sample_weight is not None and not part.sample_weight.any():
            raise ValueError(
                "Sample weights must contain at least one non-zero number, among the samples "
                "that early_stopping sets aside and among the rest."
            )
    return training, validation
