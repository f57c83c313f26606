"""Labels: what is one, what the perceptron accepts, and the targets that the core makes of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels


def check_label_types(y: NDArray[Any]) -> None:
    """Refuse what a classifier can't take for labels, and say why.

    Raises
    ------
    ValueError
        If `y` mixes types, holds fractions, or has several columns of other numbers than 0 and 1.
    """
    if y.dtype == object and not all(isinstance(label, str) for label in y.flat):
        kinds = ", ".join(sorted({type(label).__name__ for label in y.flat}))
        raise ValueError(
            f"Unknown label type: y is an array of objects, {kinds}. Labels must be all strings or "
            "all integers: convert y, for example by y.astype(str), and fill in what is missing."
        )
    kind = type_of_target(y)
    if kind.startswith("continuous"):
        raise ValueError(
            f"Unknown label type: {kind}. y holds fractions, such as {_first_fraction(y)!r}. "
            "Numbers are for a regressor; a classifier takes labels."
        )
    if kind.endswith("multioutput"):
        raise ValueError(
            f"y of several columns, {y.shape}, must be an indicator matrix, of 0 and 1 only. Fit a "
            "classifier for each column of labels, for example by a MultiOutputClassifier."
        )


def _first_fraction(y: NDArray[Any]) -> float:
    return float(y.flat[(y != np.floor(y)).argmax()])


def plain_labels(y: Any) -> NDArray[Any]:
    """Return labels of shape (n_samples,), or an indicator matrix of 0 and 1.

    Raises
    ------
    ValueError
        If `y` holds neither.
    """
    labels: NDArray[Any] = y.toarray() if issparse(y) else y
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    check_classification_targets(labels)
    if labels.ndim == 2:
        indicator = type_of_target(labels) == "multilabel-indicator"
        if not (indicator and np.isin(labels, (0, 1)).all()):
            raise ValueError("y of several columns must be an indicator matrix, of 0 and 1 only.")
    return labels


def check_labels(
    y: NDArray[Any], classes: NDArray[Any], multilabel: bool, *, announced: Any
) -> None:
    """Refuse labels that there is no output for.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        What `plain_labels` returned.
    classes : ndarray of shape (n_classes,)
        The classes learnt.
    multilabel : bool
        Whether they are the columns of an indicator matrix.
    announced : array-like of shape (n_classes,) or None
        The classes given to this call.

    Raises
    ------
    ValueError
        If `y` or `announced` doesn't go with `classes`.
    """
    if announced is not None and not np.array_equal(classes, unique_labels(announced)):
        raise ValueError(
            f"`classes={announced!r}` is not the same as on last call to partial_fit, was: "
            f"{classes!r}"
        )
    if (y.ndim == 2) != multilabel:
        kind = "multilabel" if multilabel else "single-label"
        raise ValueError(f"The object was fitted with {kind} input; y is of another kind.")
    if multilabel:
        if y.shape[1] != len(classes):
            raise ValueError(f"y has {y.shape[1]} columns; expected {len(classes)}.")
        return
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(f"y has labels that are not in classes {classes}: {unknown}.")


def encode_labels(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """Return the core's targets: class numbers, or truth values per output."""
    if y.ndim == 2:
        return y.astype(bool)
    numbers = np.searchsorted(classes, y)
    return numbers if len(classes) > 2 else numbers.astype(bool)
