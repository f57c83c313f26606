"""The shape of a network as plain, picklable data, and the way from there into the core."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._checks.names import (
    ACTIVATIONS,
    ELEMENTWISE_ACTIVATIONS,
    LEARNED_ACTIVATIONS,
    parse_choice,
)

if TYPE_CHECKING:
    from fastmlp._core import _Network

# Weights, biases, and the learned parameters of activations, one array of each per layer.
Params = tuple[list[NDArray[Any]], list[NDArray[Any]], list[NDArray[Any]]]
# One activation for a layer, such as 'relu' or 'leaky_relu(0.2)', or several with their units.
ActivationPlan = str | tuple[tuple[str, int], ...]

_NETWORKS = {"float32": _core.NetworkFloat32, "float64": _core.NetworkFloat64}


def plan_activation(
    argument: str, activation: Any, units: int, allowed: Sequence[str]
) -> ActivationPlan:
    """Check a layer's activation, or the pairs (activation, units) of a mix.

    Raises
    ------
    ValueError
        If a name is not one of the `allowed`, or a mix doesn't add up to the layer's units or
        has an activation that needs the layer for itself.
    """
    if isinstance(activation, str) or not isinstance(activation, Sequence):
        parse_choice(argument, activation, allowed)
        return str(activation)
    pairs = [tuple(pair) if isinstance(pair, tuple | list) else () for pair in activation]
    if not pairs or any(len(p) != 2 or not isinstance(p[1], Integral) or p[1] < 1 for p in pairs):
        raise ValueError(
            f"{argument} must be a name or a list of pairs (name, units); got {activation!r}."
        )
    mixable = [
        name
        for name in ELEMENTWISE_ACTIVATIONS
        if name in allowed and name not in LEARNED_ACTIVATIONS
    ]
    for text, _ in pairs:
        parse_choice(f"{argument} of a mix", text, mixable)
    if sum(n for _, n in pairs) != units:
        raise ValueError(f"{argument}={activation!r} must add up to {units} units.")
    return tuple((str(text), int(n)) for text, n in pairs)


@dataclass(frozen=True)
class LayerPlan:
    """One dense layer, with what is done to its input, normalisation first, and its penalties."""

    units: int
    activation: ActivationPlan
    input_dropout: float = 0.0
    dropout_mode: str = "inverted"
    l1: float = 0.0
    l2: float = 0.0
    norm_epsilon: float = 0.0  # of the normalisation; 0 for none

    @property
    def parts(self) -> list[tuple[str, int, float | None]]:
        """The activations of the units in order, each with its parameter."""
        named = self.activation
        pairs = ((named, self.units),) if isinstance(named, str) else named
        split = [(parse_choice("activation", text, ACTIVATIONS), units) for text, units in pairs]
        return [(name, units, parameter) for (name, parameter), units in split]

    @property
    def learns(self) -> bool:
        """Whether the activation has a learned parameter per unit."""
        return self.parts[0][0] in LEARNED_ACTIVATIONS

    def spec(self) -> _core.DenseSpec:
        """Return the layer as the core takes it."""
        return _core.DenseSpec(
            self.parts,
            input_dropout=self.input_dropout,
            dropout_mode=self.dropout_mode,
            norm_epsilon=self.norm_epsilon,
            l1=self.l1,
            l2=self.l2,
        )


@dataclass(frozen=True)
class Architecture:
    """The dense layers between `n_features` inputs and the outputs, and the dtype they work in."""

    n_features: int
    layers: tuple[LayerPlan, ...]
    dtype: str

    @classmethod
    def restored(cls, layers: Sequence[Mapping[str, Any]], **others: Any) -> "Architecture":
        """Make the architecture of the fields that `dataclasses.asdict` gave."""
        return cls(layers=tuple(LayerPlan(**layer) for layer in layers), **others)

    @property
    def fans(self) -> list[tuple[int, int]]:
        """The numbers of inputs and outputs of each layer."""
        units = [self.n_features, *(layer.units for layer in self.layers)]
        return list(pairwise(units))

    @property
    def coef_shapes(self) -> list[tuple[int, ...]]:
        """The shape (in, out) of each weight matrix."""
        return [*self.fans]

    @property
    def intercept_shapes(self) -> list[tuple[int, ...]]:
        """The shape (out,) of each bias vector."""
        return [(layer.units,) for layer in self.layers]

    @property
    def slope_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each layer's learned parameters: (out,), or (0,) where it has none."""
        return [(layer.units if layer.learns else 0,) for layer in self.layers]

    def empty(self) -> "_Network":
        """Make a network of the core whose weights and biases are zero, ready to learn."""
        return _NETWORKS[self.dtype](self.n_features, [layer.spec() for layer in self.layers])

    def pack(
        self,
        coefs: Sequence[NDArray[Any]],
        intercepts: Sequence[NDArray[Any]],
        slopes: Sequence[NDArray[Any]],
    ) -> "_Network":
        """Make a network of the core with these parameters."""
        network = self.empty()
        network.set_params(coefs, intercepts, slopes)
        return network
