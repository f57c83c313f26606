"""An estimator in PyTorch with the defaults and the stopping rule of scikit-learn's networks.

Relu layers, Adam, batches of at most 200 shuffled rows, a penalty alpha / 2 |w|^2 per batch, and an
end after ten epochs in a row whose loss is not better by 1e-4 than the best, or after `max_iter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

_ALPHA, _TOLERANCE, _PATIENCE = 1e-4, 1e-4, 10


class Estimator:
    """Fits NumPy arrays, in float32."""

    def __init__(
        self,
        kind: str,
        hidden_layer_sizes: Sequence[int] = (100,),
        batch_size: int = 200,
        max_iter: int = 200,
    ) -> None:
        self.kind, self.hidden, self.max_iter = kind, hidden_layer_sizes, max_iter
        self.batch_size = batch_size

    def fit(self, x: np.ndarray, y: np.ndarray) -> Estimator:
        """Train until the loss gets no better."""
        torch.manual_seed(0)
        inputs, targets = torch.from_numpy(x.astype(np.float32)), self._targets(y)
        batch = min(self.batch_size, len(x))
        self.model = self._model(x.shape[1])
        weights, biases = ([p for p in self.model.parameters() if p.ndim == n] for n in (2, 1))
        groups = [{"params": weights, "weight_decay": _ALPHA / batch}, {"params": biases}]
        optimizer = torch.optim.Adam(groups, fused=True)
        best, waited, self.n_iter_ = np.inf, 0, 0
        while self.n_iter_ < self.max_iter and waited < _PATIENCE:
            loss = self._epoch(inputs, targets, batch, optimizer)
            self.n_iter_ += 1
            waited = waited + 1 if loss > best - _TOLERANCE else 0
            best = min(best, loss)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Compute the outputs of a regressor, or the likeliest class."""
        if self.kind == "regressor":
            return self._outputs(x)[:, 0].numpy()
        return self.classes_[self.predict_proba(x).argmax(axis=1)]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Compute the probability of each class."""
        z = self._outputs(x)
        if len(self.classes_) == 2:
            z = torch.hstack([torch.zeros_like(z), z])
        return functional.softmax(z.double(), dim=1).numpy()

    def score(self, x: np.ndarray, y: np.ndarray) -> float:
        """Compute the accuracy, or R2."""
        if self.kind == "classifier":
            return float((self.predict(x) == y).mean())
        return float(1 - ((self.predict(x) - y) ** 2).mean() / y.var())

    def _targets(self, y: np.ndarray) -> torch.Tensor:
        if self.kind == "regressor":
            self.n_outputs = 1
            self.loss: Any = lambda z, t: functional.mse_loss(z, t) / 2
            return torch.from_numpy(y.astype(np.float32)[:, None])
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) == 2:
            self.n_outputs, self.loss = 1, functional.binary_cross_entropy_with_logits
            return torch.from_numpy(numbers.astype(np.float32)[:, None])
        self.n_outputs, self.loss = len(self.classes_), functional.cross_entropy
        return torch.from_numpy(numbers)

    def _model(self, n_features: int) -> Any:
        sizes = (n_features, *self.hidden)
        layers: list[Any] = []
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        layers.append(nn.Linear(sizes[-1], self.n_outputs))
        for layer in layers[::2]:
            nn.init.xavier_uniform_(layer.weight)
        return nn.Sequential(*layers)

    def _epoch(self, x: torch.Tensor, t: torch.Tensor, batch: int, optimizer: Any) -> float:
        order, total = torch.randperm(len(x)), torch.zeros(())
        for rows in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.model(x[rows]), t[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return float(total) / len(x)

    def _outputs(self, x: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            z: torch.Tensor = self.model(torch.from_numpy(x.astype(np.float32)))
        return z
