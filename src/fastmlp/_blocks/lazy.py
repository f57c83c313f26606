"""Blocks of dask's collections: their partitions, computed when they are needed."""

from collections.abc import Sequence
from typing import Any

from fastmlp._blocks.blocks import MEMORY, Blocks
from fastmlp._checks.arrays import class_name


class Dask(Blocks):
    """Blocks of dask's arrays or frames: their chunks or partitions, one computed at a time.

    `fastmlp.dask` trains on the workers of a cluster; this trains here, in one process.

    Parameters
    ----------
    X : dask.array.Array of shape (n_samples, n_features) or dask.dataframe.DataFrame
        The inputs. Their chunks along the rows, or their partitions, are the blocks.
    y : dask.array.Array, dask.dataframe.Series or DataFrame, str or list of str
        The targets, with partitions of the same rows; an array is chunked like X. Of a frame also
        the name of its column, or of several, which are then left out of the inputs.
    sample_weight : dask.array.Array, dask.dataframe.Series or str, default=None
        The weights, likewise; None weighs all the same.
    memory : int, default=1073741824
        The bytes that a fit may hold of the data.

    Raises
    ------
    TypeError
        If `X` is no such collection, or one of the others is of another kind.
    ValueError
        If the partitions don't go together.

    Examples
    --------
    >>> import dask.dataframe as dd  # doctest: +SKIP
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.data import Dask
    >>> frame = dd.read_csv("large.csv", blocksize="16MB")  # doctest: +SKIP
    >>> model = MLPClassifier().fit(Dask(frame, "label"))  # doctest: +SKIP
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, *, memory: int = MEMORY) -> None:
        super().__init__(memory=memory)
        if not hasattr(X, "__dask_graph__") or not hasattr(X, "npartitions"):
            raise TypeError(f"X must be a dask array or dataframe; got {class_name(X)}.")
        if y is None:
            raise TypeError(
                "y must be a dask array, series or dataframe, or name columns; got None."
            )
        named = [part for part in (y, sample_weight) if isinstance(part, str | list)]
        lacking = [n for part in named for n in _names(part) if n not in getattr(X, "columns", ())]
        if lacking:
            raise ValueError(f"X has no columns {lacking}.")
        parts = [X[part] if isinstance(part, str | list) else part for part in (y, sample_weight)]
        if named:
            X = X.drop(columns=[name for part in named for name in _names(part)])
        for name, part in zip(("y", "sample_weight"), parts, strict=True):
            alike = hasattr(part, "chunks") == hasattr(X, "chunks")
            if part is not None and not (alike and hasattr(part, "__dask_graph__")):
                raise TypeError(
                    f"{name} must be a dask array where X is one, and a series, frame or name of a "
                    f"column where X is a dataframe; got {class_name(part)}."
                )
        self._parts = _alike([X, *(part for part in parts if part is not None)])

    def __len__(self) -> int:
        return int(self._parts[0].npartitions) if self._is_frame else self._parts[0].numblocks[0]

    @property
    def _is_frame(self) -> bool:
        return not hasattr(self._parts[0], "chunks")

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self._compute(self._parts, index)

    def targets(self, index: int) -> tuple[Any, ...]:
        return self._compute(self._parts[1:], index)

    def _compute(self, parts: Sequence[Any], index: int) -> tuple[Any, ...]:
        import dask

        index = range(len(self))[index]
        chosen = [part.partitions[index] for part in parts]
        computed: tuple[Any, ...] = dask.compute(*chosen)
        return computed


def _names(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _alike(parts: list[Any]) -> list[Any]:
    """Return collections with partitions of the same rows, as far as that is known.

    Raises
    ------
    ValueError
        If it is known that they are not.
    """
    if hasattr(parts[0], "chunks"):
        arrays = [part.rechunk({1: -1}) if part.ndim > 1 else part for part in parts]
        rows = arrays[0].chunks[0]
        known = not any(length != length for array in arrays for length in array.chunks[0])
        if known and len({array.shape[0] for array in arrays}) == 1:
            return [array.rechunk({0: rows}) for array in arrays]
        parts = arrays
        counts = [part.numblocks[0] for part in parts]
        if known:
            raise ValueError(
                f"The arrays must have as many rows; got {[a.shape[0] for a in parts]}."
            )
    else:
        counts = [part.npartitions for part in parts]
    if len(set(counts)) > 1:
        raise ValueError(f"They must have as many partitions; got {counts}.")
    return parts
