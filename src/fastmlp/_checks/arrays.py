"""Checks that scikit-learn's validation doesn't do, or not fast enough, or with less to go by."""

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import validation
from sklearn.utils._param_validation import InvalidParameterError

from fastmlp._checks.content import is_text, missing_places, refuse_unfit, text_columns

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)
LARGEST_COUNT = 2**63 - 1
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


# In scikit-learn's words.
NON_FINITE_WEIGHTS = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


class NonFiniteError(ValueError):
    """The loss or the weights are no longer finite."""


def require(holds: bool, complaint: str) -> None:
    """Raise a ValueError with the complaint unless it holds."""
    if not holds:
        raise ValueError(complaint)


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
    for argument, data in zip("Xy", (X, *y), strict=False):
        refuse_unfit(argument, data)
        check_sparse(argument, data)
    with naming_text(X, *(y if checks.get("y_numeric") else ())):
        checked = validation.validate_data(estimator, X, *y, **checks)
    if not y:
        return _readable(checked)
    return _readable(checked[0]), *checked[1:]


def check_sparse(argument: str, data: Any) -> None:
    """Refuse a sparse matrix whose indices lead outside.

    The check is SciPy's where it has one, on an object of its own, because it may change what it
    looks at.

    Raises
    ------
    ValueError
        If they do.
    """
    if not issparse(data):
        return
    try:
        if data.format in ("csr", "csc", "bsr"):
            _shallow_copy(data).check_format(full_check=True)
        elif data.format == "coo":
            pairs = ((data.row, data.shape[0]), (data.col, data.shape[-1]))
            _require_inside(len(data.data), pairs)
        elif data.format == "lil":
            for columns, values in zip(data.rows, data.data, strict=True):
                _require_inside(len(values), ((np.asarray(columns, np.int64), data.shape[1]),))
        elif data.format == "dia":
            require(len(data.offsets) == len(data.data), "there are more offsets than diagonals")
    except (ValueError, IndexError, TypeError) as error:
        name = data.format.upper()
        raise ValueError(f"{argument} has {name} indices out of range: {error}.") from error


def _shallow_copy(data: Any) -> Any:
    """Return a compressed matrix of its own with the same arrays."""
    return type(data)((data.data, data.indices, data.indptr), shape=data.shape, copy=False)


def _require_inside(count: int, pairs: Iterable[tuple[NDArray[Any], int]]) -> None:
    for numbers, size in pairs:
        require(len(numbers) == count, "there are not as many indices as numbers")
        require(count == 0 or 0 <= numbers.min() <= numbers.max() < size, "they lead outside")


def _readable(data: Any) -> Any:
    """Return checked inputs as the core reads them: CSR with gapless arrays and one index type.

    Numbers in the same place add up in the matrix's own type, as SciPy has it; floats do so in the
    core.
    """
    if not issparse(data):
        return data
    small = data.indices.dtype == data.indptr.dtype == np.int32
    index = np.int32 if small else np.int64
    values, columns, starts = (
        np.ascontiguousarray(array, dtype)
        for array, dtype in ((data.data, None), (data.indices, index), (data.indptr, index))
    )
    parts = ((values, data.data), (columns, data.indices), (starts, data.indptr))
    if any(ours is not theirs for ours, theirs in parts):
        data = type(data)(data.shape, dtype=values.dtype)
        data.data, data.indices, data.indptr = values, columns, starts
    if values.dtype.kind != "f":
        own = _shallow_copy(data)
        if not own.has_canonical_format:
            data = own.copy()
            data.sum_duplicates()
    return data


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
        text = text_columns(X)
        if text:
            raise ValueError(
                f"X must hold numbers; these columns don't: {', '.join(text)}. Encode them, for "
                "example by a OneHotEncoder in a ColumnTransformer, or leave them out."
            ) from error
        if missing := missing_places(X):
            raise ValueError(
                f"X has missing values {missing}. Fill them in, for example by a SimpleImputer, or "
                "leave out such rows."
            ) from error
        if y is not None and is_text(y):
            raise ValueError(
                f"y must hold numbers; got {np.ravel(y).tolist()[0]!r}. A classifier takes labels."
            ) from error
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"X must hold numbers: {error}. Encode text as numbers.") from error


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


def are_plain_samples(estimator: Any, X: Any, y: Any, *, reset: bool) -> bool:
    """Tell in microseconds that scikit-learn's `validate_data` would pass these arrays as they are.

    It is then told what it would have noted, the number of features. False means "not sure"; `y` is
    only looked at for its length.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or type(y) is not np.ndarray or len(y) != len(X):
        return False
    if not is_clean(X, X.shape[1], "float64") or X.shape[1] == 0:
        return False
    known = vars(estimator)
    if reset:
        known.pop("feature_names_in_", None)  # of an earlier fit
        known["n_features_in_"] = X.shape[1]
    return "feature_names_in_" not in known and known.get("n_features_in_") == X.shape[1]


def check_range(argument: str, array: NDArray[Any], dtype: str) -> None:
    """Refuse float64 numbers that would become infinite in a float32 network.

    Raises
    ------
    ValueError
        If `dtype` is 'float32' and a number of `array` is beyond its range.
    """
    values: NDArray[Any] = np.asarray(array.data) if issparse(array) else array
    if dtype != "float32" or values.dtype != np.float64 or 0 in values.shape:
        return
    peak = max(float(values.max()), -float(values.min()))
    if math.isnan(peak):  # some are missing
        peak = float(np.fmax.reduce(np.abs(values), axis=None))
    if peak > _FLOAT32_MAX:
        raise ValueError(
            f"{argument} holds the magnitude {peak:.3g}, which is too large for dtype='float32' "
            f"(at most {_FLOAT32_MAX:.3g}). Scale it, or use dtype='float64'."
        )


def check_count(owner: str, name: str, value: Any) -> None:
    """Refuse an integer parameter that is beyond what the core counts to.

    Raises
    ------
    ValueError
        If it is.
    """
    if isinstance(value, Integral) and int(value) > LARGEST_COUNT:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be at most 2**63 - 1. Got {value!r} instead."
        )


def check_representable(argument: str, value: float, dtype: str) -> None:
    """Refuse a number above 0 that becomes 0 or infinite in the type of the network.

    Raises
    ------
    ValueError
        If it does.
    """
    limits = np.finfo(dtype)
    if value > 0 and not float(limits.tiny) <= value <= float(limits.max):
        raise ValueError(
            f"{argument}={value!r} is out of the range of dtype={dtype!r}, from {limits.tiny:.3g} "
            f"to {limits.max:.3g}."
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
    for array in given:
        refuse_unfit(argument, array)
    if any(np.iscomplexobj(array) for array in given):
        raise ValueError(f"{argument} must hold arrays of real numbers; got complex ones.")
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            arrays = [np.asarray(array, dtype=dtype) for array in given]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{argument} must hold arrays of numbers: {error}.") from error
    for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array.shape != shape:
            raise ValueError(f"{argument}[{i}] must have shape {shape}; got {array.shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{argument}[{i}] must be finite in {dtype}; it has NaN or infinity.")
    return arrays
