"""A table of one's own: an ensemble of small networks, with gradient boosting beside it."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from fastmlp import TabularClassifier, TabularRegressor, __version__, save
from fastmlp._demo.reading import read_table
from fastmlp._demo.results import HELD_OUT, DataError, Result, Task, print_results, seconds_of

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MIN_ROWS = 20
MAX_INTEGER_CLASSES = 20
MOST_NAMED = 5  # columns, by their importance


@dataclass(frozen=True)
class Problem:
    """Rows to train on and rows held out, and what is to be predicted."""

    task: Task
    x_train: "DataFrame"
    x_test: "DataFrame"
    y_train: "Series"
    y_test: "Series"

    @property
    def classifies(self) -> bool:
        """Whether classes are to be predicted."""
        return self.task == "classification"


def run_table(options: argparse.Namespace) -> None:
    """Train on a table, say what each column was taken for and how good it is, and save it.

    Raises
    ------
    DataError
        If the table cannot be read, or learned from.
    """
    if options.save and not Path(options.save).absolute().parent.is_dir():
        raise DataError(f"there is no folder for {options.save}")
    table = read_table(options.csv, header=options.header)
    target = find_target(table, options.target)
    problem = make_problem(table, target, options.task, options.seed)
    print(f"{options.csv}: {len(problem.x_train)} rows to train on, {len(problem.x_test)} held out")
    dropped = len(table) - len(problem.x_train) - len(problem.x_test)
    if dropped:
        print(f"left out: {dropped} rows without a value of {target!r}")
    classes = f", {problem.y_train.nunique()} classes" if problem.classifies else ""
    print(f"task: {problem.task}, {target!r}{classes} (--task overrides)", flush=True)
    kind = TabularClassifier if problem.classifies else TabularRegressor
    ours = kind(
        preset=options.preset or "balanced",
        time_limit=options.time_limit,
        n_jobs=options.threads,
        random_state=options.seed,
        verbose=1,
    )
    results = [_fit(f"fastmlp {__version__}", ours, problem)]
    print("\ncolumns:", *(f"  {column}" for column in ours.columns_), sep="\n")
    print(f"most important: {_most_important(ours)}")
    if options.save:
        save(ours, options.save)
        print(f"saved to {options.save}: fastmlp.load reads it.", flush=True)
    problem = replace(problem, x_train=_plain(problem.x_train), x_test=_plain(problem.x_test))
    if options.compare:
        results.append(_fit("HistGradientBoosting", _boosting(problem, options.seed), problem))
    dummy = DummyClassifier(strategy="prior") if problem.classifies else DummyRegressor()
    name = "most frequent class" if problem.classifies else "mean of the target"
    results.append(_fit(name, dummy, problem))
    names = ["accuracy", "log loss"] if problem.classifies else ["R2", "RMSE"]
    print_results([*names, "seconds"], [".4f", ".4g", ".2f"], results)
    print(f"\n{' and '.join(names)} are measured on the rows held out.")


def find_target(table: "DataFrame", target: str) -> str:
    """Return the name of the target, which may be given as the number of its column.

    Raises
    ------
    DataError
        If there is no such column.
    """
    names = list(table)
    if target in names:
        return target
    is_number = target.lstrip("-").isdecimal() and -len(names) <= int(target) < len(names)
    if not is_number:
        raise DataError(
            f"there is no column {target!r}; there are: {', '.join(names)}. If these are values, "
            "add --no-header"
        )
    return str(names[int(target)])


def make_problem(table: "DataFrame", target: str, task: Task | None, seed: int) -> Problem:
    """Split a table into training and held-out rows; the task is told from the target.

    Raises
    ------
    DataError
        If the target cannot be learned.
    """
    if table.shape[1] == 1:
        raise DataError(f"there is no column besides the target {target!r}")
    y = table[target]
    if y.dtype.kind == "f":
        y = y.where(np.isfinite(y))
    known, y = table[y.notna()], y[y.notna()]
    if len(y) < MIN_ROWS:
        raise DataError(f"too few rows: {len(y)} have a value of {target!r}, {MIN_ROWS} are needed")
    if y.nunique() == 1:
        raise DataError(f"the target {target!r} has only one value, {y.iloc[0]}")
    task = task or infer_task(y)
    y = _labels(y) if task == "classification" else _numbers(y, target)
    parts = train_test_split(
        known.drop(columns=target),
        y,
        test_size=HELD_OUT,
        stratify=y if _can_stratify(y, task) else None,
        random_state=seed,
    )
    return Problem(task, *parts)


def infer_task(y: "Series") -> Task:
    """Classification for text and for few distinct integers, otherwise regression."""
    if y.dtype.kind not in "iuf":
        return "classification"
    distinct = y.unique()
    few = max(2, min(MAX_INTEGER_CLASSES, len(y) // 5))
    whole = bool(np.all(distinct == np.round(distinct)))
    return "classification" if whole and len(distinct) <= few else "regression"


def _labels(y: "Series") -> "Series":
    if y.dtype.kind == "f" and (y == np.round(y)).all():  # integers in a column that had gaps
        return y.astype(int)
    return y if y.dtype.kind in "biu" else y.astype(str)


def _numbers(y: "Series", target: str) -> "Series":
    try:
        return y.astype(float)
    except (ValueError, TypeError) as error:
        raise DataError(f"the target {target!r} is text: regression needs numbers") from error


def _can_stratify(y: "Series", task: Task) -> bool:
    counts = y.value_counts()
    return task == "classification" and counts.min() > 1 and len(counts) < int(HELD_OUT * len(y))


def _plain(frame: "DataFrame") -> "DataFrame":
    """The columns as gradient boosting takes them: dates and truths as numbers, others as texts."""
    import pandas as pd

    plain = {}
    for name in frame:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            column = (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(days=1)
        elif pd.api.types.is_numeric_dtype(column):
            column = column.astype(float).replace([np.inf, -np.inf], np.nan)
        else:
            column = column.astype(object).map(str).where(column.notna(), None)
        plain[name] = column
    return pd.DataFrame(plain)


def _boosting(problem: Problem, seed: int) -> Any:
    """Gradient boosting on these columns; those that are empty are left out."""
    is_used = problem.x_train.notna().any()
    texts = [n for n in problem.x_train if is_used[n] and problem.x_train[n].dtype.kind != "f"]
    numbers = [n for n in problem.x_train if is_used[n] and n not in texts]
    encoder = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), texts),
        ("passthrough", numbers),
    )
    kind = HistGradientBoostingClassifier if problem.classifies else HistGradientBoostingRegressor
    return make_pipeline(encoder, kind(random_state=seed))


def _fit(name: str, estimator: Any, problem: Problem) -> Result:
    seconds = seconds_of(lambda: estimator.fit(problem.x_train, problem.y_train))
    predicted = estimator.predict(problem.x_test)
    if problem.classifies:
        shares = estimator.predict_proba(problem.x_test)
        y = problem.y_test.to_numpy()
        accuracy = float(np.mean(predicted == y))
        seen = np.isin(y, estimator.classes_)  # a class of a few rows may be among those held out
        loss = log_loss(y[seen], shares[seen], labels=estimator.classes_) if seen.any() else np.nan
        return Result(name, [accuracy, loss, seconds])
    score = r2_score(problem.y_test, predicted)
    return Result(name, [score, root_mean_squared_error(problem.y_test, predicted), seconds])


def _most_important(model: Any) -> str:
    shares = model.feature_importances_
    order = np.argsort(-shares)[:MOST_NAMED]
    named = [f"{model.columns_[j].name} {shares[j]:.0%}" for j in order if shares[j] >= 0.005]
    return ", ".join(named) or "none"
