"""What carries numbers from process to process: MPI, by mpi4py, or torch.distributed.

Neither is imported here: the user has, and gives us a communicator of theirs. Nothing is added up
on the way. Operations are begun without blocking and asked for, so that a process that is gone is
noticed after the timeout.
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

    Every process calls the same methods in the same order. Where one has failed nothing works any
    more, and what it was given may still be written to.
    """

    rank: int
    size: int
    failed: bool
    interrupted: bool  # Ctrl-C was pressed, of which the core tells the others

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> None:
        """Give each other process its part of `sent`, and take one of each into `taken`.

        There is a part for this process, too, which stays where it is: none is taken of it.
        """

    def gather(self, buffer: Any, counts: Sequence[int]) -> None:
        """Fill in the parts of the other processes; this one's is in place."""

    def close(self) -> None:
        """Give back what was taken of the communicator; together, and unless something failed."""


class _Waiting:
    """What both have: a limit of time, and whether it was reached."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.failed = False
        self.interrupted = False

    def _finish(self, begin: Callable[[], tuple[Callable[[], bool], Callable[[], Any]]]) -> None:
        """Begin something, ask until it is done, and end it.

        Raises
        ------
        TimeoutError
            If it takes longer than the timeout.
        """
        try:
            is_done, end = begin()
            deadline = time.monotonic() + self._timeout
            while not is_done():
                _give_way()
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"Another process has not answered for {self._timeout:g} s: it has failed, "
                        "or is at work elsewhere. timeout= of communicator() allows for more."
                    )
            end()
        except BaseException:
            self.failed = True
            raise


def _nothing() -> None:
    pass


class MPITransport(_Waiting):
    """An intracommunicator of mpi4py: a duplicate, so that others' messages don't meet ours."""

    def __init__(self, comm: Any, timeout: float) -> None:
        super().__init__(timeout)
        self._comm = comm.Dup()
        self._in_place = sys.modules["mpi4py.MPI"].IN_PLACE
        self.rank = int(self._comm.Get_rank())
        self.size = int(self._comm.Get_size())

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> None:
        """Give each other process its part, and take one of each."""
        counts = list(sent_counts)
        begins = [0, *accumulate(counts[:-1])]
        counts[self.rank] = 0
        gift, place = [sent, (counts, begins)], [taken, taken_counts]
        self._finish(lambda: (self._comm.Ialltoallv(gift, place).Test, _nothing))

    def gather(self, buffer: Any, counts: Sequence[int]) -> None:
        """Fill in the parts of the other processes."""
        place = [buffer, counts]
        self._finish(lambda: (self._comm.Iallgatherv(self._in_place, place).Test, _nothing))

    def close(self) -> None:
        """Free the duplicate."""
        self._comm.Free()


class TorchTransport(_Waiting):
    """A process group of torch.distributed whose backend works on the CPU, as gloo does."""

    def __init__(self, group: Any, timeout: float) -> None:
        super().__init__(timeout)
        self._torch = sys.modules["torch"]
        self._group = group
        distributed = self._torch.distributed
        self.rank = int(distributed.get_rank(group))
        self.size = int(distributed.get_world_size(group))
        self._global_ranks = [distributed.get_global_rank(group, r) for r in range(self.size)]

    def _tensor(self, buffer: Any) -> Any:
        return self._torch.from_numpy(np.asarray(buffer))

    def swap(
        self, sent: Any, sent_counts: Sequence[int], taken: Any, taken_counts: Sequence[int]
    ) -> None:
        """Give each other process its part, and take one of each."""
        counts = list(sent_counts)
        begin = sum(counts[: self.rank])
        end, counts[self.rank] = begin + counts[self.rank], 0
        gifts = self._tensor(sent)
        others = [part for part in (gifts[:begin], gifts[end:]) if len(part)]
        gift = others[0] if len(others) == 1 else self._torch.cat([gifts[:begin], gifts[end:]])
        place, taken_list = self._tensor(taken), list(taken_counts)

        def start() -> tuple[Callable[[], bool], Callable[[], Any]]:
            work = self._torch.distributed.all_to_all_single(
                place, gift, taken_list, counts, group=self._group, async_op=True
            )
            return work.is_completed, work.wait  # which raises where it failed

        self._finish(start)

    def gather(self, buffer: Any, counts: Sequence[int]) -> None:
        """Fill in the parts of the other processes: gloo gathers equal parts only."""
        parts = self._tensor(buffer).split(list(counts))

        def start() -> tuple[Callable[[], bool], Callable[[], Any]]:
            works = [
                self._torch.distributed.broadcast(part, source, group=self._group, async_op=True)
                for part, source in zip(parts, self._global_ranks, strict=True)
                if len(part)
            ]
            return (
                lambda: all(work.is_completed() for work in works),
                lambda: [work.wait() for work in works],
            )

        self._finish(start)

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
