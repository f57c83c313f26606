"""How do packs and searches grow with workers? `python benchmarks/dask_packs.py`.

Fits of many estimators as tasks of a dask cluster of one and of two worker processes, of one thread
each, by `fastmlp.dask.fit_pack` and by scikit-learn's search with joblib's dask backend, and the
networks of a table's ensemble with the same; beside them `fastmlp.fit_pack` and the ensemble by one
and by two threads. Runs take turns; medians.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, TabularClassifier
from fastmlp.dask import fit_pack

HOW: dict[str, Any] = {
    "hidden_layer_sizes": (64, 32),
    "max_iter": 20,
    "random_state": 0,
    "n_jobs": 1,
}
ALPHAS = np.logspace(-6, 0, 12).tolist()


def data(n_rows: int) -> tuple[Any, Any]:
    """Draw rows of five classes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_rows, 50), dtype=np.float32)
    return x, (x[:, :10] @ rng.standard_normal((10, 5))).argmax(axis=1)


def pack() -> list[Any]:
    """Return estimators that differ by their penalties."""
    return [MLPClassifier(**HOW, alpha=alpha) for alpha in ALPHAS]


def search(x: Any, y: Any, client: Any) -> None:
    """Search on the cluster: four values, three folds."""
    with joblib.parallel_config("dask", client=client):
        GridSearchCV(MLPClassifier(**HOW), {"alpha": ALPHAS[::3]}, cv=3, refit=False).fit(x, y)


def table(x: Any, y: Any, client: Any = None, n_jobs: int | None = None) -> None:
    """Fit an ensemble: three recipes, eight folds."""
    model = TabularClassifier(random_state=0, n_jobs=n_jobs)
    if client is None:
        model.fit(x, y)
        return
    with joblib.parallel_config("dask", client=client):
        model.fit(x, y)


def seconds(call: Callable[[], object]) -> float:
    """Return what a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Run all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=40_000)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = data(given.rows)
    x_table, y_table = x[: given.rows // 4, :20], y[: given.rows // 4]
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(given.rounds):
        for workers in (1, 2):
            how: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
            local = LocalCluster(n_workers=workers, processes=True, **how)
            with local as cluster, Client(cluster) as client:
                fit_pack(pack()[:2], x[:500], y[:500], client=client)  # imports
                table(x[:200], y[:200], client)
                calls = {
                    "fit_pack on dask": partial(fit_pack, pack(), x, y, client=client),
                    "search on dask": partial(search, x, y, client),
                    "fit_pack in threads": partial(fastmlp.fit_pack, pack(), x, y, n_jobs=workers),
                    "table on dask": partial(table, x_table, y_table, client, n_jobs=workers),
                    "table in threads": partial(table, x_table, y_table, n_jobs=workers),
                }
                for name, call in calls.items():
                    found.setdefault((name, workers), []).append(seconds(call))
    for name in calls:
        one, two = (median(found[name, workers]) for workers in (1, 2))
        print(f"{name:20} 1: {one:5.2f} s  2: {two:5.2f} s  {one / two:.2f} times as fast")


if __name__ == "__main__":
    main()
