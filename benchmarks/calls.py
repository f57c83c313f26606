"""What do small calls cost around the core? `python benchmarks/calls.py`, on Linux or macOS.

Beside scikit-learn, in turns: partial_fit of few rows, and fits of few rows and epochs. Then what
early stopping adds to a fit of many rows: seconds, and the growth of the peak of memory, each in a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as SklearnClassifier

from fastmlp import MLPClassifier

COLUMNS, HIDDEN = 30, (32,)
_CALLS_IN_A_TURN = 20  # as in a stream
_KIB = 1024 if sys.platform.startswith("linux") else 1  # that ru_maxrss counts in


def calls(kind: Any) -> dict[str, Callable[[], Any]]:
    """Return the calls by name, of an estimator of that kind."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, COLUMNS))
    y = (x[:, 0] > 0).astype(int)
    stream = kind(HIDDEN, random_state=0).partial_fit(x, y, classes=[0, 1])
    return {
        "partial_fit, 1 row": lambda: stream.partial_fit(x[:1], y[:1]),
        "partial_fit, 32 rows": lambda: stream.partial_fit(x[:32], y[:32]),
        "fit, 100 rows, 3 epochs": lambda: kind(HIDDEN, max_iter=3, random_state=0).fit(
            x[:100], y[:100]
        ),
    }


def time_calls(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return microseconds by call and library."""
    ways = {"fastmlp": calls(MLPClassifier), "scikit-learn": calls(SklearnClassifier)}
    times: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for library, its in ways.items():
            for name, call in its.items():
                call()
                for _ in range(_CALLS_IN_A_TURN):
                    begin = time.perf_counter()
                    call()
                    seconds = time.perf_counter() - begin
                    times.setdefault(name, {}).setdefault(library, []).append(1e6 * seconds)
    return times


def measure_split(rows: int, early_stopping: bool) -> dict[str, float]:
    """Fit in this process; return its seconds and the growth of its memory in MiB."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 50), dtype=np.float32)
    y = x[:, 0] > 0
    model = MLPClassifier((16,), max_iter=1, batch_size=1000, early_stopping=early_stopping)
    model.fit(x[:1000], y[:1000])
    before, begin = _peak(), time.perf_counter()
    model.fit(x, y)
    return {"seconds": time.perf_counter() - begin, "MiB": (_peak() - before) / 2**20}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the split")
    parser.add_argument("--split", choices=["plain", "early"], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    if options.split:
        print(json.dumps(measure_split(options.rows, options.split == "early")))
        return
    print(f"{'µs':26}{'fastmlp':>9}{'p99':>9}{'scikit-learn':>15}{'p99':>9}")
    for name, times in time_calls(options.rounds).items():
        cells = [f"{name:26}"]
        for library, width in (("fastmlp", 9), ("scikit-learn", 15)):
            its = times[library]
            cells.append(f"{median(its):{width}.0f}{quantiles(its, n=100)[98]:9.0f}")
        print("".join(cells))
    print(f"\n{f'fit, {options.rows} x 50, 1 epoch':32}{'seconds':>9}{'MiB':>9}")
    for way in ("plain", "early"):
        command = [sys.executable, __file__, "--split", way, "--rows", str(options.rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        name = "early_stopping=True" if way == "early" else "early_stopping=False"
        print(f"{name:32}{found['seconds']:9.2f}{found['MiB']:9.1f}")


if __name__ == "__main__":
    main()
