"""To scikit-learn's networks and back, to ONNX, and to C."""

from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.arrays import class_name
from fastmlp._checks.names import ACTIVATIONS, DTYPES
from fastmlp._data.codec import TargetCodec
from fastmlp._data.labels import LabelCodec
from fastmlp._data.numbers import NumberCodec
from fastmlp._estimator.parameters import plan_layers
from fastmlp._files.c import to_c
from fastmlp._files.onnx import to_onnx
from fastmlp._model.architecture import Architecture
from fastmlp._model.exclusive import as_it_is
from fastmlp._model.model import Model
from fastmlp._training.record import Log, Record, new_history
from fastmlp.classifier import MLPClassifier
from fastmlp.regressor import MLPRegressor

__all__ = ["from_sklearn", "to_c", "to_onnx", "to_sklearn"]

_KINDS = {
    MLPClassifier: neural_network.MLPClassifier,
    MLPRegressor: neural_network.MLPRegressor,
}
_THEIR_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
_RECORDS = (
    "best_loss_",
    "best_validation_score_",
    "feature_names_in_",
    "loss_",
    "loss_curve_",
    "n_features_in_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "t_",
    "validation_scores_",
)


def to_sklearn(estimator: MLPClassifier | MLPRegressor) -> Any:
    """Make a fitted estimator of scikit-learn's that predicts the same, to rounding.

    Parameters of training that scikit-learn doesn't have, such as `dropout`, are left out.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted estimator.

    Returns
    -------
    estimator : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        The fitted estimator, with weights of its own.

    Raises
    ------
    TypeError
        If `estimator` is of another class.
    ValueError
        If it is not fitted, or scikit-learn has no such activation, loss or value of a parameter.

    See Also
    --------
    from_sklearn : The way back.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.conversion import to_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((8,), max_iter=2000, random_state=0).fit(X, y)
    >>> bool((to_sklearn(model).predict(X) == model.predict(X)).all())
    True
    """
    kind = next((kind for kind in _KINDS if isinstance(estimator, kind)), None)
    if kind is None:
        raise TypeError(
            "estimator must be an MLPClassifier or MLPRegressor of fastmlp; got "
            f"{class_name(estimator)}."
        )
    estimator = as_it_is(estimator)  # while it may be training in another thread
    check_is_fitted(estimator)
    if isinstance(estimator, MLPRegressor) and not estimator._codec.is_plain:
        raise ValueError("scikit-learn has neither several quantiles at once nor loss='gaussian'.")
    hidden = estimator._model.architecture.layers[:-1]
    converted = _like(estimator, _KINDS[kind], [layer.units for layer in hidden])
    converted.activation = _one_activation(estimator)
    if estimator.penalty is None:
        converted.alpha = 0.0
    _check(converted, "scikit-learn")
    _check_output(estimator, converted)
    converted.coefs_ = [np.array(w, estimator._model.architecture.dtype) for w in estimator.coefs_]
    converted.intercepts_ = [
        np.array(b, estimator._model.architecture.dtype) for b in estimator.intercepts_
    ]
    for name in _RECORDS:
        if hasattr(estimator, name):
            value = getattr(estimator, name)
            setattr(
                converted, name, value.copy() if isinstance(value, list | np.ndarray) else value
            )
    converted._no_improvement_count = 0
    if isinstance(estimator, MLPClassifier):
        converted.classes_ = estimator.classes_.copy()
        converted._label_binarizer = _binarizer(estimator)
    return converted


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """Make a fitted estimator of fastmlp's that predicts the same, to rounding.

    Its `dtype` is that of the weights, usually 'float64'; `stopped_` is 'from_sklearn', and
    `history_` has NaN for what scikit-learn doesn't record.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        A fitted estimator.

    Returns
    -------
    estimator : MLPClassifier or MLPRegressor
        The fitted estimator, with weights of its own.

    Raises
    ------
    TypeError
        If `estimator` is of another class.
    ValueError
        If it is not fitted, or has an activation or a value of a parameter that fastmlp lacks.

    See Also
    --------
    to_sklearn : The way back.
    """
    kind = next((kind for kind, theirs in _KINDS.items() if isinstance(estimator, theirs)), None)
    if kind is None:
        raise TypeError(
            "estimator must be an MLPClassifier or MLPRegressor of sklearn.neural_network; got "
            f"{class_name(estimator)}."
        )
    check_is_fitted(estimator)
    units = [len(b) for b in estimator.intercepts_[:-1]]
    converted = _like(estimator, kind, units)
    dtype = np.result_type(*estimator.coefs_).name
    converted.dtype = dtype if dtype in DTYPES else "float64"
    _check(converted, "fastmlp")
    if estimator.out_activation_ not in ACTIVATIONS:
        raise ValueError(f"fastmlp has no out_activation_={estimator.out_activation_!r}.")
    if hasattr(estimator, "feature_names_in_"):
        converted.feature_names_in_ = estimator.feature_names_in_.copy()
    codec: TargetCodec = NumberCodec(estimator.n_outputs_)
    if kind is MLPClassifier:
        kind_of_labels = estimator._label_binarizer.y_type_
        codec = LabelCodec(kind_of_labels, np.array(estimator.classes_))
    plan = Architecture(
        estimator.n_features_in_,
        plan_layers(converted, estimator.n_outputs_, estimator.out_activation_),
        converted.dtype,
    )
    slopes = [np.empty(shape) for shape in plan.slope_shapes]
    model = Model.of(plan, (estimator.coefs_, estimator.intercepts_, slopes))
    converted._become(codec, model, _record_of(estimator))
    result: MLPClassifier | MLPRegressor = converted
    return result


def _like(estimator: Any, kind: Any, units: list[int]) -> Any:
    """Make an estimator of the kind with the parameters that both have."""
    known = kind().get_params().keys()
    params = {
        name: value for name, value in estimator.get_params(deep=False).items() if name in known
    }
    return kind(**params | {"hidden_layer_sizes": tuple(units)})


def _check(converted: Any, library: str) -> None:
    """Refuse values of parameters that the library doesn't have."""
    try:
        converted._validate_params()
    except ValueError as error:
        raise ValueError(
            f"{library} can't take a parameter over: {error} Predictions don't depend on it: set "
            "another value before."
        ) from error


def _one_activation(estimator: Any) -> str:
    """Return the one activation of all hidden layers."""
    hidden = [layer.activation for layer in estimator._model.architecture.layers[:-1]]
    if len(set(hidden)) > 1:
        raise ValueError(f"scikit-learn has no activation per layer; got {hidden}.")
    if hidden and not isinstance(hidden[0], str):
        raise ValueError(f"scikit-learn has no activation per unit; got {hidden[0]}.")
    activation = str(hidden[0]) if hidden else "identity"
    if activation not in _THEIR_ACTIVATIONS:
        raise ValueError(
            f"scikit-learn has no activation={activation!r}, only {', '.join(_THEIR_ACTIVATIONS)}."
        )
    return activation


def _check_output(estimator: Any, converted: Any) -> None:
    """Refuse outputs that scikit-learn lacks: margins, and in older versions exponentials."""
    output = estimator.out_activation_
    if isinstance(estimator, MLPClassifier) and output == "identity":
        raise ValueError("scikit-learn's network has no loss='hinge', whose outputs are margins.")
    if output not in (*_THEIR_ACTIVATIONS, "softmax", "exp"):
        raise ValueError(f"scikit-learn's network has no out_activation={output!r}.")
    if output == "exp" and "loss" not in converted.get_params():
        raise ValueError("This version of scikit-learn has no loss='poisson' for networks.")


def _binarizer(estimator: MLPClassifier) -> LabelBinarizer:
    """Return the binarizer that the classes come from."""
    if estimator._codec.is_multilabel:
        return LabelBinarizer().fit(np.eye(len(estimator.classes_), dtype=int))
    return LabelBinarizer().fit(estimator.classes_)


def _record_of(estimator: Any) -> Record:
    """Return what an estimator of scikit-learn's tells of its training."""
    losses = list(getattr(estimator, "loss_curve_", []))  # 'lbfgs' has none
    scores = getattr(estimator, "validation_scores_", None)
    history = {name: [np.nan] * len(losses) for name in new_history()}
    history["loss"] = losses
    best_epoch = None
    if scores is not None:
        history["val_score"] = list(scores)
        best_epoch = None if np.isnan(scores).all() else int(np.nanargmax(scores)) + 1
    return Record(
        log=Log.of(history),
        n_iter=estimator.n_iter_,
        n_seen=estimator.t_,
        stopped="from_sklearn",
        loss=estimator.loss_,
        best_loss=getattr(estimator, "best_loss_", estimator.loss_),
        validated=scores is not None,
        best_score=getattr(estimator, "best_validation_score_", None),
        best_epoch=best_epoch,
    )
