"""NumPy, written by hand: what a careful user would write, and the truth for the other contenders.

Parameters and gradients are views of one flat vector each, so that the optimizer is a few
whole-vector operations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, data
from threadpoolctl import ThreadpoolController

SCALES_EPSILON = False

_blas = ThreadpoolController().select(user_api="blas")


def available() -> str | None:
    """NumPy is always there."""
    return None


def pin(threads: int | None) -> None:
    """Limit NumPy's BLAS, and no other pool: each contender has its own."""
    _blas.limit(limits=threads)


def _softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


ACTIVATIONS: dict[str, Callable[[Array], Any]] = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": _softmax,
}
SLOPES: dict[str, Callable[[Array], Any]] = {  # from the output
    "tanh": lambda y: 1 - y * y,
    "relu": lambda y: y > 0,
}


def predict(task: Task, params: Params, x: Array) -> Array:
    """Compute the outputs (rows, outputs) of the network."""
    *hidden, (w, b) = params
    for w_hidden, b_hidden in hidden:
        x = ACTIVATIONS[task.hidden](x @ w_hidden + b_hidden)
    y: Array = ACTIVATIONS[task.output](x @ w + b)
    return y


def mean_loss(task: Task, params: Params) -> float:
    """Compute the loss of the whole data set, without dropout; for classes only."""
    d = data(task)
    y = predict(task, params, d.x)
    return float(-np.log(np.maximum(y[d.targets > 0], 1e-30)).mean())


class Predictor:
    """Forward passes only."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        self.task, self.weights = task, params

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        return predict(self.task, self.weights, x)


class Trainer:
    """Mini-batch training by hand. As the reference it can follow either form of Adam."""

    def __init__(
        self, task: Task, threads: int | None, *, scales_epsilon: bool = SCALES_EPSILON
    ) -> None:
        self.task, self.data = task, data(task)
        self.flat, self.weights = _flat_params(task)
        self.flat_gradient, self.gradients = _flat_params(task)
        self.make_update = partial(Adam, scales_epsilon) if task.optimizer == "adam" else Sgd
        self.update = self.make_update(task, self.flat)
        # the derivative of squared_error and of either cross entropy by the logits is y - t
        self.loss_factor = 2 / task.sizes[-1] if task.loss == "mse" else 1.0
        self.rng = np.random.default_rng(0)

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        for mine, given in zip(self.weights, params, strict=True):
            mine[0][:], mine[1][:] = given
        self.update = self.make_update(self.task, self.flat)

    def params(self) -> Params:
        """Copy the weights."""
        return [(w.copy(), b.copy()) for w, b in self.weights]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        x, t, batch = self.data.x, self.data.targets, self.task.batch
        for _ in range(self.task.passes):
            for start in range(0, len(x), batch):
                self._step(x[start : start + batch], t[start : start + batch])

    def _step(self, x: Array, t: Array) -> None:
        inputs, masks = self._forward(x)
        dz = inputs.pop() - t
        dz *= self.loss_factor / len(x)
        for i in range(len(self.weights) - 1, -1, -1):
            dw, db = self.gradients[i]
            np.matmul(inputs[i].T, dz, out=dw)
            np.sum(dz, axis=0, out=db)
            if i > 0:
                dz = dz @ self.weights[i][0].T
                dz *= SLOPES[self.task.hidden](inputs[i])
                if masks:
                    dz *= masks[i - 1]
        self.update(self.flat_gradient)

    def _forward(self, x: Array) -> tuple[list[Array], list[Array]]:
        """Inputs of every layer and the outputs; the dropout masks, scaled by 1 / keep."""
        inputs, masks = [x], []
        *hidden, (w, b) = self.weights
        rate = self.task.dropout
        for w_hidden, b_hidden in hidden:
            y = ACTIVATIONS[self.task.hidden](inputs[-1] @ w_hidden + b_hidden)
            if rate:
                mask = self.rng.random(y.shape, dtype=np.float32) >= rate
                masks.append(mask * np.float32(1 / (1 - rate)))
                y *= masks[-1]
            inputs.append(y)
        inputs.append(ACTIVATIONS[self.task.output](inputs[-1] @ w + b))
        return inputs, masks


class Adam:
    """Adam with both bias corrections in the rate.

    scikit-learn and fastmlp add epsilon to the raw root sqrt(v), PyTorch and JAX (optax) to the
    corrected one, which is the same as scaling epsilon by the correction.
    """

    def __init__(self, scales_epsilon: bool, task: Task, flat: Array) -> None:
        self.scales_epsilon = scales_epsilon
        self.rate, self.flat, self.t = task.learning_rate, flat, 0
        self.m, self.v, self.work = (np.zeros_like(flat) for _ in range(3))

    def __call__(self, g: Array) -> None:
        """Apply one update; g is overwritten."""
        self.t += 1
        self.m *= BETA_1
        self.m += np.multiply(g, 1 - BETA_1, out=self.work)
        self.v *= BETA_2
        np.multiply(g, g, out=g)
        g *= 1 - BETA_2
        self.v += g
        correction = (1 - BETA_2**self.t) ** 0.5
        np.sqrt(self.v, out=self.work)
        self.work += EPSILON * correction if self.scales_epsilon else EPSILON
        np.divide(self.m, self.work, out=self.work)
        self.work *= self.rate * correction / (1 - BETA_1**self.t)
        self.flat -= self.work


class Sgd:
    """Gradient descent with momentum."""

    def __init__(self, task: Task, flat: Array) -> None:
        self.rate, self.flat = task.learning_rate, flat
        self.velocity = np.zeros_like(flat)

    def __call__(self, g: Array) -> None:
        """Apply one update; g is overwritten."""
        self.velocity *= MOMENTUM
        g *= self.rate
        self.velocity -= g
        self.flat += self.velocity


def _flat_params(task: Task) -> tuple[Array, Params]:
    sizes = [size for n_in, n_out in task.layers for size in (n_in * n_out, n_out)]
    flat = np.zeros(sum(sizes), dtype=np.float32)
    parts = np.split(flat, list(accumulate(sizes))[:-1])
    weights = [part.reshape(shape) for part, shape in zip(parts[::2], task.layers, strict=True)]
    return flat, list(zip(weights, parts[1::2], strict=True))
