"""What is stored of an estimator, and the estimator made of it again.

Everything that comes in from a file is checked: names against fixed tables and signatures, arrays
against the architecture, and that before they are read.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.arrays import class_name, require
from fastmlp._checks.names import check_choice
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._files.json import decode, encode
from fastmlp._files.parts import (
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
    require_layouts,
    restore_architecture,
    store_attributes,
    store_classes,
    store_params,
    weight_layouts,
)
from fastmlp._files.safetensors import Layout, Layouts
from fastmlp._model.architecture import Architecture
from fastmlp._model.exclusive import as_it_is
from fastmlp.classifier import MLPClassifier
from fastmlp.layers import Layer, plan
from fastmlp.network import Network
from fastmlp.perceptron import Perceptron
from fastmlp.regressor import MLPRegressor

Storable = MLPClassifier | MLPRegressor | Perceptron | Network

_CLASSES: dict[str, type[Storable]] = {kind.__name__: kind for kind in get_args(Storable)}
_LAYERS: dict[str, Callable[..., Layer]] = {kind.__name__: kind for kind in get_args(Layer)}
# The arrays, with their dtypes unless any is allowed, that may be missing and have any length.
_ROWS: dict[str, dict[str, str | None]] = {
    "MLPClassifier": {"step_losses": "float64", "classes": None},
    "MLPRegressor": {"step_losses": "float64"},
    "Perceptron": {"classes": None},
    "Network": {"step_losses": "float64"},
}
_NETWORK_PARAMS = {"layers", "n_features", "dtype", "n_jobs"}


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
        return _store_network(as_it_is(estimator))
    if type(estimator) not in _CLASSES.values():
        names = ", ".join(map(class_name, _CLASSES.values()))
        raise TypeError(f"Only these classes can be stored: {names}; got {class_name(estimator)}.")
    estimator = as_it_is(estimator)  # while it may be training in another thread
    check_is_fitted(estimator)
    estimator._validate_params()
    store_fitted = _store_perceptron if isinstance(estimator, Perceptron) else _store_mlp
    return store_fitted(estimator)


def check_layouts(kind: Any, architecture: Any, layouts: Layouts) -> None:
    """Refuse arrays that are not those of the class and the architecture.

    Raises
    ------
    ValueError, TypeError or LookupError
        If one is missing, too many, or of another dtype or shape.
    """
    check_choice("class", kind, _CLASSES)
    if kind == "Perceptron":
        wanted = _perceptron_layouts(layouts)
    else:
        wanted = weight_layouts(restore_architecture(architecture))
    for name, dtype in _ROWS[kind].items():
        if name in layouts:
            given = layouts[name]
            wanted[name] = Layout(dtype or given.dtype, (math.prod(given.shape),))
    require_layouts(layouts, wanted)


def restore(stored: Stored) -> Storable:
    """Put together an estimator whose arrays have passed `check_layouts`.

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
    estimator._take_network(plan.pack(*find_weights(plan, stored.arrays)))


def _store_perceptron(estimator: Any) -> Stored:
    attributes = store_attributes(estimator, PERCEPTRON_ATTRIBUTES)
    arrays = {"coef": estimator.coef_, "intercept": estimator.intercept_}
    store_classes(estimator.classes_, attributes, arrays)
    return Stored(type(estimator).__name__, store_params(estimator), None, attributes, arrays)


def _perceptron_layouts(layouts: Layouts) -> Layouts:
    shape = layouts["coef"].shape
    require(len(shape) == 2 and 0 not in shape, f"coef has the shape {shape}")
    return {"coef": Layout("float64", shape), "intercept": Layout("float64", shape[:1])}


def _restore_perceptron(estimator: Any, stored: Stored) -> None:
    estimator.coef_ = find_array(stored.arrays, "coef")
    estimator.intercept_ = find_array(stored.arrays, "intercept")
    n_outputs, n_features = estimator.coef_.shape
    vars(estimator).update(find_attributes(stored, PERCEPTRON_ATTRIBUTES, n_features))
    binary = n_outputs == 1 and not estimator._multilabel
    estimator.classes_ = find_classes(stored, n_outputs, binary=binary)
    require(estimator._multilabel or len(estimator.classes_) > 1, "there is one class only")
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
    require(params.keys() == _NETWORK_PARAMS, f"the parameters must be {sorted(_NETWORK_PARAMS)}")
    resolve_n_jobs(params["n_jobs"])
    layers = tuple(_restore_layer(**fields) for fields in params["layers"])
    architecture = restore_architecture(stored.architecture)
    same = Architecture(params["n_features"], plan(layers), params["dtype"])
    require(same == architecture, "the layers don't go with the architecture")
    # Not by __init__, which would draw starting weights.
    network = Network.__new__(Network)
    network.__setstate__(
        {
            "layers": layers,
            "n_jobs": params["n_jobs"],
            "step_losses": find_losses(stored.arrays),
            "_architecture": architecture,
            "_network": find_weights(architecture, stored.arrays),
            "_random_state": check_random_state(None),
            "_trainer": None,
            "_trainer_settings": None,
        }
    )
    return network


def _restore_layer(**fields: Any) -> Layer:
    kind = fields.pop("class", None)
    return _LAYERS[check_choice("layer", kind, _LAYERS)](**fields)
