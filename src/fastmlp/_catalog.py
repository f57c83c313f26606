"""The names that the compiled core knows, and the check of a name against them.

Nothing is listed by hand here: a new row in a catalog of the core is a new choice in Python.
"""

from collections.abc import Iterable
from typing import Any

from fastmlp import _core

_CATALOG = _core.catalog()

ACTIVATIONS = tuple(row["name"] for row in _CATALOG["activations"])
ELEMENTWISE_ACTIVATIONS = tuple(
    row["name"] for row in _CATALOG["activations"] if row["keeps"] != "row"
)
LOSSES = tuple(row["name"] for row in _CATALOG["losses"])
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
