"""What is stored of an estimator, and the estimator made of it again.

Everything that comes in from a file is checked: names against fixed tables and signatures, arrays
against the architecture, and that before they are read.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.arrays import class_name, require
from fastmlp._checks.names import check_choice
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._data.labels import LabelCodec
from fastmlp._data.numbers import NumberCodec
from fastmlp._files.json import decode, encode
from fastmlp._files.parts import (
    CLASSIFIER_ATTRIBUTES,
    NOT_STORED,
    PERCEPTRON_ATTRIBUTES,
    REGRESSOR_ATTRIBUTES,
    Stored,
    find_array,
    find_attributes,
    find_classes,
    find_losses,
    find_weights,
    name_weights,
    require_layouts,
    restore_architecture,
    store_architecture,
    store_attributes,
    store_classes,
    store_params,
    weight_layouts,
)
from fastmlp._files.safetensors import Layout, Layouts
from fastmlp._files.tables import restore_table, store_table, table_layouts
from fastmlp._model.architecture import Architecture
from fastmlp._model.exclusive import as_it_is
from fastmlp._model.model import Model
from fastmlp._training.record import Log, Record
from fastmlp._training.resuming import Resumption
from fastmlp.classifier import MLPClassifier
from fastmlp.layers import Layer, plan
from fastmlp.network import Network
from fastmlp.perceptron import Perceptron
from fastmlp.regressor import MLPRegressor
from fastmlp.tabular import TabularClassifier, TabularRegressor

Storable = (
    MLPClassifier | MLPRegressor | Perceptron | Network | TabularClassifier | TabularRegressor
)

_LAYERS: dict[str, Callable[..., Layer]] = {kind.__name__: kind for kind in get_args(Layer)}
# The arrays of a checkpoint.
_RESUMPTION = {"generator": "uint32", "slots": None, "kept_params": None}
_RESUMPTION_ROWS = {f"resumption.{name}": dtype for name, dtype in _RESUMPTION.items()}
_NETWORK_PARAMS = {"layers", "n_features", "dtype", "n_jobs"}


@dataclass(frozen=True)
class _Kind:
    """How a class is stored.

    Parameters
    ----------
    made : type
        The class.
    store : callable
        From a fitted estimator to what is stored.
    layouts : callable
        From the architecture, and the layouts of a file, to those that it must have.
    restore : callable
        Puts what is stored into an estimator with its parameters.
    rows : dict
        The arrays, with their dtypes unless any is allowed, that may be missing and have any
        length.
    """

    made: type
    store: Callable[[Any], Stored]
    layouts: Callable[[Any, Layouts], Layouts]
    restore: Callable[[Any, Stored], None]
    rows: dict[str, str | None]


def store(estimator: Any) -> Stored:
    """Take apart a fitted estimator.

    Raises
    ------
    TypeError
        If it is not one of the classes that can be stored.
    ValueError
        If it is not fitted, or has a parameter or labels that can't be stored.
    """
    kind = _KINDS.get(type(estimator).__name__)
    if kind is None or type(estimator) is not kind.made:
        names = ", ".join(class_name(each.made) for each in _KINDS.values())
        raise TypeError(f"Only these classes can be stored: {names}; got {class_name(estimator)}.")
    estimator = as_it_is(estimator)  # while it may be training in another thread
    if kind.made is not Network:
        check_is_fitted(estimator)
        estimator._validate_params()
    return kind.store(estimator)


def check_layouts(kind: Any, architecture: Any, layouts: Layouts) -> None:
    """Refuse arrays that are not those of the class and the architecture.

    Raises
    ------
    ValueError, TypeError or LookupError
        If one is missing, too many, or of another dtype or shape.
    """
    found = _KINDS[check_choice("class", kind, _KINDS)]
    wanted = found.layouts(architecture, layouts)
    for name, dtype in found.rows.items():
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
    kind = _KINDS[check_choice("class", stored.kind, _KINDS)]
    restored: Any
    if kind.made is Network:
        restored = Network.__new__(Network)  # not by __init__, which would draw starting weights
    else:
        names = inspect.signature(kind.made).parameters.keys() - NOT_STORED
        params = decode(stored.params)
        require(params.keys() <= names, f"{stored.kind} has no parameters {params.keys() - names}")
        restored = kind.made(**params)
        restored._validate_params()
        resolve_n_jobs(params.get("n_jobs"))
    kind.restore(restored, stored)
    done: Storable = restored
    return done


# One pair of functions for each kind of estimator


def _store_mlp(estimator: Any) -> Stored:
    model = estimator._model
    classifies = isinstance(estimator, MLPClassifier)
    table = CLASSIFIER_ATTRIBUTES if classifies else REGRESSOR_ATTRIBUTES
    codec = estimator._codec
    others = {"_mask_seed": model.mask_seed}
    if classifies:
        others["_target_type"] = codec.kind
    else:
        others |= {"_quantiles": codec.quantiles, "_has_spread": codec.has_spread}
    attributes = store_attributes(estimator, table, **others)
    weights = (estimator.coefs_, estimator.intercepts_, estimator.slopes_)
    arrays = name_weights(model.architecture, weights)
    arrays["step_losses"] = estimator.step_losses_
    if classifies:
        store_classes(estimator.classes_, attributes, arrays)
    if "_resumption" in vars(estimator):
        state = vars(estimator._resumption)
        attributes["_resumption"] = encode(state["numbers"])
        arrays |= {f"resumption.{name}": state[name] for name in _RESUMPTION}
    return Stored(
        type(estimator).__name__,
        store_params(estimator),
        store_architecture(model.architecture),
        attributes,
        arrays,
    )


def _restore_mlp(estimator: Any, stored: Stored) -> None:
    plan = restore_architecture(stored.architecture)
    classifies = isinstance(estimator, MLPClassifier)
    table = CLASSIFIER_ATTRIBUTES if classifies else REGRESSOR_ATTRIBUTES
    found = find_attributes(stored, table, plan.n_features)
    output = plan.layers[-1]
    require(isinstance(output.activation, str), "the output layer must have one activation")
    codec: LabelCodec | NumberCodec
    if classifies:
        kind = found["_target_type"]
        codec = LabelCodec(kind, find_classes(stored, output.units, binary=kind == "binary"))
    else:
        codec = _number_codec(output.units, found["_quantiles"], found["_has_spread"])
    if "feature_names_in_" in found:
        estimator.feature_names_in_ = found["feature_names_in_"]
    model = Model.of(plan, find_weights(plan, stored.arrays), found["_mask_seed"])
    estimator._become(codec, model, _restore_record(found, stored))
    if "_resumption" in stored.attributes:
        parts = {name: find_array(stored.arrays, f"resumption.{name}") for name in _RESUMPTION}
        estimator._resumption = Resumption(decode(stored.attributes["_resumption"]), **parts)
        n_epochs = estimator.n_iter_
        require(len(estimator.loss_curve_) == n_epochs, "n_iter_ is not the length of the history")
        estimator._resumption.check(n_epochs)
        estimator._resumption.state(plan)


def _number_codec(units: int, quantiles: tuple[float, ...], has_spread: bool) -> NumberCodec:
    per_target = NumberCodec(1, quantiles, has_spread).n_outputs
    codec = NumberCodec(units // per_target, quantiles, has_spread)
    require(codec.n_outputs == units, f"{units} outputs are not {per_target} for each target")
    return codec


def _restore_record(found: dict[str, Any], stored: Stored) -> Record:
    history = found["history_"]
    history.setdefault("val_loss", [np.nan] * len(history["loss"]))  # not in the first files
    return Record(
        log=Log.of(history),
        n_iter=found["n_iter_"],
        n_seen=found["t_"],
        stopped=found["stopped_"],
        loss=found["loss_"],
        best_loss=found["best_loss_"],
        validated=found["best_epoch_"] is not None,
        best_score=found["best_validation_score_"],
        best_epoch=found["best_epoch_"],
        step_losses=find_losses(stored.arrays),
    )


def _mlp_layouts(architecture: Any, _: Layouts) -> Layouts:
    return weight_layouts(restore_architecture(architecture))


def _store_perceptron(estimator: Any) -> Stored:
    multilabel = estimator._codec.is_multilabel
    attributes = store_attributes(estimator, PERCEPTRON_ATTRIBUTES, _multilabel=multilabel)
    arrays = {"coef": estimator.coef_, "intercept": estimator.intercept_}
    store_classes(estimator.classes_, attributes, arrays)
    return Stored(type(estimator).__name__, store_params(estimator), None, attributes, arrays)


def _perceptron_layouts(_: Any, layouts: Layouts) -> Layouts:
    shape = layouts["coef"].shape
    require(len(shape) == 2 and 0 not in shape, f"coef has the shape {shape}")
    return {"coef": Layout("float64", shape), "intercept": Layout("float64", shape[:1])}


def _restore_perceptron(estimator: Any, stored: Stored) -> None:
    estimator.coef_ = find_array(stored.arrays, "coef")
    estimator.intercept_ = find_array(stored.arrays, "intercept")
    n_outputs, n_features = estimator.coef_.shape
    found = find_attributes(stored, PERCEPTRON_ATTRIBUTES, n_features)
    multilabel = found.pop("_multilabel")
    vars(estimator).update(found)
    binary = n_outputs == 1 and not multilabel
    classes = find_classes(stored, n_outputs, binary=binary)
    require(multilabel or len(classes) > 1, "there is one class only")
    kind = "multilabel-indicator" if multilabel else "binary" if binary else "multiclass"
    estimator._codec = LabelCodec(kind, classes)
    estimator.classes_ = classes
    estimator.n_features_in_ = n_features
    estimator.converged_ = estimator.mistakes_[-1] == 0


def _store_network(network: Network) -> Stored:
    model = network._model
    params = {
        "layers": [{"class": type(layer).__name__, **asdict(layer)} for layer in network.layers],
        "n_features": network.n_features,
        "dtype": network.dtype,
        "n_jobs": network.n_jobs,
    }
    arrays = name_weights(model.architecture, model.network.get_params())
    arrays["step_losses"] = network.step_losses
    return Stored("Network", encode(params), store_architecture(model.architecture), {}, arrays)


def _restore_network(network: Network, stored: Stored) -> None:
    params = decode(stored.params)
    require(params.keys() == _NETWORK_PARAMS, f"the parameters must be {sorted(_NETWORK_PARAMS)}")
    resolve_n_jobs(params["n_jobs"])
    layers = tuple(_restore_layer(**fields) for fields in params["layers"])
    architecture = restore_architecture(stored.architecture)
    same = Architecture(params["n_features"], plan(layers), params["dtype"])
    require(same == architecture, "the layers don't go with the architecture")
    vars(network).update(
        {
            "layers": layers,
            "n_jobs": params["n_jobs"],
            "step_losses": find_losses(stored.arrays),
            "_random_state": check_random_state(None),
            "_model": Model.of(architecture, find_weights(architecture, stored.arrays)),
        }
    )


def _restore_layer(**fields: Any) -> Layer:
    kind = fields.pop("class", None)
    return _LAYERS[check_choice("layer", kind, _LAYERS)](**fields)


_KINDS = {
    kind.made.__name__: kind
    for kind in (
        _Kind(
            MLPClassifier,
            _store_mlp,
            _mlp_layouts,
            _restore_mlp,
            {"step_losses": "float64", "classes": None, **_RESUMPTION_ROWS},
        ),
        _Kind(
            MLPRegressor,
            _store_mlp,
            _mlp_layouts,
            _restore_mlp,
            {"step_losses": "float64", **_RESUMPTION_ROWS},
        ),
        _Kind(
            Perceptron,
            _store_perceptron,
            _perceptron_layouts,
            _restore_perceptron,
            {"classes": None},
        ),
        _Kind(Network, _store_network, _mlp_layouts, _restore_network, {"step_losses": "float64"}),
        _Kind(TabularClassifier, store_table, table_layouts, restore_table, {"classes": None}),
        _Kind(TabularRegressor, store_table, table_layouts, restore_table, {}),
    )
}
