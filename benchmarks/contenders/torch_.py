"""PyTorch, eager, with its fused optimizers and the usual loop over slices of tensors in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from tasks import BETA_1, BETA_2, EPSILON, MOMENTUM, Array, Params, Task, data

from contenders import missing

SCALES_EPSILON = True


def available() -> str | None:
    """Say why PyTorch cannot be used, or None."""
    return missing("torch")


if available() is None:
    import torch
    from torch import nn
    from torch.nn import functional


def estimator(kind: str, threads: int | None, settings: dict[str, Any]) -> Any:
    """Make an estimator with these settings, and scikit-learn's defaults otherwise."""
    from contenders.torch_estimator import Estimator

    return Estimator(kind, **settings)


def pin(threads: int | None) -> None:
    """Limit PyTorch's own threads."""
    if threads is not None:
        torch.set_num_threads(threads)


class Trainer:
    """The usual loop: zero, loss, backward, step."""

    def __init__(self, task: Task, threads: int | None) -> None:
        torch.manual_seed(0)
        d = data(task)
        self.task = task
        self.x = torch.from_numpy(d.x)
        classes = task.loss == "cross_entropy"
        self.t = torch.from_numpy(d.labels if classes and d.labels is not None else d.targets)
        self.model = model_of(task)
        self.loss = loss_function(task)
        self.optimizer = optimizer_of(task, self.model)

    def set_params(self, params: Params) -> None:
        """Start afresh from these weights."""
        set_model_params(self.model, params)
        self.optimizer = optimizer_of(self.task, self.model)

    def params(self) -> Params:
        """Copy the weights, as (in, out)."""
        return [
            (
                np.ascontiguousarray(layer.weight.detach().numpy().T),
                layer.bias.detach().numpy().copy(),
            )
            for layer in dense(self.model)
        ]

    def epoch(self) -> None:
        """Make the task's passes over the rows, in order."""
        x, t, batch = self.x, self.t, self.task.batch
        loss_of, optimizer = self.loss_of, self.optimizer
        for _ in range(self.task.passes):
            for start in range(0, len(x), batch):
                optimizer.zero_grad(set_to_none=True)
                loss_of(x[start : start + batch], t[start : start + batch]).backward()
                optimizer.step()

    def loss_of(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        loss: torch.Tensor = self.loss(self.model(x), t)
        return loss


class Predictor:
    """Forward passes in inference mode, from and to NumPy."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        self.model = model_of(task).eval()
        set_model_params(self.model, params)
        link = {"softmax": nn.Softmax(dim=1), "logistic": nn.Sigmoid(), "identity": nn.Identity()}
        self.model.append(link[task.output])

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        with torch.inference_mode():
            y: Array = self.model(torch.from_numpy(x)).numpy()
        return y


def model_of(task: Task) -> Any:
    """Make the network up to its logits."""
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[task.hidden]
    *hidden, last = task.layers
    parts = []
    for n_in, n_out in hidden:
        parts += [nn.Linear(n_in, n_out), activation()]
        if task.dropout:
            parts.append(nn.Dropout(task.dropout))
    return nn.Sequential(*parts, nn.Linear(*last))


def dense(model: Any) -> list[Any]:
    """List the layers that have weights."""
    return [part for part in model if isinstance(part, nn.Linear)]


def set_model_params(model: Any, params: Params) -> None:
    """Copy weights (in, out) and biases into the layers."""
    with torch.no_grad():
        for layer, (w, b) in zip(dense(model), params, strict=True):
            layer.weight.copy_(torch.from_numpy(w).T)
            layer.bias.copy_(torch.from_numpy(b))


def loss_function(task: Task) -> Any:
    """Choose the loss, from logits."""
    if task.loss == "cross_entropy":
        return functional.cross_entropy
    if task.loss == "binary_cross_entropy":
        return functional.binary_cross_entropy_with_logits
    if task.loss == "mse":
        return functional.mse_loss
    half = task.sizes[-1] / 2
    return lambda y, t: half * functional.mse_loss(y, t)


def optimizer_of(task: Task, model: Any) -> Any:
    """Make a fresh optimizer."""
    if task.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(), lr=task.learning_rate, momentum=MOMENTUM, fused=True
        )
    return torch.optim.Adam(
        model.parameters(), lr=task.learning_rate, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True
    )
