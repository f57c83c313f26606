"""The rule that turns `n_jobs` into the core's number of threads."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp import _core

_INT32_MAX = 2**31 - 1


@cache
def _limit_threads() -> None:
    """Tell the core about the cores that affinity and the container's quota leave to this process.

    Where the user has told OpenMP how many threads there are, or where, there is no limit: it reads
    these variables once, and a bound thread's own affinity is that of one core.
    """
    if not any(name in os.environ for name in ("OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND")):
        _core.limit_threads(int(joblib.cpu_count()))


def available_threads() -> int:
    """Return the number of threads that `n_jobs=None` stands for.

    OpenMP knows OMP_NUM_THREADS, affinity and threadpoolctl; a container's quota it does not, which
    counts unless OMP_NUM_THREADS says otherwise.
    """
    _limit_threads()
    return int(_core.max_threads())


def resolve_n_jobs(n_jobs: Any) -> int:
    """Return the number of threads to ask the core for, or 0 for all; small work gets fewer.

    Parameters
    ----------
    n_jobs : int or None
        None or -1: all the threads that this process may use, fewer where a run finds that it goes
        faster, or one where they sleep and a call is too short to wake them for. A positive
        number: that many. One inside of `one_thread_each`.
        A number below -1 leaves some out: -2 is all but one.

    Raises
    ------
    ValueError
        If `n_jobs` is 0 or not an integer.
    """
    if n_jobs is None or n_jobs == -1:
        _limit_threads()
        return 1 if getattr(_own, "is_one_of_many", False) else 0
    if not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0; got {n_jobs!r}.")
    if not -_INT32_MAX <= n_jobs <= _INT32_MAX:
        raise ValueError(
            f"n_jobs must be None or an integer from -(2**31 - 1) to 2**31 - 1; got {n_jobs!r}."
        )
    if n_jobs > 0:
        return int(n_jobs)
    return max(1, available_threads() + 1 + int(n_jobs))


_own = threading.local()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let `n_jobs=None` stand for one thread in this one, as the others have work of their own."""
    _own.is_one_of_many = True
    try:
        yield
    finally:
        _own.is_one_of_many = False


class _BlasLimit:
    """One thread for BLAS while anybody wants that: the limit is the whole process's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: Counter[int] = Counter()  # how often each thread wants it
        self._limits: Any = None

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside[threading.get_ident()] += 1

    def leave(self) -> None:
        with self._lock:
            self._inside[threading.get_ident()] -= 1
            self._inside += Counter()  # without those who want it no more
            self._restore_if_unwanted()

    def go_on_in_child(self) -> None:
        """After a fork: nobody is there any more but the thread that forked."""
        own = threading.get_ident()
        self._lock = threading.Lock()
        self._inside = Counter({own: self._inside[own]}) + Counter()
        self._restore_if_unwanted()

    def _restore_if_unwanted(self) -> None:
        if self._limits is not None and not self._inside:
            self._limits.restore_original_limits()
            self._limits = None


_blas_limit = _BlasLimit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas_limit.go_on_in_child)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Leave BLAS a single thread meanwhile; several threads may be inside at once."""
    _blas_limit.enter()
    try:
        yield
    finally:
        _blas_limit.leave()
