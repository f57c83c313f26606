"""Dataclasses as plain values and arrays, and put together again by their type hints.

An array stands in the plain values as ``{"$array": [dtype, shape]}``, and among the arrays by its
path, such as ``voters.3.network.coefs.0``. A class that is no dataclass has a `state` that is
one, and is made `of` it.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.arrays import require
from fastmlp._files.json import decode, encode
from fastmlp._files.parts import find_array
from fastmlp._files.safetensors import Arrays, Layout, Layouts

# A form of np.ndarray, or since NumPy 2.5 a name of its own for one.
_ARRAY_HINTS = (np.ndarray, get_origin(NDArray[Any]))

_ARRAY = "$array"  # no key of a dict: `encode` writes those that begin with $ in another way


def take_apart(value: Any, path: str, arrays: Arrays) -> Any:
    """Return plain values, fit for JSON, and put the arrays among the others."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: [value.dtype.name, list(value.shape)]}
    if isinstance(value, list | tuple):
        return [take_apart(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
    if is_dataclass(value):
        return {
            field.name: take_apart(getattr(value, field.name), f"{path}.{field.name}", arrays)
            for field in fields(value)
        }
    return take_apart(value.state, path, arrays) if hasattr(value, "state") else encode(value)


def layouts_in(plain: Any, path: str) -> Layouts:
    """Return the layouts of the arrays that stand in what `take_apart` returned."""
    return dict(_layouts(plain, path))


def _layouts(plain: Any, path: str) -> Iterator[tuple[str, Layout]]:
    if isinstance(plain, dict) and _ARRAY in plain:
        dtype, shape = plain[_ARRAY]
        yield path, Layout(dtype, tuple(shape))
    elif isinstance(plain, dict | list):
        items = plain.items() if isinstance(plain, dict) else enumerate(plain)
        for name, item in items:
            yield from _layouts(item, f"{path}.{name}")


def put_together(hint: Any, plain: Any, path: str, arrays: Arrays) -> Any:
    """Return what `take_apart` was given, of the type that the hint says.

    Raises
    ------
    ValueError, TypeError or LookupError
        If something is of another type, or missing, or too much, or an array is not finite.
    """
    origin = get_origin(hint) or hint
    if origin in _ARRAY_HINTS:
        return _array(hint, plain, path, arrays)
    if hint in (int, float, str, bool):
        value = decode(plain)
        require(type(value) is hint, f"{path} must be of type {hint.__name__}; got {value!r}")
        return value
    require(isinstance(plain, list | dict), f"{path} must not be {plain!r}")
    if origin is dict:
        return _dict(hint, decode(plain), path)
    if origin in (list, tuple):
        item_hint = get_args(hint)[0]
        require(isinstance(plain, list), f"{path} must be a list")
        return origin(
            put_together(item_hint, item, f"{path}.{i}", arrays) for i, item in enumerate(plain)
        )
    if issubclass(hint, tuple):
        base = hint.__orig_bases__[0]  # with the type of its items
        return hint(put_together(base, plain, path, arrays))
    if not is_dataclass(hint):
        state = get_type_hints(hint.state.fget)["return"]
        made: Callable[[Any], Any] = hint.of
        return made(put_together(state, plain, path, arrays))
    return _dataclass(hint, plain, path, arrays)


def _array(hint: Any, plain: Any, path: str, arrays: Arrays) -> Any:
    require(isinstance(plain, dict) and plain.keys() == {_ARRAY}, f"{path} must be an array")
    scalar = get_args(hint)[-1]  # np.float64, or np.dtype[np.float64]
    dtype = np.dtype(next(iter(get_args(scalar)), scalar))
    require(plain[_ARRAY][0] == dtype.name, f"{path} must be of {dtype.name}")
    return find_array(arrays, path)


def _dict(hint: Any, value: Any, path: str) -> Any:
    key_hint, value_hint = get_args(hint)
    sound = isinstance(value, dict) and all(
        type(key) is key_hint and type(item) is value_hint for key, item in value.items()
    )
    require(sound, f"{path} must be a dict of {key_hint.__name__} to {value_hint.__name__}")
    return value


def _dataclass(hint: Any, plain: Any, path: str, arrays: Arrays) -> Any:
    hints = get_type_hints(hint)
    require(isinstance(plain, dict), f"{path} must be an object")
    require(plain.keys() == hints.keys(), f"{path} must have {sorted(hints)}; got {sorted(plain)}")
    return hint(
        **{
            name: put_together(hints[name], item, f"{path}.{name}", arrays)
            for name, item in plain.items()
        }
    )
