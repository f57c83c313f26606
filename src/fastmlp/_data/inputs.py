"""The one check of inputs: of an estimator's X and of a network's."""

from typing import Any

from numpy.typing import NDArray
from sklearn.utils import check_array

from fastmlp._checks.arrays import (
    CORE_DTYPES,
    check_range,
    is_clean,
    naming_text,
    validate_data,
)
from fastmlp._checks.content import refuse_unfit
from fastmlp._model.architecture import Architecture


def read_inputs(X: Any, architecture: Architecture, estimator: Any = None) -> NDArray[Any]:
    """Return X as the core reads it.

    A clean array passes at once; anything else goes through scikit-learn's checks, which know the
    names of the features that a fitted `estimator` has seen, and allow it sparse matrices.

    Raises
    ------
    ValueError
        If `X` is not valid.
    """
    named = estimator is not None and hasattr(estimator, "feature_names_in_")
    if not named and is_clean(X, architecture.n_features, architecture.dtype):
        return X
    checked: NDArray[Any]
    if estimator is not None:
        checked = validate_data(estimator, X, reset=False, accept_sparse="csr", dtype=CORE_DTYPES)
    else:
        refuse_unfit("X", X)
        with naming_text(X):
            checked = check_array(X, dtype=CORE_DTYPES, input_name="X")
        if checked.shape[1] != architecture.n_features:
            raise ValueError(
                f"X has {checked.shape[1]} features, but the network expects "
                f"{architecture.n_features}."
            )
    check_range("X", checked, architecture.dtype)
    return checked
