"""The samples of several processes: each holds the inputs of some, and all know every target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.content import rows_of
from fastmlp._processes.group import Alone, Group, stacked


@dataclass(frozen=True)
class CoreShares:
    """What the core is told of a run that processes share (src/cpp/train/exchange.h)."""

    transport: Any
    bounds: list[int]
    subset: NDArray[np.int64] | None
    weight: NDArray[np.float64] | None


@dataclass(frozen=True)
class Shares:
    """Who holds which samples, numbered through all processes.

    Parameters
    ----------
    group : Group
        The processes.
    given : tuple of int
        Where the samples begin that each process was given, and the end.
    """

    group: Group
    given: tuple[int, ...]

    @property
    def bounds(self) -> list[int]:
        """Where each shard begins, and the end: as equal as they can be."""
        shards = self.group.shards
        return [self.given[-1] * shard // shards for shard in range(shards + 1)]

    def held_by(self, rank: int) -> slice:
        """Return the samples whose inputs a process holds."""
        shards, bounds = self.group.shards_of(rank), self.bounds
        return slice(bounds[shards.start], bounds[shards.stop])

    @property
    def own(self) -> slice:
        """The samples whose inputs this process holds."""
        return self.held_by(self.group.rank)

    def for_core(self, rows: NDArray[Any] | None, weight: NDArray[Any] | None) -> CoreShares:
        """Return what the core is told, for a run on those rows."""
        return CoreShares(
            self.group.transport,
            self.bounds,
            None if rows is None else np.asarray(rows, np.int64),
            None if weight is None else np.asarray(weight, np.float64),
        )

    def own_shards(self) -> Iterator[tuple[slice, slice]]:
        """Return where each shard of this process lies among all samples, and in its inputs."""
        bounds, first = self.bounds, self.own.start
        for shard in self.group.shards_of(self.group.rank):
            begin, end = bounds[shard], bounds[shard + 1]
            yield slice(begin, end), slice(begin - first, end - first)

    def total(self, vectors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the sum over all shards, in the order of the core's tree, given those of its own.

        Raises
        ------
        KeyboardInterrupt
            In all processes, where one was interrupted before.
        """
        group, width = self.group, len(vectors[0]) + 1
        own = group.shards_of(group.rank)
        buffer = np.zeros((group.shards, width))
        buffer[own.start : own.stop, :-1] = vectors
        buffer[own.start, -1] = group.transport.interrupted
        counts = [len(group.shards_of(rank)) * width for rank in range(group.size)]
        group.transport.gather(buffer.ravel(), counts)
        sums = _tree_sum(buffer)
        if sums[-1]:
            raise KeyboardInterrupt
        return sums[:-1]

    def moved(self, x: Any) -> Any:
        """Return the inputs of this process's shards, given those that it was given."""
        ranks = range(self.group.size)
        if all(
            (self.given[r], self.given[r + 1]) == (self.held_by(r).start, self.held_by(r).stop)
            for r in ranks
        ):
            return x
        first, end = self.given[self.group.rank], self.given[self.group.rank + 1]
        parts = []
        for rank in ranks:
            held = self.held_by(rank)
            begin, stop = max(first, held.start), min(end, held.stop)
            parts.append(x[begin - first : stop - first] if begin < stop else None)
        return stacked([part for part in self.group.swap(parts) if part is not None])

    def gathered(self, x: Any, rows: NDArray[Any]) -> Any:
        """Return the inputs of some samples, for every process."""
        own = self.own
        mine = rows[(rows >= own.start) & (rows < own.stop)] - own.start
        ends = [self.held_by(rank).stop for rank in range(self.group.size)]
        return stacked(self.group.gather(x[mine]))[_places(rows, ends)]

    def gathered_frame(self, frame: Any, rows: NDArray[Any]) -> Any:
        """Return these rows of the frames that the processes were given, for every process."""
        first, end = self.given[self.group.rank], self.given[self.group.rank + 1]
        mine = rows_of(frame, rows[(rows >= first) & (rows < end)] - first)
        return rows_of(all_of_frame(self.group, mine), _places(rows, self.given[1:]))


def _tree_sum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(rows) == 1:
        only: NDArray[np.float64] = rows[0]
        return only
    middle = len(rows) // 2
    return _tree_sum(rows[:middle]) + _tree_sum(rows[middle:])


def _places(rows: NDArray[Any], ends: Sequence[int]) -> NDArray[np.intp]:
    """Return where each row lies once those of one process follow those of another."""
    owners = np.searchsorted(np.asarray(ends), rows, side="right")
    places = np.empty(len(rows), dtype=np.intp)
    places[np.argsort(owners, kind="stable")] = np.arange(len(rows))
    return places


def all_of_frame(group: Alone, frame: Any) -> Any:
    """Return the rows of all processes in one frame; None for None."""
    if frame is None or not isinstance(group, Group):
        return frame
    frames = [nw.from_native(part) for part in group.gather(frame)]
    return nw.concat(frames).to_native()


def take_form(estimator: Any, group: Alone, part: Any) -> Any:
    """Return a process's part of the samples; where it has none, one like the others' without any.

    Raises
    ------
    ValueError
        If nobody has samples, or the columns have not the same names everywhere.
    """
    names = vars(estimator).get("feature_names_in_")
    form = (
        None if part is None else ([None if array is None else array[:0] for array in part], names)
    )
    forms = [form for form in group.gather(form) if form is not None]
    if not forms:
        raise ValueError("There must be at least one sample; got none in all processes.")
    empty, expected = forms[0]
    for _, its in forms:
        if not np.array_equal(its, expected):
            raise ValueError("The columns of X must have the same names in all processes.")
    if part is None and expected is not None:
        estimator.feature_names_in_ = expected
    return empty if part is None else part


def share_rows(group: Alone, x: Any) -> tuple[Any, Shares | None]:
    """Let the processes share what each of them was given; return what this one holds then.

    Raises
    ------
    ValueError
        If they have not the same features, or fewer samples than there are shards.
    """
    if not isinstance(group, Group):
        return x, None
    told = group.gather((x.shape[0], x.shape[1], x.dtype))
    if len({width for _, width, _ in told}) > 1:
        widths = [width for _, width, _ in told]
        raise ValueError(f"X must have as many features in all processes; got {widths}.")
    counts = [count for count, _, _ in told]
    if sum(counts) < group.shards:
        raise ValueError(
            f"There must be at least {group.shards} samples, one for each shard; got "
            f"{sum(counts)} in {group.size} processes."
        )
    dtype = np.result_type(*(kind for _, _, kind in told))
    shares = Shares(group, tuple(np.cumsum([0, *counts]).tolist()))
    return shares.moved(x if x.dtype == dtype else x.astype(dtype)), shares
