"""The safetensors format: what stands before the arrays of a file, and the arrays.

A file is the length of its header in eight bytes, the header, and the arrays, one behind the other.
The header is a JSON object with the dtype, the shape and the place of each array, and texts of any
kind under ``__metadata__``. Arrays are written from where they lie. A reader gets their layouts
first: there is memory for an array only when all of the header is found to go with the size of the
file, and the caller has seen the layouts.
"""

import io
import json
import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.arrays import require
from fastmlp._files.json import loads

Arrays = dict[str, NDArray[Any]]

# The names of the dtypes here and in NumPy, in the order in which the package `safetensors` writes
# the arrays: those that need the widest alignment first.
_DTYPES = {
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "F32": "float32",
    "U32": "uint32",
    "I32": "int32",
    "F16": "float16",
    "U16": "uint16",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_RANKS = {dtype: rank for rank, dtype in enumerate(_NAMES)}

_LENGTH_BYTES = 8
_ALIGNMENT = 8
_LONGEST_HEADER = 100_000_000  # the package refuses longer ones
_MOST_DIMENSIONS = 32  # what every NumPy can have
_TOO_SHORT = "it ends too early."


@dataclass(frozen=True)
class Layout:
    """What is known of an array before it is read; the dtype by its name in NumPy."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """What the array takes, in a file and in memory."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


Layouts = dict[str, Layout]


def to_pieces(arrays: Arrays, metadata: dict[str, str]) -> list[bytes | memoryview]:
    """Return the content of a file, piece by piece; the arrays, contiguous ones, are not copied.

    Raises
    ------
    ValueError
        If the header would be longer than readers take.
    """
    ordered = sorted(arrays.items(), key=lambda item: (_RANKS[item[1].dtype.name], item[0]))
    ends = accumulate((array.nbytes for _, array in ordered), initial=0)
    header: dict[str, Any] = {"__metadata__": metadata}
    for (name, array), offsets in zip(ordered, pairwise(ends), strict=True):
        dtype = _NAMES[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > _LONGEST_HEADER:
        raise ValueError(
            f"What is stored beside the arrays takes {len(text)} bytes; {_LONGEST_HEADER} are "
            "allowed."
        )
    return [
        len(text).to_bytes(_LENGTH_BYTES, "little"),
        text,
        *(array.data for _, array in ordered),
    ]


def read_header(file: io.BufferedReader, size: int) -> tuple[dict[str, str], Layouts]:
    """Return the metadata, and the layouts in the order in which the arrays follow.

    Raises
    ------
    ValueError or RecursionError
        If the header isn't sound, or doesn't go with a file of that size.
    """
    length = int.from_bytes(_read_bytes(file, _LENGTH_BYTES), "little")
    room = size - _LENGTH_BYTES - length
    require(length <= _LONGEST_HEADER and room >= 0, f"its header can't have {length} bytes.")
    text = _read_bytes(file, length)
    require(text.startswith(b"{"), "its header is no JSON object.")
    header = loads(text.decode())
    metadata = header.pop("__metadata__", {})
    require(
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values()),
        "its metadata must be texts.",
    )
    places = sorted((*_check_place(name, fields), name) for name, fields in header.items())
    position = 0
    for begin, end, name in places:
        require(begin == position, f"the array {name!r} begins at {begin} instead of {position}.")
        position = end
    require(position == room, f"its arrays take {position} bytes; there are {room}.")
    return metadata, {name: _layout(header[name]) for _, _, name in places}


def read_arrays(file: io.BufferedReader, layouts: Layouts) -> Arrays:
    """Return the arrays, little-endian, from the file whose header was read.

    Raises
    ------
    ValueError
        If the file has become shorter, or what should be booleans is something else.
    """
    return {name: _read_array(file, name, layout) for name, layout in layouts.items()}


def _check_place(name: str, fields: Any) -> tuple[int, int]:
    """Return where an array begins and ends behind the header, once its layout is sound."""
    require(
        isinstance(fields, dict) and fields.keys() == {"dtype", "shape", "data_offsets"},
        f"the array {name!r} must have a dtype, a shape and data_offsets.",
    )
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    require(isinstance(dtype, str) and dtype in _DTYPES, f"{name!r} is of the dtype {dtype!r}.")
    require(_are_sizes(shape) and len(shape) <= _MOST_DIMENSIONS, f"{name!r} has a false shape.")
    require(_are_sizes(offsets) and len(offsets) == 2, f"{name!r} has false data_offsets.")
    begin, end = offsets
    n_bytes = _layout(fields).n_bytes
    require(
        end - begin == n_bytes, f"{name!r} takes {n_bytes} bytes, but lies from {begin} to {end}."
    )
    return begin, end


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**63 for value in values
    )


def _layout(fields: dict[str, Any]) -> Layout:
    return Layout(_DTYPES[fields["dtype"]], tuple(fields["shape"]))


def _read_array(file: io.BufferedReader, name: str, layout: Layout) -> NDArray[Any]:
    # The text of the dtype makes it NumPy's own one on a little-endian machine.
    array = np.empty(layout.shape, np.dtype(layout.dtype).newbyteorder("<").str)
    require(file.readinto(array.data) == array.nbytes, _TOO_SHORT)
    if layout.dtype == "bool":  # NumPy relies on nothing but 0 and 1
        require(array.view(np.uint8).max(initial=0) <= 1, f"{name!r} must hold booleans.")
    return array


def _read_bytes(file: io.BufferedReader, length: int) -> bytes:
    content = file.read(length)
    require(len(content) == length, _TOO_SHORT)
    return content
