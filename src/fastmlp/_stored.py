"""What is stored of an estimator, and the estimator made of it again.

Everything that comes in from a file is checked here: names against fixed tables and signatures,
arrays against the architecture.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp._architecture import Architecture, LayerPlan, Params, plan_activation
from fastmlp._catalog import ACTIVATIONS, DTYPES, check_choice
from fastmlp._json import decode, encode
from fastmlp._training import new_history
from fastmlp._validation import check_arrays, class_name
from fastmlp.classifier import MLPClassifier
from fastmlp.layers import Layer, check_positive_int, plan
from fastmlp.network import Network
from fastmlp.perceptron import Perceptron
from fastmlp.regressor import MLPRegressor

Storable = MLPClassifier | MLPRegressor | Perceptron | Network
Arrays = dict[str, NDArray[Any]]

_CLASSES: dict[str, type[Storable]] = {kind.__name__: kind for kind in get_args(Storable)}
_LAYERS: dict[str, Callable[..., Layer]] = {kind.__name__: kind for kind in get_args(Layer)}
_NOT_STORED = {"callbacks"}


@dataclass(frozen=True)
class Stored:
    """An estimator as plain values, fit for JSON, and arrays."""

    kind: str
    params: dict[str, Any]
    architecture: dict[str, Any] | None
    attributes: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)


def store(estimator: Any) -> Stored:
    """Take apart a fitted estimator.

    Raises
    ------
    TypeError
        If it is not one of the classes that can be stored.
    ValueError
        If it is not fitted, or has a parameter or labels that can't be stored.
    """
    if isinstance(estimator, Network) and type(estimator) is Network:
        return _store_network(estimator)
    if type(estimator) not in _CLASSES.values():
        names = ", ".join(map(class_name, _CLASSES.values()))
        raise TypeError(f"Only these classes can be stored: {names}; got {class_name(estimator)}.")
    check_is_fitted(estimator)
    estimator._validate_params()
    store_fitted = _store_perceptron if isinstance(estimator, Perceptron) else _store_mlp
    return store_fitted(estimator)


def restore(stored: Stored) -> Storable:
    """Put together an estimator.

    Raises
    ------
    ValueError, TypeError or LookupError
        If what is stored isn't sound.
    """
    kind = _CLASSES[check_choice("class", stored.kind, _CLASSES)]
    if kind is Network:
        return _restore_network(stored)
    names = inspect.signature(kind).parameters.keys() - _NOT_STORED
    params = decode(stored.params)
    _require(params.keys() <= names, f"{stored.kind} has no parameters {params.keys() - names}")
    estimator: Any = kind(**params)
    estimator._validate_params()
    if kind is Perceptron:
        _restore_perceptron(estimator, stored)
    else:
        _restore_mlp(estimator, stored)
    return estimator  # type: ignore[no-any-return]


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(complaint)


# Parameters


def _params(estimator: Any) -> dict[str, Any]:
    """Return the parameters of `__init__`; a random state that is no number becomes None."""
    params = estimator.get_params(deep=False)
    if isinstance(params["random_state"], np.random.RandomState):
        params["random_state"] = None
    return {
        name: _encode_param(name, value)
        for name, value in params.items()
        if name not in _NOT_STORED
    }


def _encode_param(name: str, value: Any) -> Any:
    try:
        return encode(value)
    except TypeError as error:
        raise ValueError(
            f"{name} can't be stored in a file: {error}. Set another value before; predictions "
            "don't depend on it."
        ) from error


# Architectures


def _restore_architecture(fields: Any) -> Architecture:
    decoded = decode(fields)
    _require(len(decoded["layers"]) > 0, "the architecture has no layers")
    return Architecture(
        check_positive_int("n_features", decoded["n_features"]),
        tuple(_restore_plan(**layer) for layer in decoded["layers"]),
        check_choice("dtype", decoded["dtype"], DTYPES),
    )


def _restore_plan(units: Any, activation: Any, **others: Any) -> LayerPlan:
    units = check_positive_int("units", units)
    layer = LayerPlan(
        units, plan_activation("activation", activation, units, ACTIVATIONS), **others
    )
    layer.spec()  # where the core refuses what isn't allowed
    return layer


# Weights


def _name_weights(architecture: Architecture, weights: Params) -> Arrays:
    """Return the weights by the names that they have in a file, after a check of their shapes."""
    shapes = _weight_shapes(architecture)
    return {
        f"{name}.{layer}": array
        for (name, wanted), arrays in zip(shapes.items(), weights, strict=True)
        for layer, array in enumerate(check_arrays(name, arrays, wanted, architecture.dtype))
    }


def _find_weights(architecture: Architecture, arrays: Arrays) -> Params:
    """Return the arrays that `_name_weights` was given."""
    coefs, intercepts, slopes = (
        [
            _find(arrays, f"{name}.{layer}", shape, architecture.dtype)
            for layer, shape in enumerate(wanted)
        ]
        for name, wanted in _weight_shapes(architecture).items()
    )
    return coefs, intercepts, slopes


def _weight_shapes(architecture: Architecture) -> dict[str, list[tuple[int, ...]]]:
    return {
        "coefs": architecture.coef_shapes,
        "intercepts": architecture.intercept_shapes,
        "slopes": architecture.slope_shapes,
    }


def _find(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return the finite array of that name, shape and dtype."""
    _require(name in arrays, f"the array {name!r} is missing")
    array = arrays[name]
    _require(array.dtype == dtype, f"{name} must be of {dtype}; it is of {array.dtype}")
    _require(array.shape == shape, f"{name} must have shape {shape}; it has {array.shape}")
    _require(bool(np.isfinite(array).all()), f"{name} must be finite")
    return array


# Fitted attributes: the checks that a value has to pass


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_seed(value: Any) -> bool:
    return _is_count(value) and value < 2**31


def _is_number(value: Any) -> bool:
    return type(value) is float


def _is_maybe_number(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_list_of(test: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and all(map(test, value))


def _is_history(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == new_history().keys()
        and all(_is_list_of(_is_number, column) for column in value.values())
    )


_MLP_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    "_mask_seed": _is_seed,
    "best_epoch_": lambda value: value is None or _is_count(value),
    "best_loss_": _is_maybe_number,
    "best_validation_score_": _is_maybe_number,
    "history_": _is_history,
    "loss_": _is_number,
    "n_iter_": _is_count,
    "stopped_": lambda value: isinstance(value, str),
    "t_": _is_count,
}
_CLASSIFIER_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    **_MLP_ATTRIBUTES,
    "_target_type": lambda value: value in ("binary", "multiclass", "multilabel-indicator"),
}
_PERCEPTRON_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    "_multilabel": lambda value: isinstance(value, bool),
    "_seed": _is_seed,
    "mistakes_": lambda value: value != [] and _is_list_of(_is_count, value),
    "n_iter_": _is_count,
}
_OPTIONAL = ("classes_", "feature_names_in_")


def _attributes(estimator: Any, names: Iterable[str]) -> dict[str, Any]:
    attributes = {name: encode(getattr(estimator, name)) for name in names}
    if hasattr(estimator, "feature_names_in_"):
        attributes["feature_names_in_"] = encode(estimator.feature_names_in_)
    return attributes


def _find_attributes(
    stored: Stored, table: Mapping[str, Callable[[Any], bool]], n_features: int
) -> dict[str, Any]:
    """Return the attributes that the table wants, and the names of the features if there are."""
    found = decode(stored.attributes)
    names = found.keys() - _OPTIONAL
    _require(names == table.keys(), f"the attributes must be {sorted(table)}; got {sorted(names)}")
    for name, is_sound in table.items():
        _require(is_sound(found[name]), f"{name}={found[name]!r} is not sound")
    features = found.pop("feature_names_in_", None)
    if features is not None:
        sound = _is_list_of(lambda name: isinstance(name, str), features)
        _require(sound and len(features) == n_features, f"{n_features} feature names are needed")
        found["feature_names_in_"] = np.array(features, dtype=object)
    found.pop("classes_", None)
    return found  # type: ignore[no-any-return]


# Class labels: numbers are an array of the file, strings are in its header


def _store_classes(classes: NDArray[Any], attributes: dict[str, Any], arrays: Arrays) -> None:
    if classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8:
        arrays["classes"] = classes
    elif all(isinstance(label, str) for label in classes):
        attributes["classes_"] = encode(classes)
    else:
        raise ValueError(
            f"Labels must be numbers or strings to be stored; classes_ is of {classes.dtype}."
        )


def _find_classes(stored: Stored, n_outputs: int, *, binary: bool) -> NDArray[Any]:
    labels = stored.attributes.get("classes_")
    if labels is None:
        _require("classes" in stored.arrays, "the array 'classes' is missing")
        classes = stored.arrays["classes"]
    else:
        _require(
            _is_list_of(lambda label: isinstance(label, str), labels), "labels must be strings"
        )
        classes = np.array(labels, dtype=str)
    allowed = (1, 2) if binary else (n_outputs,)
    _require(
        classes.ndim == 1 and len(classes) in allowed and (not binary or n_outputs == 1),
        f"there are {n_outputs} outputs for classes of shape {classes.shape}",
    )
    return classes


# One pair of functions for each kind of estimator


def _store_mlp(estimator: Any) -> Stored:
    plan = estimator._architecture
    classifies = isinstance(estimator, MLPClassifier)
    attributes = _attributes(estimator, _CLASSIFIER_ATTRIBUTES if classifies else _MLP_ATTRIBUTES)
    weights = (estimator.coefs_, estimator.intercepts_, estimator.slopes_)
    arrays = _name_weights(plan, weights) | {"step_losses": estimator.step_losses_}
    if classifies:
        _store_classes(estimator.classes_, attributes, arrays)
    architecture = encode(asdict(plan))
    return Stored(type(estimator).__name__, _params(estimator), architecture, attributes, arrays)


def _restore_mlp(estimator: Any, stored: Stored) -> None:
    plan = _restore_architecture(stored.architecture)
    classifies = isinstance(estimator, MLPClassifier)
    table = _CLASSIFIER_ATTRIBUTES if classifies else _MLP_ATTRIBUTES
    vars(estimator).update(_find_attributes(stored, table, plan.n_features))
    estimator.step_losses_ = _find_losses(stored.arrays)
    output = plan.layers[-1]
    _require(isinstance(output.activation, str), "the output layer must have one activation")
    estimator.n_features_in_ = plan.n_features
    estimator.n_layers_ = len(plan.layers) + 1
    estimator.n_outputs_, estimator.out_activation_ = output.units, output.activation
    if classifies:
        binary = estimator._target_type == "binary"
        estimator.classes_ = _find_classes(stored, output.units, binary=binary)
    history = estimator.history_
    estimator.loss_curve_ = history["loss"]
    validated = estimator.best_epoch_ is not None
    estimator.validation_scores_ = history["val_score"] if validated else None
    estimator._trainer = None
    estimator._architecture = plan
    estimator._network = plan.pack(*_find_weights(plan, stored.arrays))
    estimator._take_weights()


def _find_losses(arrays: Arrays) -> NDArray[Any]:
    losses = arrays.get("step_losses", np.empty(0))
    _require(
        losses.ndim == 1 and losses.dtype == np.float64, "step_losses must be float64 in a row"
    )
    return losses


def _store_perceptron(estimator: Any) -> Stored:
    attributes = _attributes(estimator, _PERCEPTRON_ATTRIBUTES)
    arrays = {"coef": estimator.coef_, "intercept": estimator.intercept_}
    _store_classes(estimator.classes_, attributes, arrays)
    return Stored(type(estimator).__name__, _params(estimator), None, attributes, arrays)


def _restore_perceptron(estimator: Any, stored: Stored) -> None:
    coef = stored.arrays.get("coef", np.empty(0))
    _require(coef.ndim == 2 and coef.size > 0, f"coef has the shape {coef.shape}")
    n_outputs, n_features = coef.shape
    vars(estimator).update(_find_attributes(stored, _PERCEPTRON_ATTRIBUTES, n_features))
    binary = n_outputs == 1 and not estimator._multilabel
    estimator.classes_ = _find_classes(stored, n_outputs, binary=binary)
    _require(estimator._multilabel or len(estimator.classes_) > 1, "there is one class only")
    estimator.coef_ = _find(stored.arrays, "coef", coef.shape, "float64")
    estimator.intercept_ = _find(stored.arrays, "intercept", (n_outputs,), "float64")
    estimator.n_features_in_ = n_features
    estimator.converged_ = estimator.mistakes_[-1] == 0


def _store_network(network: Network) -> Stored:
    params = {
        "layers": [{"class": type(layer).__name__, **asdict(layer)} for layer in network.layers],
        "n_features": network.n_features,
        "dtype": network.dtype,
        "n_jobs": network.n_jobs,
    }
    plan = network._architecture
    arrays = _name_weights(plan, network._network.get_params())
    arrays["step_losses"] = network.step_losses
    return Stored("Network", encode(params), encode(asdict(plan)), {}, arrays)


def _restore_network(stored: Stored) -> Network:
    params = decode(stored.params)
    layers = [_restore_layer(**fields) for fields in params.pop("layers")]
    # Before the network is made: it must be no larger than its arrays are.
    architecture = _restore_architecture(stored.architecture)
    same = Architecture(params.get("n_features"), plan(layers), params.get("dtype"))
    _require(same == architecture, "the layers don't go with the architecture")
    weights = _find_weights(architecture, stored.arrays)
    network = Network(layers, **params)
    network._network.set_params(*weights)
    network.step_losses = _find_losses(stored.arrays)
    return network


def _restore_layer(**fields: Any) -> Layer:
    kind = fields.pop("class", None)
    return _LAYERS[check_choice("layer", kind, _LAYERS)](**fields)
