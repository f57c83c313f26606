"""fastmlp's computation graph: a Python loop over batches, as in PyTorch, whose forward pass,
backward pass and step are each one call. Shown beside the others, and no peer of fastmlp's.
"""

from __future__ import annotations

from typing import Any

from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Params, Task, data

from contenders import UnsupportedError, missing

SCALES_EPSILON = False


def available() -> str | None:
    """Say why fastmlp cannot be used, or None."""
    return missing("fastmlp")


if available() is None:
    from fastmlp import graph


def pin(threads: int | None) -> None:
    """Do nothing: every pass takes its number of threads."""


class Trainer:
    """Three calls a step."""

    def __init__(self, task: Task, threads: int | None) -> None:
        self.task, self.threads, d = task, threads, data(task)
        steps = [slice(i, i + task.batch) for i in range(0, task.rows, task.batch)]
        self.batches = [(d.x[step], d.targets[step]) for step in steps]

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        task = self.task
        self.layers = [(graph.variable(w), graph.variable(b)) for w, b in params]
        self.x, self.t = (graph.constant(array) for array in self.batches[0])
        h = self.x
        for w, b in self.layers[:-1]:
            h = getattr(graph, task.hidden)(graph.dense(h, w, b))
            h = graph.dropout(h, task.dropout, seed=0) if task.dropout else h
        on_logits = {"logits": True} if task.output != "identity" else {}
        self.loss = getattr(graph, task.loss)(graph.dense(h, *self.layers[-1]), self.t, **on_logits)
        variables = [variable for layer in self.layers for variable in layer]
        hyperparameters: dict[str, Any] = {
            "adam": {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON},
            "sgd": {"momentum": MOMENTUM, "nesterov": 0.0},
        }[task.optimizer]
        self.optimizer = graph.Optimizer(
            variables, task.optimizer, task.learning_rate, **hyperparameters
        )

    def params(self) -> Params:
        """Copy the weights."""
        return [(w.value.copy(), b.value.copy()) for w, b in self.layers]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        for _ in range(self.task.passes):
            for x, t in self.batches:
                self.x.value, self.t.value = x, t
                self.loss.forward(n_jobs=self.threads).backward(n_jobs=self.threads)
                self.optimizer.step(n_jobs=self.threads)


class Predictor:
    """Predictions are the business of the layer level."""

    def __init__(self, *_: Any) -> None:
        raise UnsupportedError("it only trains")
