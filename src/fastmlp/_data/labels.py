"""Labels as targets: what is one, the classes learnt, and the core's targets made of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target, unique_labels

from fastmlp._checks.arrays import CORE_DTYPES, are_plain_samples, validate_data
from fastmlp._checks.content import plain_array, refuse_unfit
from fastmlp._data.missing import places, put_back, set_apart


def read_labels(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    reset: bool,
    accept_sparse: str | bool = "csr",
    may_lack: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check X and y of an estimator for what needs no knowledge of the classes.

    Returns X as the core reads it, and the labels as a vector or an indicator matrix, in which some
    may be missing where `may_lack` says so.

    Raises
    ------
    ValueError
        If one of them is not valid.
    """
    if are_plain_labels(y) and are_plain_samples(estimator, X, y, reset=reset):
        return X, y
    refuse_unfit("y", y)
    y, missing = set_apart(y) if may_lack and not issparse(y) else (y, None)
    y = plain_array("y", y)
    X, y = validate_data(
        estimator,
        X,
        y,
        multi_output=True,
        accept_sparse=accept_sparse,
        dtype=CORE_DTYPES,
        reset=reset,
    )
    y = y.toarray() if issparse(y) else y
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_labels(y)
    return X, put_back(y, missing)


def are_plain_labels(y: Any) -> bool:
    """Whether they are a vector of a type that has nothing but labels."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU"


def read_classes(classes: Any) -> Any:
    """Return the classes announced to partial_fit in a type that labels have; None for None."""
    if classes is None:
        return None
    refuse_unfit("classes", classes)
    return plain_array("classes", classes)


def check_labels(y: NDArray[Any]) -> None:
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
    if kind.endswith("multioutput") or (y.ndim == 2 and not ((y == 0) | (y == 1)).all()):
        raise ValueError(
            f"y of several columns, {y.shape}, must be an indicator matrix, of 0 and 1 only. Fit a "
            "classifier for each column of labels, for example by a MultiOutputClassifier."
        )


def _first_fraction(y: NDArray[Any]) -> float:
    return float(y.flat[(y != np.floor(y)).argmax()])


@dataclass(frozen=True, eq=False)
class LabelCodec:
    """The classes that were learnt, and how they become outputs.

    Parameters
    ----------
    kind : {'binary', 'multiclass', 'multilabel-indicator'}
        One label of two, one of several, or several at once.
    classes : ndarray of shape (n_classes,)
        The labels, sorted; the numbers of the columns for several at once.
    """

    kind: str
    classes: NDArray[Any]

    @classmethod
    def learn(cls, y: NDArray[Any], announced: Any = None) -> "LabelCodec":
        """Learn the classes from y, or as they were announced to partial_fit.

        Raises
        ------
        ValueError
            If `y` has a label that was not announced.
        """
        if announced is None and are_plain_labels(y):
            classes = np.unique(y)
            return cls("multiclass" if len(classes) > 2 else "binary", classes)
        y, _ = set_apart(y)
        is_told = announced is not None and not type_of_target(y).startswith("multilabel")
        binarizer = LabelBinarizer().fit(announced if is_told else y)
        codec = cls(binarizer.y_type_, binarizer.classes_)
        if is_told:
            codec.check(y)
        return codec

    @property
    def is_multilabel(self) -> bool:
        """Whether a sample has several labels at once."""
        return self.kind.startswith("multilabel")

    @property
    def n_outputs(self) -> int:
        """The number of outputs: two classes share one."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def stratifies(self) -> bool:
        """Whether a split keeps the shares of the labels: of two, as in scikit-learn."""
        return self.n_outputs == 1

    def check(self, y: NDArray[Any], *, announced: Any = None, all_present: bool = False) -> None:
        """Refuse labels of another kind, and those that there is no output for.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            What `read_labels` returned.
        announced : array-like of shape (n_classes,), default=None
            The classes given to this call of partial_fit, which must be the same again.
        all_present : bool, default=False
            Whether every class must occur.

        Raises
        ------
        ValueError
            If something doesn't go with the classes.
        """
        y, _ = set_apart(y)
        if announced is not None and not np.array_equal(self.classes, unique_labels(announced)):
            raise ValueError(
                f"`classes={announced!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes!r}"
            )
        if type_of_target(y).startswith("multilabel") != self.is_multilabel:
            kind = "multilabel" if self.is_multilabel else "single-label"
            raise ValueError(f"The object was fitted with {kind} input; y is of another kind.")
        if self.is_multilabel and y.shape[1] != self.n_outputs:
            raise ValueError(f"y has {y.shape[1]} columns; expected {self.n_outputs}.")
        present = unique_labels(y)
        if all_present and set(present) != set(self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes}, `y` has {present}"
            )
        if len(np.setdiff1d(present, self.classes, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes}. 'y' has {present}."
            )

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return class numbers, or columns of truth values, as numbers where some are missing."""
        if self.is_multilabel:
            return y.astype(bool) if places(y) is None else y
        numbers = np.searchsorted(self.classes, y)
        if self.kind == "multiclass":
            return numbers
        return numbers.astype(bool).reshape(-1, 1)

    def encode_plain(self, y: Any, loss: str, dtype: str) -> NDArray[Any] | None:
        """Check and encode labels at once where they are a plain array; None where in doubt."""
        if not are_plain_labels(y) or self.is_multilabel:
            return None
        if y.dtype.kind != self.classes.dtype.kind:
            return None
        numbers: NDArray[Any] = np.searchsorted(self.classes, y)
        if numbers.size and numbers.max() == len(self.classes):
            return None
        if not (self.classes[numbers] == y).all():
            return None
        return numbers if self.kind == "multiclass" else numbers.astype(bool).reshape(-1, 1)

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return labels, or an indicator matrix of 0 and 1."""
        if self.is_multilabel:
            return t.astype(np.intp) if places(t) is None else t
        labels: NDArray[Any] = self.classes[t.ravel().astype(np.intp)]
        return labels

    def attributes(self) -> dict[str, Any]:
        """Return the classes as scikit-learn names them."""
        return {"classes_": self.classes}
