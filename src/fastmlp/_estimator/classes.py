"""The classifier's side of labels: the classes learnt, the labels refused, the core's targets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target, unique_labels

from fastmlp._checks.arrays import CORE_DTYPES, validate_data
from fastmlp._checks.content import plain_array, refuse_unfit
from fastmlp._data.class_weight import class_factors
from fastmlp._data.labels import check_label_types
from fastmlp._estimator.base import BaseMLP
from fastmlp._training.run import Data


class LabelLearner(BaseMLP):
    """A network whose targets are labels."""

    class_weight: Any
    classes_: NDArray[Any]
    _target_type: str  # 'binary', 'multiclass' or 'multilabel-indicator'

    def _validate_training(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        fresh: bool,
        classes: Any,
        incremental: bool,
    ) -> Data:
        X, y = self._validate_labels(X, y, reset=fresh)
        if fresh:
            self._learn_classes(y, classes)
        else:
            self._check_classes(y, classes, all_present=self.warm_start and not incremental)
        factors = None
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, y, self.classes_)
        return Data(X, self._encode(y), self._validate_sample_weight(sample_weight, X, factors))

    def _validate_more(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        X, y = self._validate_labels(X, y, reset=False)
        self._check_kind(y)
        self._check_known(unique_labels(y))
        return X, self._encode(y)

    def _validate_labels(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Check X and y for what needs no knowledge of the classes."""
        refuse_unfit("y", y)
        y = plain_array("y", y)
        X, y = validate_data(
            self, X, y, multi_output=True, accept_sparse="csr", dtype=CORE_DTYPES, reset=reset
        )
        y = y.toarray() if issparse(y) else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_label_types(y)
        return X, y

    def _learn_classes(self, y: NDArray[Any], classes: Any) -> None:
        """Set the classes and what follows from them, from y or as announced to partial_fit."""
        classes = _announced(classes)
        announced = classes is not None and not type_of_target(y).startswith("multilabel")
        binarizer = LabelBinarizer().fit(classes if announced else y)
        self._target_type = binarizer.y_type_
        self.classes_ = binarizer.classes_
        multiclass = self._target_type == "multiclass"
        probable = "softmax" if multiclass else "logistic"
        self.out_activation_ = "identity" if self.loss == "hinge" else probable
        self.n_outputs_ = 1 if self._target_type == "binary" else len(self.classes_)
        if announced:
            self._check_classes(y, None)

    def _check_classes(self, y: NDArray[Any], classes: Any, *, all_present: bool = False) -> None:
        """Refuse labels that the network has no output for."""
        classes = _announced(classes)
        if classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        self._check_kind(y)
        present = unique_labels(y)
        if all_present and set(present) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {present}"
            )
        self._check_known(present)

    def _check_kind(self, y: NDArray[Any]) -> None:
        """Refuse an indicator matrix in place of labels, the reverse, and other columns."""
        fitted_on_multilabel = self._target_type.startswith("multilabel")
        if type_of_target(y).startswith("multilabel") != fitted_on_multilabel:
            kind = "multilabel" if fitted_on_multilabel else "single-label"
            raise ValueError(f"The object was fitted with {kind} input; y is of another kind.")
        if fitted_on_multilabel and y.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {y.shape[1]} columns; expected {self.n_outputs_}.")

    def _check_known(self, present: NDArray[Any]) -> None:
        if len(np.setdiff1d(present, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {present}."
            )

    def _encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the core's targets: class numbers, or columns of truth values."""
        if self._target_type.startswith("multilabel"):
            return y.astype(bool)
        numbers = np.searchsorted(self.classes_, y)
        if self._target_type == "multiclass":
            return numbers
        return numbers.astype(bool).reshape(-1, 1)

    def _decode(self, t: NDArray[Any]) -> NDArray[Any]:
        if self._target_type.startswith("multilabel"):
            return t.astype(np.intp)
        labels: NDArray[Any] = self.classes_[t.ravel().astype(np.intp)]
        return labels


def _announced(classes: Any) -> Any:
    """Return the classes given to partial_fit in a type that labels have."""
    if classes is None:
        return None
    refuse_unfit("classes", classes)
    return plain_array("classes", classes)
