"""How good are ensembles on tables? `python benchmarks/tables.py --json tables.jsonl --chart out`.

Every contender is at its defaults, the same for all tables. Each fit has a process of its own, in
which a small fit comes first, so that nothing is loaded while the clock runs. What is in the file
already is not measured again.

The score is the error, or the root of the mean squared error in units of the target's standard
deviation, on rows held out; beside it the log loss. Ranks and ratios are of means over seeds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from table_sets import TABLES, split

BASELINE = "catboost"
SEEDS = (0, 1, 2)
_LEAST = 1e-15  # of a probability
_TICKS = (0.7, 0.8, 0.9, 1, 1.2, 1.5, 2)
_MOST_LEVELS = 250  # that HistGradientBoosting takes

Frame = pd.DataFrame
Row = dict[str, Any]


# Contenders: from (classifies, threads, frame, seed) to an estimator that takes the frame


def _fastmlp(preset: str) -> Callable[..., Any]:
    def make(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
        from fastmlp import TabularClassifier, TabularRegressor

        kind = TabularClassifier if classifies else TabularRegressor
        return kind(preset=preset, n_jobs=threads, random_state=seed)

    return make


def _sklearn_mlp(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), _texts(frame)),
        remainder=numbers,
    )
    if classifies:
        return make_pipeline(columns, MLPClassifier(random_state=seed))
    regressor = MLPRegressor(random_state=seed)
    return make_pipeline(
        columns, TransformedTargetRegressor(regressor, transformer=StandardScaler())
    )


def _boosting_of_sklearn(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    texts = _texts(frame)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_MOST_LEVELS
    )
    columns = make_column_transformer((encoder, texts), remainder="passthrough")
    return make_pipeline(
        columns, kind(random_state=seed, categorical_features=list(range(len(texts))))
    )


def _lightgbm(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if classifies else LGBMRegressor
    return kind(n_jobs=threads, random_state=seed, verbose=-1)


def _xgboost(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBClassifier if classifies else XGBRegressor
    return kind(n_jobs=threads, random_state=seed, enable_categorical=True)


def _catboost(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if classifies else CatBoostRegressor
    return kind(
        thread_count=threads,
        random_seed=seed,
        cat_features=_texts(frame),
        verbose=False,
        allow_writing_files=False,
    )


def _pytabkit(name: str) -> Callable[..., Any]:
    def make(classifies: bool, threads: int, frame: Frame, seed: int) -> Any:
        import pytabkit

        kind = getattr(pytabkit, f"{name}_{'Classifier' if classifies else 'Regressor'}")
        return kind(device="cpu", n_threads=threads, random_state=seed, verbosity=0)

    return make


# By name: the package that has it, and how it is made.
CONTENDERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "fastmlp": ("fastmlp", _fastmlp("balanced")),
    "fastmlp fast": ("fastmlp", _fastmlp("fast")),
    "fastmlp best": ("fastmlp", _fastmlp("best")),
    "catboost": ("catboost", _catboost),
    "lightgbm": ("lightgbm", _lightgbm),
    "hist gradient boosting": ("sklearn", _boosting_of_sklearn),
    "xgboost": ("xgboost", _xgboost),
    "sklearn mlp": ("sklearn", _sklearn_mlp),
    "realmlp-td": ("pytabkit", _pytabkit("RealMLP_TD")),
    "tabm-d": ("pytabkit", _pytabkit("TabM_D")),
}
USUAL = [name for name in CONTENDERS if name not in ("fastmlp best", "realmlp-td", "tabm-d")]


def _texts(frame: Frame) -> list[str]:
    return [str(name) for name in frame if frame[name].dtype == "category"]


def _without_gaps(frame: Frame) -> Frame:
    """With a category of its own for missing texts, which CatBoost and scikit-learn ask for."""
    filled = {
        name: frame[name].cat.add_categories(["(missing)"]).fillna("(missing)").astype(str)
        for name in _texts(frame)
    }
    return frame.assign(**filled)


# Measurement


def measure(contender: str, table: str, seed: int, threads: int) -> Row:
    """Fit in this process, and return scores and seconds."""
    warnings.simplefilter("ignore")
    classifies = TABLES[table].classes
    x_train, x_test, y_train, y_test = split(table, seed)
    spread = y_train.std() if not classifies else 1.0
    classes = np.unique(y_train)
    if classifies:
        y_train, y_test = np.searchsorted(classes, y_train), np.searchsorted(classes, y_test)
    model, warm = (CONTENDERS[contender][1](classifies, threads, x_train, seed) for _ in range(2))
    if contender in ("catboost", "sklearn mlp", "hist gradient boosting"):
        x_train, x_test = _without_gaps(x_train), _without_gaps(x_test)
    groups = y_train if classifies else np.zeros(len(y_train))
    few = pd.Series(range(len(y_train))).groupby(groups).head(20).to_numpy()
    if not contender.endswith("-td"):  # which takes as long for a few rows
        warm.fit(x_train.iloc[few], y_train[few])
    begin = time.perf_counter()
    model.fit(x_train, y_train)
    middle = time.perf_counter()
    row: Row = {"contender": contender, "table": table, "seed": seed, "threads": threads}
    if classifies:
        shares = np.asarray(model.predict_proba(x_test))
        row["score"] = float(np.mean(shares.argmax(axis=1) != y_test))
        row["log loss"] = _log_loss(shares, y_test)
    else:
        error = np.asarray(model.predict(x_test)).ravel() - y_test
        row["score"] = float(np.sqrt(np.mean(error**2)) / spread)
    return row | {"seconds": middle - begin, "predict": time.perf_counter() - middle}


def _log_loss(shares: NDArray[Any], y: NDArray[Any]) -> float:
    likelihood = shares[np.arange(len(y)), y]
    return float(-np.log(np.maximum(likelihood, _LEAST)).mean())


def _measured(*arguments: Any) -> Row | str:
    try:
        return measure(*arguments)
    except Exception:  # of whatever type: another process may not know it
        return traceback.format_exc()


def _in_own_process(*arguments: Any) -> Row:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row = pool.apply(_measured, arguments)
    if isinstance(row, str):
        raise RuntimeError(f"{arguments}:\n{row}")
    return row


# Report


def pivot(rows: list[Row], what: str) -> Frame:
    """Return the means over seeds, tables by contenders; tables that some lack are left out."""
    frame = pd.DataFrame(rows)
    means = frame.pivot_table(what, "table", "contender", "mean", sort=False)
    return means[[name for name in CONTENDERS if name in means]].dropna()


def summary(rows: list[Row]) -> Frame:
    """Return a line for each contender: ratios to CatBoost's, ranks, wins, seconds."""
    lines = {}
    for what in ("score", "log loss"):
        if not any(what in row for row in rows):
            continue
        means = pivot(rows, what)
        base = means[BASELINE] if BASELINE in means else means.min(axis=1)
        ratios = np.exp(np.log(means.div(base, axis=0)).mean())
        ranks = _ranks(means)
        lines[f"{what} / {BASELINE}'s"] = ratios.round(3)
        lines[f"rank by {what}"] = ranks.mean().round(2)
        lines[f"wins by {what}"] = (ranks == 1).sum()
    lines["seconds"] = pivot(rows, "seconds").mean().round(2)
    return pd.DataFrame(lines)


def _ranks(means: Frame) -> Frame:
    """Rank the contenders of each table; of fastmlp's presets only one at a time takes part."""
    others = [name for name in means if not name.startswith("fastmlp")]
    ranks = {}
    for name in means:
        opponents = ["fastmlp"] if name in others and "fastmlp" in means else []
        ranks[name] = means[list(dict.fromkeys([*others, *opponents, name]))].rank(axis=1)[name]
    return pd.DataFrame(ranks)


def report(rows: list[Row]) -> str:
    """Return the tables that are printed."""
    blocks = []
    groups = {"all tables": set(TABLES)}
    groups["tables that no preset was chosen by"] = {t.name for t in TABLES.values() if not t.seen}
    for title, names in groups.items():
        some = [row for row in rows if row["table"] in names]
        if some:
            count = len({row["table"] for row in some})
            blocks.append(f"{title} ({count})\n\n{summary(some).to_string()}")
    for what in ("score", "log loss", "seconds"):
        if any(what in row for row in rows):
            blocks.append(f"{what}\n\n{pivot(rows, what).round(4).to_string()}")
    return "\n\n".join(blocks)


def draw(rows: list[Row], folder: Path) -> list[Path]:
    """Draw every contender's scores over CatBoost's, table by table, and their mean."""
    from chart import save_figure
    from matplotlib.figure import Figure

    figure = Figure((9, 3.6), layout="constrained")
    both = figure.subplots(1, 2, sharey=True)
    for axes, what, label in zip(both, ("score", "log loss"), ("error", "log loss"), strict=True):
        means = pivot(rows, what)
        ratios = means.div(means[BASELINE], axis=0)
        for y, name in enumerate(ratios):
            color = "#0072b2" if name.startswith("fastmlp") else "#8c8c8c"
            axes.plot(ratios[name], [y] * len(ratios), ".", color=color, alpha=0.4)
            axes.plot(np.exp(np.log(ratios[name]).mean()), y, "D", color=color)
        axes.axvline(1, color="black", linewidth=0.8, zorder=0)
        axes.set_xscale("log")
        axes.set_xticks(_TICKS, map(str, _TICKS))
        axes.minorticks_off()
        axes.set_xlabel(f"{label} / CatBoost's")
        axes.set_yticks(range(len(ratios.columns)), list(ratios.columns))
    both[0].invert_yaxis()
    figure.suptitle("Errors on tables: a point for each, a diamond for the geometric mean")
    return save_figure(figure, folder, "tables")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not in the file yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=USUAL)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="a line for each fit; read before, and added to")
    parser.add_argument("--chart", type=Path, help="folder for tables.png and tables.svg")
    options = parser.parse_args(argv)
    rows = _read(options.json)
    done = {(row["contender"], row["table"], row["seed"]) for row in rows}
    for table in options.tables:
        for seed in options.seeds:
            for contender in options.contenders:
                package = CONTENDERS[contender][0]
                if (contender, table, seed) in done or find_spec(package) is None:
                    continue
                row = _in_own_process(contender, table, seed, options.threads)
                rows.append(row)
                print(json.dumps(row), flush=True)
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(row) + "\n")
    print(report(rows))
    if options.chart:
        print(*draw(rows, options.chart))


def _read(path: Path | None) -> list[Row]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
