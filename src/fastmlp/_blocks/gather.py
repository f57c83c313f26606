"""All blocks as one: data that fit in memory."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _num_samples

from fastmlp._blocks.blocks import Blocks, naming, take
from fastmlp._checks.arrays import require
from fastmlp._checks.content import refuse_unfit


def gather(blocks: Blocks) -> tuple[Any, Any, Any]:
    """Return X, y and the weights, or None, of all blocks.

    Raises
    ------
    ValueError
        If a block has other columns than the first one, or not as many targets or weights as rows.
    """
    parts = [_checked(blocks, block) for block in range(len(blocks))]
    filled = [(block, part) for block, part in enumerate(parts) if _num_samples(part[0])]
    first = _form(filled[0][1][0])
    for block, part in filled:
        with naming(block):
            form = _form(part[0])
            require(form == first, f"X is {form}; in the first block it is {first}.")
    X, y, weight = zip(*(part for _, part in filled), strict=True)
    return join(X), join(y), None if weight[0] is None else join(weight)


def _checked(blocks: Blocks, block: int) -> tuple[Any, Any, Any]:
    """Return a block in arrays that stay."""
    with naming(block):
        X, y, weight = take(blocks, block)
        n_rows = _num_samples(X)
        weight = np.full(n_rows, weight) if np.ndim(weight) == 0 and weight is not None else weight
        check_consistent_length(X, y, weight)
        for name, data in (("X", X), ("y", y)):
            if isinstance(data, np.ma.MaskedArray):
                refuse_unfit(name, data)
    return _kept(X), _kept(y), _kept(weight)


def _kept(data: Any) -> Any:
    return data.copy() if type(data) is np.ndarray else data  # whoever reads may use it again


def _form(X: Any) -> str:
    """Return what blocks must have in common, in words."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return f"a {type(X).__name__} with the columns {frame.columns}"
    if scipy.sparse.issparse(X):
        return f"sparse with {X.shape[1]} columns"
    shape = np.shape(X) if not isinstance(X, list) else (len(X), np.shape(X[0]))
    return f"an array with rows of shape {shape[1:]}"


def join(parts: Sequence[Any]) -> Any:
    """Return frames, arrays, lists or sparse matrices one below the other.

    Raises
    ------
    ValueError
        If they don't go together.
    """
    if len(parts) == 1:
        return parts[0]
    if scipy.sparse.issparse(parts[0]):
        return scipy.sparse.vstack(parts, format="csr")
    frames = [nw.from_native(part, eager_only=True, pass_through=True) for part in parts]
    try:
        if all(isinstance(frame, nw.DataFrame) for frame in frames):
            return nw.concat(frames).to_native()
        if all(isinstance(part, list) for part in parts):
            return [row for part in parts for row in part]
        arrays = [np.asarray(part) for part in parts]
        if len({array.dtype.kind in "biuf" for array in arrays}) > 1:  # text would swallow numbers
            arrays = [array.astype(object) for array in arrays]
        return np.concatenate(arrays)
    except Exception as error:  # each library of frames has its own
        raise ValueError(f"The blocks can't be joined: {error}") from error
