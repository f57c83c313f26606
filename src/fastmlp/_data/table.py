"""Tables as people have them: what each column is taken for, and its numbers for the core.

Frames of pandas, polars, pyarrow and others are read by narwhals; arrays and lists by NumPy. What
comes out is one array of float32: numbers around their median, the same as normal scores, and the
codes of categories. Missing values are NaN everywhere.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names, _check_n_features

from fastmlp._checks.content import refuse_unfit
from fastmlp._checks.warn import warn

OTHER = -1  # the code of a value that has none of its own
_MOST_LEVELS = 255
_FEW_ROWS = 20  # for identifiers to be told from categories
_DISTINCT = 0.9  # a share of distinct values that only identifiers and texts have
_MOST_KNOTS = 1000
_FARTHEST_RANK = 1e-4
_EDGES = 241  # for 48, 24, 16 ... bins
_FAR = 1e15  # what a float can square
_DURATION = datetime.timedelta | np.timedelta64
_NO_VALUES = (dict, list, tuple, set, bytearray, np.ndarray)


@dataclass(frozen=True)
class Column:
    """What a column of a table was taken for.

    Parameters
    ----------
    name : str
        Its name, or its number where the table has no names.
    kind : {'number', 'category', 'date', 'constant', 'empty', 'identifier', 'unknown'}
        The last four are left out: one value, no value, almost as many values as rows, and values
        such as lists.
    distinct : int
        How many different values it had.
    missing : float
        The share of its values that were missing.
    note : str, default=''
        What else there is to say.
    """

    name: str
    kind: str
    distinct: int
    missing: float
    note: str = ""

    def __str__(self) -> str:
        missing = f", {self.missing:.1%} missing" if self.missing else ""
        note = f" ({self.note})" if self.note else ""
        return f"{self.name}: {self.kind}, {self.distinct} distinct{missing}{note}"


class Columns(tuple[Column, ...]):
    """The columns of a table, printed a line each."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True, eq=False)
class Number:
    """A column of numbers that was learnt, or a part of a date.

    Parameters
    ----------
    source : int
        Its column in the table.
    part : str
        Of a date: 'days', 'month', ...; otherwise empty.
    middle, scale : float
        The median, and what its distance is multiplied by.
    knots, scores : ndarray of shape (n_knots,)
        Values around the middle and their normal scores, in between on a line.
    edges : ndarray of shape (_EDGES,)
        Quantiles around the middle: of every value, or of each once where one is frequent.
    is_binary, has_gaps : bool
        Whether there are only two values; whether some were missing.
    """

    source: int
    part: str
    middle: float
    scale: float
    knots: NDArray[np.float64]
    scores: NDArray[np.float64]
    edges: NDArray[np.float64]
    is_binary: bool
    has_gaps: bool

    def __call__(self, values: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers around the middle, and their normal scores."""
        scaled = _around(values, self.middle, self.scale)
        scores = np.interp(scaled, self.knots, self.scores)
        scores[np.isnan(values)] = np.nan
        return scaled.astype(np.float32), scores.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Category:
    """A column of categories that was learnt: a code for each value of `levels`."""

    source: int
    levels: dict[str, int]
    has_gaps: bool

    def __call__(self, keys: Sequence[str | None]) -> NDArray[np.float32]:
        """Return the code of each key; NaN for None."""
        levels = self.levels
        codes = [np.nan if key is None else levels.get(key, OTHER) for key in keys]
        return np.array(codes, dtype=np.float32)


@dataclass(eq=False)
class TableReader:
    """What was learnt of a table's columns.

    Parameters
    ----------
    columns : Columns
        What each was taken for.
    numbers, categories : list
        Those that are used.
    """

    columns: Columns = field(default_factory=Columns)
    numbers: list[Number] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)

    @classmethod
    def learn(cls, X: Any, categorical: NDArray[np.bool_]) -> "TableReader":
        """Learn from the rows to train on; `categorical` says which columns the user calls so."""
        reader = cls()
        columns = []
        for source, (name, values) in enumerate(columns_of(X)):
            kind = "category" if categorical[source] else kind_of(values)
            if kind == "unknown":
                columns.append(_unknown(X, name, values))
                continue
            learn = {"category": reader._learn_category, "date": reader._learn_date}
            columns.append(learn.get(kind, reader._learn_number)(source, name, values))
        reader.columns = Columns(columns)
        return reader

    @property
    def width(self) -> int:
        """The number of columns that `read` makes."""
        return 2 * len(self.numbers) + len(self.categories)

    def read(self, X: Any) -> NDArray[np.float32]:
        """Return a table's numbers, their normal scores, and codes, side by side."""
        columns = [values for _, values in columns_of(X)]
        n_rows = len(columns[0])
        count = len(self.numbers)
        table = np.empty((n_rows, self.width), dtype=np.float32)
        for j, number in enumerate(self.numbers):
            values = columns[number.source]
            numbers = (
                _date_parts(_to_dates(values))[number.part] if number.part else _to_numbers(values)
            )
            if not number.has_gaps and np.isnan(numbers).all():
                _warn_if_unreadable(self.columns[number.source], values)
            table[:, j], table[:, count + j] = number(numbers)
        for j, category in enumerate(self.categories):
            table[:, 2 * count + j] = category(_to_keys(columns[category.source]))
        return table

    def _learn_number(self, source: int, name: str, values: NDArray[Any], part: str = "") -> Column:
        numbers = _to_numbers(values)
        present = numbers[np.isfinite(numbers)]
        missing = float(np.isnan(numbers).mean())
        distinct, counts = np.unique(present, return_counts=True)
        says_more = missing > 0 or np.isinf(numbers).any()  # than its one value
        if len(distinct) < 2 and not (len(distinct) and says_more):
            return Column(name, "constant" if len(distinct) else "empty", len(distinct), missing)
        note = "counts the rows" if not part and _are_row_numbers(numbers) else ""
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest
            number = _number(source, part, present, distinct, counts, missing > 0)
        self.numbers.append(number)
        return Column(name, "number", len(distinct), missing, note)

    def _learn_category(self, source: int, name: str, values: NDArray[Any]) -> Column:
        keys = _to_keys(values)
        present = [key for key in keys if key is not None]
        missing = 1 - len(present) / len(keys)
        counts: dict[str, int] = {}
        for key in present:
            counts[key] = counts.get(key, 0) + 1
        if not counts or (len(counts) == 1 and not missing):
            return Column(name, "constant" if counts else "empty", len(counts), missing)
        if len(present) >= _FEW_ROWS and len(counts) > _DISTINCT * len(present):
            return Column(name, "identifier", len(counts), missing, "almost every value is its own")
        levels = sorted(counts, key=lambda key: (-counts[key], key))[:_MOST_LEVELS]
        note = f"{len(levels)} most frequent" if len(levels) < len(counts) else ""
        codes = {key: code for code, key in enumerate(levels)}
        self.categories.append(Category(source, codes, missing > 0))
        return Column(name, "category", len(counts), missing, note)

    def _learn_date(self, source: int, name: str, values: NDArray[Any]) -> Column:
        dates = _to_dates(values)
        parts = _date_parts(dates)
        used = [
            part
            for part, numbers in parts.items()
            if self._learn_number(source, name, numbers, part).kind == "number"
        ]
        present = dates[~np.isnat(dates)]
        distinct, missing = len(np.unique(present)), float(np.isnat(dates).mean())
        if not used:
            return Column(name, "constant" if distinct else "empty", distinct, missing)
        return Column(name, "date", distinct, missing, "as " + ", ".join(used))


def _number(
    source: int,
    part: str,
    present: NDArray[np.float64],
    distinct: NDArray[np.float64],
    counts: NDArray[Any],
    has_gaps: bool,
) -> Number:
    most, least = np.finfo(np.float64).max, np.finfo(np.float64).tiny
    middle = float(np.clip(np.median(present), -most, most))
    low, high = np.quantile(present, [0.25, 0.75])
    spread = high - low if high > low else distinct[-1] / 2 - distinct[0] / 2
    scale = float(1 / np.clip(spread, least, most)) if spread > 0 else 1.0
    around = _around(distinct, middle, scale)
    ranks = (np.cumsum(counts) - counts / 2) / len(present)
    knots = around
    count = int(np.clip(len(present) // 30, 10, _MOST_KNOTS))
    if len(knots) > count:
        knots = np.unique(np.interp(np.linspace(0, 1, count), ranks, around))
    at = np.clip(np.interp(knots, around, ranks), _FARTHEST_RANK, 1 - _FARTHEST_RANK)
    is_frequent = counts.max() > 0.3 * len(present)
    edges = np.quantile(
        around if is_frequent else _around(present, middle, scale), np.linspace(0, 1, _EDGES)
    )
    return Number(
        source, part, middle, scale, knots, ndtri(at), edges, len(distinct) <= 2, has_gaps
    )


def _around(values: NDArray[np.float64], middle: float, scale: float) -> NDArray[np.float64]:
    """Values around the middle, in units of their spread."""
    with np.errstate(over="ignore"):
        scaled: NDArray[np.float64] = np.clip((values - middle) * scale, -_FAR, _FAR)
    return scaled


# Reading


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
        return _to_dates(_objects(series.to_list()))
    if dtype == nw.Duration:
        return _to_numbers(_objects(series.to_list()))
    listed = series.to_list()
    if dtype == nw.Categorical or dtype == nw.Enum:  # also of numbers
        listed = [None if _is_missing(value) else _key(value) for value in listed]
    return _objects(listed)


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_missing(value: Any) -> bool:
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
        return "category" if np.isnan(_to_numbers(values)).any() else "number"
    present = [value for value in values.tolist() if not _is_missing(value)]
    if all(isinstance(value, Real | Decimal | _DURATION) for value in present):
        return "number"
    if all(isinstance(value, datetime.date | np.datetime64) for value in present):
        return "date"
    return "unknown" if any(isinstance(value, _NO_VALUES) for value in present) else "category"


def _unknown(X: Any, name: str, values: NDArray[Any]) -> Column:
    """A column of a frame that is left out; of an array, whose columns are alike, an error.

    Raises
    ------
    TypeError
        Of an array.
    """
    found = next(value for value in values.tolist() if isinstance(value, _NO_VALUES))
    if isinstance(X, np.ndarray):
        raise TypeError(
            f"X must hold numbers, dates or text; got {found!r} in column {name}. Each argument "
            "must be a string or a number."
        )
    missing = float(np.mean([_is_missing(value) for value in values.tolist()]))
    return Column(name, "unknown", 0, missing, f"values of type {type(found).__name__}")


def _warn_if_unreadable(column: Column, values: NDArray[Any]) -> None:
    """Warn where there are values, but none that the kind of the column has."""
    found = next((value for value in values.tolist() if not _is_missing(value)), None)
    if found is not None:
        warn(
            f"Column {column.name} was taken for a {column.kind} in fit; no value of it can be "
            f"read as one now, such as {found!r}, and all count as missing."
        )


def _to_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in "buif":
        return values.astype(np.float64)
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s")
    return np.array([_to_number(value) for value in values.tolist()], dtype=np.float64)


def _to_number(value: Any) -> float:
    if _is_missing(value):
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


def _to_dates(values: NDArray[Any]) -> NDArray[np.datetime64]:
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
    if _is_missing(value) or not isinstance(value, datetime.date | np.datetime64):
        return None
    return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


def _date_parts(dates: NDArray[np.datetime64]) -> dict[str, NDArray[np.float64]]:
    """What of a date may matter, as numbers."""
    gaps = np.isnat(dates)
    days = dates.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    parts = {
        "days": days.astype(np.int64),
        "month": months.astype(np.int64) % 12 + 1,
        "day of the month": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "day of the week": (days.astype(np.int64) + 3) % 7,
        "hour": (dates - days).astype("timedelta64[s]").astype(np.int64) / 3600,
    }
    return {name: np.where(gaps, np.nan, part.astype(np.float64)) for name, part in parts.items()}


def _to_keys(values: NDArray[Any]) -> list[str | None]:
    """What tells categories apart: a text, None for missing."""
    return [None if _is_missing(value) else _key(value) for value in values.tolist()]


def _key(value: Any) -> str:
    """The text of a value; 1, 1.0 and '1' are one category."""
    if isinstance(value, Integral | np.bool_):  # True is 1, as in a column of floats
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        return str(int(number)) if number.is_integer() else str(number)
    return str(value)


def _are_row_numbers(numbers: NDArray[np.float64]) -> bool:
    """Whether a column only counts the rows."""
    if len(numbers) < _FEW_ROWS:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(numbers)
    return bool((steps == steps[0]).all() and abs(steps[0]) == 1)
