"""How long does a search take? `python benchmarks/searches.py`: 50 settings on handwritten digits.

In turns, round after round: scikit-learn's network and ours searched by processes, ours by threads
of one process, and ours as a pack with one validation set instead of three folds.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.neural_network import MLPClassifier as SklearnClassifier

from fastmlp import MLPClassifier, fit_pack

GRID = {
    "hidden_layer_sizes": [(32,), (64,), (128,), (64, 64), (128, 128)],
    "learning_rate_init": [1e-3, 3e-3],
    "alpha": [1e-4, 1e-2, 0.1, 1.0, 10.0],
}
FOLDS, EPOCHS, HELD_OUT = 3, 100, 600  # of 1797 rows


def searches(threads: int, epochs: int, grid: dict[str, list[Any]]) -> dict[str, Callable[[], Any]]:
    """Return the searches by name."""
    x, y = load_digits(return_X_y=True)
    x = x / 16
    settings = {"max_iter": epochs, "random_state": 0}

    def search(estimator: Any, backend: str) -> Any:
        with parallel_config(backend, n_jobs=threads):
            return GridSearchCV(estimator, grid, cv=FOLDS).fit(x, y)

    def pack() -> Any:
        estimators = [MLPClassifier(**settings, **each) for each in ParameterGrid(grid)]
        cut = len(x) - HELD_OUT
        return fit_pack(estimators, x[:cut], y[:cut], X_val=x[cut:], y_val=y[cut:], n_jobs=threads)

    return {
        "scikit-learn's network, processes": lambda: search(SklearnClassifier(**settings), "loky"),
        "fastmlp, processes": lambda: search(MLPClassifier(**settings), "loky"),
        "fastmlp, threads": lambda: search(MLPClassifier(**settings, n_jobs=1), "threading"),
        "fastmlp, a pack and one validation set": pack,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the median of the rounds for each search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--few", action="store_true", help="two settings only, for a test")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    os.environ["PYTHONWARNINGS"] = "ignore"  # in other processes, too
    grid = {name: values[:1] for name, values in GRID.items()} if options.few else GRID
    seconds: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, run in searches(options.threads, options.epochs, grid).items():
            begin = time.perf_counter()
            run()
            seconds.setdefault(name, []).append(time.perf_counter() - begin)
    for name, times in seconds.items():
        print(f"{name:40} {median(times):6.1f} s   {[round(each, 1) for each in times]}")


if __name__ == "__main__":
    main()
