"""Scores of predictions that are made in many places: what each shard tells, and what comes of it.

The accuracy and R2 are put together exactly; other scores need all predictions in one place.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fastmlp._checks.content import plain_array
from fastmlp._data.missing import set_apart
from fastmlp._data.weights import check_weights


def tally(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> NDArray[np.float64]:
    """Return what the rows of a shard contribute to the score of a fitted estimator."""
    predicted = estimator.predict(X)
    y, missing = set_apart(y)
    y = np.asarray(plain_array("y", y))
    y = y.ravel() if predicted.ndim == 1 else y
    weight = check_weights("sample_weight", sample_weight, len(y), may_vanish=True)
    weight = np.ones(len(y)) if weight is None else weight
    known = np.ones(y.shape, dtype=bool) if missing is None else ~missing
    if is_classifier(estimator):
        return _hits(predicted, y, weight, known)
    p, t, known = (array.reshape(len(y), -1) for array in (predicted, y, known))
    return _moments(p, t, known, weight)


def _hits(
    predicted: NDArray[Any], y: NDArray[Any], weight: NDArray[Any], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weight of the rows that are right, and that of all."""
    right = (predicted == y) | ~known
    if y.ndim == 2:
        counts, right = weight * known.any(axis=1), right.all(axis=1)
    else:
        counts = weight
    return np.array([(counts * right).sum(), counts.sum()], dtype=np.float64)


def _moments(
    predicted: NDArray[Any], y: NDArray[Any], known: NDArray[np.bool_], weight: NDArray[Any]
) -> NDArray[np.float64]:
    """Return of each column the weight, the mean, the squares about it, and those of the errors."""
    counts = weight[:, None] * known
    t = y.astype(np.float64)
    total = counts.sum(axis=0)
    mean = (counts * t).sum(axis=0) / np.where(total > 0, total, 1)
    about, errors = (counts * (t - mean) ** 2, counts * (t - predicted) ** 2)
    return np.stack([total, mean, about.sum(axis=0), errors.sum(axis=0)])


def score_of(tallies: Sequence[NDArray[np.float64]], *, classifies: bool) -> float:
    """Return the accuracy, or R2 averaged over the targets, of all shards together.

    Raises
    ------
    ValueError
        If nothing weighs.
    """
    every = np.stack(tallies)
    total = every[:, 1 if classifies else 0].sum(axis=0)
    if not np.any(total):
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if classifies:
        return float(every[:, 0].sum() / total)
    weight, mean, about, errors = (every[:, row] for row in range(4))
    center = (weight * mean).sum(axis=0) / np.where(total > 0, total, 1)
    spread = (about + weight * (mean - center) ** 2).sum(axis=0)
    error = errors.sum(axis=0)
    constant = spread == 0
    scores = np.where(constant, error == 0, 1 - error / np.where(constant, 1, spread))
    return float(scores[total > 0].mean())
