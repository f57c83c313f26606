"""`class_weight`: what each sample weighs on account of its label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight


def class_factors(class_weight: Any, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weight of each sample by its label; the product over several labels per sample.

    Parameters
    ----------
    class_weight : 'balanced', dict or list of dict
        'balanced' is ``n_samples / (n_classes * count)`` for a label, counted in `y`. A dict has
        the weights by label, 1 for a label that isn't in it. An indicator matrix takes a list with
        one dict, of the labels 0 and 1, per column.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The labels, or an indicator matrix, where NaN is missing and weighs 1.
    classes : ndarray of shape (n_classes,)
        The labels that there are, sorted; not used for an indicator matrix.

    Returns
    -------
    factors : ndarray of shape (n_samples,)
        The weights.

    Raises
    ------
    ValueError
        If `class_weight` doesn't go with `y`, or a weight is negative or not finite.
    """
    if y.ndim == 1:
        return _factors(class_weight, y, classes)
    n_outputs = y.shape[1]
    if isinstance(class_weight, str):
        class_weight = [class_weight] * n_outputs
    if isinstance(class_weight, dict) or len(class_weight) != n_outputs:
        raise ValueError(
            f"class_weight must be 'balanced' or a list of {n_outputs} dicts, one per column of "
            f"y; got {class_weight!r}."
        )
    product = np.ones(len(y))
    for weight, column in zip(class_weight, y.T, strict=True):
        known = np.isfinite(column)
        product[known] *= _factors(weight, column[known], np.array([0, 1]))
    return product


def _check_labels(class_weight: dict[Any, float], classes: list[Any]) -> None:
    """Refuse labels that don't exist where classes are left out: they may be misspelt."""
    unknown = [label for label in class_weight if label not in classes]
    if unknown and any(label not in class_weight for label in classes):
        raise ValueError(
            f"class_weight has labels that are no classes: {unknown}; the classes are {classes}."
        )


def _factors(class_weight: Any, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        classes = np.unique(y)  # 'balanced' has no weight for what does not occur
    elif not isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight must be 'balanced' or a dict of the weights by label; got "
            f"{class_weight!r}."
        )
    else:
        _check_labels(class_weight, classes.tolist())
    try:
        weights = compute_class_weight(class_weight, classes=classes, y=y).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"class_weight={class_weight!r} doesn't go with y: {error}") from error
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(
            f"class_weight must hold finite weights that are not negative; got {class_weight!r}."
        )
    factors: NDArray[np.float64] = weights[np.searchsorted(classes, y)]
    return factors
