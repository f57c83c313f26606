"""A person's table, as pandas reads it: text with any separator, compressed or not, or Parquet."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp._demo.results import DataError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SEPARATORS = ",;\t|"
_ENCODINGS = ["utf-8-sig", "cp1252", "latin-1"]  # the last reads whatever there is
_MISSING = ["?"]  # beside what pandas knows
_SAMPLE = 200  # rows to tell the decimal mark by
_PARQUET, _GZIP, _UTF_16 = b"PAR1", b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")  # how files begin


def read_table(path: str, *, header: bool = True) -> "DataFrame":
    """Return the table in a file, or at '-' the standard input; dates in ISO 8601 as dates.

    Columns without a name are left out, as is a first one that the header has no name for. Where
    there is no header, columns are named '0', '1', ...

    Raises
    ------
    DataError
        If there is no such file, or no table in it, or pandas or pyarrow is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise DataError("--csv needs pandas: pip install 'fastmlp[tables]'") from error
    try:
        source: Any = io.BytesIO(sys.stdin.buffer.read()) if path == "-" else Path(path)
        is_parquet = _head(source) == _PARQUET
        table = pd.read_parquet(source) if is_parquet else _read_text(source, header)
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty: a header row and rows of values are needed") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ImportError, ValueError) as error:  # pandas' errors of parsing, too
        raise DataError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    named = [name for name in table if not str(name).startswith("Unnamed: ")]
    if not len(table) or not named:
        raise DataError(f"{path} has no rows: a header row and rows of values are needed")
    table = table[named].reset_index(drop=True).rename(columns=str)
    return table.assign(**{name: _dates(table[name]) for name in table})


def _head(source: Any) -> bytes:
    if isinstance(source, io.BytesIO):
        return bytes(source.getbuffer()[: len(_PARQUET)])
    with source.open("rb") as file:
        return bytes(file.read(len(_PARQUET)))


def _read_text(source: Any, header: bool) -> "DataFrame":
    encodings = ["utf-16"] if _head(source).startswith(_UTF_16) else _ENCODINGS
    for encoding in encodings[:-1]:
        try:
            return _read_as(source, encoding, header)
        except UnicodeError:
            continue
    return _read_as(source, encodings[-1], header)


def _read_as(source: Any, encoding: str, header: bool) -> "DataFrame":
    how: dict[str, Any] = {"encoding": encoding, "header": 0 if header else None}
    counts = {mark: _count_columns(source, sep=mark, **how) for mark in _SEPARATORS}
    how["sep"] = max(counts, key=lambda mark: counts[mark])
    if how["sep"] == ";":  # where decimal commas may be
        how["decimal"] = max(".,", key=lambda mark: _count_numbers(source, decimal=mark, **how))
    return _read(source, **how)


def _read(source: Any, **how: Any) -> "DataFrame":
    import pandas as pd

    if isinstance(source, io.BytesIO):  # which has no name to tell whether it is compressed
        source.seek(0)
        how["compression"] = "gzip" if _head(source).startswith(_GZIP) else None
    table: DataFrame = pd.read_csv(
        source,
        na_values=_MISSING,
        skipinitialspace=True,
        low_memory=False,
        **how,
    )
    return table


def _count_columns(source: Any, **how: Any) -> int:
    """How many names the header has, or values the first row."""
    return int(_read(source, nrows=1 if how["header"] is None else 0, **how).shape[1])


def _count_numbers(source: Any, **how: Any) -> int:
    return int(_read(source, nrows=_SAMPLE, **how).select_dtypes("number").shape[1])


def _dates(column: "Series") -> "Series":
    """A column of texts that are all dates as dates, any other as it is."""
    import pandas as pd

    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return column
    try:
        return pd.to_datetime(column, format="ISO8601")
    except ValueError:
        return column
