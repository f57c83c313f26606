"""A case is one contender at one task: checked first, then something to call against the clock.

The pytest benchmarks and `run.py` time the same cases. Here, all runs in the present process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from contenders import UnsupportedError, load, numpy_
from fits import FITS, LOSS_TOLERANCE, SCORE_TOLERANCE, Fit
from limits import bytes_per_prediction, bytes_per_step
from tasks import ESTIMATORS, INFERENCE, SCALING, TASKS, Params, Task, data, initial_params

CHECKED_STEPS = 3
# For 10 ms or more after a sleep, two threads often have no more than one core's time between them.
WARM_SECONDS = 20e-3

# Distance of the parameters to NumPy's after a few steps, as a share of the way they went. Adam
# divides a gradient by its own size, so that weights whose gradient is all rounding take full steps
# of either sign. Between summation orders that gives 1e-4 in the worst task (mnist). An epsilon at
# the other place gives 1e-3 to 1e-1, so NumPy follows the contender's own form of Adam.
PARAMS_TOLERANCE = 1e-3

# Among the relus of a large batch some stand within rounding of their kink, and what a row adds to
# a gradient in one summation order is missing in another. One such unit changes all gradients below
# it by a thousandth, and so the sign of Adam's first step for a few weights in ten thousand.
MANY_KINKS, PARAMS_TOLERANCE_OF_MANY = 250_000, 0.1

# Largest difference of an output to NumPy's. Outputs are of order one, made of sums of up to 784
# float32 products, whose order differs, through up to six layers.
OUTPUT_TOLERANCE = 1e-4


class WrongAnswerError(AssertionError):
    """A contender disagrees with the reference, so its time means nothing."""


@dataclass
class Case:
    """`call()`, to be timed, does `steps` steps; `prepare()` goes before.

    A step is `rows` rows, `flops` operations and the move of `bytes`, as `limits.py` counts them.
    """

    kind: str  # "train", "predict", "estimator" or "fit"
    task: str
    contender: str
    threads: int | None
    call: Callable[[], object]
    prepare: Callable[[], object]
    steps: int = 1
    rows: int = 0
    flops: float = 0.0
    bytes: float = 0.0
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
            "rows": self.rows,
            "flops": self.flops,
            "bytes": self.bytes,
            **self.notes,
        }


def train_case(task: Task, contender: str, threads: int | None) -> Case:
    """One epoch from the initial weights, whose first steps were checked."""
    module = load(contender)
    module.pin(threads)
    _check_first_steps(task, module, threads)
    trainer = module.Trainer(task, threads)
    start = initial_params(task)

    def prepare() -> None:
        """Begin every timed epoch at the same place, far from slow denormal numbers."""
        trainer.set_params(start)
        timed(trainer.epoch, WARM_SECONDS)
        trainer.set_params(start)

    case = Case("train", task.name, contender, threads, trainer.epoch, prepare, task.steps)
    case.rows, case.flops, case.bytes = task.batch, task.flops_per_step, bytes_per_step(task)
    return _noted(case, module)


def predict_case(task: Task, contender: str, threads: int | None, kind: str = "predict") -> Case:
    """One checked prediction of a batch, or of a row by an estimator."""
    module = load(contender)
    module.pin(threads)
    if kind == "estimator" and not hasattr(module, "EstimatorPredictor"):
        raise UnsupportedError("it has no estimators")
    make = module.EstimatorPredictor if kind == "estimator" else module.Predictor
    params, x = initial_params(task), data(task).x
    predictor = make(task, params, threads)
    error = float(np.abs(predictor(x) - numpy_.predict(task, params, x)).max())
    tolerance = getattr(module, "OUTPUT_TOLERANCE", OUTPUT_TOLERANCE)
    _require(error <= tolerance, f"{contender}: {task.name}: outputs off by {error:.1e}")

    call = partial(predictor, x)
    case = Case(kind, task.name, contender, threads, call, lambda: timed(call, WARM_SECONDS))
    case.rows, case.flops, case.bytes = task.batch, task.flops_forward, bytes_per_prediction(task)
    return _noted(case, module)


def fit_case(fit: Fit, contender: str, threads: int | None) -> Case:
    """A whole fit, whose held-out score and training loss were checked."""
    module = load(contender)
    module.pin(threads)
    if not hasattr(module, "estimator"):
        raise UnsupportedError("it has no estimators")
    x, x_test, y, y_test = fit.data
    estimator = module.estimator(fit.estimator, threads, fit.settings)
    start = time.perf_counter()
    estimator.fit(x, y)
    first = time.perf_counter() - start
    score, loss = float(estimator.score(x_test, y_test)), fit.training_loss(estimator)
    name = f"{contender}: fit {fit.name}"
    _require(score >= fit.score - SCORE_TOLERANCE, f"{name}: score {score:.3f}")
    _require(loss <= fit.loss * LOSS_TOLERANCE, f"{name}: training loss {loss:.2e}")
    case = Case("fit", fit.name, contender, threads, lambda: estimator.fit(x, y), lambda: None)
    case.rows = len(x) * int(estimator.n_iter_)
    case.notes = {"score": score, "loss": loss, "epochs": int(estimator.n_iter_), "first": first}
    if fit.most_rounds:
        case.notes["most_rounds"] = fit.most_rounds
    return case


def case_of(task: str, contender: str, threads: int | None) -> Case:
    """Make the case of a contender at a task of that name, as `task_names` lists them.

    Raises
    ------
    ValueError
        If there is no task of that name.
    """
    if task in TASKS | SCALING:
        return train_case((TASKS | SCALING)[task], contender, threads)
    if task in INFERENCE:
        return predict_case(INFERENCE[task], contender, threads)
    if task in ESTIMATORS:
        return predict_case(ESTIMATORS[task], contender, threads, "estimator")
    if task.startswith("fit ") and task[4:] in FITS:
        return fit_case(FITS[task[4:]], contender, threads)
    raise ValueError(f"unknown task {task!r}; there are {', '.join(task_names())}")


KINDS = ("train", "predict", "estimator", "fit")


def task_names(kinds: Iterable[str] = KINDS) -> list[str]:
    """All names: of training tasks, of predictions, and "fit " with the name of a data set."""
    fits = [f"fit {name}" for name in FITS]
    names = dict(zip(KINDS, (TASKS, INFERENCE, ESTIMATORS, fits), strict=True))
    return list(chain.from_iterable(names[kind] for kind in kinds))


def _noted(case: Case, module: Any) -> Case:
    if hasattr(module, "ARITHMETIC"):
        case.notes["arithmetic"] = module.ARITHMETIC
    return case


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
    name = f"{module.__name__.removeprefix('contenders.').rstrip('_')}: {task.name}"
    if task.dropout:  # masks are random: only progress can be checked
        before, after = (
            numpy_.mean_loss(short, params) for params in (initial_params(short), trainer.params())
        )
        _require(after < before, f"{name}: the loss went from {before:.4f} to {after:.4f}")
        return
    error = _distance(trainer.params(), _reference(short, module.SCALES_EPSILON), short)
    kinks = task.batch * sum(task.sizes[1:-1]) if task.hidden == "relu" else 0
    usual = PARAMS_TOLERANCE if kinks < MANY_KINKS else PARAMS_TOLERANCE_OF_MANY
    tolerance = getattr(module, "PARAMS_TOLERANCE", usual)
    _require(error <= tolerance, f"{name}: parameters are off by {error:.1e} of their way")


def _distance(params: Params, expected: Params, task: Task) -> float:
    start = _flat(initial_params(task))
    way = np.linalg.norm(_flat(expected) - start)
    return float(np.linalg.norm(_flat(params) - _flat(expected)) / way)


def _flat(params: Params) -> np.ndarray:
    return np.concatenate([part.ravel() for layer in params for part in layer]).astype(np.float64)


def _reference(task: Task, scales_epsilon: bool) -> Params:
    trainer = numpy_.Trainer(task, None, scales_epsilon=scales_epsilon)
    trainer.set_params(initial_params(task))
    trainer.epoch()
    return trainer.params()


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise WrongAnswerError(message)
