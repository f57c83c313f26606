"""Multilayer perceptrons and networks in ONNX."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp._data.numbers import NumberCodec
from fastmlp._files.onnx_graph import Graph, add_activation
from fastmlp._model.architecture import LayerPlan
from fastmlp.classifier import MLPClassifier
from fastmlp.network import Network
from fastmlp.regressor import MLPRegressor

if TYPE_CHECKING:
    from onnx import ModelProto

_INPUT = "X"


def write_network(estimator: MLPClassifier | MLPRegressor | Network) -> "ModelProto":
    """Write a network that nobody changes meanwhile."""
    if not isinstance(estimator, Network):
        check_is_fitted(estimator)
    plan = estimator._model.architecture
    graph = Graph(plan.dtype)
    last = _add_layers(graph, estimator)
    if isinstance(estimator, MLPClassifier):
        outputs = _add_labels(graph, estimator, last)
    elif isinstance(estimator, MLPRegressor):
        outputs = _add_numbers(graph, estimator._codec, last)
    else:
        outputs = [graph.name_output(last, "output", [plan.layers[-1].units])]
    return graph.model([graph.info(_INPUT, graph.dtype, [plan.n_features])], outputs)


def _add_layers(g: Graph, estimator: Any) -> str:
    """Add all layers; return the name of the last one's values."""
    model = estimator._model if isinstance(estimator, Network) else estimator._ready_model()
    params = model.network.get_params()
    y = _INPUT
    for layer, w, b, slopes in zip(model.architecture.layers, *params, strict=True):
        if layer.norm_epsilon:
            y = _normalize(g, y, layer.norm_epsilon)
        if layer.dropout_mode == "classic":
            w = w * w.dtype.type(1 - layer.input_dropout)
        z = g.add("Gemm", y, g.constant(w), g.constant(b))
        y = _add_activation(g, z, layer, slopes)
    return y


def _normalize(g: Graph, x: str, epsilon: float) -> str:
    """Add the normalisation of each row."""
    off = g.add("Sub", x, g.add("ReduceMean", x, axes=[1], keepdims=1))
    variance = g.add("ReduceMean", g.add("Mul", off, off), axes=[1], keepdims=1)
    return g.add("Div", off, g.add("Sqrt", g.add("Add", variance, g.constant(epsilon))))


def _add_activation(g: Graph, z: str, layer: LayerPlan, slopes: NDArray[Any]) -> str:
    """Add the activation of a layer, which may be a mix of several side by side."""
    parts = layer.parts
    if len(parts) == 1:
        return _apply(g, z, parts[0], slopes if layer.learns else None)
    pieces = g.split(z, [units for _, units, _ in parts])
    done = [_apply(g, piece, part, None) for piece, part in zip(pieces, parts, strict=True)]
    return g.add("Concat", *done, axis=1)


def _apply(g: Graph, z: str, part: tuple[str, int, float | None], learned: Any) -> str:
    name, _, given = part
    return add_activation(g, z, name, given if learned is None else learned)


def _add_numbers(g: Graph, codec: NumberCodec, y: str) -> list[Any]:
    """Add what `predict` makes of the outputs."""
    n, n_quantiles = codec.n_targets, len(codec.quantiles)
    targets = [] if n == 1 else [n]
    if codec.has_spread:
        mean, logarithm = g.split(y, [n, n])
        std = g.add("Exp", g.add("Div", logarithm, g.constant(2)))
        return [g.name_output(mean, "output", targets), g.name_output(std, "std", targets)]
    if not n_quantiles:
        return [g.name_output(y, "output", targets)]
    by_quantile = g.add("Reshape", y, g.constant([-1, n_quantiles, n], np.int64))
    ordered = g.sort(by_quantile, n_quantiles, axis=1)
    if n == 1:
        flat = g.add("Reshape", ordered, g.constant([-1, n_quantiles], np.int64))
        return [g.name_output(flat, "output", [n_quantiles])]
    turned = g.add("Transpose", ordered, perm=[0, 2, 1])
    return [g.name_output(turned, "output", [n, n_quantiles])]


def _add_labels(g: Graph, estimator: MLPClassifier, y: str) -> list[Any]:
    """Add what `predict` and `predict_proba` make of the outputs."""
    n = estimator.n_outputs_
    if estimator._codec.kind == "multiclass":
        chosen = g.add("ArgMax", y, axis=1, keepdims=0)
    else:
        boundary = 0.0 if estimator.out_activation_ == "identity" else 0.5
        above = g.add("Greater", y, g.constant(boundary))
        multilabel = estimator._codec.is_multilabel
        name = "label" if multilabel else ""
        chosen = g.add("Cast", above, to=g.type_of(np.int64), output=name)
        if multilabel:
            label = g.info("label", np.int64, [n])
            return [label, _add_scores(g, estimator, y)]
        chosen = g.add("Squeeze", chosen, g.constant([1], np.int64))
    return [g.name_labels(chosen, estimator.classes_), _add_scores(g, estimator, y)]


def _add_scores(g: Graph, estimator: MLPClassifier, y: str) -> Any:
    """Add the probabilities; of two classes, both."""
    n = estimator.n_outputs_
    if estimator.out_activation_ == "identity":
        return g.name_output(y, "margins", [n])
    if n > 1:
        return g.name_output(y, "probabilities", [n])
    both = g.add("Concat", g.add("Sub", g.constant(1), y), y, axis=1)
    return g.name_output(both, "probabilities", [2])
