"""What do shards cost? `python benchmarks/dask_rounds.py`: fits on a dask cluster of this machine.

The same network in one place, and by rounds on 1, 2, 4 and 8 shards: the loss and the score behind
the same number of epochs, and the seconds of the fit, by two workers of one thread. The larger rate
is 0.001 times the square root of the number of shards.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

import dask.array as da
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier
from fastmlp.dask import DaskMLPClassifier

HOW = {"n_iter_no_change": 1000, "random_state": 0, "n_jobs": 1}


def data_sets(rows: int) -> dict[str, Any]:
    """Return training and test data by name."""
    digits, labels = load_digits(return_X_y=True)
    made = make_classification(
        rows, 20, n_informative=15, n_classes=5, n_clusters_per_class=4, random_state=0
    )
    sets = {"digits, 1797 x 64": (digits / 16, labels), f"generated, {rows} x 20": made}
    return {name: train_test_split(*data, random_state=0) for name, data in sets.items()}


def measure(name: str, model: Any, train: Sequence[Any], test: Sequence[Any]) -> None:
    """Print a row of the table."""
    begin = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - begin
    print(f"| {name} | {model.loss_:.4f} | {model.score(*test):.4f} | {seconds:.2f} |", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--hidden", type=int, nargs="*", default=[100])
    parser.add_argument("--shards", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    cluster = {"n_workers": options.workers, "threads_per_worker": 1}
    with LocalCluster(**cluster, dashboard_address="127.0.0.1:0") as there, Client(there):
        for name, (x, x_test, y, y_test) in data_sets(options.rows).items():
            print(f"\n| {name}, {options.epochs} epochs: shards | loss | score | seconds |")
            print("|---|---:|---:|---:|")
            how = HOW | {"max_iter": options.epochs, "hidden_layer_sizes": options.hidden}
            measure("in one place", MLPClassifier(**how), (x, y), (x_test, y_test))
            lazy = [da.from_array(each, chunks=len(each) // 10) for each in (x, y)]
            for passes, power, shards in product((1, 5), (0, 0.5), options.shards):
                model = DaskMLPClassifier(**how, shards=shards, local_epochs=passes)
                model.set_params(learning_rate_init=0.001 * shards**power)
                kind = f"{shards}, {passes} to a round{', larger rate' if power else ''}"
                measure(kind, model, lazy, (x_test, y_test))


if __name__ == "__main__":
    main()
