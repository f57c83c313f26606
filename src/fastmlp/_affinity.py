"""The processors that this process may run on, as they were before the package was imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_affinity() -> Iterator[None]:
    """Put the affinity of this thread back to what it was.

    With OMP_PROC_BIND or OMP_PLACES an OpenMP runtime binds the thread that loads it to one
    processor, scikit-learn's as well as ours, and child processes inherit that.
    """
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        yield
    finally:
        if os.sched_getaffinity(0) != before:
            os.sched_setaffinity(0, before)
