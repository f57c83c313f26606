"""What is measured: the tables of workloads, their data and their initial weights.

Nothing here knows a contender. Data are synthetic with a fixed seed, because the time of a step
depends on shapes and not on values. Whole fits are in `fits.py`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
    def n_params(self) -> int:
        """Weights and biases together."""
        return sum(n_in * n_out + n_out for n_in, n_out in self.layers)

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
        name = f"{self.name} b{batch}"
        return replace(self, name=name, batch=batch, rows=batch, passes=1, dropout=0.0)


def _by_name(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


# Rows are chosen so that a pass has a few dozens of steps, fewer where a step takes long. The
# smallest networks make several passes in one timed call, as a real fit does, so that what is
# measured is a step and not the fixed cost of a call; the two largest make two, because a call of
# fastmlp's begins with making the optimizer's state, which others have made before. Every contender
# makes the same passes in one call of its own. Comments say where a shape comes from.
TASKS = _by_name(
    Task("tiny", (8, 32, 32, 1), "tanh", "squared_error", batch=32, rows=64 * 32, passes=16),
    # either side of OpenBLAS's threading threshold, where PyTorch once got nine times slower
    Task("cliff45", (10, 45, 45, 10), "relu", "cross_entropy", batch=128, rows=48 * 128, passes=8),
    Task("cliff46", (10, 46, 46, 10), "relu", "cross_entropy", batch=128, rows=48 * 128, passes=8),
    Task("digits", (64, 100, 10), "relu", "cross_entropy", batch=200, rows=32 * 200, passes=8),
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
    # bound by arithmetic, and by the memory traffic of the optimizer
    Task("wide", (1024, 2048, 2048, 1000), "relu", "cross_entropy", 512, 4 * 512, passes=2),
    Task("optbound", (2048, 4096, 4096, 10), "relu", "cross_entropy", 32, 8 * 32, passes=2),
)

# Asked one row at a time: a control policy, and the published FPGA benchmark of Myrtle.ai's Vollo.
_SERVED = _by_name(
    Task("policy", (8, 64, 64, 4), "tanh", "mse", batch=1, rows=1),
    Task("vollo", (256, 384, 384, 128), "relu", "mse", batch=1, rows=1),
)
_ASKED = [
    *(TASKS[name] for name in ("tiny", "digits", "tabular", "mnist", "higgs", "wide")),
    *_SERVED.values(),
]
INFERENCE = _by_name(*(task.inference(batch) for batch in (1, 8192) for task in _ASKED))

# One row again, through `predict` or `predict_proba` of an estimator, which checks its input.
ESTIMATORS = _by_name(
    *(replace(row, name=f"{row.name} estimator") for task in _ASKED if (row := task.inference(1)))
)


# How the cost of a step grows with width, depth, batch and rows: `scaling.py`.
GROWTH = {
    "width": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "depth": (1, 2, 4, 8, 16, 32),
    "batch": (1, 8, 32, 128, 512, 2048, 8192),
    "rows": (1_024, 10_240, 102_400, 1_024_000),
}


def _grown(quantity: str, value: int) -> Task:
    n = {"width": 128, "depth": 2, "batch": 128, "rows": 0} | {quantity: value}
    passes = 1 if n["rows"] else 4
    rows = n["rows"] or max(4, min(32, 4096 // n["batch"])) * n["batch"]
    sizes = (54, *[n["width"]] * n["depth"], 7)
    return Task(f"{quantity} {value}", sizes, "relu", "cross_entropy", n["batch"], rows, passes)


SCALING = _by_name(*(_grown(quantity, n) for quantity, ns in GROWTH.items() for n in ns))


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
        if task.rows >= n_out:  # every class occurs: scikit-learn finds its classes in the labels
            labels[rng.permutation(task.rows)[:n_out]] = np.arange(n_out)
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
