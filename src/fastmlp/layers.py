"""The layers that a `Network` is made of: plain values, checked when they are made."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from fastmlp._checks.arrays import LARGEST_COUNT
from fastmlp._checks.names import ACTIVATIONS, check_choice, parse_choice
from fastmlp._model.architecture import LayerPlan, plan_activation
from fastmlp._model.initialisers import Initialiser, parse_initialiser


def _check_number(argument: str, value: Any, low: float, high: float, allowed: str) -> None:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not low <= value < high:
        raise ValueError(f"{argument} must be {allowed}; got {value!r}.")


def check_positive_int(argument: str, value: Any, alternative: str = "") -> int:
    """Return `value` as an int; raise a ValueError unless it is an integer from 1 to 2**63 - 1."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < 1:
        raise ValueError(f"{argument} must be {alternative}an integer >= 1; got {value!r}.")
    if value > LARGEST_COUNT:
        raise ValueError(f"{argument} must be {alternative}at most 2**63 - 1; got {value!r}.")
    return int(value)


@dataclass(frozen=True)
class Dense:
    """A dense layer: ``activation(x @ w + b)``.

    Parameters
    ----------
    units : int
        The number of outputs, at least 1.
    activation : str or list of (str, int), default='identity'
        The name of the activation, with its parameter if it has one: 'leaky_relu(0.2)'. A list
        gives neighbouring units different ones: ``[("relu", 32), ("tanh", 32)]``.
    l1, l2 : float, default=0.0
        Penalties: the objective gains ``l1 * |w|_1 + l2 * |w|_2**2``. Biases are not penalised.
    init : str, default='glorot_uniform'
        The distribution of the starting weights: 'glorot_uniform', 'glorot_normal', 'he_uniform',
        'he_normal', 'lecun_uniform', 'lecun_normal', 'orthogonal', 'uniform' or 'normal', as in
        `MLPClassifier`.

    Raises
    ------
    ValueError
        If a value is not allowed.
    """

    units: int
    activation: str | Sequence[tuple[str, int]] = "identity"
    _: KW_ONLY
    l1: float = 0.0
    l2: float = 0.0
    init: str = "glorot_uniform"

    def __post_init__(self) -> None:
        check_positive_int("units", self.units)
        plan_activation("activation", self.activation, self.units, ACTIVATIONS)
        for name in ("l1", "l2"):
            _check_number(name, getattr(self, name), 0.0, float("inf"), "a finite number >= 0")
        parse_initialiser("init", self.init)


@dataclass(frozen=True)
class Dropout:
    """Dropout of the values that enter the next dense layer, while training only.

    Parameters
    ----------
    rate : float
        The probability that a value is dropped, in [0, 1).
    mode : {'inverted', 'classic'}, default='inverted'
        'inverted' scales what is kept by ``1 / (1 - rate)`` while training; 'classic' multiplies
        by ``1 - rate`` when predicting.

    Raises
    ------
    ValueError
        If a value is not allowed.
    """

    rate: float
    _: KW_ONLY
    mode: str = "inverted"

    def __post_init__(self) -> None:
        _check_number("rate", self.rate, 0.0, 1.0, "a number in [0, 1)")
        check_choice("mode", self.mode, ("inverted", "classic"))


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalisation of what enters the next dense layer.

    The values of each sample are shifted to mean 0 and scaled to variance 1 [1]_, while training
    and when predicting alike. Gain and bias would say nothing that the weights and biases of the
    dense layer don't say. A `Dropout` may follow, but not come before.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance.

    Raises
    ------
    ValueError
        If `epsilon` is not a finite number of at least 1e-12.

    References
    ----------
    .. [1] J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016.
    """

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        _check_number("epsilon", self.epsilon, 1e-12, float("inf"), "a finite number >= 1e-12")


@dataclass(frozen=True)
class Activation:
    """An activation of its own, applied to the `Dense` layer right before it.

    Parameters
    ----------
    name : str
        The name of the activation, with its parameter if it has one: 'leaky_relu(0.2)'.

    Raises
    ------
    ValueError
        If there is no such activation.
    """

    name: str

    def __post_init__(self) -> None:
        parse_choice("name", self.name, ACTIVATIONS)


Layer = Dense | Dropout | LayerNorm | Activation


def initialisers(layers: Sequence[Layer]) -> list[Initialiser]:
    """Return what draws the weights of each dense layer."""
    rows = [parse_initialiser("init", layer.init) for layer in layers if isinstance(layer, Dense)]
    return [row for row in rows if row is not None]


def plan(layers: Sequence[Layer]) -> tuple[LayerPlan, ...]:
    """Fold activations, normalisations and dropouts into the dense layers that the core knows.

    Raises
    ------
    ValueError
        If there is no dense layer, an `Activation` doesn't follow a `Dense` layer without one of
        its own, or what changes the input of a dense layer has none behind it, or stands there
        twice or in another order.
    TypeError
        If something is not a layer.
    """
    plans: list[LayerPlan] = []
    previous: Layer | None = None
    changes: dict[str, Any] = {}  # of the next dense layer's input
    for i, layer in enumerate(layers):
        if isinstance(layer, Dense):
            activation = plan_activation("activation", layer.activation, layer.units, ACTIVATIONS)
            plans.append(
                LayerPlan(
                    int(layer.units),
                    activation,
                    l1=float(layer.l1),
                    l2=float(layer.l2),
                    **changes,
                )
            )
            changes = {}
        elif isinstance(layer, Activation):
            if not isinstance(previous, Dense) or previous.activation != "identity":
                raise ValueError(
                    f"layers[{i}], {layer}, must follow a Dense layer that has no activation; "
                    f"it follows {previous if previous else 'nothing'}."
                )
            plans[-1] = replace(plans[-1], activation=layer.name)
        elif isinstance(layer, Dropout):
            if isinstance(previous, Dropout):
                raise ValueError(f"layers[{i}], {layer}, follows another Dropout.")
            changes |= {"input_dropout": float(layer.rate), "dropout_mode": layer.mode}
        elif isinstance(layer, LayerNorm):
            if isinstance(previous, Dropout | LayerNorm):
                raise ValueError(f"layers[{i}], {layer}, must not follow {previous}.")
            changes["norm_epsilon"] = float(layer.epsilon)
        else:
            kinds = "a Dense, Dropout, LayerNorm or Activation"
            raise TypeError(f"layers[{i}] must be {kinds}; got {layer!r}.")
        previous = layer
    if not plans:
        raise ValueError("layers must hold at least one Dense layer.")
    if changes:
        raise ValueError(f"layers must not end with {previous}: no Dense layer follows it.")
    return tuple(plans)
