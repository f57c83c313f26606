"""What is measured: the tables of workloads, their data and their initial weights.

Nothing here knows a contender. Data are synthetic with a fixed seed, because the time of a step
depends on shapes and not on values; the whole fits in `FITS` use data sets that come with
scikit-learn.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

Array = NDArray[np.float32]
Params = list[tuple[Array, Array]]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam, for every contender
MOMENTUM = 0.9  # SGD, without Nesterov's variant

OUTPUT = {
    "cross_entropy": "softmax",
    "binary_cross_entropy": "logistic",
    "squared_error": "identity",
    "mse": "identity",
}


@dataclass(frozen=True)
class Task:
    """One network with its data size and the way it is trained.

    `sizes` are the widths from the features to the outputs. The losses bear fastmlp's names:
    "squared_error" is half the squared error summed over outputs, "mse" the mean squared error. One
    timed epoch makes `passes` passes over `rows` rows.
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    loss: str
    batch: int
    rows: int
    passes: int = 1
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    dropout: float = 0.0

    @property
    def output(self) -> str:
        """The output activation that belongs to the loss."""
        return OUTPUT[self.loss]

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every dense layer."""
        return list(pairwise(self.sizes))

    @property
    def steps(self) -> int:
        """Updates in one timed epoch."""
        return self.passes * -(-self.rows // self.batch)

    @property
    def flops_per_step(self) -> float:
        """Products only: three of 2*batch*in*out a layer; the first needs no gradient of x."""
        first, *rest = (2.0 * self.batch * n_in * n_out for n_in, n_out in self.layers)
        return 2 * first + 3 * sum(rest)

    @property
    def flops_forward(self) -> float:
        """Products of one forward pass over a batch."""
        return sum(2.0 * self.batch * n_in * n_out for n_in, n_out in self.layers)

    def shortened(self, steps: int) -> Task:
        """The same task cut down to its first `steps` updates."""
        if self.rows <= self.batch:
            return replace(self, passes=steps)
        return replace(self, rows=steps * self.batch, passes=1)

    def inference(self, batch: int) -> Task:
        """Prediction of `batch` rows by the network of this task."""
        return replace(self, name=f"{self.name} b{batch}", batch=batch, rows=batch, dropout=0.0)


def _by_name(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


# Rows are chosen so that an epoch has a few dozens of steps. Comments say where a shape comes from.
TASKS = _by_name(
    Task("tiny", (8, 32, 32, 1), "tanh", "squared_error", batch=32, rows=64 * 32),
    # either side of OpenBLAS's threading threshold, where PyTorch once got nine times slower
    Task("cliff45", (10, 45, 45, 10), "relu", "cross_entropy", batch=128, rows=48 * 128),
    Task("cliff46", (10, 46, 46, 10), "relu", "cross_entropy", batch=128, rows=48 * 128),
    Task("digits", (64, 100, 10), "relu", "cross_entropy", batch=200, rows=32 * 200),
    Task("tabular", (54, 256, 256, 7), "relu", "cross_entropy", batch=256, rows=32 * 256),
    Task("mnist", (784, 256, 128, 10), "relu", "cross_entropy", batch=128, rows=32 * 128),
    Task("deep", (128, *[256] * 8, 10), "relu", "cross_entropy", batch=128, rows=32 * 128),
    Task("drop", (784, 1024, 1024, 10), "relu", "cross_entropy", 256, 16 * 256, dropout=0.5),
    # the README benchmark of SimpleChains.jl
    Task("simplechains", (4, 32, 16, 4), "tanh", "mse", batch=10_000, rows=10_000, passes=24),
    # OpenNN's published comparison with PyTorch
    Task(
        "higgs",
        (28, *[300] * 5, 1),
        "tanh",
        "binary_cross_entropy",
        batch=100,
        rows=32 * 100,
        optimizer="sgd",
        learning_rate=1e-2,
    ),
)

# Asked one row at a time: a control policy, and the published FPGA benchmark of Myrtle.ai's Vollo.
_SERVED = _by_name(
    Task("policy", (8, 64, 64, 4), "tanh", "mse", batch=1, rows=1),
    Task("vollo", (256, 384, 384, 128), "relu", "mse", batch=1, rows=1),
)
INFERENCE = _by_name(
    *(task.inference(1) for task in _SERVED.values()),
    *(TASKS[name].inference(b) for b in (1, 8192) for name in ("tiny", "digits", "mnist", "higgs")),
)


@dataclass(frozen=True)
class Fit:
    """A whole fit by an estimator at scikit-learn's default settings, scored on held-out rows."""

    name: str
    estimator: str  # "classifier" or "regressor"
    load: Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]]

    @property
    def data(self) -> tuple[NDArray[np.float64], ...]:
        """x, x_test, y, y_test. Features, and the target of a regression, are standardised."""
        x, y = self.load(return_X_y=True)
        x = StandardScaler().fit_transform(x)
        if self.estimator == "regressor":
            y = (y - y.mean()) / y.std()
        return tuple(train_test_split(x, y, random_state=0))


FITS = {
    fit.name: fit
    for fit in (
        Fit("digits", "classifier", datasets.load_digits),
        Fit("breast cancer", "classifier", datasets.load_breast_cancer),
        Fit("diabetes", "regressor", datasets.load_diabetes),
    )
}


@dataclass(frozen=True)
class Data:
    """Inputs (rows, features); class labels (rows,), if any; targets (rows, outputs)."""

    x: Array
    labels: NDArray[np.int64] | None
    targets: Array


def _rng(task: Task, purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{purpose} {task.sizes}".encode()))


@lru_cache(maxsize=4)
def data(task: Task) -> Data:
    """Draw the rows of a task, with targets from a noisy linear teacher."""
    rng = _rng(task, "data")
    n_in, n_out = task.sizes[0], task.sizes[-1]
    x = rng.standard_normal((task.rows, n_in), dtype=np.float32)
    teacher = rng.standard_normal((n_in, n_out), dtype=np.float32) / np.float32(n_in**0.5)
    scores = x @ teacher + rng.standard_normal((task.rows, n_out), dtype=np.float32)
    if task.loss == "cross_entropy":
        labels = scores.argmax(axis=1)
        return Data(x, labels, np.eye(n_out, dtype=np.float32)[labels])
    if task.loss == "binary_cross_entropy":
        positive = scores > 0
        return Data(x, positive[:, 0].astype(np.int64), positive.astype(np.float32))
    return Data(x, None, np.tanh(scores))


def initial_params(task: Task) -> Params:
    """Draw Glorot's uniform weights with small biases: [(w (in, out), b (out,)), ...], float32."""
    rng = _rng(task, "params")
    params = []
    for n_in, n_out in task.layers:
        bound = (6.0 / (n_in + n_out)) ** 0.5
        w = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
        params.append((w, rng.uniform(-bound, bound, n_out).astype(np.float32)))
    return params
