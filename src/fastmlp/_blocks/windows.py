"""An epoch's windows: which blocks lie in which, and a thread that reads the next one.

The core asks for one window after the other (src/cpp/train/source.h) and shuffles its rows.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

_LOOK_EVERY = 0.1  # seconds


def seeded(*numbers: int) -> np.random.RandomState:
    """Return a generator whose numbers depend on these alone, in every version of NumPy."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(numbers)))


@dataclass(frozen=True)
class Part:
    """Rows as the core takes them: inputs, targets and weights, or None."""

    x: Any
    t: NDArray[Any]
    weight: NDArray[Any] | None


class PartReader(Protocol):
    """Where the windows' rows come from."""

    @property
    def sizes(self) -> Sequence[int]:
        """The number of rows of each block."""

    def read(self, block: int) -> Part:
        """Return the rows of a block."""


def deal(sizes: Sequence[int], most: int, draws: np.random.RandomState) -> list[list[int]]:
    """Deal blocks out to windows of at most `most` rows, neighbours to different ones.

    Of so many blocks that follow each other as there are windows, each window gets one: whatever
    the rows are sorted by, every window has rows from all over the data.

    Returns the places of each window's blocks.
    """
    count = -(-sum(sizes) // most)
    rows = np.asarray(sizes)
    while True:
        rounds = -(-len(rows) // count)
        hands = np.concatenate([draws.permutation(count) for _ in range(rounds)])[: len(rows)]
        if np.bincount(hands, weights=rows, minlength=count).max() <= most:
            ends = np.cumsum(np.bincount(hands, minlength=count))
            windows = np.split(np.argsort(hands, kind="stable"), ends[:-1])
            return [window.tolist() for window in windows]
        count += 1 + count // 20


def divide(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Divide blocks in their order among windows of at most `most` rows.

    Returns the places of each window's blocks.
    """
    windows: list[list[int]] = [[]]
    filled = 0
    for place, size in enumerate(sizes):
        if windows[-1] and filled + size > most:
            windows.append([])
            filled = 0
        windows[-1].append(place)
        filled += size
    return windows


class _Room:
    """Memory for the inputs of a window, which the next but one reuses."""

    def __init__(self) -> None:
        self._rows: NDArray[Any] | None = None

    def gather(self, parts: Iterator[Part], n_rows: int, dtype: np.dtype[Any]) -> Part:
        """Return the rows of all parts; inputs that are wider than `dtype` are rounded to it."""
        sparse: list[Any] = []
        targets: list[NDArray[Any]] = []
        weights: list[Any] = []
        filled = 0
        for part in parts:
            if scipy.sparse.issparse(part.x):
                sparse.append(part.x)
            else:
                self._put(part.x, filled, n_rows, dtype)
            filled += part.t.shape[0]
            targets.append(part.t)
            weights.append(part.weight)
        weight = None if weights[0] is None else np.concatenate(weights)
        x: Any
        if sparse:
            x = scipy.sparse.vstack(sparse, format="csr")
        else:
            assert self._rows is not None
            x = self._rows[:filled]
        return Part(x, np.concatenate(targets), weight)

    def _put(self, x: NDArray[Any], place: int, n_rows: int, dtype: np.dtype[Any]) -> None:
        rows = self._rows
        narrow = x.dtype.itemsize < dtype.itemsize  # the core converts it when it is needed
        wanted = x.dtype if narrow else dtype
        if rows is None or rows.shape[0] < n_rows:
            self._rows = rows = np.empty((n_rows, x.shape[1]), wanted)
        if rows.dtype != wanted and not (place and np.can_cast(wanted, rows.dtype)):
            self._rows = np.empty(rows.shape, wanted if not place else dtype)
            self._rows[:place] = rows[:place]
            rows = self._rows
        rows[place : place + x.shape[0]] = x


class Windows:
    """The rows of one run, an epoch after the other; a context manager, which ends the reading.

    Parameters
    ----------
    reader : PartReader
        Reads a block.
    dtype : str
        That of the network.
    most : int
        How many rows a window may have: at least as many as any block.
    seed : int
        Of which blocks lie in which window, with the number of the epoch.
    shuffles : bool
        Whether they lie in another one every epoch; otherwise in their order.
    """

    def __init__(
        self, reader: PartReader, *, dtype: str, most: int, seed: int, shuffles: bool
    ) -> None:
        self.reader, self.dtype, self.most = reader, np.dtype(dtype), most
        self.seed, self.shuffles = seed, shuffles
        self.n_rows = sum(reader.sizes)
        self._rooms = (_Room(), _Room())
        self._pool: ThreadPoolExecutor | None = None
        self._coming: tuple[tuple[int, int], Future[Part]] | None = None
        self._read = 0  # windows so far
        self._stopped = False
        self._planned: tuple[int, list[list[int]]] = (-1, [])

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the blocks of each window of an epoch."""
        if self._planned[0] != epoch:
            sizes = np.asarray(self.reader.sizes)
            blocks = np.flatnonzero(sizes)
            if self.shuffles:
                windows = deal(sizes[blocks].tolist(), self.most, seeded(self.seed, epoch))
            else:
                windows = divide(sizes[blocks].tolist(), self.most)
            self._planned = (epoch, [blocks[window].tolist() for window in windows])
        return self._planned[1]

    def window(self, epoch: int, number: int) -> tuple[Any, Any, Any] | None:
        """Return a window's rows, which last until the next call; None behind the last one."""
        windows = self.plan(epoch)
        if number == len(windows):
            return None
        part = self._taken(epoch, number)
        following = (epoch, number + 1) if number + 1 < len(windows) else (epoch + 1, 0)
        self._begin(*following)
        return part.x, part.t, part.weight

    def _taken(self, epoch: int, number: int) -> Part:
        if self._coming is None or self._coming[0] != (epoch, number):
            self._begin(epoch, number)
        assert self._coming is not None
        future = self._coming[1]
        while not future.done():
            wait([future], _LOOK_EVERY)  # a wait without end could not be interrupted everywhere
        self._coming = None
        return future.result()

    def _begin(self, epoch: int, number: int) -> None:
        """Let the thread read a window into the room of the last but one."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastmlp-blocks")
        if self._coming is not None:  # an epoch that was not foreseen: a run that goes on
            self._coming[1].exception()
        room = self._rooms[self._read % 2]
        self._read += 1
        blocks = self.plan(epoch)[number]
        self._coming = (epoch, number), self._pool.submit(self._gather, room, blocks)

    def _gather(self, room: _Room, blocks: list[int]) -> Part:
        return room.gather(self._parts(blocks), min(self.most, self.n_rows), self.dtype)

    def _parts(self, blocks: list[int]) -> Iterator[Part]:
        for block in blocks:
            if self._stopped:
                raise CancelledError
            yield self.reader.read(block)

    def close(self, *, waits: bool = False) -> None:
        """End the reading, and give the memory back.

        Unless it `waits` for it, the thread may still be reading one block.
        """
        self._stopped = True
        self._rooms, self._coming = (_Room(), _Room()), None
        if self._pool is not None:
            self._pool.shutdown(wait=waits, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A block may take long, and who has pressed Ctrl-C is not to wait for it.
        self.close(waits=kind is None or not issubclass(kind, KeyboardInterrupt))
