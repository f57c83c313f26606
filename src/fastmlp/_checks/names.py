"""The names that the compiled core knows, and the check of a name against them.

Nothing is listed by hand here: a new row in a catalog of the core is a new choice in Python.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import inf
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp._checks.arrays import check_representable, to_float

_CATALOG = _core.catalog()

ACTIVATIONS = tuple(row["name"] for row in _CATALOG["activations"])
ELEMENTWISE_ACTIVATIONS = tuple(
    row["name"] for row in _CATALOG["activations"] if row["keeps"] != "row"
)
LEARNED_ACTIVATIONS = tuple(
    row["name"]
    for row in _CATALOG["activations"]
    if row["parameter"] and row["parameter"]["learned"]
)
# Of a regressor's outputs.
OUTPUT_ACTIVATIONS = tuple(
    name for name in ELEMENTWISE_ACTIVATIONS if name not in LEARNED_ACTIVATIONS
)
_LOSS_ROWS = {row["name"]: row for row in _CATALOG["losses"]}
LOSSES = tuple(_LOSS_ROWS)
# The name of the one parameter that an activation or a loss has, if any.
PARAMETERS: dict[str, str | None] = {
    row["name"]: row["parameter"] and row["parameter"]["name"]
    for row in (*_CATALOG["activations"], *_CATALOG["losses"])
}
# What it is where none is given.
DEFAULTS: dict[str, float] = {
    row["name"]: row["parameter"]["value"]
    for row in (*_CATALOG["activations"], *_CATALOG["losses"])
    if row["parameter"]
}
# Names of losses beside the core's, on every level, by the activation of the outputs where that
# tells them apart; the first one is for all others.
_LOSS_ALIASES: dict[str, dict[str, str]] = {
    "absolute_error": {"": "mae"},
    "log_loss": {"": "cross_entropy", "logistic": "binary_cross_entropy", "log_softmax": "nll"},
    "focal": {"": "focal", "logistic": "binary_focal"},
}
OPTIMIZERS = {row["name"]: dict(row["hyperparameters"]) for row in _CATALOG["optimizers"]}
DTYPES = ("float32", "float64")
# What float32 can calculate with; numbers so small are no others than 0.
_PARAMETER_RANGE = (1e-30, 1e30)
_DECAYS = ("beta_1", "beta_2", "rho")  # shares that are kept, so below 1
# Names for the same thing, here, in scikit-learn and elsewhere.
_SAME = (
    ("logistic", "sigmoid", "expit"),
    ("silu", "swish"),
    ("identity", "linear", "none"),
    ("mse", "squared_error", "l2", "mean_squared_error", "rmse"),
    ("mae", "absolute_error", "l1", "mean_absolute_error"),
    ("log_loss", "cross_entropy", "binary_cross_entropy", "logloss", "ce", "bce", "crossentropy"),
    ("quantile", "pinball"),
    ("huber", "smooth_l1"),
)


def check_choice(argument: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` when it is one of the `allowed` names.

    Raises
    ------
    ValueError
        If it is not; the message lists what is allowed.
    """
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(map(repr, allowed))
        hint = did_you_mean(value, allowed)
        raise ValueError(f"{argument} must be one of {names}; got {value!r}.{hint}")
    return value


def did_you_mean(value: Any, allowed: Iterable[str]) -> str:
    """Return a sentence with the allowed name that was probably meant; empty without one."""
    if not isinstance(value, str):
        return ""
    names = {name.lower(): name for name in allowed}
    word = value.lower().partition("(")[0].strip().replace("-", "_").replace(" ", "_")
    same = [name for group in _SAME if word in group for name in group if name in names]
    near = same or get_close_matches(word, names, n=1, cutoff=0.6)
    near = near or [name for name in names if name.replace("_", "") == word.replace("_", "")]
    return f" Did you mean {names[near[0]]!r}?" if near and names[near[0]] != value else ""


def check_targets(argument: str, t: Any, loss: str, *, skips_missing: bool = False) -> None:
    """Refuse targets that a loss of the core is not made for; NaN may stand for missing ones.

    Raises
    ------
    ValueError
        If one is out of its range.
    """
    outside = _core.first_outside(loss, t, skips_missing)
    if outside is not None:
        row, value = outside
        raise ValueError(
            f"{argument} must hold {_LOSS_ROWS[loss]['targets']} for loss={loss!r}; got "
            f"{value:g} in row {row}."
        )


def check_pair(loss: str, activations: Iterable[str]) -> None:
    """Refuse a loss of the core after output activations that it is no loss of.

    Raises
    ------
    ValueError
        If there is one among them.
    """
    row = _LOSS_ROWS[loss]
    for name in activations:
        if name not in row["after"]:
            raise ValueError(
                f"loss={loss!r} takes outputs that are {row['outputs']}: those of the activation "
                f"{' or '.join(map(repr, row['after']))} in the last layer; got {name!r}."
            )


def target_count(loss: str, n_outputs: int) -> int:
    """Return how many targets a loss of the core has for so many outputs.

    Raises
    ------
    ValueError
        If it needs two outputs for each, and their number is odd.
    """
    if not _LOSS_ROWS[loss]["has_pairs"]:
        return n_outputs
    if n_outputs % 2:
        raise ValueError(f"loss={loss!r} needs two outputs for each target; got {n_outputs} units.")
    return n_outputs // 2


def has_sides(loss: str) -> bool:
    """Whether the targets of a loss are labels, so that outputs are right or wrong."""
    return bool(_LOSS_ROWS[loss]["has_labels"]) or loss == "hinge"


def check_smoothing(loss: str, label_smoothing: Any) -> float:
    """Return the share that is smoothed; refuse to smooth targets that are no labels.

    Raises
    ------
    ValueError
        If `label_smoothing` is out of its range, or the loss has other targets.
    """
    if not 0 <= to_float(label_smoothing) < 1:
        raise ValueError(f"label_smoothing must be in [0, 1); got {label_smoothing!r}.")
    if label_smoothing and not _LOSS_ROWS[loss]["has_labels"]:
        raise ValueError(
            f"label_smoothing is not for loss={loss!r}, whose targets are no labels' probabilities."
        )
    return float(label_smoothing)


def parse_choice(
    argument: str,
    value: Any,
    allowed: Iterable[str],
    parameters: Mapping[str, str | None] = PARAMETERS,
) -> tuple[str, float | None]:
    """Split a name, such as that of an activation or a loss, from its parameter: 'leaky_relu(0.2)'.

    `parameters` has the name of the parameter of whatever takes one.

    Raises
    ------
    ValueError
        If the name is not one of the `allowed`, takes no parameter, or the parameter is out of its
        range.
    """
    allowed = tuple(allowed)
    name, bracket, rest = value.partition("(") if isinstance(value, str) else (value, "", "")
    if not bracket or name not in allowed:
        return check_choice(argument, value, allowed), None
    parameter = parameters.get(name)
    if parameter is None:
        raise ValueError(f"{argument}={value!r}: {name!r} takes no parameter.")
    match = re.fullmatch(r"(?:(\w+)=)?([^()=]*)\)", rest)
    keyword, text = match.groups() if match else (None, "")
    if keyword not in (None, parameter):
        raise ValueError(f"{argument}={value!r}: the parameter of {name!r} is {parameter!r}.")
    return name, check_parameter(f"{argument}={value!r}", parameter, text)


def parse_loss(
    loss: Any, output: str, allowed: Iterable[str] = (*LOSSES, *_LOSS_ALIASES)
) -> tuple[str, float | None]:
    """Return the core's name of a loss, such as 'huber' or 'huber(2)', and its parameter.

    `output` is the activation of the outputs.

    Raises
    ------
    ValueError
        If it is not one of the `allowed`, or its parameter is out of its range.
    """
    core = {name: ways.get(output, ways[""]) for name, ways in _LOSS_ALIASES.items()}
    allowed = dict.fromkeys(allowed)
    parameters = {name: PARAMETERS[core.get(name, name)] for name in allowed}
    name, parameter = parse_choice("loss", loss, allowed, parameters)
    return core.get(name, name), parameter


def parse_loss_of(estimator: Any, output: str, allowed: Iterable[str]) -> tuple[str, float | None]:
    """Return the core's name of an estimator's loss, and its parameter.

    That stands in the loss's parentheses, or is a parameter of the estimator: 'quantile(0.9)', or
    'quantile' beside ``quantile=0.9``.

    Raises
    ------
    ValueError
        If the loss is not one of the `allowed`, or its parameter is out of its range or given
        twice.
    """
    name, parameter = parse_loss(estimator.loss, output, allowed)
    keyword = PARAMETERS[name]
    given = None if keyword is None else getattr(estimator, keyword)
    if keyword is None or given is None:
        return name, parameter
    if parameter is not None:
        raise ValueError(
            f"loss={estimator.loss!r} has its {keyword} in parentheses; got {keyword}={given!r} as "
            "well."
        )
    return name, check_parameter(f"{keyword}={given!r}", keyword, given)


def check_parameter(where: str, parameter: str, value: Any) -> float:
    """Return the parameter of an activation or a loss as a float.

    Raises
    ------
    ValueError
        If it is out of its range; the message begins with `where`.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -inf
    small, large = _PARAMETER_RANGE
    if parameter == "quantile":
        fits = small <= number and float(np.float32(number)) < 1
        allowed = "between 0 and 1"
    elif parameter == "delta":
        fits, allowed = small <= number <= large, f"above 0, from {small:g} to {large:g}"
    else:
        fits = number == 0 or small <= number <= large
        allowed = f"a finite number >= 0, at most {large:g}"
    if not fits:
        raise ValueError(f"{where}: {parameter} must be {allowed}.")
    return number


def check_hyperparameters(
    optimizer: str, given: dict[str, Any], dtype: str = "float64"
) -> dict[str, float]:
    """Return an optimizer's hyperparameters as floats, for parameters of that type.

    Raises
    ------
    TypeError
        If `given` has a name that the optimizer doesn't know.
    ValueError
        If a value is out of its range.
    """
    known = OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise TypeError(
            f"optimizer {optimizer!r} has no hyperparameter {', '.join(map(repr, unknown))}; "
            f"it takes {', '.join(map(repr, known))}."
        )
    for name, value in given.items():
        high, allowed = (1.0, "in [0, 1)") if name in _DECAYS else (inf, "finite and >= 0")
        if not 0 <= to_float(value) < high:
            raise ValueError(f"{name} must be a number {allowed}; got {value!r}.")
        if name == "epsilon":  # without it, weights that have no gradient are 0 / 0
            if not to_float(value) > 0:
                raise ValueError(f"epsilon must be a number above 0; got {value!r}.")
            check_representable(name, float(value), dtype)
    return {name: float(value) for name, value in given.items()}
