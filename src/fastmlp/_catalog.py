"""The names that the compiled core knows, and the check of a name against them.

Nothing is listed by hand here: a new row in a catalog of the core is a new choice in Python.
"""

import re
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from fastmlp import _core
from fastmlp._validation import to_float

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
LOSSES = tuple(row["name"] for row in _CATALOG["losses"])
# The name of the one parameter that an activation or a loss has, if any.
PARAMETERS: dict[str, str | None] = {
    row["name"]: row["parameter"] and row["parameter"]["name"]
    for row in (*_CATALOG["activations"], *_CATALOG["losses"])
}
OPTIMIZERS = {row["name"]: dict(row["hyperparameters"]) for row in _CATALOG["optimizers"]}
DTYPES = ("float32", "float64")
_DECAYS = ("beta_1", "beta_2", "rho")  # shares that are kept, so below 1


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
        raise ValueError(f"{argument} must be one of {names}; got {value!r}.")
    return value


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


def check_parameter(where: str, parameter: str, value: Any) -> float:
    """Return the parameter of an activation or a loss as a float.

    Raises
    ------
    ValueError
        If it is out of its range; the message begins with `where`.
    """
    try:
        number = float(value)
    except ValueError:
        number = -inf
    if parameter == "quantile":
        fits, allowed = 0 < number < 1, "between 0 and 1"
    elif parameter == "delta":
        fits, allowed = 0 < number < inf, "above 0"
    else:
        fits, allowed = 0 <= number < inf, "a finite number >= 0"
    if not fits:
        raise ValueError(f"{where}: {parameter} must be {allowed}.")
    return number


def check_hyperparameters(optimizer: str, given: dict[str, Any]) -> dict[str, float]:
    """Return an optimizer's hyperparameters as floats.

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
    return {name: float(value) for name, value in given.items()}
