"""All blocks as one: data that fit in memory."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse
from sklearn.utils import check_consistent_length

from fastmlp._blocks.blocks import Blocks, naming, take
from fastmlp._checks.arrays import require


def gather(blocks: Blocks) -> tuple[Any, Any, Any]:
    """Return X, y and the weights, or None, of all blocks.

    Raises
    ------
    ValueError
        If a block has other columns than the first one, or not as many targets or weights as rows.
    """
    X, y, weight = zip(*(_checked(blocks, block) for block in range(len(blocks))), strict=True)
    for block, part in enumerate(X):
        with naming(block):
            widths = [np.shape(its)[1:] for its in (part, X[0])]
            require(
                widths[0] == widths[1],
                f"X has rows of shape {widths[0]}; in block 0 they have {widths[1]}.",
            )
    return join(X), join(y), None if weight[0] is None else join(weight)


def _checked(blocks: Blocks, block: int) -> tuple[Any, Any, Any]:
    with naming(block):
        X, y, weight = take(blocks, block)
        check_consistent_length(X, y, weight)
    return X, y, weight


def join(parts: Sequence[Any]) -> Any:
    """Return frames, arrays or sparse matrices one below the other."""
    if len(parts) == 1:
        return parts[0]
    if scipy.sparse.issparse(parts[0]):
        return scipy.sparse.vstack(parts, format="csr")
    frames = [nw.from_native(part, eager_only=True, pass_through=True) for part in parts]
    if all(isinstance(frame, nw.DataFrame) for frame in frames):
        return nw.concat(frames).to_native()
    return np.concatenate([np.asarray(part) for part in parts])
