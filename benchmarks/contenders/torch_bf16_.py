"""PyTorch with products in bfloat16: autocast in training, a bfloat16 model in predictions.

Weights, gradients and Adam stay float32 in training. It computes something else than the others,
so that it is shown beside them and not counted as their peer.
"""

from __future__ import annotations

from tasks import Array, Params, Task

from contenders import torch_
from contenders.torch_ import SCALES_EPSILON, available, pin

__all__ = [
    "ARITHMETIC",
    "OUTPUT_TOLERANCE",
    "PARAMS_TOLERANCE",
    "SCALES_EPSILON",
    "Predictor",
    "Trainer",
    "available",
    "pin",
]

ARITHMETIC = "bfloat16"

# bfloat16 rounds each factor by up to 2^-9 of its size. Through up to nine layers, gradients come
# out some percent off, and Adam's first steps are the signs of the gradients: a gradient that the
# rounding turns around moves its weight the other way, twice the step from where it should be.
PARAMS_TOLERANCE = 0.5
OUTPUT_TOLERANCE = 0.03

if available() is None:
    import torch


class Trainer(torch_.Trainer):
    """The usual loop, with autocast around the forward pass and the loss."""

    def loss_of(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().loss_of(x, t)


class Predictor(torch_.Predictor):
    """Forward passes of a model whose weights are bfloat16, from and to float32."""

    def __init__(self, task: Task, params: Params, threads: int | None) -> None:
        super().__init__(task, params, threads)
        self.model.to(torch.bfloat16)

    def __call__(self, x: Array) -> Array:
        """Compute the outputs (rows, outputs)."""
        with torch.inference_mode():
            y: Array = self.model(torch.from_numpy(x).to(torch.bfloat16)).float().numpy()
        return y
