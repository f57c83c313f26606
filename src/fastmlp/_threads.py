"""The rule that turns `n_jobs` into the core's number of threads."""

from typing import Any

import numpy as np

from fastmlp import _core


def resolve_n_jobs(n_jobs: Any) -> int:
    """Return the number of threads to ask the core for; 0 means all that it may use.

    Parameters
    ----------
    n_jobs : int or None
        None or -1: all the threads that this process may use. A positive number: that many.
        A number below -1 leaves some out: -2 is all but one.

    Raises
    ------
    ValueError
        If `n_jobs` is 0 or not an integer.
    """
    if n_jobs is None or n_jobs == -1:
        return 0
    if not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0; got {n_jobs!r}.")
    if n_jobs > 0:
        return int(n_jobs)
    return max(1, _core.max_threads() + 1 + int(n_jobs))
