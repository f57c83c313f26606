"""JAX on its CPU device: a whole epoch is one compiled `lax.scan` over batches on the device.

Weights and optimizer state are donated. Compilation happens before the clock starts. JAX is first
imported by `pin`, since the size of its thread pool must be known by then.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, data

from contenders import UnsupportedError, missing, ynnpack

SCALES_EPSILON = True

_pinned: list[int | None] = []  # the one number of threads of this process


def available() -> str | None:
    """Say why JAX cannot be used, or None."""
    return missing("jax")


def pin(threads: int | None) -> None:
    """Size XLA's pool. It reads NPROC when it starts, once in a process.

    Raises
    ------
    UnsupportedError
        If JAX already runs with another number, or cannot be held to AVX2 as `XLA_FLAGS` ask.
    """
    if not _pinned:
        if threads is not None and "jax" in sys.modules:
            raise UnsupportedError("jax was imported before its threads could be set")
        if threads is not None:
            os.environ["NPROC"] = str(threads)
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        # a handover to another thread costs more than a small network: two to three times faster
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        if ynnpack.is_wanted():
            ynnpack.hold_to_avx2()
        _pinned.append(threads)
    elif _pinned[0] != threads:
        raise UnsupportedError(f"jax keeps the {_pinned[0]} threads it was started with")


class Trainer:
    """One call of a compiled function per epoch."""

    def __init__(self, task: Task, threads: int | None) -> None:
        import jax

        self.task, d = task, data(task)
        steps = task.rows // task.batch
        self.x = jax.device_put(d.x.reshape(steps, task.batch, -1))
        self.t = jax.device_put(d.targets.reshape(steps, task.batch, -1))
        self.run = jax.jit(_epoch(task), donate_argnums=0)
        self.state: Any = None

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        import jax
        import jax.numpy as jnp

        zeros = [jax.tree.map(np.zeros_like, params) for _ in range(2)]
        # jnp.array copies: a donated buffer must not be the caller's
        state = (params, *zeros, np.int32(0), np.asarray(jax.random.key_data(jax.random.key(0))))
        self.state = jax.block_until_ready(jax.tree.map(jnp.array, state))

    def params(self) -> Params:
        """Copy the weights."""
        return [(np.array(w), np.array(b)) for w, b in self.state[0]]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        self.state = self.run(self.state, self.x, self.t)
        self.state[3].block_until_ready()


class Predictor:
    """A compiled forward pass, from and to NumPy."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        import jax

        activations = _activations()
        self.weights = jax.device_put(params)
        self.run = jax.jit(lambda p, x: activations[task.output](_logits(task, p, x, None)))

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        return np.asarray(self.run(self.weights, x))


def _activations() -> dict[str, Any]:
    import jax

    return {
        "relu": jax.nn.relu,
        "tanh": jax.numpy.tanh,
        "softmax": jax.nn.softmax,
        "logistic": jax.nn.sigmoid,
        "identity": lambda z: z,
    }


def _logits(task: Task, params: Any, x: Any, key: Any) -> Any:
    """Network up to the output's link; with dropout if there is a key."""
    import jax

    activation = _activations()[task.hidden]
    *hidden, (w, b) = params
    for i, (w_hidden, b_hidden) in enumerate(hidden):
        x = activation(x @ w_hidden + b_hidden)
        if key is not None and task.dropout:
            keep = 1 - task.dropout
            mask = jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape)
            x = jax.numpy.where(mask, x / keep, 0)
    return x @ w + b


def _loss(task: Task, params: Any, x: Any, t: Any, key: Any) -> Any:
    import jax
    import jax.numpy as jnp

    z = _logits(task, params, x, key)
    if task.loss == "cross_entropy":
        return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(z), axis=1))
    if task.loss == "binary_cross_entropy":
        return jnp.mean(jax.nn.softplus(z) - t * z)
    mean = jnp.mean((z - t) ** 2)
    return mean if task.loss == "mse" else mean * task.sizes[-1] / 2


def _adam(task: Task, p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
    m = BETA_1 * m + (1 - BETA_1) * g
    v = BETA_2 * v + (1 - BETA_2) * g * g
    m_hat, v_hat = m / (1 - BETA_1**t), v / (1 - BETA_2**t)
    return p - task.learning_rate * m_hat / (v_hat**0.5 + EPSILON), m, v


def _sgd(task: Task, p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
    m = MOMENTUM * m + g
    return p - task.learning_rate * m, m, v


def _epoch(task: Task) -> Any:
    """A pure function (state, x, t) -> state that makes all passes."""
    import jax

    update: Any = {"adam": _adam, "sgd": _sgd}[task.optimizer]

    def step(state: Any, batch: Any) -> Any:
        params, m, v, t, key_data = state
        x_batch, t_batch = batch
        t = t + 1
        key = jax.random.fold_in(jax.random.wrap_key_data(key_data), t)
        gradients = jax.grad(lambda p: _loss(task, p, x_batch, t_batch, key))(params)
        leaves, tree = jax.tree.flatten(params)
        rest = (jax.tree.leaves(part) for part in (gradients, m, v))
        new = [update(task, *leaf, t) for leaf in zip(leaves, *rest, strict=True)]
        params, m, v = (jax.tree.unflatten(tree, part) for part in zip(*new, strict=True))
        return (params, m, v, t, key_data), None

    def one_pass(state: Any, batches: Any) -> Any:
        return jax.lax.scan(step, state, batches)[0]

    def epoch(state: Any, x: Any, t: Any) -> Any:
        return jax.lax.fori_loop(0, task.passes, lambda _, s: one_pass(s, (x, t)), state)

    return epoch
