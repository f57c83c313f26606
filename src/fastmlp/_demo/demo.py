"""The demo: fastmlp trains on digits or on a CSV table, with scikit-learn's own MLP beside it."""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import sklearn
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from threadpoolctl import threadpool_limits

from fastmlp import MLPClassifier, MLPRegressor, __version__, get_target
from fastmlp._demo.data import DataError, Problem, Task, digits_problem, table_problem

SCORES: dict[Task, str] = {"classification": "accuracy", "regression": "R2"}
BASELINES: dict[Task, tuple[str, type]] = {
    "classification": ("most frequent class", DummyClassifier),
    "regression": ("mean of the target", DummyRegressor),
}
OURS: dict[Task, type] = {"classification": MLPClassifier, "regression": MLPRegressor}
THEIRS: dict[Task, type] = {"classification": SklearnClassifier, "regression": SklearnRegressor}


@dataclass(frozen=True)
class Result:
    """One row of the table that the demo prints."""

    name: str
    score: float
    epochs: int
    seconds: float

    @property
    def seconds_per_epoch(self) -> float:
        return self.seconds / self.epochs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status: 0, 2 for unusable input, 130 after Ctrl-C."""
    options = _parse(argv)
    try:
        if options.csv is None:
            problem = digits_problem(options.seed)
        else:
            problem = table_problem(options.csv, options.target, options.task, options.seed)
        _run(problem, options)
    except DataError as error:
        print(f"fastmlp: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastmlp: interrupted", file=sys.stderr)
        return 130
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m fastmlp", description=__doc__)
    table = parser.add_argument_group("own data")
    table.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="table with a header row; nameless columns are left out",
    )
    table.add_argument("--target", metavar="COLUMN", help="the column to predict")
    table.add_argument("--task", choices=sorted(SCORES), help="default: told from the target")
    network = parser.add_argument_group("training")
    network.add_argument(
        "--hidden", type=_integer(1), nargs="+", default=[100], metavar="UNITS", help="default: 100"
    )
    network.add_argument("--epochs", type=_integer(1), default=200, help="at most; default: 200")
    network.add_argument("--seed", type=_integer(0, 2**32 - 1), default=0, help="default: 0")
    network.add_argument("--threads", type=_integer(1), help="default: all that are worth using")
    network.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave scikit-learn's MLP out"
    )
    options = parser.parse_args(argv)
    if (options.csv is None) != (options.target is None):
        parser.error("--csv and --target go together")
    if options.csv is None and options.task is not None:
        parser.error("--task needs --csv")
    return options


def _integer(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer in {low}..{high}")
        return int(text)

    return parse


def _run(problem: Problem, options: argparse.Namespace) -> None:
    settings = {
        "hidden_layer_sizes": tuple(options.hidden),
        "max_iter": options.epochs,
        "random_state": options.seed,
    }
    print(*problem.summary, sep="\n")
    print(
        f"network: hidden layers {options.hidden}, at most {options.epochs} epochs, same settings"
    )
    print(f"fastmlp kernels: {get_target()}", flush=True)
    ours = OURS[problem.task](**settings, n_jobs=options.threads, verbose=1)
    results = [_fit(f"fastmlp {__version__}", ours, problem)]
    if options.compare:
        theirs = THEIRS[problem.task](**settings)
        with threadpool_limits(options.threads):
            results.append(_fit(f"scikit-learn {sklearn.__version__}", theirs, problem))
    _report(problem, results)


def _fit(name: str, estimator: Any, problem: Problem) -> Result:
    with warnings.catch_warnings():
        # The epochs may run out: the table says how many there were.
        warnings.simplefilter("ignore", ConvergenceWarning)
        begin = perf_counter()
        estimator.fit(problem.x_train, problem.y_train)
        seconds = perf_counter() - begin
    return Result(name, _score(estimator, problem), estimator.n_iter_, seconds)


def _score(estimator: Any, problem: Problem) -> float:
    return float(estimator.score(problem.x_test, problem.y_test))


def _report(problem: Problem, results: list[Result]) -> None:
    baseline, dummy = BASELINES[problem.task]
    guess = _score(dummy().fit(problem.x_train, problem.y_train), problem)
    width = max(len(baseline), *(len(result.name) for result in results))
    print(f"\n{'':{width}}  {SCORES[problem.task]:>8}  {'epochs':>6}  {'seconds':>8}  ms/epoch")
    for result in results:
        print(
            f"{result.name:{width}}  {result.score:8.4f}  {result.epochs:6d}  "
            f"{result.seconds:8.3f}  {1e3 * result.seconds_per_epoch:8.3f}"
        )
    print(f"{baseline:{width}}  {guess:8.4f}")
    print(f"\n{SCORES[problem.task]} is measured on the rows held out.")
    if len(results) == 2:
        ours, theirs = results
        ratio = theirs.seconds_per_epoch / ours.seconds_per_epoch
        print(f"Time per epoch in this run, scikit-learn / fastmlp: {ratio:.1f}")
