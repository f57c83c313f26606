"""Threads that stand for processes, so that what processes do together is tested within one; and
programs that are started by MPI, or by hand for torch.distributed."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from fastmlp._processes.group import Group, within


class Board:
    """Where the threads of one group leave what they tell each other."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.notes = [None] * size


class ThreadTransport:
    """A transport between threads; the order of the numbers is all that it knows."""

    def __init__(self, board, rank):
        self.board, self.rank, self.size = board, rank, board.size
        self.failed = self.interrupted = False

    def swap(self, sent, sent_counts, taken, taken_counts):
        self.board.notes[self.rank] = np.asarray(sent), sent_counts
        self.board.barrier.wait()
        to, at = np.asarray(taken), 0
        for rank, (numbers, counts) in enumerate(self.board.notes):
            if rank == self.rank:
                assert taken_counts[rank] == 0
                continue
            assert counts[self.rank] == taken_counts[rank]
            begin = sum(counts[: self.rank])
            to[at : at + taken_counts[rank]] = numbers[begin : begin + taken_counts[rank]]
            at += taken_counts[rank]
        self.board.barrier.wait()

    def gather(self, buffer, counts):
        own = np.asarray(buffer)
        self.board.notes[self.rank] = own
        self.board.barrier.wait()
        ends = np.cumsum(counts)
        parts = [
            note[end - count : end].copy()
            for note, end, count in zip(self.board.notes, ends, counts, strict=True)
        ]
        self.board.barrier.wait()
        own[:] = np.concatenate(parts)


def in_processes(size, call, shards=None):
    """Call `call(rank)` in so many of them; return the results, or errors, in their order."""
    board, results = Board(size), [None] * size

    def run(rank):
        group = Group(ThreadTransport(board, rank), shards or max(4, size))
        try:
            with within(group):
                results[rank] = call(rank)
        except BaseException as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def mpiexec(size, script, *options, timeout=120):
    """Run a program of Python in so many processes of MPI."""
    launcher = Path(sys.executable).with_name("mpiexec")
    command = [launcher, *options, "-n", str(size), sys.executable, "-m", "mpi4py", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def start_torch(size, script, port):
    """Start a program of Python in so many processes, as torchrun does."""
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    return [
        subprocess.Popen(
            [sys.executable, script],
            env=os.environ | rendezvous | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
