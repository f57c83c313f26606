"""The rows of dask's collections: chunks with their lengths, and shards cut out of them.

A shard is a range of rows of the whole collection, whatever its chunks are, so that arrays that
are chunked differently make the same shards. Data in memory are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask import delayed
from scipy.sparse import issparse, vstack

from fastmlp._checks.arrays import class_name

RETRIES = 2  # of a task that raises, as one does where a file can't be read for a moment


def is_collection(given: Any) -> bool:
    """Whether it is one of dask's that rows can be taken from."""
    return isinstance(given, da.Array | dd.DataFrame | dd.Series)


def task_threads(n_jobs: int | None) -> int:
    """Return `n_jobs` of a task: one thread where nothing is said, for workers have their own."""
    return 1 if n_jobs is None else n_jobs


@dataclass(frozen=True)
class Chunks:
    """A collection's parts along the rows.

    Parameters
    ----------
    argument : str
        What the user knows it by.
    parts : list of Delayed
        NumPy or sparse arrays, or pandas' frames or series.
    lengths : list of int or None
        Their numbers of rows; None where they are not known yet.
    """

    argument: str
    parts: list[Any]
    lengths: list[int] | None

    @classmethod
    def of(cls, argument: str, given: Any) -> "Chunks":
        """Look at what the user gave.

        Raises
        ------
        TypeError
            If it is not a collection of dask's.
        """
        if not is_collection(given):
            raise TypeError(
                f"{argument} must be a dask array, dataframe or series; got {class_name(given)}. "
                "For data in memory use the estimator without dask, or dask.array.from_array."
            )
        if not isinstance(given, da.Array):
            return cls(argument, list(given.to_delayed()), None)
        if given.ndim == 2 and given.numblocks[1] > 1:
            given = given.rechunk({1: -1})
        known = not np.isnan(given.chunks[0]).any()
        lengths = [int(length) for length in given.chunks[0]] if known else None
        return cls(argument, list(given.to_delayed().ravel()), lengths)

    @property
    def n_rows(self) -> int:
        """The number of all rows."""
        assert self.lengths is not None
        return sum(self.lengths)

    def take(self, begin: int, end: int) -> Any:
        """Return the delayed rows of a range."""
        assert self.lengths is not None
        stops = list(accumulate(self.lengths))
        parts, cuts = [], []
        for part, length, stop in zip(self.parts, self.lengths, stops, strict=True):
            start = stop - length
            if max(begin, start) < min(end, stop):
                parts.append(part)
                cuts.append((max(begin - start, 0), min(end, stop) - start))
        return delayed(join, pure=False)(parts, cuts)


def join(parts: Sequence[Any], cuts: Sequence[tuple[int, int]]) -> Any:
    """Return ranges of rows of some arrays, or frames, as one."""
    pieces = [
        part.iloc[begin:end] if hasattr(part, "iloc") else part[begin:end]
        for part, (begin, end) in zip(parts, cuts, strict=True)
    ]
    if len(pieces) == 1:
        return pieces[0]
    if hasattr(pieces[0], "iloc"):
        return pd.concat(pieces)
    if issparse(pieces[0]):
        return vstack(pieces, format="csr")
    if any(isinstance(piece, np.ma.MaskedArray) for piece in pieces):
        joined: Any = np.ma.concatenate(pieces)  # type: ignore[no-untyped-call]  # NumPy's
        return joined  # which are refused, and would lose their masks
    return np.concatenate(pieces)


def _count(part: Any) -> int:
    return int(part.shape[0])


def with_lengths(client: Any, collections: Sequence[Chunks]) -> list[Chunks]:
    """Return the collections with all lengths, for which unknown ones are computed at once.

    Raises
    ------
    ValueError
        If they have not the same number of rows, or none.
    """
    unknown = [chunks for chunks in collections if chunks.lengths is None]
    counts = [[delayed(_count, pure=False)(part) for part in chunks.parts] for chunks in unknown]
    every = client.gather(client.compute([c for each in counts for c in each], retries=RETRIES))
    found = iter(every)
    known = [
        chunks if chunks.lengths else replace(chunks, lengths=[next(found) for _ in chunks.parts])
        for chunks in collections
    ]
    first = known[0]
    for other in known[1:]:
        if other.n_rows != first.n_rows:
            raise ValueError(
                f"{first.argument} has {first.n_rows} rows, and {other.argument} {other.n_rows}."
            )
    if not first.n_rows:
        raise ValueError(f"{first.argument} has no rows.")
    return known


def cut(client: Any, named: dict[str, Any], n_shards: int) -> list[list[Any]]:
    """Return for each shard the delayed rows of each collection; None for one that is None.

    There are as many shards as that, or as rows where these are fewer.

    Raises
    ------
    TypeError
        If one is not a collection of dask's.
    ValueError
        If they have not the same number of rows, or none.
    """
    given = [Chunks.of(name, value) for name, value in named.items() if value is not None]
    known = {chunks.argument: chunks for chunks in with_lengths(client, given)}
    n_rows = known[next(iter(known))].n_rows
    n_shards = min(n_shards, n_rows)
    bounds = [n_rows * shard // n_shards for shard in range(n_shards + 1)]
    return [
        [known[name].take(begin, end) if name in known else None for name in named]
        for begin, end in pairwise(bounds)
    ]
