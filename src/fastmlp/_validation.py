"""Checks that scikit-learn's validation doesn't do, or not fast enough, or with less to go by."""

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import validation

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)
_INT64 = np.dtype(np.int64)
_FLOAT32_MAX = float(np.finfo(np.float32).max)

# How the messages of NumPy and of pandas begin when something is no number.
_NOT_CONVERTED = ("could not convert", "Cannot cast")

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


def to_float(value: Any) -> float:
    """Return a number as a float, and NaN, which is in no range, for what is none."""
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return math.nan


def check_takes(
    argument: str, function: Any, wanted: str, /, *arguments: Any, **named: Any
) -> None:
    """Refuse a user's function that can't be called with such arguments.

    One whose signature Python doesn't know, being written in C, passes.

    Raises
    ------
    TypeError
        If it can't, with what it has to take in the words of `wanted`.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        raise TypeError(f"{argument} must take {wanted}; got {function!r}: {error}.") from None


def class_name(thing: Any) -> str:
    """Return the name of a class, or that of an object, with its package."""
    kind = thing if isinstance(thing, type) else type(thing)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def validate_data(estimator: Any, X: Any, *y: Any, **checks: Any) -> Any:
    """Call scikit-learn's function of this name; its errors then say what is no number."""
    with naming_text(X, *(y if checks.get("y_numeric") else ())):
        return validation.validate_data(estimator, X, *y, **checks)


@contextmanager
def naming_text(X: Any, y: Any = None) -> Iterator[None]:
    """Let an error of converting inputs, or targets, say where they hold no numbers.

    Raises
    ------
    ValueError
        Instead of an error of conversion; it names the columns of a data frame.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if not (isinstance(error, TypeError) or str(error).startswith(_NOT_CONVERTED)):
            raise
        text = _text_columns(X)
        if text:
            raise ValueError(
                f"X must hold numbers; these columns don't: {', '.join(text)}. Encode them, for "
                "example by a OneHotEncoder in a ColumnTransformer, or leave them out."
            ) from error
        if y is not None and _is_text(y):
            raise ValueError(
                f"y must hold numbers; got {np.ravel(y).tolist()[0]!r}. A classifier takes labels."
            ) from error
        if isinstance(error, ValueError):
            raise ValueError(f"X must hold numbers: {error}. Encode text as numbers.") from error
        raise


def _text_columns(X: Any) -> list[str]:
    """Return the columns of a data frame that are no numbers, with their types."""
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return []
    return [f"{name!r} ({X[name].dtype})" for name in X.columns if _is_text(X[name])]


def _is_text(values: Any) -> bool:
    """Tell whether something in there can't be taken for a number."""
    array = np.asarray(values)
    if array.dtype.kind in "OSUT":
        try:
            array.astype(np.float64)
        except (TypeError, ValueError):
            return True
    return array.dtype.kind in "mM"


def is_clean(X: Any, n_features: int, dtype: str) -> TypeGuard[NDArray[Any]]:
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


def is_clean_labels(t: Any) -> bool:
    """Tell that `t` is an array of NumPy's own integers, which needs no further validation."""
    return type(t) is np.ndarray and t.ndim == 1 and t.dtype is _INT64 and len(t) > 0


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
    if not isinstance(given, Sequence | np.ndarray):
        raise ValueError(f"{argument} must be a list of arrays, one per layer; got {given!r}.")
    if len(given) != len(shapes):
        raise ValueError(
            f"{argument} must hold {len(shapes)} arrays, one per layer; got {len(given)}."
        )
    try:
        arrays = [np.asarray(array, dtype=dtype) for array in given]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must hold arrays of numbers: {error}.") from error
    for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array.shape != shape:
            raise ValueError(f"{argument}[{i}] must have shape {shape}; got {array.shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{argument}[{i}] must be finite in {dtype}; it has NaN or infinity.")
    return arrays
