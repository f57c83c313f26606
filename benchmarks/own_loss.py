"""What does a loss of one's own cost? `python benchmarks/own_loss.py`.

Fits with the squared error written in NumPy and with the core's, in turns: 54-256-256-7, 256 rows
a step.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import MLPRegressor

FEATURES, HIDDEN, OUTPUTS, ROWS, STEPS = 54, (256, 256), 7, 256, 100


def squared_error(outputs: NDArray[Any], targets: NDArray[Any]) -> tuple[Any, Any]:
    """Return half the squared error of each row, and its gradient."""
    error = outputs - targets
    return (error * error).sum(axis=1) / 2, error


def main(argv: Sequence[str] | None = None) -> None:
    """Print microseconds a step, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS * STEPS, FEATURES), dtype=np.float32)
    y = rng.standard_normal((ROWS * STEPS, OUTPUTS), dtype=np.float32)
    for n_jobs in (None, 1):
        settings = {"hidden_layer_sizes": HIDDEN, "batch_size": ROWS, "random_state": 0}
        models = {
            name: MLPRegressor(loss=loss, max_iter=1, n_jobs=n_jobs, **settings)
            for name, loss in (("the core's", "squared_error"), ("own", squared_error))
        }
        times: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(options.rounds):
            for name, model in models.items():
                begin = time.perf_counter()
                model.fit(x, y)
                times[name].append(1e6 * (time.perf_counter() - begin) / STEPS)
        ratio = median(own / core for core, own in zip(*times.values(), strict=True))
        figures = ", ".join(f"{name} {median(its):.0f}" for name, its in times.items())
        print(f"n_jobs={n_jobs}: µs a step {figures}; median of ratios {ratio:.3f}")


if __name__ == "__main__":
    main()
