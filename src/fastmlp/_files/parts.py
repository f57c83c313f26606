"""The parts of a stored estimator: what goes into a file, and checks of what comes out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.arrays import check_arrays, require
from fastmlp._checks.names import ACTIVATIONS, DTYPES, check_choice
from fastmlp._files.json import decode, encode
from fastmlp._files.safetensors import Arrays, Layout, Layouts
from fastmlp._model.architecture import Architecture, LayerPlan, Params, plan_activation
from fastmlp._training.record import new_history
from fastmlp.layers import check_positive_int

NOT_STORED = {"callbacks", "eval_metrics"}
# An array of strings has room for the longest one in each of its places. So many characters are
# fine, and so is a hundred times what the strings have.
_FEW_CHARACTERS = 2**24
_MOST_PADDED = 100


@dataclass(frozen=True)
class Stored:
    """An estimator as plain values, fit for JSON, and arrays."""

    kind: str
    params: dict[str, Any]
    architecture: dict[str, Any] | None
    attributes: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)


# Parameters


def store_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters of `__init__`; a random state that is no number becomes None."""
    params = estimator.get_params(deep=False)
    if isinstance(params["random_state"], np.random.RandomState):
        params["random_state"] = None
    return {
        name: _encode_param(name, value) for name, value in params.items() if name not in NOT_STORED
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


def store_architecture(architecture: Architecture) -> dict[str, Any]:
    """Return the architecture in plain values; the first files know nothing of normalisation."""
    fields: dict[str, Any] = encode(asdict(architecture))
    for layer in fields["layers"]["$tuple"]:
        if not layer["norm_epsilon"]:
            del layer["norm_epsilon"]
    return fields


def restore_architecture(fields: Any) -> Architecture:
    """Return the architecture that was encoded."""
    decoded = decode(fields)
    require(len(decoded["layers"]) > 0, "the architecture has no layers")
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


def name_weights(architecture: Architecture, weights: Params) -> Arrays:
    """Return the weights by the names that they have in a file, after a check of their shapes."""
    shapes = _weight_shapes(architecture)
    return {
        f"{name}.{layer}": array
        for (name, wanted), arrays in zip(shapes.items(), weights, strict=True)
        for layer, array in enumerate(check_arrays(name, arrays, wanted, architecture.dtype))
    }


def weight_layouts(architecture: Architecture) -> Layouts:
    """Return the layouts of the arrays that `name_weights` returns."""
    return {
        f"{name}.{layer}": Layout(architecture.dtype, shape)
        for name, shapes in _weight_shapes(architecture).items()
        for layer, shape in enumerate(shapes)
    }


def find_weights(architecture: Architecture, arrays: Arrays) -> Params:
    """Return the arrays that `name_weights` was given."""
    layers = range(len(architecture.layers))
    coefs, intercepts, slopes = (
        [find_array(arrays, f"{name}.{layer}") for layer in layers]
        for name in _weight_shapes(architecture)
    )
    return coefs, intercepts, slopes


def _weight_shapes(architecture: Architecture) -> dict[str, list[tuple[int, ...]]]:
    return {
        "coefs": architecture.coef_shapes,
        "intercepts": architecture.intercept_shapes,
        "slopes": architecture.slope_shapes,
    }


def require_layouts(layouts: Layouts, wanted: Layouts) -> None:
    """Raise a ValueError unless the arrays are those that are wanted."""
    for name in wanted:
        require(name in layouts, f"the array {name!r} is missing")
    for name, given in layouts.items():
        require(name in wanted, f"there must be no array {name!r}")
        dtype, shape = wanted[name].dtype, wanted[name].shape
        require(given.dtype == dtype, f"{name} must be of {dtype}; it is of {given.dtype}")
        require(given.shape == shape, f"{name} must have shape {shape}; it has {given.shape}")


def find_array(arrays: Arrays, name: str) -> NDArray[Any]:
    """Return the array of that name, which must be finite."""
    require(bool(np.isfinite(arrays[name]).all()), f"{name} must be finite")
    return arrays[name]


def find_losses(arrays: Arrays) -> NDArray[Any]:
    """Return the losses of the steps; none where there are none."""
    return arrays.get("step_losses", np.empty(0))


# Fitted attributes: the checks that a value has to pass


def is_count(value: Any) -> bool:
    """Whether it is a number of things."""
    return type(value) is int and value >= 0


def _is_seed(value: Any) -> bool:
    return is_count(value) and value < 2**31


def is_number(value: Any) -> bool:
    """Whether it is a float."""
    return type(value) is float


def _is_maybe_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_list_of(test: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and all(map(test, value))


def _are_levels(value: Any) -> bool:
    return isinstance(value, tuple) and all(is_number(level) and 0 < level < 1 for level in value)


def _is_history(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() | {"val_loss"} >= new_history().keys()
        and all(isinstance(name, str) for name in value)
        and all(_is_list_of(is_number, column) for column in value.values())
        and len({len(column) for column in value.values()}) == 1
    )


MLP_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    "_mask_seed": _is_seed,
    "best_epoch_": lambda value: value is None or is_count(value),
    "best_loss_": _is_maybe_number,
    "best_validation_score_": _is_maybe_number,
    "history_": _is_history,
    "loss_": is_number,
    "n_iter_": is_count,
    "stopped_": lambda value: isinstance(value, str),
    "t_": is_count,
}
CLASSIFIER_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    **MLP_ATTRIBUTES,
    "_target_type": lambda value: value in ("binary", "multiclass", "multilabel-indicator"),
}
REGRESSOR_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    **MLP_ATTRIBUTES,
    "_quantiles": _are_levels,
    "_has_spread": lambda value: isinstance(value, bool),
}
PERCEPTRON_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    "_multilabel": lambda value: isinstance(value, bool),
    "_seed": _is_seed,
    "mistakes_": lambda value: value != [] and _is_list_of(is_count, value),
    "n_iter_": is_count,
}
_OPTIONAL = ("_resumption", "classes_", "feature_names_in_")
# What a file lacks where it says nothing else than this: the first ones don't have it.
_DEFAULTS = {"_quantiles": (), "_has_spread": False}


def store_attributes(estimator: Any, names: Iterable[str], **others: Any) -> dict[str, Any]:
    """Return the fitted attributes of those names, and the names of the features if there are.

    `others` are those that the estimator doesn't have under these names.
    """
    values = {name: others[name] if name in others else getattr(estimator, name) for name in names}
    attributes = {
        name: encode(value)
        for name, value in values.items()
        if name not in _DEFAULTS or value != _DEFAULTS[name]
    }
    if hasattr(estimator, "feature_names_in_"):
        attributes["feature_names_in_"] = encode(estimator.feature_names_in_)
    return attributes


def find_attributes(
    stored: Stored, table: Mapping[str, Callable[[Any], bool]], n_features: int
) -> dict[str, Any]:
    """Return the attributes that the table wants, and the names of the features if there are."""
    found: dict[str, Any] = decode(stored.attributes)
    for name in _DEFAULTS.keys() & table.keys():
        found.setdefault(name, _DEFAULTS[name])
    names = found.keys() - _OPTIONAL
    require(names == table.keys(), f"the attributes must be {sorted(table)}; got {sorted(names)}")
    for name, is_sound in table.items():
        require(is_sound(found[name]), f"{name}={found[name]!r} is not sound")
    if "feature_names_in_" in found:
        features = found.pop("feature_names_in_")
        sound = _is_list_of(lambda name: isinstance(name, str), features)
        require(sound and len(features) == n_features, f"{n_features} feature names are needed")
        found["feature_names_in_"] = np.array(features, dtype=object)
    return {name: value for name, value in found.items() if name not in ("_resumption", "classes_")}


# Class labels: numbers are an array of the file, strings are in its header


def store_classes(classes: NDArray[Any], attributes: dict[str, Any], arrays: Arrays) -> None:
    """Put the class labels among the arrays or the attributes."""
    if classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8:
        arrays["classes"] = classes
    elif all(isinstance(label, str) for label in classes):
        _check_padding(classes)
        attributes["classes_"] = encode(classes)
    else:
        raise ValueError(
            f"Labels must be numbers or strings to be stored; classes_ is of {classes.dtype}."
        )


def find_classes(stored: Stored, n_outputs: int, *, binary: bool) -> NDArray[Any]:
    """Return the class labels that `store_classes` was given."""
    labels = stored.attributes.get("classes_")
    if labels is None:
        require("classes" in stored.arrays, "the array 'classes' is missing")
        classes = stored.arrays["classes"]
    else:
        require(_is_list_of(lambda label: isinstance(label, str), labels), "labels must be strings")
        _check_padding(labels)
        classes = np.array(labels, dtype=str)
    allowed = (1, 2) if binary else (n_outputs,)
    require(
        classes.ndim == 1 and len(classes) in allowed and (not binary or n_outputs == 1),
        f"there are {n_outputs} outputs for classes of shape {classes.shape}",
    )
    return classes


def _check_padding(labels: Iterable[str]) -> None:
    lengths = [len(label) for label in labels]
    require(
        len(lengths) * max(lengths, default=0) <= max(_FEW_CHARACTERS, _MOST_PADDED * sum(lengths)),
        "the labels are too many for the length of the longest one",
    )
