"""Blocks of arrays that lie on disk: memory maps, and whatever is sliced like them."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from os import PathLike
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp._blocks.blocks import MEMORY, Blocks, check_count
from fastmlp._blocks.paths import Paths, find_files
from fastmlp._blocks.windows import bytes_of
from fastmlp._checks.arrays import class_name

BLOCK_BYTES = 2**22  # of inputs: so much at once costs a disk little more than reading in order
_BLOCKS_IN_MEMORY = 64  # or more


class Arrays(Blocks):
    """Blocks of arrays that give their rows by slices, such as memory maps.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The inputs: anything with a `shape` whose slices are what `fit` takes, such as a
        `numpy.memmap`, a data set of h5py or zarr, a matrix in CSR format, or an array.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets, likewise.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights, likewise; None weighs all the same.
    block_rows : int, default=None
        How many rows a block has; None is as many as make 4 MiB of X,
        or a 64th of the memory.
    memory : int, default=1073741824
        The bytes that a fit may hold of the data.

    Raises
    ------
    TypeError
        If one of them has no shape, or no slices.
    ValueError
        If they have not as many rows, or none, or an int is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.data import Arrays
    >>> X = np.load("X.npy", mmap_mode="r")  # doctest: +SKIP
    >>> y = np.load("y.npy", mmap_mode="r")  # doctest: +SKIP
    >>> model = MLPClassifier().fit(Arrays(X, y))  # doctest: +SKIP
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        block_rows: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        self.X, self.y, self.sample_weight = X, y, sample_weight
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        self.n_rows = _count_rows(
            {name: array for name, array in given.items() if array is not None}
        )
        if block_rows is None:
            size = min(BLOCK_BYTES, memory // _BLOCKS_IN_MEMORY)
            block_rows = max(1, size // _row_bytes(X))
        self.block_rows = check_count("block_rows", block_rows)

    def __len__(self) -> int:
        return -(-self.n_rows // self.block_rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return _slice(self.X, self._rows(index)), *self.targets(index)

    def targets(self, index: int) -> tuple[Any, ...]:
        rows = self._rows(index)
        y = _slice(self.y, rows)
        return (y,) if self.sample_weight is None else (y, _slice(self.sample_weight, rows))

    def _rows(self, index: int) -> slice:
        begin = range(len(self))[index] * self.block_rows
        return slice(begin, min(begin + self.block_rows, self.n_rows))


class NumpyFiles(Blocks):
    """Blocks of files of NumPy's, ``.npy``, which are mapped into memory and read when needed.

    Parameters
    ----------
    X : str, path, or list of these
        The files of the inputs, each of shape (n_rows, n_features): names, in the order in which
        they are meant, patterns such as ``"X_*.npy"``, or folders; of a pattern and of a folder in
        the order of their names.
    y : str, path, or list of these
        The files of the targets, likewise: one for each of X, with as many rows.
    sample_weight : str, path, or list of these, default=None
        The files of the weights, likewise; None weighs all rows the same.
    block_rows : int, default=None
        How many rows a block has at most; None is as many as make 4 MiB of X,
        or a 64th of the memory.
    memory : int, default=1073741824
        The bytes that a fit may hold of the data.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If there are not as many files of each, a pair has not as many rows, or an int is not
        positive.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.data import NumpyFiles
    >>> blocks = NumpyFiles("data/X_*.npy", "data/y_*.npy")  # doctest: +SKIP
    >>> model = MLPRegressor().fit(blocks)  # doctest: +SKIP
    """

    def __init__(
        self,
        X: Paths,
        y: Paths,
        sample_weight: Paths | None = None,
        *,
        block_rows: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        given: dict[str, Paths] = {"X": X, "y": y}
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        files = {name: find_files(name, paths, ".npy") for name, paths in given.items()}
        counts = {name: len(found) for name, found in files.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"There must be as many files of each; got {counts}.")
        self.parts = [
            Arrays(*map(_mapped, row), block_rows=block_rows, memory=memory)
            for row in zip(*files.values(), strict=True)
        ]
        self._ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        part, place = self._place(index)
        return part[place]

    def targets(self, index: int) -> tuple[Any, ...]:
        part, place = self._place(index)
        return part.targets(place)

    def _place(self, index: int) -> tuple[Arrays, int]:
        index = range(len(self))[index]
        part = bisect_right(self._ends, index)
        return self.parts[part], index - (self._ends[part - 1] if part else 0)


def _row_bytes(X: Any) -> int:
    """Return about how many bytes a row has."""
    if issparse(X):
        return int(bytes_of(X) // X.shape[0] + 1)
    dtype = getattr(X, "dtype", None)
    item = dtype.itemsize if isinstance(dtype, np.dtype) else 8
    return int(max(1, item * (X.shape[1] if len(X.shape) > 1 else 1)))


def _mapped(path: str | PathLike[str]) -> Any:
    return np.load(path, mmap_mode="r")


def _slice(array: Any, rows: slice) -> Any:
    """Return some rows; of a memory map a plain array, which is looked into without a copy."""
    part = array[rows]
    return np.asarray(part) if isinstance(part, np.memmap) else part


def _count_rows(arrays: dict[str, Any]) -> int:
    for name, array in arrays.items():
        if not getattr(array, "shape", ()) or not hasattr(array, "__getitem__"):
            raise TypeError(f"{name} must have a shape and slices; got {class_name(array)}.")
    counts: Sequence[int] = [int(array.shape[0]) for array in arrays.values()]
    if len(set(counts)) > 1:
        names = " and ".join(arrays)
        raise ValueError(f"{names} must have as many rows; got {counts}.")
    if counts[0] < 1:
        raise ValueError("There must be at least one row; got none.")
    return counts[0]
