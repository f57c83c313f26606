"""Tables as people have them, column by column: frames by narwhals, arrays and lists by NumPy.

A column comes as floats, dates, or objects; here is what of these is missing, and what they are as
numbers, dates and names of categories.
"""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names, _check_n_features

from fastmlp._checks.content import refuse_unfit

NO_VALUES = (dict, list, tuple, set, bytearray, np.ndarray)  # that a column could hold
_DURATION = datetime.timedelta | np.timedelta64
DATE_PARTS = ("days", "month", "day of the month", "day of the week", "hour")


def columns_of(X: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and the values of each column."""
    if isinstance(X, np.ndarray):
        for j in range(X.shape[1]):
            yield str(j), X[:, j]
        return
    for series in nw.from_native(X, eager_only=True).iter_columns():
        yield str(series.name), _values(series)


def check_table(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return a table that `columns_of` reads, and check its names and their number.

    Raises
    ------
    ValueError
        If it has no rows, not two dimensions, or other columns than the one that was fitted.
    TypeError
        If it is sparse, or no table.
    """
    if isinstance(X, np.ma.MaskedArray):
        refuse_unfit("X", X)
    X = _with_plain_names(X)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        if frame.shape[0] == 0 or frame.shape[1] == 0:
            rows, cols = frame.shape
            missing = "sample(s)" if rows == 0 else "feature(s)"
            raise ValueError(
                f"Found array with 0 {missing} (shape=({rows}, {cols})) while a minimum of 1 is "
                f"required by {type(estimator).__name__}."
            )
        _check_feature_names(estimator, X, reset=reset)
        _check_n_features(estimator, X, reset=reset)
        return X
    _check_feature_names(estimator, X, reset=reset)
    X = check_array(
        X if isinstance(X, np.ndarray) or not hasattr(X, "__len__") else _object_array(X),
        dtype=None,
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    _check_n_features(estimator, X, reset=reset)
    return X


def _with_plain_names(X: Any) -> Any:
    """Return a frame whose names differ, and are of one type."""
    is_arrow = hasattr(X, "rename_columns")
    if not is_arrow and not (hasattr(X, "set_axis") and hasattr(X, "columns")):
        return X
    names = list(X.column_names if is_arrow else X.columns)
    text = sum(isinstance(name, str) for name in names)
    if len(set(names)) == len(names) and text in (0, len(names)):
        return X
    plain: list[str] = []
    for name in map(str, names):
        count, unique = 1, name
        while unique in plain:
            count += 1
            unique = f"{name} ({count})"
        plain.append(unique)
    return X.rename_columns(plain) if is_arrow else X.set_axis(plain, axis=1)


def _object_array(X: Any) -> Any:
    """Lists that mix numbers and text keep the types of their values."""
    array = np.asarray(X) if not hasattr(X, "toarray") else X
    if getattr(array, "dtype", None) is not None and array.dtype.kind in "US":
        return np.asarray(X, dtype=object)
    return array


def take_rows(X: Any, rows: slice | NDArray[Any]) -> Any:
    """Return some rows of a table that `check_table` returned."""
    if isinstance(X, np.ndarray):
        return X[rows]
    frame = nw.from_native(X, eager_only=True)
    return nw.to_native(frame[rows if isinstance(rows, slice) else rows.tolist()])


def count_rows(X: Any) -> int:
    """Return the number of rows of such a table."""
    return int(X.shape[0])


def _values(series: Any) -> NDArray[Any]:
    """A column of a frame: floats, dates, or objects with None for what is missing."""
    dtype = series.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        if dtype.is_decimal():
            series = series.cast(nw.Float64)
        gaps = series.is_null().to_numpy().astype(bool)
        if dtype == nw.Boolean or gaps.any():
            series = series.cast(nw.Float64)
        values: NDArray[Any] = np.array(series.to_numpy(), dtype=np.float64)
        values[gaps] = np.nan
        return values
    if dtype == nw.Date or dtype == nw.Datetime:
        return to_dates(_objects(series.to_list()))
    if dtype == nw.Duration:
        return to_numbers(_objects(series.to_list()))
    listed = series.to_list()
    if dtype == nw.Categorical or dtype == nw.Enum:  # also of numbers
        listed = [None if is_gap(value) else _key(value) for value in listed]
    return _objects(listed)


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def is_gap(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither; an array says nothing
        return type(value).__name__ == "NAType"


def kind_of(values: NDArray[Any]) -> str:
    """Return 'number', 'date', 'category' or 'unknown', by the type of a column's values."""
    if values.dtype.kind in "buifm":
        return "number"
    if values.dtype.kind == "M":
        return "date"
    if values.dtype.kind in "US":  # an array that holds but text may have had numbers in it
        return "category" if np.isnan(to_numbers(values)).any() else "number"
    present = [value for value in values.tolist() if not is_gap(value)]
    if all(isinstance(value, Real | Decimal | _DURATION) for value in present):
        return "number"
    if all(isinstance(value, datetime.date | np.datetime64) for value in present):
        return "date"
    return "unknown" if any(isinstance(value, NO_VALUES) for value in present) else "category"


def to_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in "buif":
        return values.astype(np.float64)
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s")
    return np.array([_to_number(value) for value in values.tolist()], dtype=np.float64)


def _to_number(value: Any) -> float:
    if is_gap(value):
        return np.nan
    try:
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
        if isinstance(value, np.timedelta64):
            return float(value / np.timedelta64(1, "s"))
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
    except (TypeError, ValueError):
        return np.nan


def to_dates(values: NDArray[Any]) -> NDArray[np.datetime64]:
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    return np.array([_to_date(value) for value in values.tolist()], dtype="datetime64[us]")


def _to_date(value: Any) -> Any:
    """A date without its time zone; None for whatever is none."""
    if isinstance(value, str):
        try:
            return np.datetime64(value)
        except ValueError:
            return None
    if is_gap(value) or not isinstance(value, datetime.date | np.datetime64):
        return None
    return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


def date_parts(dates: NDArray[np.datetime64]) -> dict[str, NDArray[np.float64]]:
    """What of a date may matter, as numbers: `DATE_PARTS`."""
    gaps = np.isnat(dates)
    days = dates.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    numbers = (
        days.astype(np.int64),
        months.astype(np.int64) % 12 + 1,
        (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        (days.astype(np.int64) + 3) % 7,
        (dates - days).astype("timedelta64[s]").astype(np.int64) / 3600,
    )
    return {
        name: np.where(gaps, np.nan, part.astype(np.float64))
        for name, part in zip(DATE_PARTS, numbers, strict=True)
    }


def to_keys(values: NDArray[Any]) -> list[str | None]:
    """What tells categories apart: a text, None for missing."""
    return [None if is_gap(value) else _key(value) for value in values.tolist()]


def _key(value: Any) -> str:
    """The text of a value; 1, 1.0 and '1' are one category."""
    if isinstance(value, Integral | np.bool_):  # True is 1, as in a column of floats
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        return str(int(number)) if number.is_integer() else str(number)
    return str(value)
