"""Does the default hurt where other processes want the cores? `python benchmarks/busy.py`.

Everything is measured while 0, 1 and 2 other processes are busy. First the default against one
thread (`n_jobs=1`), in turns: predictions of few rows, and fits. Then what calls an estimator again
and again, against scikit-learn's estimators.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import mean, median, quantiles
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier

BUSY = (0, 1, 2)
MEAN, P99, MEDIAN, SLOWEST = 1.2, 3.0, 1.15, 2.0  # of the default over one thread, at most
_CALLS_IN_A_TURN, _TURNS = 50, 20
_FITS = 20  # that the slowest is one of
_PAUSE = 4e-3  # seconds at least, for threads to come to rest
_SETTLING = 0.3

Call = Callable[[], Any]


def bundled(load: Callable[..., Any]) -> tuple[Any, Any]:
    """Return scaled samples and labels."""
    x, y = load(return_X_y=True)
    return StandardScaler().fit_transform(x), y


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Let so many processes work without end."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(_SETTLING)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def in_turns(ways: dict[str, Call], rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the seconds of each call.

    Order and pauses are drawn, as turns would else fall in step with the system's time slices.
    """
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in rng.permutation(list(ways.items())):
            time.sleep(rng.uniform(1, 3) * _PAUSE)
            for _ in range(calls):
                begin = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def both(make: Callable[..., Call]) -> dict[str, Call]:
    """Return the call with one thread and by default."""
    return {"one thread": make(n_jobs=1), "default": make()}


def prediction(x: Any, y: Any, rows: int) -> Callable[..., Call]:
    """Return a maker of predictions of so many rows."""
    many = np.tile(x, (-(-rows // len(x)), 1))[:rows]

    def make(**settings: Any) -> Call:
        model = MLPClassifier(max_iter=5, random_state=0, **settings).fit(x, y)
        return lambda: model.predict_proba(many)

    return make


def fitting(x: Any, y: Any, epochs: int) -> Callable[..., Call]:
    """Return a maker of fits."""
    return lambda **settings: (
        lambda: MLPClassifier(max_iter=epochs, random_state=0, **settings).fit(x, y)
    )


def against_one_thread(rounds: int) -> list[str]:
    """Return a line for each case, and what is beyond the reach."""
    cancer, digits = bundled(load_breast_cancer), bundled(load_digits)
    lines = []
    for rows in (len(cancer[0]), 5000):
        times = in_turns(both(prediction(*cancer, rows)), _TURNS * rounds, _CALLS_IN_A_TURN)
        average = _ratio(mean, times)
        late = _ratio(lambda s: quantiles(s, n=100)[98], times)
        ratios = f"mean   {average:5.2f}   p99     {late:6.2f}"
        lines.append(_line(f"predict_proba, {rows} rows, µs", times, 1e6, ratios))
        lines[-1] += _beyond(average > MEAN or late > P99)
    for epochs in (5, 20, 200):
        ways = both(fitting(*digits, epochs))
        groups = [in_turns(ways, _FITS, 1) for _ in range(rounds)]
        middle = median(_ratio(median, times) for times in groups)
        slowest = median(_ratio(max, times) for times in groups)
        times = {way: [s for group in groups for s in group[way]] for way in ways}
        ratios = f"median {middle:5.2f}   slowest {slowest:6.2f}"
        lines.append(_line(f"fit of digits, {epochs} epochs, ms", times, 1e3, ratios))
        lines[-1] += _beyond(middle > MEDIAN or slowest > SLOWEST)
    return lines


def _ratio(figure: Callable[[list[float]], float], times: dict[str, list[float]]) -> float:
    return figure(times["default"]) / figure(times["one thread"])


def _line(name: str, times: dict[str, list[float]], unit: float, ratios: str) -> str:
    one, default = (unit * median(times[way]) for way in ("one thread", "default"))
    return f"  {name:34}{one:10.1f}{default:10.1f}   {ratios}"


def _beyond(is_beyond: bool) -> str:
    return "   beyond" if is_beyond else ""


def against_sklearn(rounds: int) -> list[str]:
    """Return a line for each way to call an estimator many times."""
    x, y = bundled(load_breast_cancer)
    settings = {"max_iter": 20, "random_state": 0}
    kinds = {"scikit-learn": SklearnClassifier, "fastmlp": MLPClassifier}
    fitted = {name: kind(**settings).fit(x, y) for name, kind in kinds.items()}
    grid = {"alpha": [1e-5, 1e-3], "hidden_layer_sizes": [(50,), (100,)]}
    tools: dict[str, Callable[[str], Any]] = {
        "partial_dependence": lambda name: partial_dependence(
            fitted[name], x, [0, 1], grid_resolution=20
        ),
        "permutation_importance": lambda name: permutation_importance(
            fitted[name], x, y, random_state=0
        ),
        "cross_val_predict": lambda name: cross_val_predict(kinds[name](**settings), x, y),
        "GridSearchCV": lambda name: GridSearchCV(kinds[name](**settings), grid, cv=3).fit(x, y),
    }
    lines = []
    for tool, run in tools.items():
        ways = {name: lambda name=name, run=run: run(name) for name in kinds}
        times = in_turns(ways, 2 * rounds, 1)
        theirs, ours = (1e3 * median(times[name]) for name in kinds)
        beyond = _beyond(ours >= theirs)
        lines.append(f"  {tool:34}{theirs:10.1f}{ours:10.1f}   {theirs / ours:5.1f} times{beyond}")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables for each number of busy processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", nargs="+", type=int, default=BUSY, help="processes")
    parser.add_argument("--rounds", type=int, default=5, help="medians are taken over")
    parser.add_argument("--only", choices=["threads", "sklearn"])
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    print(f"{len(os.sched_getaffinity(0))} cores")
    for count in options.busy:
        with busy_processes(count):
            if options.only != "sklearn":
                print(f"{count} busy: medians with one thread, by default; ratios")
                print("\n".join(against_one_thread(options.rounds)), flush=True)
            if options.only != "threads":
                print(f"{count} busy: medians of scikit-learn, fastmlp, ms; times as fast")
                print("\n".join(against_sklearn(options.rounds)), flush=True)


if __name__ == "__main__":
    main()
