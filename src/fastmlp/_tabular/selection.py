"""Which networks an ensemble is made of: greedy selection on rows that they were not trained on.

R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble Selection from Libraries of Models",
ICML 2004.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 24
_TINY = 1e-9


def select(
    candidates: Sequence[NDArray[np.float64]], loss: Callable[[NDArray[np.float64]], float]
) -> NDArray[np.float64]:
    """Return the weight of each candidate in a mean with a small loss.

    Starts with the best, and adds, again and again, the one that the mean gains most by; one may
    be added several times. The mean of all is taken where that is as good.
    """
    total: Any = 0.0
    chosen: list[int] = []
    best, kept = np.inf, 0
    for size in range(1, _MOST + 1):
        losses = [loss((total + candidate) / size) for candidate in candidates]
        i = int(np.argmin(losses))
        total = total + candidates[i]
        chosen.append(i)
        if losses[i] < best - _TINY:
            best, kept = losses[i], size
    if not kept or loss(np.mean(candidates, axis=0)) <= best:
        return np.full(len(candidates), 1 / len(candidates))
    return np.bincount(chosen[:kept], minlength=len(candidates)) / kept
