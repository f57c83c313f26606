"""The way to ONNX: a graph of plain operators, which any runtime of opset 17 has.

`_ACTIVATIONS` is the one table of how an activation is written. Most are made of primitive
operators, because runtimes have those for float64 too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp import _core
from fastmlp._model.architecture import LayerPlan
from fastmlp._model.exclusive import as_it_is
from fastmlp.classifier import MLPClassifier
from fastmlp.network import Network
from fastmlp.regressor import MLPRegressor

if TYPE_CHECKING:
    from onnx import ModelProto

_OPSET, _IR = 17, 8  # the representation that came with this opset
_INPUT = "X"


class _Graph:
    """Nodes and constants as they are added; names of values stand for the values."""

    def __init__(self, onnx: Any, dtype: str) -> None:
        self.helper = onnx.helper
        self.to_tensor = onnx.numpy_helper.from_array
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a number or an array, of the network's dtype unless another is given."""
        name = f"constant_{len(self.constants)}"
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        self.constants.append(self.to_tensor(array, name))
        return name

    def type_of(self, dtype: Any) -> Any:
        """Return ONNX's number for a dtype."""
        return self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def split(self, value: str, sizes: list[int]) -> list[str]:
        """Add a node that cuts the columns into parts; return the names of the parts."""
        names = [f"part_{len(self.nodes)}_{i}" for i in range(len(sizes))]
        inputs = [value, self.constant(sizes, np.int64)]
        self.nodes.append(self.helper.make_node("Split", inputs, names, axis=1))
        return names


def _scale(g: _Graph, x: str, factor: Any) -> str:
    return g.add("Mul", x, g.constant(factor))


def _clip(g: _Graph, x: str, low: float, high: float) -> str:
    return g.add("Clip", x, g.constant(low), g.constant(high))


def _hinge(g: _Graph, z: str, below: Callable[[str], str]) -> str:
    """``z`` where it is positive, and what `below` makes of it elsewhere, 0 being 0."""
    zero = g.constant(0)
    return g.add("Add", g.add("Max", z, zero), below(g.add("Min", z, zero)))


def _leaky(g: _Graph, z: str, slope: Any) -> str:
    return _hinge(g, z, lambda low: _scale(g, low, slope))


def _elu(g: _Graph, z: str, alpha: Any) -> str:
    return _hinge(
        g, z, lambda low: _scale(g, g.add("Sub", g.add("Exp", low), g.constant(1)), alpha)
    )


def _gelu(g: _Graph, z: str, _: Any) -> str:
    bell = _erf(g, _scale(g, z, np.sqrt(0.5)))
    return g.add("Mul", _scale(g, z, 0.5), g.add("Add", bell, g.constant(1)))


def _erf(g: _Graph, x: str) -> str:
    """The error function, by way of float32: onnxruntime has no other."""
    narrow = g.add("Cast", x, to=g.type_of(np.float32))
    return g.add("Cast", g.add("Erf", narrow), to=g.type_of(g.dtype))


def _softplus(g: _Graph, z: str) -> str:
    small = g.add("Exp", g.add("Neg", g.add("Abs", z)))  # never overflows
    rest = g.add("Log", g.add("Add", small, g.constant(1)))
    return g.add("Add", g.add("Max", z, g.constant(0)), rest)


# By the name in the catalog: from the pre-activation, and the parameter if there is one.
_ACTIVATIONS: dict[str, Callable[[_Graph, str, Any], str]] = {
    "identity": lambda g, z, _: z,
    "logistic": lambda g, z, _: g.add("Sigmoid", z),
    "tanh": lambda g, z, _: g.add("Tanh", z),
    "relu": lambda g, z, _: g.add("Relu", z),
    "leaky_relu": _leaky,
    "prelu": _leaky,
    "relu6": lambda g, z, _: _clip(g, z, 0, 6),
    "elu": _elu,
    "selu": lambda g, z, _: _scale(g, _elu(g, z, 1.6732632423543772), 1.0507009873554805),
    "gelu": _gelu,
    "silu": lambda g, z, _: g.add("Mul", z, g.add("Sigmoid", z)),
    "mish": lambda g, z, _: g.add("Mul", z, g.add("Tanh", _softplus(g, z))),
    "softplus": lambda g, z, _: _softplus(g, z),
    "softsign": lambda g, z, _: g.add("Div", z, g.add("Add", g.add("Abs", z), g.constant(1))),
    "hard_sigmoid": lambda g, z, _: _clip(
        g, _scale(g, g.add("Add", z, g.constant(3)), 1 / 6), 0, 1
    ),
    "hard_tanh": lambda g, z, _: _clip(g, z, -1, 1),
    "exp": lambda g, z, _: g.add("Exp", z),
    "softmax": lambda g, z, _: g.add("Softmax", z, axis=1),
    "log_softmax": lambda g, z, _: g.add("LogSoftmax", z, axis=1),
}
_DEFAULTS = {
    row["name"]: row["parameter"]["value"]
    for row in _core.catalog()["activations"]
    if row["parameter"]
}


def to_onnx(estimator: MLPClassifier | MLPRegressor | Network) -> "ModelProto":
    """Write a fitted network as an ONNX model, which predicts the same, to rounding.

    The input `X` has the shape (n_samples, n_features) and the dtype of the network. The outputs:

    - of a classifier, `label`, as `predict` gives it, and `probabilities`, as `predict_proba`
      does, or with ``loss='hinge'`` the `margins` of shape (n_samples, n_outputs);
    - of a regressor, `output`, as `predict` gives it;
    - of a `Network`, `output`, as a call of it gives it.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or Network
        The network, fitted. Labels must be numbers or strings.

    Returns
    -------
    model : onnx.ModelProto
        The model, of opset 17; ``onnx.save(model, path)`` writes it to a file. The activation
        'gelu' is as exact as float32 allows, in a float64 network too.

    Raises
    ------
    ImportError
        If onnx is not installed.
    TypeError
        If `estimator` is of another class.
    ValueError
        If it is not fitted, or its labels are of a type that ONNX lacks.
    """
    onnx = _import_onnx()
    if not isinstance(estimator, MLPClassifier | MLPRegressor | Network):
        raise TypeError(
            f"estimator must be an MLPClassifier, MLPRegressor or Network; got {estimator!r}."
        )
    estimator = as_it_is(estimator)  # while it may be training in another thread
    if not isinstance(estimator, Network):
        check_is_fitted(estimator)
    plan = estimator._model.architecture
    graph = _Graph(onnx, plan.dtype)
    last = _add_layers(graph, estimator)
    if isinstance(estimator, MLPClassifier):
        outputs = _add_labels(graph, estimator, last)
    else:
        single = isinstance(estimator, MLPRegressor) and plan.layers[-1].units == 1
        outputs = [_add_output(graph, last, [] if single else [plan.layers[-1].units])]
    model: ModelProto = _make_model(graph, plan.n_features, outputs)
    onnx.checker.check_model(model)
    return model


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install 'fastmlp[onnx]'.") from error
    return onnx


def _add_layers(g: _Graph, estimator: Any) -> str:
    """Add all layers; return the name of the last one's values."""
    model = estimator._model if isinstance(estimator, Network) else estimator._ready_model()
    params = model.network.get_params()
    y = _INPUT
    for layer, w, b, slopes in zip(model.architecture.layers, *params, strict=True):
        if layer.dropout_mode == "classic":
            w = w * w.dtype.type(1 - layer.input_dropout)
        z = g.add("Gemm", y, g.constant(w), g.constant(b))
        y = _add_activation(g, z, layer, slopes)
    return y


def _add_activation(g: _Graph, z: str, layer: LayerPlan, slopes: NDArray[Any]) -> str:
    """Add the activation of a layer, which may be a mix of several side by side."""
    parts = layer.parts
    if len(parts) == 1:
        return _apply(g, z, parts[0], slopes if layer.learns else None)
    pieces = g.split(z, [units for _, units, _ in parts])
    done = [_apply(g, piece, part, None) for piece, part in zip(pieces, parts, strict=True)]
    return g.add("Concat", *done, axis=1)


def _apply(g: _Graph, z: str, part: tuple[str, int, float | None], learned: Any) -> str:
    name, _, given = part
    if name not in _ACTIVATIONS:
        raise ValueError(f"The activation {name!r} has no form in ONNX yet.")
    parameter = learned if learned is not None else _DEFAULTS.get(name) if given is None else given
    return _ACTIVATIONS[name](g, z, parameter)


# Outputs: each as an `onnx.ValueInfoProto`


def _add_output(g: _Graph, y: str, shape: list[int], name: str = "output") -> Any:
    """Name the values as an output; without columns in the shape, as a vector."""
    if shape:
        g.add("Identity", y, output=name)
    else:
        g.add("Squeeze", y, g.constant([1], np.int64), output=name)
    return _info(g, name, g.dtype, shape)


def _info(g: _Graph, name: str, dtype: Any, columns: list[int]) -> Any:
    return g.helper.make_tensor_value_info(name, g.type_of(dtype), ["n_samples", *columns])


def _add_labels(g: _Graph, estimator: MLPClassifier, y: str) -> list[Any]:
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
            label = _info(g, "label", np.int64, [n])
            return [label, _add_scores(g, estimator, y)]
        chosen = g.add("Squeeze", chosen, g.constant([1], np.int64))
    classes = _onnx_classes(estimator.classes_)
    g.add("Gather", g.constant(classes, classes.dtype), chosen, output="label")
    return [_info(g, "label", classes.dtype, []), _add_scores(g, estimator, y)]


def _add_scores(g: _Graph, estimator: MLPClassifier, y: str) -> Any:
    """Add the probabilities; of two classes, both."""
    n = estimator.n_outputs_
    if estimator.out_activation_ == "identity":
        return _add_output(g, y, [n], "margins")
    if n > 1:
        return _add_output(g, y, [n], "probabilities")
    both = g.add("Concat", g.add("Sub", g.constant(1), y), y, axis=1)
    return _add_output(g, both, [2], "probabilities")


def _onnx_classes(classes: NDArray[Any]) -> NDArray[Any]:
    """Return the labels in a type of ONNX's; at least two, as the index of one may be 1."""
    if len(classes) == 1:
        classes = np.repeat(classes, 2)
    if classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8:
        return classes
    if all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    raise ValueError(f"Labels must be numbers or strings for ONNX; got {classes.dtype}.")


def _make_model(g: _Graph, n_features: int, outputs: list[Any]) -> Any:
    inputs = [_info(g, _INPUT, g.dtype, [n_features])]
    graph = g.helper.make_graph(g.nodes, "fastmlp", inputs, outputs, g.constants)
    return g.helper.make_model(
        graph,
        opset_imports=[g.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="fastmlp",
        producer_version=_core.__version__,
    )
