"""The data of the demo: the bundled digits or a person's own CSV table, ready to train on."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Task = Literal["classification", "regression"]
Table: TypeAlias = dict[str, NDArray[Any]]

DELIMITERS = ",;\t|"
MISSING = {"", "?", "na", "n/a", "nan", "null"}
HELD_OUT = 0.25
MIN_ROWS = 20
MAX_INTEGER_CLASSES = 20
MAX_CATEGORIES = 100


class DataError(ValueError):
    """A table that cannot be trained on; the message is one line for the person who chose it."""


@dataclass(frozen=True)
class Problem:
    """Rows to train on and rows held out, as numbers, and what is to be said about them."""

    task: Task
    summary: list[str]
    x_train: NDArray[Any]
    x_test: NDArray[Any]
    y_train: NDArray[Any]
    y_test: NDArray[Any]


def digits_problem(seed: int) -> Problem:
    """scikit-learn's bundled images of handwritten digits, 8x8 pixels scaled to 0..1."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(
        (x / 16).astype(np.float32), y, test_size=HELD_OUT, stratify=y, random_state=seed
    )
    summary = [f"digits: {_sizes(parts[0], parts[1])}, 10 classes"]
    return Problem("classification", summary, *parts)


def table_problem(path: Path, target: str, task: Task | None, seed: int) -> Problem:
    """A CSV table split into training and held-out rows; the task is told from the target.

    Raises
    ------
    DataError
        The file cannot be read as a table, or the table cannot be learned from.
    """
    table = read_table(path)
    if target not in table:
        raise DataError(f"{path} has no column {target!r}; its columns are: {', '.join(table)}")
    if len(table) == 1:
        raise DataError(f"{path} has no column besides the target {target!r}")
    table, n_dropped = _drop_unknown_target(table, target)
    values = table.pop(target)
    _check_target(values, target)
    task = task or infer_task(values)
    y = _encode_target(values, target, task)
    train, test = _split(y, task, seed)
    x_train, x_test = _encode_features(table, train, test)
    y_train, y_test = y[train], y[test]
    if task == "regression":
        scaler = StandardScaler().fit(y_train[:, None])
        y_train, y_test = (scaler.transform(part[:, None]).ravel() for part in (y_train, y_test))
        goal = f"regression of {target!r}"
    else:
        goal = f"classification by {target!r}, {y.max() + 1} classes"
    summary = [f"{path.name}: {_sizes(x_train, x_test)}", f"task: {goal} (--task overrides)"]
    if n_dropped:
        summary.append(f"left out: {n_dropped} rows without a value of {target!r}")
    return Problem(task, summary, x_train, x_test, y_train, y_test)


def read_table(path: Path) -> Table:
    """The columns of a CSV file with a header row, by name; those without one are left out.

    A column whose known cells are all numbers is a float64 array with NaN for the missing ones;
    any other is an object array of text with "" for the missing ones. The delimiter is the one of
    comma, semicolon, tab and bar that gives the header most fields; after a semicolon, decimal
    commas are understood too.

    Raises
    ------
    DataError
        The file is missing, not UTF-8 text, empty, or its rows do not fit its header.
    """
    header, rows, decimal = _read_rows(path)
    names = [name.strip() for name in header]
    repeated = [name for name in names if name and names.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has more than one column {repeated[0]!r}")
    if not rows:
        raise DataError(f"{path} has a header but no rows")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return {name: _column(cells, decimal) for name, cells in columns if name}


def infer_task(values: NDArray[Any]) -> Task:
    """Classification for text and for few distinct integers, otherwise regression."""
    if not _is_numeric(values):
        return "classification"
    distinct = np.unique(values)
    few = max(2, min(MAX_INTEGER_CLASSES, values.size // 5))
    whole = bool(np.all(distinct == np.round(distinct)))
    return "classification" if whole and distinct.size <= few else "regression"


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Header, rows of the same length, and the decimal mark."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = max(DELIMITERS, key=lambda mark: len(_fields(first, mark)))
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            header = next(reader, [])
            rows = []
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {len(row)} fields, "
                        f"but the header has {len(header)}"
                    )
                rows.append(row)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path}: it is not UTF-8 text") from error
    except csv.Error as error:
        raise DataError(f"cannot read {path} as CSV: {error}") from error
    if not any(name.strip() for name in header):
        raise DataError(f"{path} is empty: a header row and rows of values are needed")
    return header, rows, "," if delimiter == ";" else "."


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _column(cells: tuple[str, ...], decimal: str) -> NDArray[Any]:
    known = ["" if cell.strip().lower() in MISSING else cell.strip() for cell in cells]
    try:
        values = np.array([float(cell.replace(decimal, ".") or "nan") for cell in known])
    except ValueError:
        return np.array(known, dtype=object)
    values[np.isinf(values)] = np.nan
    return values


def _is_numeric(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f"


def _drop_unknown_target(table: Table, target: str) -> tuple[Table, int]:
    values = table[target]
    known = ~np.isnan(values) if _is_numeric(values) else values != ""
    kept = {name: column[known] for name, column in table.items()}
    return kept, int(values.size - np.count_nonzero(known))


def _check_target(values: NDArray[Any], target: str) -> None:
    if values.size < MIN_ROWS:
        raise DataError(
            f"too few rows: {values.size} have a value of {target!r}, {MIN_ROWS} are needed"
        )
    if np.unique(values).size == 1:
        raise DataError(f"the target {target!r} has only one value, {values[0]}")


def _encode_target(values: NDArray[Any], target: str, task: Task) -> NDArray[Any]:
    """Class numbers, or the values themselves for regression."""
    if task == "regression":
        if not _is_numeric(values):
            raise DataError(f"the target {target!r} is text: regression needs numbers")
        return values
    classes, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        rare = classes[counts.argmin()]
        raise DataError(
            f"class {rare} of the target {target!r} has only one row: every class needs two or more"
        )
    return codes


def _split(y: NDArray[Any], task: Task, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Row numbers to train on and held out, class by class unless there are too many classes."""
    by_class = task == "classification" and y.max() < int(HELD_OUT * y.size)
    train, test = train_test_split(
        np.arange(y.size), test_size=HELD_OUT, stratify=y if by_class else None, random_state=seed
    )
    return train, test


def _encode_features(
    table: Table, train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Numbers filled in and standardised, text one-hot; what is learned, from training rows."""
    columns = list(table.values())
    cells = np.empty((columns[0].size, len(columns)), dtype=object)
    for j, column in enumerate(columns):
        cells[:, j] = column
    numeric = [j for j, column in enumerate(columns) if _is_numeric(column)]
    text = [j for j, column in enumerate(columns) if not _is_numeric(column)]
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    one_hot = OneHotEncoder(
        handle_unknown="ignore", max_categories=MAX_CATEGORIES, sparse_output=False
    )
    encoder = ColumnTransformer(
        [("numbers", make_pipeline(fill, StandardScaler()), numeric), ("text", one_hot, text)]
    )
    x_train = encoder.fit_transform(cells[train]).astype(np.float32)
    return x_train, encoder.transform(cells[test]).astype(np.float32)


def _sizes(x_train: NDArray[Any], x_test: NDArray[Any]) -> str:
    return f"{len(x_train)} rows to train on, {len(x_test)} held out, {x_train.shape[1]} inputs"
