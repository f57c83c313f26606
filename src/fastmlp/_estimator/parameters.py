"""The parameters of the estimators: what they may be, and what the core makes of them."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastmlp._checks.arrays import check_representable, check_takes
from fastmlp._checks.names import (
    DTYPES,
    ELEMENTWISE_ACTIVATIONS,
    OPTIMIZERS,
    PARAMETERS,
    check_hyperparameters,
    parse_choice,
)
from fastmlp._checks.warn import warn
from fastmlp._model.architecture import LayerPlan, TrainerSettings, plan_activation
from fastmlp._model.initialisers import (
    GLOROT_LOGISTIC,
    INITIALISERS,
    Initialiser,
    parse_initialiser,
)
from fastmlp._training.schedules import SCHEDULES

_COUNT = Interval(Integral, 1, None, closed="left")
COUNTS = ("batch_size", "hidden_layer_sizes", "max_fun", "max_iter", "n_iter_no_change")

PARAMETER_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [str, "array-like"],
    "solver": [StrOptions({"lbfgs", *OPTIMIZERS})],
    "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
    "batch_size": [StrOptions({"auto", "full"}), _COUNT],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES}), callable],
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
    "callbacks": [object],  # `begin_callbacks` looks at them
    "dtype": [StrOptions({*DTYPES, "auto"})],
    "n_jobs": [Integral, None],
}


_LARGEST_ALPHA = 1e30  # whose slope is still a number in float32

# Schedules that look at how training goes; as in scikit-learn, for 'sgd' alone.
_BY_PROGRESS = ("invscaling", "adaptive")


class CoreLoss(NamedTuple):
    """A loss by the core's name, its parameter, and the factor on it as it is reported."""

    name: str
    parameter: float | None = None
    scale: float = 1.0


def choose_loss(loss: str, table: Mapping[str, str]) -> CoreLoss:
    """Return the core's loss for one of the names in the table, such as 'huber' or 'huber(2)'.

    Raises
    ------
    ValueError
        If there is no such loss, or its parameter is not allowed.
    """
    parameters = {public: PARAMETERS[name] for public, name in table.items()}
    public, parameter = parse_choice("loss", loss, table, parameters)
    return CoreLoss(table[public], parameter)


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


def resolve_batch_size(batch_size: Any, n_rows: int) -> int:
    """Return the number of rows in a mini-batch; warn when it must be clipped."""
    if batch_size == "full":
        return n_rows
    if batch_size == "auto":
        return min(200, n_rows)
    if batch_size > n_rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return min(int(batch_size), n_rows)


def _hyperparameters(estimator: Any, dtype: str) -> dict[str, float]:
    """Return what the estimator says of its optimizer; the rest keeps the optimizer's default."""
    if estimator.solver == "sgd":
        return {
            "momentum": float(estimator.momentum),
            "nesterov": float(estimator.nesterovs_momentum),
        }
    names = {"beta_1", "beta_2", "epsilon"} & set(OPTIMIZERS[estimator.solver])
    given = {name: float(getattr(estimator, name)) for name in names}
    return check_hyperparameters(estimator.solver, given, dtype)


def trainer_settings(
    estimator: Any,
    n_rows: int,
    dtype: str,
    *,
    loss: CoreLoss,
    monitor: str,
    stops_by_score: bool,
    seed: int,
) -> TrainerSettings:
    """Translate the parameters of a first-order solver, for a network of that type.

    The decay of 'adamw' is decoupled from the loss, so that no number of samples divides it.
    """
    check_representable("learning_rate_init", float(estimator.learning_rate_init), dtype)
    if estimator.clip_norm is not None:
        check_representable("clip_norm", float(estimator.clip_norm), dtype)
    patience = estimator.n_iter_no_change
    by_progress = estimator.solver == "sgd" and estimator.learning_rate in _BY_PROGRESS
    schedule = estimator.learning_rate if by_progress else "constant"
    return TrainerSettings(
        loss=loss.name,
        loss_parameter=loss.parameter,
        loss_scale=loss.scale,
        label_smoothing=float(estimator.label_smoothing),
        clip_norm=0.0 if estimator.clip_norm is None else float(estimator.clip_norm),
        optimizer=estimator.solver,
        hyperparameters=_hyperparameters(estimator, dtype),
        rate=float(estimator.learning_rate_init),
        batch_size=resolve_batch_size(estimator.batch_size, n_rows),
        seed=seed,
        schedule=schedule,
        power_t=float(estimator.power_t),
        shuffle=bool(estimator.shuffle),
        tol=float(estimator.tol),
        n_iter_no_change=-1 if patience == np.inf else int(patience),
        monitor=monitor,
        stops_by_score=stops_by_score,
        penalty_per_sample=estimator.solver != "adamw",
    )


def begin_callbacks(callbacks: Any) -> list[Callable[..., Any]]:
    """Return what is to be called in a fit that begins.

    Raises
    ------
    ValueError
        If one can't be called.
    TypeError
        If one takes other arguments.
    """
    if callbacks is None:
        return []
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in given:
        if isinstance(callback, type):
            name = callback.__name__
            raise ValueError(f"callbacks holds the class {name}; give an instance, {name}(...).")
    each = [
        callback.begin_fit() if hasattr(callback, "begin_fit") else callback for callback in given
    ]
    for callback in each:
        if not callable(callback):
            hint = " Callbacks of scikit-learn's go to set_callbacks."
            hint = hint if hasattr(callback, "on_fit_task_end") else ""
            raise ValueError(f"callbacks must hold callables; got {callback!r}.{hint}")
        check_takes("callbacks", callback, "an EpochEnd", None)
    return each
