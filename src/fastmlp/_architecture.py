"""The shape of a network as plain, picklable data, and the way from there into the core."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core

if TYPE_CHECKING:
    from fastmlp._core import _Network, _Trainer

Params = tuple[list[NDArray[Any]], list[NDArray[Any]]]

_NETWORKS = {"float32": _core.NetworkFloat32, "float64": _core.NetworkFloat64}


@dataclass(frozen=True)
class LayerPlan:
    """One dense layer, with the dropout on its input and its penalties."""

    units: int
    activation: str
    input_dropout: float = 0.0
    dropout_mode: str = "inverted"
    l1: float = 0.0
    l2: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """The dense layers between `n_features` inputs and the outputs, and the dtype they work in."""

    n_features: int
    layers: tuple[LayerPlan, ...]
    dtype: str

    @property
    def coef_shapes(self) -> list[tuple[int, ...]]:
        """The shape (in, out) of each weight matrix."""
        units = [self.n_features, *(layer.units for layer in self.layers)]
        return list(pairwise(units))

    @property
    def intercept_shapes(self) -> list[tuple[int, ...]]:
        """The shape (out,) of each bias vector."""
        return [(layer.units,) for layer in self.layers]

    def pack(self, coefs: Sequence[NDArray[Any]], intercepts: Sequence[NDArray[Any]]) -> "_Network":
        """Make a network of the core with these weights and biases."""
        network = _NETWORKS[self.dtype](
            self.n_features, [_core.DenseSpec(**asdict(layer)) for layer in self.layers]
        )
        network.set_params(coefs, intercepts)
        return network


def draw_glorot(
    architecture: Architecture,
    random_state: np.random.RandomState,
    factors: Sequence[float],
    *,
    draw_intercepts: bool,
) -> Params:
    """Draw starting weights uniformly from ±sqrt(factor / (in + out)), layer by layer.

    Biases come from the same range, each drawn after its layer's weights, or are zero. The draws
    are made in float64 whatever the network's dtype, so that one seed means one start.
    """
    coefs, intercepts = [], []
    for (fan_in, fan_out), factor in zip(architecture.coef_shapes, factors, strict=True):
        bound = np.sqrt(factor / (fan_in + fan_out))
        coefs.append(random_state.uniform(-bound, bound, (fan_in, fan_out)))
        intercepts.append(
            random_state.uniform(-bound, bound, fan_out) if draw_intercepts else np.zeros(fan_out)
        )
    dtype = architecture.dtype
    return [w.astype(dtype, copy=False) for w in coefs], [
        b.astype(dtype, copy=False) for b in intercepts
    ]


@dataclass(frozen=True)
class TrainerSettings:
    """The arguments of a trainer of the core: compared to decide whether one can go on."""

    loss: str
    optimizer: str
    hyperparameters: dict[str, float]
    rate: float
    batch_size: int
    seed: int
    schedule: str = "constant"
    power_t: float = 0.5
    shuffle: bool = True
    tol: float = 0.0
    n_iter_no_change: int = -1
    monitor: str = "loss"
    penalty_per_sample: bool = False
    loss_scale: float = 1.0

    def make(self, network: "_Network", state: dict[str, Any] | None = None) -> "_Trainer":
        """Make the trainer of `network`, going on from `state` if given."""
        kind = (
            _core.TrainerFloat32
            if isinstance(network, _core.NetworkFloat32)
            else _core.TrainerFloat64
        )
        trainer = kind(network, **vars(self))
        if state is not None:
            trainer.set_state(state)
        return trainer
