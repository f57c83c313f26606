"""The least time that a step can take: its arithmetic at the measured peak, or its bytes that must
come from memory at the measured bandwidth, whichever is longer.

Bytes count only if what is touched by every step exceeds the last-level cache: in training the
parameters with the optimizer's state, in a prediction the parameters. For such networks

* a step of Adam reads and writes w, m and v, and reads w once more for the forward pass: 28 bytes a
  parameter; SGD with momentum does the same without one vector: 20 bytes
* a prediction reads w: 4 bytes a parameter

Inputs, activations and gradients could stay in caches and count as nothing, so that this is a bound
from below.
"""

from __future__ import annotations

from typing import Any

from machine import last_level_cache
from tasks import Task

_WORD = 4  # float32
_VECTORS = {"adam": 3, "sgd": 2}  # of the parameters' length: weights and moments


def bytes_per_step(task: Task, cache: int | None = None) -> float:
    """Bytes that a training step must move, with a cache of so many bytes; by default this one."""
    vector, vectors = _WORD * task.n_params, _VECTORS[task.optimizer]
    if vectors * vector <= _size(cache):
        return 0.0
    return float(vector * (2 * vectors + 1))


def bytes_per_prediction(task: Task, cache: int | None = None) -> float:
    """Bytes that a prediction must read from memory, as above."""
    vector = _WORD * task.n_params
    return 0.0 if vector <= _size(cache) else float(vector)


def seconds(step: dict[str, Any], peak: dict[str, float]) -> float | None:
    """The limit of a step of so many "flops" and "bytes"; None where no peak was measured."""
    if not peak or not step["flops"]:
        return None
    return float(max(step["flops"] / peak["flops"], step["bytes"] / peak["bandwidth"]))


def _size(cache: int | None) -> int:
    return last_level_cache() if cache is None else cache
