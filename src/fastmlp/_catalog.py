"""The names that the compiled core knows, and the check of a name against them.

Nothing is listed by hand here: a new row in a catalog of the core is a new choice in Python.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastmlp import _core

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
        If the name is not one of the `allowed`, takes no parameter, or the parameter is not a
        finite number of at least 0.
    """
    match = isinstance(value, str) and re.fullmatch(r"(\w+)\((?:(\w+)=)?([^()=]+)\)", value)
    if not match:
        return check_choice(argument, value, allowed), None
    name, keyword, text = match.groups()
    parameter = parameters.get(check_choice(argument, name, allowed))
    if parameter is None:
        raise ValueError(f"{argument}={value!r}: {name!r} takes no parameter.")
    if keyword not in (None, parameter):
        raise ValueError(f"{argument}={value!r}: the parameter of {name!r} is {parameter!r}.")
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{argument}={value!r}: {parameter} must be a finite number >= 0.")
    return name, number


def check_hyperparameters(optimizer: str, given: dict[str, Any]) -> dict[str, float]:
    """Return an optimizer's hyperparameters as floats.

    Raises
    ------
    TypeError
        If `given` has a name that the optimizer doesn't know.
    """
    known = OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise TypeError(
            f"optimizer {optimizer!r} has no hyperparameter {', '.join(map(repr, unknown))}; "
            f"it takes {', '.join(map(repr, known))}."
        )
    return {name: float(value) for name, value in given.items()}
