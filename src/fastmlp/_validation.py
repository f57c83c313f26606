"""Checks of arrays that scikit-learn's validation doesn't do, or not fast enough."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)
_FLOAT32_MAX = float(np.finfo(np.float32).max)

# The dtypes that the core reads as they are; anything else becomes the first one.
CORE_DTYPES = [
    np.float64,
    np.float32,
    np.bool_,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
]


class NonFiniteError(ValueError):
    """The loss or the weights are no longer finite."""


def is_clean(X: Any, n_features: int, dtype: str) -> bool:
    """Tell in about a microsecond, plus one pass, that `X` needs no further validation.

    The sum of squares is finite only when every element is, and below the square of the largest
    float32 only when every element fits into float32. False means "not sure".
    """
    if type(X) is not np.ndarray or X.ndim != 2:
        return False
    rows, columns = X.shape
    if columns != n_features or rows == 0 or not X.flags.c_contiguous:
        return False
    if X.dtype is _FLOAT64 and dtype == "float32":
        return bool(np.vdot(X, X) < _FLOAT32_MAX**2)
    return (X.dtype is _FLOAT32 or X.dtype is _FLOAT64) and bool(np.vdot(X, X) < np.inf)


def check_range(argument: str, array: NDArray[Any], dtype: str) -> None:
    """Refuse float64 numbers that would become infinite in a float32 network.

    Raises
    ------
    ValueError
        If `dtype` is 'float32' and a number of `array` is beyond its range.
    """
    if dtype != "float32" or array.dtype != np.float64 or 0 in array.shape:
        return
    peak = max(float(array.max()), -float(array.min()))
    if peak > _FLOAT32_MAX:
        raise ValueError(
            f"{argument} holds the magnitude {peak:.3g}, which is too large for dtype='float32' "
            f"(at most {_FLOAT32_MAX:.3g}). Scale it, or use dtype='float64'."
        )


def check_arrays(
    argument: str, given: Any, shapes: Sequence[tuple[int, ...]], dtype: str
) -> list[NDArray[Any]]:
    """Return `given` as one finite array per shape.

    Raises
    ------
    ValueError
        If the number of arrays, a shape or a value is wrong.
    """
    given = list(given)
    if len(given) != len(shapes):
        raise ValueError(
            f"{argument} must hold {len(shapes)} arrays, one per layer; got {len(given)}."
        )
    arrays = [np.asarray(array, dtype=dtype) for array in given]
    for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array.shape != shape:
            raise ValueError(f"{argument}[{i}] must have shape {shape}; got {array.shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{argument}[{i}] must be finite in {dtype}; it has NaN or infinity.")
    return arrays
