"""An epoch's windows: which blocks lie in which, and a thread that reads the next one.

The core asks for one window after the other (src/cpp/base/row_source.h) and shuffles its rows.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import narwhals as nw
import numpy as np
import scipy.sparse
import sklearn
from numpy.typing import NDArray

from fastmlp import _core

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
    the rows are sorted by, every window has rows from all over the data. Of unequal blocks the
    largest go to the emptiest windows.

    Returns the places of each window's blocks.
    """
    rows = np.asarray(sizes)
    count = min(-(-int(rows.sum()) // most), len(rows))
    while True:
        windows = _dealt(rows, most, count, draws)
        if windows is not None:
            return windows
        count = min(count + 1 + count // 20, len(rows))  # one block to each fits


def _dealt(
    rows: NDArray[Any], most: int, count: int, draws: np.random.RandomState
) -> list[list[int]] | None:
    """Return that for so many windows; None where the blocks don't fit."""
    filled = np.zeros(count, dtype=np.int64)
    owners = np.empty(len(rows), dtype=np.intp)
    for begin in range(0, len(rows), count):
        group = np.arange(begin, min(begin + count, len(rows)))
        group = group[np.argsort(-rows[group], kind="stable")]
        windows = draws.permutation(count)
        windows = windows[np.argsort(filled[windows], kind="stable")][: len(group)]
        own: Any = windows
        if (filled[windows] + rows[group] > most).any():
            own = _fitting(filled, windows, rows[group], most)
        if own is None:
            return None
        owners[group] = own
        filled += np.bincount(own, weights=rows[group], minlength=count).astype(np.int64)
    ends = np.cumsum(np.bincount(owners, minlength=count))
    dealt = np.split(np.argsort(owners, kind="stable"), ends[:-1])
    return [window.tolist() for window in dealt if len(window)]


def _fitting(
    filled: NDArray[Any], windows: NDArray[Any], rows: NDArray[Any], most: int
) -> NDArray[Any] | None:
    """Return a window for each block: its own, or where that is full the emptiest of all."""
    filled, found = filled.copy(), windows.copy()
    for place, size in enumerate(rows):
        if filled[found[place]] + size > most:
            found[place] = filled.argmin()
        if filled[found[place]] + size > most:
            return None
        filled[found[place]] += size
    return found


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


def bytes_of(array: Any) -> int:
    """Return the bytes of an array, a sparse matrix or a frame."""
    if scipy.sparse.issparse(array):
        return int(array.data.nbytes + array.indices.nbytes + array.indptr.nbytes)
    if hasattr(array, "nbytes"):
        return int(array.nbytes)
    return int(nw.from_native(array, eager_only=True).estimated_size())


class _Room:
    """Memory for the inputs of a window, which the next but one reuses."""

    def __init__(self) -> None:
        self._rows: NDArray[Any] | None = None

    def gather(self, parts: Iterator[Part], form: "Form") -> Part:
        """Return the rows of all parts; inputs that are wider than the form's are rounded to it."""
        sparse: list[Any] = []
        targets: list[NDArray[Any]] = []
        weights: list[Any] = []
        filled = sparse_bytes = 0
        for part in parts:
            if scipy.sparse.issparse(part.x):
                sparse.append(part.x)
                sparse_bytes += bytes_of(part.x)
                if sparse_bytes > form.sparse_bytes:
                    raise ValueError(
                        f"The sparse rows of a window take more than {form.sparse_bytes} bytes, "
                        "twice what some blocks let expect: give the blocks more memory."
                    )
            else:
                self._put(part.x, filled, form)
            filled += part.t.shape[0]
            targets.append(part.t.copy())  # whoever reads may use his arrays again
            weights.append(None if part.weight is None else part.weight.copy())
        weight = None if weights[0] is None else np.concatenate(weights)
        x: Any
        if sparse:
            x = scipy.sparse.vstack(sparse, format="csr")
        else:
            assert self._rows is not None
            x = self._rows[:filled]
        return Part(x, np.concatenate(targets), weight)

    def _put(self, x: NDArray[Any], place: int, form: "Form") -> None:
        rows = self._rows
        if rows is None:
            self._rows = rows = np.empty((form.n_rows, x.shape[1]), form.dtype)
        rows[place : place + x.shape[0]] = x


@dataclass(frozen=True)
class Form:
    """What windows are made for: their most rows, the type of inputs, the most bytes of sparse."""

    n_rows: int
    dtype: np.dtype[Any]
    sparse_bytes: int = 0


class Windows:
    """The rows of one run, an epoch after the other; a context manager, which ends the reading.

    Parameters
    ----------
    reader : PartReader
        Reads a block.
    form : Form
        How many rows a window may have, at least as many as any block; and of what type.
    seed : int
        Of which blocks lie in which window, with the number of the epoch.
    shuffles : bool
        Whether they lie in another one every epoch; otherwise in their order.
    """

    def __init__(self, reader: PartReader, *, form: Form, seed: int, shuffles: bool) -> None:
        self.reader, self.form = reader, form
        self.seed, self.shuffles = seed, shuffles
        self.n_rows = sum(reader.sizes)
        self._rooms = (_Room(), _Room())
        self._thread: threading.Thread | None = None
        self._coming: tuple[tuple[int, int], Future[Part]] | None = None
        self._read = 0  # windows so far
        self._stopped = False
        self._planned: dict[int, list[list[int]]] = {}
        self._config, self._context = sklearn.get_config(), copy_context()

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the blocks of each window of an epoch."""
        if epoch not in self._planned:
            sizes = np.asarray(self.reader.sizes)
            blocks = np.flatnonzero(sizes)
            if self.shuffles:
                windows = deal(sizes[blocks].tolist(), self.form.n_rows, seeded(self.seed, epoch))
            else:
                windows = divide(sizes[blocks].tolist(), self.form.n_rows)
            self._planned = {e: its for e, its in self._planned.items() if e == epoch - 1}
            self._planned[epoch] = [blocks[window].tolist() for window in windows]
        return self._planned[epoch]

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
        if self._coming is None:
            self._begin(epoch, number)
        assert self._coming is not None
        asked, future = self._coming
        assert asked == (epoch, number)  # whoever trains takes them in their order
        while not future.done():
            wait([future], _LOOK_EVERY)  # a wait without end could not be interrupted everywhere
            if _core.is_cancelled():
                raise CancelledError
        self._coming = None
        return future.result()

    def _begin(self, epoch: int, number: int) -> None:
        """Let a thread read a window into the room of the last but one."""
        assert self._coming is None
        room = self._rooms[self._read % 2]
        self._read += 1
        future: Future[Part] = Future()
        # One that Python doesn't wait for when it ends: a block may take long.
        self._thread = threading.Thread(
            target=self._context.copy().run,  # the last thread may not have left its own yet
            args=(self._gather, future, room, self.plan(epoch)[number]),
            name="fastmlp-blocks",
            daemon=True,
        )
        self._coming = (epoch, number), future
        self._thread.start()

    def _gather(self, future: "Future[Part]", room: _Room, blocks: list[int]) -> None:
        try:
            with sklearn.config_context(**self._config):
                part = room.gather(self._parts(blocks), self.form)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(part)

    def _parts(self, blocks: list[int]) -> Iterator[Part]:
        for block in blocks:
            if self._stopped:
                raise CancelledError
            yield self.reader.read(block)

    def close(self) -> None:
        """End the reading, and give the memory back; the thread may still be reading one block."""
        self._stopped = True
        self._rooms, self._coming = (_Room(), _Room()), None

    def abandon(self) -> None:
        """Close, and don't wait for the thread at the end of the context."""
        self.close()
        self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt | CancelledError):
            self.abandon()  # a block may take long
        self.close()
        if self._thread is not None:
            self._thread.join()
