"""What carries numbers from process to process: MPI, by mpi4py, or torch.distributed.

Neither is imported here: the user has, and gives us a communicator of theirs. Nothing is added up
on the way. Operations are begun without blocking and asked for, so that a process that is gone is
noticed after the timeout, and Ctrl-C waits until an operation that others take part in is over.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np

_give_way: Callable[[], Any] = getattr(os, "sched_yield", lambda: time.sleep(0))


class Transport(Protocol):
    """What the core asks for; buffers hold numbers of one type, and counts are numbers of them.

    Every process calls the same methods in the same order. They return whether Ctrl-C was pressed
    meanwhile.
    """

    rank: int
    size: int

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> bool:
        """Give each other process its part of `sent`, and take one of each into `taken`.

        There is a part for this process, too, which stays where it is: none is taken of it.
        """

    def gather(self, buffer: Any, counts: Sequence[int]) -> bool:
        """Fill in the parts of the other processes; this one's is in place."""

    def close(self) -> None:
        """Give back what was taken of the communicator; together, and unless something failed."""


def _wait(is_done: Callable[[], bool], timeout: float) -> bool:
    """Ask until something is done; return whether it was interrupted meanwhile.

    Raises
    ------
    TimeoutError
        If it takes longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    interrupted = False
    while True:
        try:
            if is_done():
                return interrupted
            _give_way()
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"Another process has not answered for {timeout:g} s: it has failed, or is at "
                    "work elsewhere. timeout= of communicator() allows for more."
                )
        except KeyboardInterrupt:
            interrupted = True


class MPITransport:
    """An intracommunicator of mpi4py: a duplicate, so that others' messages don't meet ours."""

    def __init__(self, comm: Any, timeout: float) -> None:
        self._comm = comm.Dup()
        self._timeout = timeout
        self._in_place = sys.modules["mpi4py.MPI"].IN_PLACE
        self.rank = int(self._comm.Get_rank())
        self.size = int(self._comm.Get_size())

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> bool:
        """Give each other process its part, and take one of each."""
        counts = list(sent_counts)
        begins = [0, *accumulate(counts[:-1])]
        counts[self.rank] = 0
        request = self._comm.Ialltoallv([sent, (counts, begins)], [taken, taken_counts])
        return _wait(request.Test, self._timeout)

    def gather(self, buffer: Any, counts: Sequence[int]) -> bool:
        """Fill in the parts of the other processes."""
        request = self._comm.Iallgatherv(self._in_place, [buffer, counts])
        return _wait(request.Test, self._timeout)

    def close(self) -> None:
        """Free the duplicate."""
        self._comm.Free()


class TorchTransport:
    """A process group of torch.distributed whose backend works on the CPU, as gloo does."""

    def __init__(self, group: Any, timeout: float) -> None:
        self._torch = sys.modules["torch"]
        self._group = group
        self._timeout = timeout
        distributed = self._torch.distributed
        self.rank = int(distributed.get_rank(group))
        self.size = int(distributed.get_world_size(group))
        self._global_ranks = [distributed.get_global_rank(group, r) for r in range(self.size)]

    def _tensor(self, buffer: Any) -> Any:
        return self._torch.from_numpy(np.asarray(buffer))

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> bool:
        """Give each other process its part, and take one of each."""
        counts = list(sent_counts)
        begin = sum(counts[: self.rank])
        end, counts[self.rank] = begin + counts[self.rank], 0
        gifts = self._tensor(sent)
        others = [part for part in (gifts[:begin], gifts[end:]) if len(part)]
        work = self._torch.distributed.all_to_all_single(
            self._tensor(taken),
            others[0] if len(others) == 1 else self._torch.cat([gifts[:begin], gifts[end:]]),
            list(taken_counts),
            counts,
            group=self._group,
            async_op=True,
        )
        return self._finish([work])

    def gather(self, buffer: Any, counts: Sequence[int]) -> bool:
        """Fill in the parts of the other processes: gloo gathers equal parts only."""
        parts = self._tensor(buffer).split(list(counts))
        works = [
            self._torch.distributed.broadcast(part, source, group=self._group, async_op=True)
            for part, source in zip(parts, self._global_ranks, strict=True)
            if len(part)
        ]
        return self._finish(works)

    def _finish(self, works: Sequence[Any]) -> bool:
        interrupted = False
        for work in works:
            interrupted |= _wait(work.is_completed, self._timeout)
            work.wait()  # which raises where it failed
        return interrupted

    def close(self) -> None:
        """Leave the group to its owner."""


def transport_of(comm: Any, timeout: float) -> Transport:
    """Return what carries numbers over a communicator of the user's.

    Raises
    ------
    TypeError
        If it is neither of mpi4py nor of torch.distributed.
    """
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and isinstance(comm, mpi.Intracomm):
        return MPITransport(comm, timeout)
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and isinstance(comm, torch.ProcessGroup):
        return TorchTransport(comm, timeout)
    raise TypeError(
        "comm must be an intracommunicator of mpi4py, such as MPI.COMM_WORLD, or a process group "
        f"of torch.distributed, such as torch.distributed.group.WORLD; got {comm!r}."
    )
