"""The processes that train together, and what they tell each other before and between epochs.

`current_group()` is what the code of a fit asks; outside of a communicator that is `ALONE`, for
whom there is nothing to do.
"""

import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fastmlp._processes.transport import Transport

_Value = TypeVar("_Value")
_KINDS = {kind.__name__: kind for kind in (ValueError, TypeError, KeyboardInterrupt)}


class Alone:
    """A process that trains by itself."""

    rank = 0
    size = 1

    @property
    def leads(self) -> bool:
        """Whether callbacks are called here, and the display is shown."""
        return self.rank == 0

    def together(self) -> AbstractContextManager[None]:
        """Let an error in the block end it in all processes."""
        return nullcontext()

    def lead(self, call: Callable[[], _Value]) -> _Value:
        """Return what the first process gets of a call, which the others don't make."""
        return call()

    def gather(self, value: _Value) -> list[_Value]:
        """Return the values of all processes, in their order."""
        return [value]

    def fitting(self) -> AbstractContextManager[None]:
        """Let Ctrl-C be told to all processes in the block."""
        return nullcontext()

    def forget_interrupt(self) -> None:
        """Note that an interrupt has ended what it was to end."""

    def require_same(self, **told: Any) -> None:
        """Refuse what differs between the processes."""

    def all_of(self, array: Any) -> Any:
        """Return the rows of all processes, in their order; None for None."""
        return array


ALONE = Alone()


class Group(Alone):
    """Several processes.

    Parameters
    ----------
    transport : Transport
        Carries what they tell each other.
    shards : int
        How many parts the samples of all are taken in, at least one for each process. The core's
        tree over them halves every node, at begin + size // 2.
    """

    def __init__(self, transport: Transport, shards: int) -> None:
        self.transport = transport
        self.rank, self.size = transport.rank, transport.size
        self.shards = shards

    def shards_of(self, rank: int) -> range:
        """Return the shards of a process; the core reckons the same."""
        return range(self.shards * rank // self.size, self.shards * (rank + 1) // self.size)

    @contextmanager
    def _together(self) -> Iterator[None]:
        error: BaseException | None = None
        try:
            yield
        except BaseException as caught:
            error = caught
            if self.transport.failed:
                raise
        complaints = self.gather(_describe(error))
        if error is not None:
            raise error
        for rank, complaint in enumerate(complaints):
            _raise(rank, complaint)

    def together(self) -> AbstractContextManager[None]:
        """Let an error in the block end it in all processes."""
        return self._together()

    def lead(self, call: Callable[[], _Value]) -> _Value:
        """Return what the first process gets of a call, which the others don't make."""
        value: Any = None
        error: BaseException | None = None
        told = b""
        if self.leads:
            try:
                with within(ALONE):  # what is fitted in there is its own
                    value = call()
                told = pickle.dumps((value, None), protocol=5)
            except BaseException as caught:
                error = caught
                told = pickle.dumps((None, _describe(error)), protocol=5)
        others, complaint = pickle.loads(self._gather_bytes(told)[0].data)
        if error is not None:
            raise error
        _raise(0, complaint)
        result: _Value = value if self.leads else others
        return result

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        parts = self._gather_bytes(pickle.dumps(value, protocol=5))
        return [
            value if rank == self.rank else pickle.loads(part.data)
            for rank, part in enumerate(parts)
        ]

    def _gather_bytes(self, content: bytes) -> list[NDArray[np.uint8]]:
        sizes = np.zeros(self.size, dtype=np.int64)
        sizes[self.rank] = len(content)
        self.transport.gather(sizes, [1] * self.size)
        ends = np.cumsum(sizes)
        everything = np.empty(ends[-1], dtype=np.uint8)
        own = slice(ends[self.rank] - len(content), ends[self.rank])
        everything[own] = np.frombuffer(content, dtype=np.uint8)
        self.transport.gather(everything, sizes.tolist())
        return np.split(everything, ends[:-1])

    def require_same(self, **told: Any) -> None:
        """Refuse what differs between the processes.

        Raises
        ------
        ValueError
            In all of them.
        """
        for name, values in zip(
            told, zip(*self.gather(list(told.values())), strict=True), strict=True
        ):
            if any(value != values[0] for value in values):
                raise ValueError(f"{name} must be the same in all processes; got {list(values)}.")

    def swap(self, values: Sequence[Any]) -> list[Any]:
        """Give each process one of the values; return those that they gave."""
        parts = [
            np.frombuffer(b"" if rank == self.rank else pickle.dumps(value, protocol=5), np.uint8)
            for rank, value in enumerate(values)
        ]
        sizes = np.zeros((self.size, self.size), dtype=np.int64)
        sizes[self.rank] = [len(part) for part in parts]
        self.transport.gather(sizes.ravel(), [self.size] * self.size)
        taken = sizes[:, self.rank]
        everything = np.empty(taken.sum(), dtype=np.uint8)
        sent = sizes[self.rank].tolist()
        self.transport.swap(np.concatenate(parts), sent, everything, taken.tolist())
        pieces = np.split(everything, np.cumsum(taken)[:-1])
        return [
            values[rank] if rank == self.rank else pickle.loads(piece.data)
            for rank, piece in enumerate(pieces)
        ]

    def all_of(self, array: Any) -> Any:
        """Return the rows of all processes, in their order; None for None.

        Raises
        ------
        ValueError
            If texts would meet numbers, or the widths differ.
        """
        parts = self.gather(array)
        if any(part is None for part in parts):
            if any(part is not None for part in parts):
                raise ValueError("Either all processes give weights, or none does.")
            return None
        return stacked(parts)

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        self.transport.interrupted = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*_: Any) -> None:
            self.transport.interrupted = True

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.transport.interrupted:  # when the training had come to its end
            signal.raise_signal(signal.SIGINT)

    def fitting(self) -> AbstractContextManager[None]:
        """Let Ctrl-C be a note in the block, of which the core tells the other processes."""
        return self._fitting()

    def forget_interrupt(self) -> None:
        """Note that an interrupt has ended what it was to end."""
        self.transport.interrupted = False


def stacked(parts: Sequence[Any]) -> Any:
    """Return arrays, or sparse matrices, one below the other.

    Raises
    ------
    ValueError
        If texts would meet numbers, or the widths differ.
    """
    widths = {part.shape[1:] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"The processes have arrays of different widths: {sorted(widths)}.")
    if scipy.sparse.issparse(parts[0]):
        return scipy.sparse.vstack(parts, format="csr")
    if len({part.dtype.kind in "biuf" for part in parts}) > 1:
        raise ValueError("Some processes have numbers where others have texts.")
    return np.concatenate(parts)


def _describe(error: BaseException | None) -> tuple[str, str] | None:
    """Return the name of an error's kind that can be raised elsewhere, or its own, and its text."""
    if error is None:
        return None
    names = (name for name, kind in _KINDS.items() if isinstance(error, kind))
    return next(names, type(error).__name__), str(error)


def _raise(rank: int, complaint: tuple[str, str] | None) -> None:
    """Raise what has ended a process in this one, too."""
    if complaint is not None:
        name, message = complaint
        kind = _KINDS.get(name, RuntimeError)
        raise kind(f"In process {rank}: {message if name in _KINDS else f'{name}: {message}'}")


_current: ContextVar[Alone] = ContextVar("processes", default=ALONE)


def current_group() -> Alone:
    """Return the processes that train together with this one."""
    return _current.get()


@contextmanager
def within(group: Alone) -> Iterator[None]:
    """Let a group be the current one."""
    token = _current.set(group)
    try:
        yield
    finally:
        _current.reset(token)


def refuse_group(what: str) -> None:
    """Refuse what would be trained in each process by itself.

    Raises
    ------
    RuntimeError
        Inside of a communicator.
    """
    if current_group() is not ALONE:
        raise RuntimeError(
            f"{what} can't be trained by several processes together; MLPClassifier and "
            "MLPRegressor can. Call it outside of fastmlp.distributed.communicator."
        )
