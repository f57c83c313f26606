"""What is stored of an estimator, and the estimator made of it again.

Everything that comes in from a file is checked: names against fixed tables and signatures, arrays
against the architecture.
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp._architecture import Architecture
from fastmlp._catalog import check_choice
from fastmlp._json import decode, encode
from fastmlp._stored_parts import (
    CLASSIFIER_ATTRIBUTES,
    MLP_ATTRIBUTES,
    NOT_STORED,
    PERCEPTRON_ATTRIBUTES,
    Stored,
    find_array,
    find_attributes,
    find_classes,
    find_losses,
    find_weights,
    name_weights,
    require,
    restore_architecture,
    store_attributes,
    store_classes,
    store_params,
)
from fastmlp._validation import class_name
from fastmlp.classifier import MLPClassifier
from fastmlp.layers import Layer, plan
from fastmlp.network import Network
from fastmlp.perceptron import Perceptron
from fastmlp.regressor import MLPRegressor

Storable = MLPClassifier | MLPRegressor | Perceptron | Network

_CLASSES: dict[str, type[Storable]] = {kind.__name__: kind for kind in get_args(Storable)}
_LAYERS: dict[str, Callable[..., Layer]] = {kind.__name__: kind for kind in get_args(Layer)}


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
    names = inspect.signature(kind).parameters.keys() - NOT_STORED
    params = decode(stored.params)
    require(params.keys() <= names, f"{stored.kind} has no parameters {params.keys() - names}")
    estimator: Any = kind(**params)
    estimator._validate_params()
    if kind is Perceptron:
        _restore_perceptron(estimator, stored)
    else:
        _restore_mlp(estimator, stored)
    return estimator  # type: ignore[no-any-return]


# One pair of functions for each kind of estimator


def _store_mlp(estimator: Any) -> Stored:
    plan = estimator._architecture
    classifies = isinstance(estimator, MLPClassifier)
    attributes = store_attributes(
        estimator, CLASSIFIER_ATTRIBUTES if classifies else MLP_ATTRIBUTES
    )
    weights = (estimator.coefs_, estimator.intercepts_, estimator.slopes_)
    arrays = name_weights(plan, weights) | {"step_losses": estimator.step_losses_}
    if classifies:
        store_classes(estimator.classes_, attributes, arrays)
    architecture = encode(asdict(plan))
    return Stored(
        type(estimator).__name__, store_params(estimator), architecture, attributes, arrays
    )


def _restore_mlp(estimator: Any, stored: Stored) -> None:
    plan = restore_architecture(stored.architecture)
    classifies = isinstance(estimator, MLPClassifier)
    table = CLASSIFIER_ATTRIBUTES if classifies else MLP_ATTRIBUTES
    vars(estimator).update(find_attributes(stored, table, plan.n_features))
    estimator.step_losses_ = find_losses(stored.arrays)
    output = plan.layers[-1]
    require(isinstance(output.activation, str), "the output layer must have one activation")
    estimator.n_features_in_ = plan.n_features
    estimator.n_layers_ = len(plan.layers) + 1
    estimator.n_outputs_, estimator.out_activation_ = output.units, output.activation
    if classifies:
        binary = estimator._target_type == "binary"
        estimator.classes_ = find_classes(stored, output.units, binary=binary)
    history = estimator.history_
    history.setdefault("val_loss", [np.nan] * len(history["loss"]))  # not in the first files
    estimator.loss_curve_ = history["loss"]
    validated = estimator.best_epoch_ is not None
    estimator.validation_scores_ = history["val_score"] if validated else None
    estimator._trainer = None
    estimator._architecture = plan
    estimator._network = plan.pack(*find_weights(plan, stored.arrays))
    estimator._take_weights()


def _store_perceptron(estimator: Any) -> Stored:
    attributes = store_attributes(estimator, PERCEPTRON_ATTRIBUTES)
    arrays = {"coef": estimator.coef_, "intercept": estimator.intercept_}
    store_classes(estimator.classes_, attributes, arrays)
    return Stored(type(estimator).__name__, store_params(estimator), None, attributes, arrays)


def _restore_perceptron(estimator: Any, stored: Stored) -> None:
    coef = stored.arrays.get("coef", np.empty(0))
    require(coef.ndim == 2 and coef.size > 0, f"coef has the shape {coef.shape}")
    n_outputs, n_features = coef.shape
    vars(estimator).update(find_attributes(stored, PERCEPTRON_ATTRIBUTES, n_features))
    binary = n_outputs == 1 and not estimator._multilabel
    estimator.classes_ = find_classes(stored, n_outputs, binary=binary)
    require(estimator._multilabel or len(estimator.classes_) > 1, "there is one class only")
    estimator.coef_ = find_array(stored.arrays, "coef", coef.shape, "float64")
    estimator.intercept_ = find_array(stored.arrays, "intercept", (n_outputs,), "float64")
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
    arrays = name_weights(plan, network._network.get_params())
    arrays["step_losses"] = network.step_losses
    return Stored("Network", encode(params), encode(asdict(plan)), {}, arrays)


def _restore_network(stored: Stored) -> Network:
    params = decode(stored.params)
    layers = [_restore_layer(**fields) for fields in params.pop("layers")]
    # Before the network is made: it must be no larger than its arrays are.
    architecture = restore_architecture(stored.architecture)
    same = Architecture(params.get("n_features"), plan(layers), params.get("dtype"))
    require(same == architecture, "the layers don't go with the architecture")
    weights = find_weights(architecture, stored.arrays)
    network = Network(layers, **params)
    network._network.set_params(*weights)
    network.step_losses = find_losses(stored.arrays)
    return network


def _restore_layer(**fields: Any) -> Layer:
    kind = fields.pop("class", None)
    return _LAYERS[check_choice("layer", kind, _LAYERS)](**fields)
