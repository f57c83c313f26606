"""What the columns of a table are taken for, and their numbers for the core.

One array of float32: numbers around their median, the same as normal scores, and the codes of
categories. Missing values are NaN everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from fastmlp._checks.warn import warn
from fastmlp._data.frames import (
    NO_VALUES,
    columns_of,
    date_parts,
    is_gap,
    kind_of,
    to_dates,
    to_keys,
    to_numbers,
)

OTHER = -1  # the code of a value that has none of its own
_MOST_LEVELS = 255
_FEW_ROWS = 20  # for identifiers to be told from categories
_DISTINCT = 0.9  # a share of distinct values that only identifiers and texts have
_MOST_KNOTS = 1000
_FARTHEST_RANK = 1e-4
_EDGES = 241  # for 48, 24, 16 ... bins
FAR = 1e15  # what a float can square


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
        table = np.empty((X.shape[0], self.width), dtype=np.float32)
        numbers: dict[int, list[int]] = {}
        for j, number in enumerate(self.numbers):
            numbers.setdefault(number.source, []).append(j)
        categories = {category.source: j for j, category in enumerate(self.categories)}
        for source, (_, values) in enumerate(columns_of(X)):  # one at a time, as they are copies
            if source in numbers:
                self._read_numbers(values, numbers[source], table)
            elif source in categories:
                j = categories[source]
                table[:, 2 * len(self.numbers) + j] = self.categories[j](to_keys(values))
        return table

    def _read_numbers(
        self, values: NDArray[Any], numbers: list[int], table: NDArray[np.float32]
    ) -> None:
        """Fill the columns of the numbers that a column is made into."""
        count = len(self.numbers)
        parts = date_parts(to_dates(values)) if self.numbers[numbers[0]].part else {}
        for j in numbers:
            number = self.numbers[j]
            found = parts[number.part] if number.part else to_numbers(values)
            if not number.has_gaps and np.isnan(found).all():
                _warn_if_unreadable(self.columns[number.source], values)
            table[:, j], table[:, count + j] = number(found)

    def _learn_number(self, source: int, name: str, values: NDArray[Any], part: str = "") -> Column:
        numbers = to_numbers(values)
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
        keys = to_keys(values)
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
        dates = to_dates(values)
        parts = date_parts(dates)
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
        scaled: NDArray[np.float64] = np.clip((values - middle) * scale, -FAR, FAR)
    return scaled


def _unknown(X: Any, name: str, values: NDArray[Any]) -> Column:
    """A column of a frame that is left out; of an array, whose columns are alike, an error.

    Raises
    ------
    TypeError
        Of an array.
    """
    found = next(value for value in values.tolist() if isinstance(value, NO_VALUES))
    if isinstance(X, np.ndarray):
        raise TypeError(
            f"X must hold numbers, dates or text; got {found!r} in column {name}. Each argument "
            "must be a string or a number."
        )
    missing = float(np.mean([is_gap(value) for value in values.tolist()]))
    return Column(name, "unknown", 0, missing, f"values of type {type(found).__name__}")


def _warn_if_unreadable(column: Column, values: NDArray[Any]) -> None:
    """Warn where there are values, but none that the kind of the column has."""
    found = next((value for value in values.tolist() if not is_gap(value)), None)
    if found is not None:
        warn(
            f"Column {column.name} was taken for a {column.kind} in fit; no value of it can be "
            f"read as one now, such as {found!r}, and all count as missing."
        )


def _are_row_numbers(numbers: NDArray[np.float64]) -> bool:
    """Whether a column only counts the rows."""
    if len(numbers) < _FEW_ROWS:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(numbers)
    return bool((steps == steps[0]).all() and abs(steps[0]) == 1)
