"""Targets of which some are missing: NaN in a matrix of several columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.content import is_missing

_are_missing = np.frompyfunc(is_missing, 1, 1)


def set_apart(y: Any) -> tuple[Any, NDArray[np.bool_] | None]:
    """Return targets with 0 for what is missing, and where that is; None where nothing is.

    Only a matrix of several columns may lack some, so that anything else comes back as it is.
    """
    try:
        array = np.asarray(y)
    except (TypeError, ValueError):  # rows of different lengths, say
        return y, None
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "fO":
        return y, None
    missing = np.isnan(array) if array.dtype.kind == "f" else _are_missing(array).astype(bool)
    if not missing.any():
        return y, None
    kept = array.dtype == np.float32 or array.dtype.kind == "O"
    filled = array.copy() if kept else array.astype(np.float64)  # which all of scikit-learn reads
    filled[missing] = 0
    return filled, missing


def put_back(y: NDArray[Any], missing: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return the targets with NaN for what is missing, in a type that the core reads."""
    if missing is None:
        return y
    dtype = np.float32 if y.dtype == np.float32 else np.float64
    targets = y.astype(dtype)
    targets[missing] = np.nan
    return targets


def places(t: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where targets that have been read are missing; None where nothing is."""
    if t.ndim != 2 or t.dtype.kind != "f":
        return None
    missing = np.isnan(t)
    return missing if missing.any() else None


def refuse_empty_columns(t: NDArray[Any]) -> None:
    """Refuse a column without any value.

    Raises
    ------
    ValueError
        If there is one.
    """
    missing = places(t)
    if missing is not None and missing.all(axis=0).any():
        column = int(missing.all(axis=0).argmax())
        raise ValueError(f"y has no value in column {column}, only missing ones: leave it out.")
