"""The parameters of the estimators: what they may be, and what the core makes of them."""

from collections.abc import Iterable
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from fastmlp._checks.arrays import check_count
from fastmlp._checks.names import (
    DTYPES,
    ELEMENTWISE_ACTIVATIONS,
    OPTIMIZERS,
)
from fastmlp._model.architecture import LayerPlan, plan_activation
from fastmlp._model.initialisers import (
    GLOROT_LOGISTIC,
    INITIALISERS,
    Initialiser,
    parse_initialiser,
)
from fastmlp._processes.group import Alone
from fastmlp._training.schedules import SCHEDULES
from fastmlp._training.settings import BY_PROGRESS

_COUNT = Interval(Integral, 1, None, closed="left")
COUNTS = ("batch_size", "hidden_layer_sizes", "max_fun", "max_iter", "n_iter_no_change")

PARAMETER_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [str, "array-like"],
    "solver": [StrOptions({"lbfgs", *OPTIMIZERS})],
    "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
    "batch_size": [StrOptions({"auto", "full"}), _COUNT],
    "learning_rate": [StrOptions({"constant", *BY_PROGRESS, *SCHEDULES}), callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [_COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "max_fun": [_COUNT],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "dropout_input": [Interval(Real, 0, 1, closed="left")],
    "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "init": [str],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
    "eval_metrics": [StrOptions({*get_scorer_names()}), callable, list, tuple, dict, None],
    "callbacks": [object],  # `begin_callbacks` looks at them
    "dtype": [StrOptions({*DTYPES, "auto"})],
    "n_jobs": [Integral, None],
}


_LARGEST_ALPHA = 1e30  # whose slope is still a number in float32


def hidden_units(hidden_layer_sizes: Any) -> list[int]:
    """Return the width of each hidden layer.

    Raises
    ------
    ValueError
        If one is not a positive integer.
    """
    sizes = hidden_layer_sizes
    sizes = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    if not all(isinstance(size, Integral) for size in sizes):
        raise ValueError(f"hidden_layer_sizes must hold integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    if any(size >= 2**31 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be < 2**31, got {sizes}.")
    return [int(size) for size in sizes]


def _one_per_layer(
    argument: str, value: Any, n_layers: int, layers: str = "hidden layer"
) -> list[Any]:
    """Repeat a single value for each layer, or check the length of a sequence."""
    if isinstance(value, str | Real):
        return [value] * n_layers
    values = list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{argument} must have one entry per {layers} ({n_layers}); got {len(values)}: "
            f"{values!r}."
        )
    return values


def _penalties(estimator: Any, n_layers: int) -> list[tuple[float, float]]:
    """Return the strengths (l1, l2) of each layer, in the convention of the core."""
    alphas = _one_per_layer("alpha", estimator.alpha, n_layers, "hidden layer and the output layer")
    if not all(isinstance(alpha, Real) and 0 <= float(alpha) < np.inf for alpha in alphas):
        raise ValueError(f"alpha must hold finite numbers >= 0, got {alphas}.")
    if any(float(alpha) > _LARGEST_ALPHA for alpha in alphas):
        raise ValueError(f"alpha must hold numbers of at most {_LARGEST_ALPHA:g}, got {alphas}.")
    if estimator.penalty is None:
        return [(0.0, 0.0)] * n_layers
    ratio = {"l2": 0.0, "l1": 1.0, "elasticnet": float(estimator.l1_ratio)}[estimator.penalty]
    return [(float(alpha) * ratio, float(alpha) * (1 - ratio) / 2) for alpha in alphas]


def plan_layers(estimator: Any, n_outputs: int, out_activation: str) -> tuple[LayerPlan, ...]:
    """Plan the hidden layers and the output layer.

    The dropout of a hidden layer acts on its output, which is the input of the next layer.
    """
    units = hidden_units(estimator.hidden_layer_sizes)
    activations = [
        plan_activation("activation", activation, size, ELEMENTWISE_ACTIVATIONS)
        for size, activation in zip(
            units, _one_per_layer("activation", estimator.activation, len(units)), strict=True
        )
    ]
    dropouts = _one_per_layer("dropout", estimator.dropout, len(units))
    if not all(isinstance(rate, int | float | np.number) and 0 <= rate < 1 for rate in dropouts):
        raise ValueError(f"dropout must hold rates in [0, 1), got {dropouts}.")
    return tuple(
        LayerPlan(size, name, input_dropout=float(rate), l1=l1, l2=l2)
        for size, name, rate, (l1, l2) in zip(
            [*units, n_outputs],
            [*activations, out_activation],
            [estimator.dropout_input, *dropouts],
            _penalties(estimator, len(units) + 1),
            strict=True,
        )
    )


def plan_initialisers(estimator: Any) -> tuple[list[Initialiser], list[Initialiser]]:
    """Return what draws the weights and what draws the biases of each layer.

    scikit-learn's rule, which `init` leaves to the biases, has a narrower range for 'logistic', and
    for the output layer the range of the last hidden layer's activation.
    """
    n_hidden = len(hidden_units(estimator.hidden_layer_sizes))
    if isinstance(estimator.activation, str):
        names = [estimator.activation] * (n_hidden + 1)
    else:
        names = list(estimator.activation)
        names += names[-1:] or ["identity"]
    theirs = [
        GLOROT_LOGISTIC if name == "logistic" else INITIALISERS["glorot_uniform"] for name in names
    ]
    chosen = parse_initialiser("init", estimator.init, "auto")
    return (theirs if chosen is None else [chosen] * len(theirs)), theirs


_PLAIN = (str, int, float, bool, type(None))


def _are_plain(values: tuple[Any, ...]) -> bool:
    """Whether all are numbers, texts, None, or tuples of integers: what can't change by itself."""
    return all(
        all(type(each) is int for each in value) if type(value) is tuple else type(value) in _PLAIN
        for value in values
    )


def _values(estimator: Any) -> tuple[Any, ...]:
    return tuple(getattr(estimator, name) for name in estimator._parameter_constraints)


def plain_values(estimator: Any) -> tuple[Any, ...] | None:
    """Return the values of all parameters, which tell by identity that nothing has changed.

    None where one can change by itself, as a list or a function can, or has to be looked at in
    every call.
    """
    values = _values(estimator)
    has_to_be_looked_at = (
        estimator.callbacks is not None
        or estimator.verbose
        or estimator.early_stopping
        or estimator.learning_rate in SCHEDULES
    )
    return values if _are_plain(values) and not has_to_be_looked_at else None


def check_parameters(estimator: Any) -> None:
    """Check the values of all parameters.

    Raises
    ------
    InvalidParameterError
        If one is not allowed.
    """
    values = _values(estimator)
    # What passed once passes again; a tuple's integers are told from floats by `_are_plain`.
    check: Any = _check_once if _are_plain(values) else _check_values
    check(type(estimator), *values)


def _check_values(kind: Any, *values: Any) -> None:
    constraints = kind._parameter_constraints
    given = dict(zip(constraints, values, strict=True))
    validate_parameter_constraints(constraints, given, caller_name=kind.__name__)
    for name in COUNTS:
        check_count(kind.__name__, name, given[name])


_check_once = lru_cache(maxsize=256, typed=True)(_check_values)


# Those that may differ between processes that train together: the first one's count.
_MAY_DIFFER = {"random_state", "callbacks", "verbose", "n_jobs"}
_COMPARED = (str, int, float, bool, type(None), list, tuple, dict, np.number)


def require_same_call(group: Alone, estimator: Any, **arguments: Any) -> None:
    """Let processes train together what is the same in all of them; functions are taken to be.

    Raises
    ------
    ValueError
        If they differ in a parameter, in one of these arguments, or in whether they are fitted.
    """
    parameters = {
        name: repr(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _MAY_DIFFER and isinstance(value, _COMPARED)
    }
    group.require_same(**parameters, **arguments, fitted="_model" in vars(estimator))
