"""The validation sets given to fit: one, several in a tuple, or several by name."""

from collections.abc import Mapping
from typing import Any

# Inputs, targets and weights, as the user gave them.
GivenSet = tuple[Any, Any, Any]


def name_sets(X_val: Any, y_val: Any, sample_weight_val: Any) -> dict[str, GivenSet]:
    """Return the sets by name, the one that counts first.

    Raises
    ------
    ValueError
        If inputs, targets and weights are not of the same sets, or a name is not valid.
    """
    if X_val is None and y_val is None and sample_weight_val is None:
        return {}
    if isinstance(X_val, Mapping):
        return _by_name(X_val, y_val, sample_weight_val)
    if isinstance(X_val, tuple) and X_val and all(len(getattr(X, "shape", ())) == 2 for X in X_val):
        names = ["val", *(f"val_{number}" for number in range(2, len(X_val) + 1))]
        parts = [X_val, y_val, sample_weight_val]
        if parts[2] is None:
            parts[2] = (None,) * len(X_val)
        if not all(isinstance(part, tuple) and len(part) == len(X_val) for part in parts):
            raise ValueError(
                f"X_val is a tuple of {len(X_val)} sets; y_val, and sample_weight_val if given, "
                "must be tuples as long."
            )
        return dict(zip(names, zip(*parts, strict=True), strict=True))
    for name, value in (("X_val", X_val), ("y_val", y_val)):
        if value is None:
            raise ValueError(f"A validation set needs both X_val and y_val; {name} is missing.")
    return {"val": (X_val, y_val, sample_weight_val)}


def _by_name(X_val: Mapping[str, Any], y_val: Any, weights: Any) -> dict[str, GivenSet]:
    names = list(X_val)
    weights = {} if weights is None else weights
    if not isinstance(y_val, Mapping) or set(y_val) != set(names):
        raise ValueError(
            f"y_val must be a dict with the names of X_val, {names}; got {_kind_of(y_val)}."
        )
    if not isinstance(weights, Mapping) or not set(weights) <= set(names):
        raise ValueError(
            f"sample_weight_val must be a dict with names of X_val, {names}; got "
            f"{_kind_of(weights)}."
        )
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"X_val must have texts as the names of its sets; got {names}.")
    if "val" in names[1:]:
        raise ValueError("'val' is the name of the first set, whose loss is history_['val_loss'].")
    return {name: (X_val[name], y_val[name], weights.get(name)) for name in names}


def _kind_of(given: Any) -> str:
    """Return what was given in place of a dict with the right names, in short."""
    return str(list(given)) if isinstance(given, Mapping) else f"a {type(given).__name__}"
