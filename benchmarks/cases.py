"""A case is one contender at one task: checked first, then something to call against the clock.

The pytest benchmarks and `run.py` time the same cases.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from contenders import NAMES, UnsupportedError, load, numpy_
from tasks import FITS, INFERENCE, TASKS, Fit, Params, Task, data, initial_params

CHECKED_STEPS = 3
TRIAL_SECONDS = 5e-3

# Distance of the parameters to NumPy's after a few steps, as a share of the way they went. Adam
# divides a gradient by its own size, so that weights whose gradient is all rounding take full steps
# of either sign. Between summation orders that gives 1e-4 in the worst task (mnist). An epsilon at
# the other place gives 1e-3 to 1e-1, so NumPy follows the contender's own form of Adam.
PARAMS_TOLERANCE = 1e-3

# Largest difference of an output to NumPy's. Outputs are of order one, made of sums of up to 784
# float32 products, whose order differs, through up to six layers.
OUTPUT_TOLERANCE = 1e-4

# Held-out scores below scikit-learn's. Shuffles and so stopping epochs differ, and the 110 to 450
# test rows resolve no better.
SCORE_TOLERANCE = 0.05


class WrongAnswerError(AssertionError):
    """A contender disagrees with the reference, so its time means nothing."""


@dataclass
class Case:
    """`call()`, to be timed, does `steps` steps of `flops` operations; `prepare()` goes before."""

    kind: str  # "train", "predict" or "fit"
    task: str
    contender: str
    threads: int | None
    call: Callable[[], object]
    prepare: Callable[[], object]
    steps: int = 1
    flops: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """What the contenders of one comparison share."""
        return f"{self.kind}: {self.task}"

    @property
    def info(self) -> dict[str, Any]:
        """What `report.py` needs to know beside the times."""
        return {
            "kind": self.kind,
            "task": self.task,
            "contender": self.contender,
            "threads": "auto" if self.threads is None else self.threads,
            "steps": self.steps,
            "flops": self.flops,
            **self.notes,
        }


def train_case(task: Task, contender: str, threads: int | None) -> Case:
    """One epoch from the initial weights, whose first steps were checked."""
    module = load(contender)
    module.pin(threads)
    _check_first_steps(task, module, threads)
    trainer = module.Trainer(task, threads)
    start = initial_params(task)

    def restart() -> None:
        """Begin every timed epoch at the same place, far from slow denormal numbers."""
        trainer.set_params(start)

    return _case("train", task, module, threads, trainer.epoch, restart, task.flops_per_step)


def predict_case(task: Task, contender: str, threads: int | None) -> Case:
    """One checked prediction of a batch."""
    module = load(contender)
    module.pin(threads)
    params, x = initial_params(task), data(task).x
    predictor = module.Predictor(task, params, threads)
    error = float(np.abs(predictor(x) - numpy_.predict(task, params, x)).max())
    _require(error <= OUTPUT_TOLERANCE, f"{contender}: {task.name}: outputs off by {error:.1e}")
    return _case(
        "predict", task, module, threads, lambda: predictor(x), lambda: None, task.flops_forward
    )


def fit_case(fit: Fit, contender: str, threads: int | None) -> Case:
    """A whole fit at default settings, whose held-out score was checked."""
    module = load(contender)
    if not hasattr(module, "estimator"):
        raise UnsupportedError(f"{contender} has no estimator")
    module.pin(threads)
    x, x_test, y, y_test = fit.data
    estimator = module.estimator(fit.estimator, threads).fit(x, y)
    score, expected = estimator.score(x_test, y_test), _sklearn_score(fit)
    _require(
        score >= expected - SCORE_TOLERANCE,
        f"{contender}: score {score:.3f} on {fit.name}, scikit-learn has {expected:.3f}",
    )
    case = _case("fit", fit, module, threads, lambda: estimator.fit(x, y), lambda: None, 0.0)
    case.notes = {"score": float(score), "epochs": int(estimator.n_iter_)}
    return case


def cases_of(
    task: str, contenders: Sequence[str] = NAMES, threads: int | None = None
) -> tuple[list[Case], list[str]]:
    """Make the case of every contender at a task, and say of the others why there is none.

    Raises
    ------
    ValueError
        If there is no task of that name.
    """
    made, reasons = [], []
    for contender in contenders:
        try:
            made.append(case_of(task, contender, threads))
        except UnsupportedError as reason:
            reasons.append(f"{task}: {contender} is left out: {reason}")
    return made, reasons


def case_of(task: str, contender: str, threads: int | None) -> Case:
    """Make the case of a contender at a task of that name, as `task_names` lists them."""
    if task in TASKS:
        return train_case(TASKS[task], contender, threads)
    if task in INFERENCE:
        return predict_case(INFERENCE[task], contender, threads)
    if task.startswith("fit ") and task[4:] in FITS:
        return fit_case(FITS[task[4:]], contender, threads)
    raise ValueError(f"unknown task {task!r}; there are {', '.join(task_names())}")


def task_names() -> list[str]:
    """All names: of training tasks, of predictions, and "fit " with the name of a data set."""
    return list(chain(TASKS, INFERENCE, (f"fit {name}" for name in FITS)))


def _case(
    kind: str,
    task: Task | Fit,
    module: Any,
    threads: int | None,
    call: Callable[[], object],
    restart: Callable[[], object],
    flops: float,
) -> Case:
    """Put a case together; its `prepare` sets the threads again and warms the caches."""

    def prepare(count: int | None) -> None:
        module.pin(count)
        restart()
        call()
        restart()

    if threads is None and module.TRIES_THREADS:
        threads = _fastest_threads(call, prepare)
    steps = task.steps if kind == "train" and isinstance(task, Task) else 1
    contender = module.__name__.removeprefix("contenders.").rstrip("_")
    return Case(kind, task.name, contender, threads, call, lambda: prepare(threads), steps, flops)


def usable_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fastest_threads(call: Callable[[], object], prepare: Callable[[int], object]) -> int:
    """The better of one thread and all, so that no rival loses by its default."""

    def seconds(count: int) -> float:
        prepare(count)
        return min(timed(call, TRIAL_SECONDS) for _ in range(2))

    return min(sorted({1, usable_cores()}), key=seconds)


def timed(call: Callable[[], object], at_least: float) -> float:
    """Seconds of one call, as the mean over so many as take `at_least` seconds together."""
    calls, chunk = 0, 1
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < at_least:
        for _ in range(chunk):
            call()
        calls += chunk
        chunk = calls  # doubles the number, so that reading the clock costs nothing
    return elapsed / calls


def _check_first_steps(task: Task, module: Any, threads: int | None) -> None:
    short = task.shortened(CHECKED_STEPS)
    trainer = module.Trainer(short, threads)
    for _ in range(2):  # the second time shows whether set_params leaves something of the first
        trainer.set_params(initial_params(short))
        trainer.epoch()
    name = f"{module.__name__}: {task.name}"
    if task.dropout:  # masks are random: only progress can be checked
        before, after = (
            numpy_.mean_loss(short, params) for params in (initial_params(short), trainer.params())
        )
        _require(after < before, f"{name}: the loss went from {before:.4f} to {after:.4f}")
        return
    error = _distance(trainer.params(), _reference(short, module.SCALES_EPSILON), short)
    _require(error <= PARAMS_TOLERANCE, f"{name}: parameters are off by {error:.1e} of their way")


def _distance(params: Params, expected: Params, task: Task) -> float:
    start = _flat(initial_params(task))
    way = np.linalg.norm(_flat(expected) - start)
    return float(np.linalg.norm(_flat(params) - _flat(expected)) / way)


def _flat(params: Params) -> np.ndarray:
    return np.concatenate([part.ravel() for layer in params for part in layer]).astype(np.float64)


@cache
def _reference(task: Task, scales_epsilon: bool) -> Params:
    trainer = numpy_.Trainer(task, None, scales_epsilon=scales_epsilon)
    trainer.set_params(initial_params(task))
    trainer.epoch()
    return trainer.params()


@cache
def _sklearn_score(fit: Fit) -> float:
    x, x_test, y, y_test = fit.data
    estimator = load("sklearn").estimator(fit.estimator, None).fit(x, y)
    return float(estimator.score(x_test, y_test))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise WrongAnswerError(message)
