"""Python values as strict JSON and back.

Tagged objects stand for what JSON lacks: ``{"$tuple": [...]}``, ``{"$float": "nan"}``, and
``{"$dict": [[key, value], ...]}`` where keys are not all plain strings. Numbers of NumPy become
Python's, and arrays become lists.
"""

import json
import math
from collections import Counter
from numbers import Integral, Real
from typing import Any

import numpy as np

_NON_FINITE = ("nan", "inf", "-inf")
# Keys made to share a hash are found in a time that grows with the square of their number.
_MOST_OF_A_HASH = 100


def encode(value: Any) -> Any:
    """Return `value` as what `json.dumps` writes without loss.

    Raises
    ------
    TypeError
        If it holds something that is no number, string, bool, None, sequence, dict or array.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else {"$float": str(number)}
    if isinstance(value, tuple):
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, np.ndarray):
        return encode(value.tolist())
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {str(key): encode(item) for key, item in value.items()}
        return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}
    raise TypeError(f"{value!r} is neither a number nor a string, nor made of them")


def decode(value: Any) -> Any:
    """Return what `encode` was given.

    Raises
    ------
    ValueError
        If a tag or a number is not one that `encode` writes.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: decode(item) for key, item in value.items()}
    [(tag, content)] = value.items()
    if tag == "$tuple":
        return tuple(decode(item) for item in content)
    if tag == "$dict":
        return _make_dict([(decode(key), decode(item)) for key, item in content])
    if tag == "$float" and content in _NON_FINITE:
        return float(content)
    raise ValueError(f"there is no tag {tag!r} of {content!r}")


def _make_dict(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    counts = Counter(hash(key) for key, _ in pairs)
    if max(counts.values(), default=0) > _MOST_OF_A_HASH:
        raise ValueError("too many keys have the same hash")
    return dict(pairs)


def dumps(value: Any) -> str:
    """Return JSON in ASCII that is the same for equal values."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def loads(text: str) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        If it isn't JSON, which has no NaN and no infinity, or an object has a key twice.
    RecursionError
        If it is too deep.
    """
    return json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has a key twice")
    return members
