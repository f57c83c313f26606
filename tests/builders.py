"""Small networks, trainers and data sets of the core, with their NumPy counterparts."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from reference import LOSSES, Mlp, Params

from fastmlp import _core

WIDTHS = (6, 10, 4)
ROWS = 53

Network = _core.NetworkFloat32 | _core.NetworkFloat64
Trainer = _core.TrainerFloat32 | _core.TrainerFloat64


def network_type(dtype: str) -> type:
    return getattr(_core, f"Network{dtype.capitalize()}")


def random_params(rng: np.random.Generator, widths: Sequence[int]) -> Params:
    """Weights and biases of the size that keeps activations near 1."""
    return [
        (rng.normal(size=(m, n)) / np.sqrt(m), rng.normal(size=n) / 4)
        for m, n in itertools.pairwise(widths)
    ]


def build(
    dtype: str,
    widths: Sequence[int],
    mlp: Mlp,
    params: Params,
    **dense: object,
) -> Network:
    """Network of the core with the given parameters; `dense` goes to every layer."""
    l1, l2 = mlp.l1 or [0.0] * len(params), mlp.l2 or [0.0] * len(params)
    specs = [
        _core.DenseSpec([(activation, units, None)], l1=a, l2=c, **dense)
        for units, activation, a, c in zip(widths[1:], mlp.activations, l1, l2, strict=True)
    ]
    network = network_type(dtype)(widths[0], specs)
    network.set_params([w for w, _ in params], [b for _, b in params])
    return network


def trainer(network: Network, **settings: object) -> Trainer:
    """Trainer of the network's type: plain gradient descent without a stopping rule by default."""
    kind = type(network).__name__.replace("Network", "Trainer")
    defaults = {
        "loss": "squared_error",
        "optimizer": "sgd",
        "rate": 0.05,
        "batch_size": 16,
        "n_iter_no_change": -1,
    }
    return getattr(_core, kind)(network, **(defaults | settings))


def targets_for(loss: str, rng: np.random.Generator, rows: int, columns: int) -> NDArray:
    """Targets of the kind that the loss is made for."""
    return LOSSES[loss].targets(rng, (rows, columns))


def bits(network: Network) -> bytes:
    """All parameters, byte for byte."""
    return b"".join(array.tobytes() for arrays in network.get_params() for array in arrays)


def problem(rng, dtype="float64", activations=("tanh", "identity"), widths=WIDTHS, rows=ROWS):
    """A network, its reference and parameters, and data for a regression."""
    mlp, params = Mlp(activations, (0.01, 0.002), (0.02, 0.03)), random_params(rng, widths)
    x, t = rng.normal(size=(rows, widths[0])), rng.normal(size=(rows, widths[-1]))
    return build(dtype, widths, mlp, params), mlp, params, x, t
