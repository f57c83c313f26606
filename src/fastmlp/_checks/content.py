"""What data hold that is no number, or would be taken for one by mistake; and rows of frames."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

# How the types of frames that are no dtypes of NumPy's call what tells the time.
_TIME_TYPES = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    np.datetime64,
    np.timedelta64,
)
_TIMES = ("timestamp", "date", "time", "duration", "month_day_nano_interval", "period")


# What objects may be, and what they become.
_PLAIN_TYPES: tuple[tuple[tuple[type, ...], Any], ...] = (
    ((bool, np.bool_), np.bool_),
    ((int, np.integer), np.int64),
    ((int, np.integer, float, np.floating), np.float64),
    ((str,), str),
)


def refuse_unfit(argument: str, data: Any) -> None:
    """Refuse what would silently become a wrong number: masked entries, dates and durations.

    Raises
    ------
    ValueError
        If there is any; the message names the columns.
    """
    if type(data) is np.ndarray and data.dtype.kind in "fiub":
        return
    if np.ma.is_masked(data):
        raise ValueError(
            f"{argument} has masked entries, which are no numbers: fill them in, for example by "
            "the method filled(), or leave out their rows."
        )
    times = [name for name, kind in columns(data) if _is_time(kind)]
    if times:
        what = f"in the columns {', '.join(times)}" if times != [""] else "in it"
        raise ValueError(
            f"{argument} must hold numbers; there are dates, times or durations {what}. Make "
            "numbers of them, for example the days since a date, the month or the weekday."
        )


def columns(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and type of each column of a frame; of anything else no name and its type.

    Objects have the type of the first that is a time, if there is one.
    """
    types: Any = getattr(data, "dtypes", None)
    schema = getattr(data, "schema", None)
    if hasattr(data, "columns") and types is not None:  # pandas, polars
        for place, (name, kind) in enumerate(zip(data.columns, list(types), strict=True)):
            kind = _type_of_objects(data.iloc[:, place]) if _are_objects(kind) else kind
            yield f"{name!r} ({getattr(kind, '__name__', kind)})", kind
    elif schema is not None and hasattr(schema, "names"):  # pyarrow
        for name, kind in zip(schema.names, schema.types, strict=True):
            yield f"{name!r} ({kind})", kind
    elif isinstance(data, list | tuple):
        yield from (("", kind) for kind in {type(value) for value in _flat(data)})
    else:
        kind = getattr(data, "dtype", getattr(data, "type", None))
        yield "", _type_of_objects(data) if _are_objects(kind) else kind


def _are_objects(kind: Any) -> bool:
    return isinstance(kind, np.dtype) and kind.kind == "O"


def _type_of_objects(values: Any) -> type:
    kinds = {type(value) for value in np.asarray(values, dtype=object).flat}
    return next((kind for kind in kinds if _is_time(kind)), object)


def _flat(data: Any, depth: int = 2) -> Iterator[Any]:
    """Yield the numbers of a list, or of a list of rows."""
    for value in data:
        if depth > 1 and isinstance(value, list | tuple):
            yield from _flat(value, depth - 1)
        elif depth > 1 and isinstance(value, np.ndarray):
            yield value.dtype.type()
        else:
            yield value


def _is_time(kind: Any) -> bool:
    """Tell whether the type of a column or of an element is one of times or durations."""
    if getattr(kind, "kind", "") in ("M", "m"):
        return True
    if isinstance(kind, type):  # of an element; pandas' NaT is a missing value and a datetime
        is_time = issubclass(kind, _TIME_TYPES) or kind.__name__ == "Period"
        return is_time and kind.__name__ != "NaTType"
    categories = getattr(kind, "categories", None)
    if categories is not None and hasattr(categories, "dtype"):  # pandas
        return _is_time(categories.dtype)
    is_temporal = getattr(kind, "is_temporal", None)  # polars
    if callable(is_temporal):
        return bool(is_temporal())
    return str(kind).lower().partition("[")[0].rstrip("3264") in _TIMES


def first_missing(values: Any) -> int | None:
    """Return the place of the first element that stands for a missing value; None without one."""
    for place, value in enumerate(np.ravel(np.asarray(values, dtype=object))):
        if is_missing(value):
            return place
    return None


def is_missing(value: Any) -> bool:
    """Tell whether it is None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and value != value


def plain_array(argument: str, y: Any) -> Any:
    """Return labels or targets as an array of NumPy's own types where that is all they lack.

    Numbers and truth values among objects or in pandas' types that know missing values become what
    they are; strings of NumPy's variable length get a fixed one.

    Raises
    ------
    ValueError
        If a value is missing, with its row, or too large.
    """
    values = y
    if isinstance(y, list | tuple):
        try:
            values = np.asarray(y)
        except ValueError:  # rows of different lengths, which is found later
            return y
    dtype = getattr(values, "dtype", None)
    if dtype is None or (isinstance(dtype, np.dtype) and dtype.kind not in "OT"):
        return y
    if not isinstance(dtype, np.dtype) and not hasattr(values, "to_numpy"):
        return y
    objects = np.asarray(values, dtype=object)
    missing = first_missing(objects)
    if missing is not None:
        row = missing // max(1, objects[0].size if objects.ndim > 1 else 1)
        raise ValueError(
            f"{argument} has a missing value, {objects.flat[missing]!r}, in row {row}: leave out "
            "such rows, or fill in what is missing."
        )
    return _as_plain(argument, objects, y)


def _as_plain(argument: str, objects: NDArray[Any], y: Any) -> Any:
    """Return the objects in the type that all of them have; `y` if that is none of NumPy's."""
    for kinds, dtype in _PLAIN_TYPES:
        if all(isinstance(value, kinds) for value in objects.flat):
            try:
                return np.array(objects.tolist(), dtype=dtype).reshape(objects.shape)
            except OverflowError:
                raise ValueError(f"{argument} holds a number that is too large.") from None
    return y


def rows_of(data: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of a data frame as a frame of the same kind; None where that is unknown."""
    if hasattr(data, "iloc") or type(data).__module__.startswith("polars"):
        return _safe_indexing(data, rows)
    return data.take(rows) if hasattr(data, "take") and hasattr(data, "schema") else None


def text_columns(data: Any) -> Sequence[str]:
    """Return the columns of a data frame that are no numbers, with their types."""
    if not (hasattr(data, "columns") and hasattr(data, "dtypes")):
        return []
    return [f"{name!r} ({data[name].dtype})" for name in data.columns if is_text(data[name])]


def missing_places(data: Any) -> str:
    """Return where an array of objects, or such columns of a frame, first lack a value; or ''."""
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        places = {
            name: first_missing(data[name])
            for name in data.columns
            if str(data[name].dtype) == "object"
        }
        found = [f"{name!r} (row {row})" for name, row in places.items() if row is not None]
        return f"in the columns {', '.join(found)}" if found else ""
    array = np.asarray(data)
    place = first_missing(array) if array.dtype == object else None
    row = None if place is None else place // max(1, array[0].size if array.ndim > 1 else 1)
    return "" if row is None else f"in row {row}"


def is_text(values: Any) -> bool:
    """Tell whether something in there can't be taken for a number, missing values aside."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.array([value for value in array.flat if not is_missing(value)], dtype=object)
    if array.dtype.kind in "OSUT":
        try:
            array.astype(np.float64)
        except (TypeError, ValueError):
            return True
    return array.dtype.kind in "mM"
