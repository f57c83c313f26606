"""PyTorch compiled by inductor, in the faster of two forms, found by a short trial for each task.

Either a whole step is one graph, with the optimizer written out, which suits small networks; or the
loss and its gradients are compiled, and the fused optimizer is called as usual. Compilation happens
before the clock starts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, initial_params

from contenders import torch_
from contenders.torch_ import SCALES_EPSILON, available, pin

__all__ = ["SCALES_EPSILON", "Predictor", "Trainer", "available", "pin"]

if available() is None:
    import torch
    from torch.func import functional_call, grad


_TRIAL_SECONDS = 0.2
_faster: dict[Task, type[torch_.Trainer]] = {}  # so that the form that is checked is timed


class Trainer:
    """A trainer of the faster form."""

    def __init__(self, task: Task, threads: int | None) -> None:
        torch.compiler.reset()
        key = replace(task, rows=task.batch, passes=1)
        if key not in _faster:
            _faster[key] = min((WholeStep, CompiledLoss), key=lambda form: _trial(form, key))
        trainer = _faster[key](task, threads)
        self.set_params, self.params, self.epoch = (
            trainer.set_params,
            trainer.params,
            trainer.epoch,
        )


class CompiledLoss(torch_.Trainer):
    """The usual loop with a compiled loss and backward pass."""

    def __init__(self, task: Task, threads: int | None) -> None:
        super().__init__(task, threads)
        self.loss_of = torch.compile(super().loss_of, fullgraph=True, dynamic=False)


class WholeStep(torch_.Trainer):
    """A loop over calls of one compiled function, which updates weights and moments in place."""

    def __init__(self, task: Task, threads: int | None) -> None:
        super().__init__(task, threads)
        self.weights = {name: w.detach() for name, w in self.model.named_parameters()}
        self.moments = [{n: torch.zeros_like(w) for n, w in self.weights.items()} for _ in "mv"]
        self.count = torch.zeros(())
        self.run = torch.compile(self._step, fullgraph=True, dynamic=False)

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        torch_.set_model_params(self.model, params)
        for moment in self.moments:
            for m in moment.values():
                m.zero_()
        self.count.zero_()

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        x, t, batch, run = self.x, self.t, self.task.batch, self.run
        weights, (m, v), count = self.weights, self.moments, self.count
        with torch.no_grad():
            for _ in range(self.task.passes):
                for start in range(0, len(x), batch):
                    run(weights, m, v, count, x[start : start + batch], t[start : start + batch])

    def _step(self, weights: Any, m: Any, v: Any, count: Any, x: Any, t: Any) -> None:
        gradients = grad(lambda w: self.loss(functional_call(self.model, w, (x,)), t))(weights)
        count += 1
        update = {"adam": _adam, "sgd": _sgd}[self.task.optimizer]
        for name, w in weights.items():
            update(w, gradients[name], m[name], v[name], count, self.task.learning_rate)


class Predictor(torch_.Predictor):
    """The compiled model, its weights frozen into the graph."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        from torch._inductor import config

        super().__init__(task, params, threads)
        torch.compiler.reset()
        config.freezing = True
        self.run = torch.compile(self.model, fullgraph=True, dynamic=False)

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        with torch.no_grad():
            y: Array = self.run(torch.from_numpy(x)).numpy()
        return y


def _trial(form: type[torch_.Trainer], task: Task) -> float:
    """Seconds of an epoch, the least of many."""
    trainer = form(task, None)
    trainer.set_params(initial_params(task))
    trainer.epoch()  # compiles
    seconds, end = [], time.perf_counter() + _TRIAL_SECONDS
    while not seconds or time.perf_counter() < end:
        start = time.perf_counter()
        trainer.epoch()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _adam(w: Any, g: Any, m: Any, v: Any, count: Any, rate: float) -> None:
    m.lerp_(g, 1 - BETA_1)
    v.mul_(BETA_2).addcmul_(g, g, value=1 - BETA_2)
    m_hat, v_hat = m / (1 - BETA_1**count), v / (1 - BETA_2**count)
    w.sub_(rate * m_hat / (v_hat.sqrt() + EPSILON))


def _sgd(w: Any, g: Any, m: Any, v: Any, count: Any, rate: float) -> None:
    m.mul_(MOMENTUM).add_(g)
    w.sub_(rate * m)
