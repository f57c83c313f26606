"""Python values as strict JSON and back.

Tagged objects stand for what JSON lacks: ``{"$tuple": [...]}``, ``{"$float": "nan"}``, and
``{"$dict": [[key, value], ...]}`` where keys are not all plain strings. Numbers of NumPy become
Python's, and arrays become lists.
"""

import json
import math
from numbers import Integral, Real
from typing import Any

import numpy as np

_NON_FINITE = ("nan", "inf", "-inf")


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
        return {decode(key): decode(item) for key, item in content}
    if tag == "$float" and content in _NON_FINITE:
        return float(content)
    raise ValueError(f"there is no tag {tag!r} of {content!r}")


def dumps(value: Any) -> str:
    """Return JSON in ASCII that is the same for equal values."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def loads(text: str) -> Any:
    """Parse JSON; NaN and infinity, which JSON lacks, raise a ValueError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
