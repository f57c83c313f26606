"""A graph of plain ONNX operators as it is built, and how activations are written in it.

`ACTIVATIONS` is the one table of how an activation is written. Most are made of primitive
operators, because runtimes have those for float64 too.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._checks.names import DEFAULTS

if TYPE_CHECKING:
    from onnx import ModelProto

_ML = "ai.onnx.ml"
OPSETS = {"": 17, _ML: 3}
IR = 8  # the representation that came with these


class Graph:
    """Nodes and constants as they are added; names of values stand for the values."""

    def __init__(self, dtype: str, taken: Iterable[str] = ()) -> None:
        onnx = import_onnx()
        self.check = onnx.checker.check_model
        self.helper = onnx.helper
        self.to_tensor = onnx.numpy_helper.from_array
        self.dtype = np.dtype(dtype)
        self.taken = set(taken)  # names that the inputs have
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(
        self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Add a node; return the name of its output."""
        name = output or self._fresh(f"{operator}_{len(self.nodes)}")
        self.nodes.append(
            self.helper.make_node(operator, inputs, [name], domain=domain, **attributes)
        )
        return name

    def look_up(self, texts: str, values: dict[str, float], default: float) -> str:
        """Add a node that turns texts into numbers, of float32."""
        return self.add(
            "LabelEncoder",
            texts,
            domain=_ML,
            keys_strings=list(values),
            values_floats=list(values.values()),
            default_float=default,
        )

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a number or an array, of the graph's dtype unless another is given."""
        name = self._fresh(f"constant_{len(self.constants)}")
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        self.constants.append(self.to_tensor(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """Add a node that changes the dtype."""
        return self.add("Cast", value, to=self.type_of(dtype))

    def split(self, value: str, sizes: list[int]) -> list[str]:
        """Add a node that cuts the columns into parts; return the names of the parts."""
        names = [self._fresh(f"part_{len(self.nodes)}_{i}") for i in range(len(sizes))]
        inputs = [value, self.constant(sizes, np.int64)]
        self.nodes.append(self.helper.make_node("Split", inputs, names, axis=1))
        return names

    def sort(self, value: str, size: int, axis: int) -> str:
        """Add a node that puts numbers into ascending order; return the name of the values."""
        names = [self._fresh(f"{what}_{len(self.nodes)}") for what in ("sorted", "places")]
        inputs = [value, self.constant([size], np.int64)]
        self.nodes.append(self.helper.make_node("TopK", inputs, names, axis=axis, largest=0))
        return names[0]

    def type_of(self, dtype: Any) -> Any:
        """Return ONNX's number for a dtype."""
        return self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def info(self, name: str, dtype: Any, columns: list[int], about: str = "") -> Any:
        """Return what ONNX calls a value's info, of an input or an output."""
        return self.helper.make_tensor_value_info(
            name, self.type_of(dtype), ["n_samples", *columns], about
        )

    def name_output(self, y: str, name: str, columns: list[int], dtype: Any = None) -> Any:
        """Name values as an output, and return its info; a vector, where it has no columns."""
        if columns:
            self.add("Identity", y, output=name)
        else:
            self.add("Squeeze", y, self.constant([1], np.int64), output=name)
        return self.info(name, self.dtype if dtype is None else dtype, columns)

    def name_labels(self, chosen: str, classes: NDArray[Any]) -> Any:
        """Name the labels of these class numbers as the output `label`, and return its info."""
        labels = _onnx_labels(classes)
        self.add("Gather", self.constant(labels, labels.dtype), chosen, output="label")
        return self.info("label", labels.dtype, [])

    def model(self, inputs: list[Any], outputs: list[Any]) -> "ModelProto":
        """Return the whole as a model that has been checked."""
        graph = self.helper.make_graph(self.nodes, "fastmlp", inputs, outputs, self.constants)
        used = {node.domain for node in self.nodes}
        opsets = [(domain, version) for domain, version in OPSETS.items() if domain in used]
        model: ModelProto = self.helper.make_model(
            graph,
            opset_imports=[self.helper.make_opsetid(*opset) for opset in opsets],
            ir_version=IR,
            producer_name="fastmlp",
            producer_version=_core.__version__,
        )
        self.check(model)
        return model

    def _fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        return name


def import_onnx() -> Any:
    """Return the module onnx, or raise an ImportError that says how it is installed."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install 'fastmlp[onnx]'.") from error
    return onnx


def _onnx_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Return the labels in a type of ONNX's; at least two, as the index of one may be 1."""
    if len(classes) == 1:
        classes = np.repeat(classes, 2)
    if classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8:
        return classes
    if all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    raise ValueError(f"Labels must be numbers or strings for ONNX; got {classes.dtype}.")


def _scale(g: Graph, x: str, factor: Any) -> str:
    return g.add("Mul", x, g.constant(factor))


def _clip(g: Graph, x: str, low: float, high: float) -> str:
    return g.add("Clip", x, g.constant(low), g.constant(high))


def _hinge(g: Graph, z: str, below: Callable[[str], str]) -> str:
    """``z`` where it is positive, and what `below` makes of it elsewhere, 0 being 0."""
    zero = g.constant(0)
    return g.add("Add", g.add("Max", z, zero), below(g.add("Min", z, zero)))


def _leaky(g: Graph, z: str, slope: Any) -> str:
    return _hinge(g, z, lambda low: _scale(g, low, slope))


def _elu(g: Graph, z: str, alpha: Any) -> str:
    return _hinge(
        g, z, lambda low: _scale(g, g.add("Sub", g.add("Exp", low), g.constant(1)), alpha)
    )


def _gelu(g: Graph, z: str, _: Any) -> str:
    bell = _erf(g, _scale(g, z, np.sqrt(0.5)))
    return g.add("Mul", _scale(g, z, 0.5), g.add("Add", bell, g.constant(1)))


def _erf(g: Graph, x: str) -> str:
    """The error function, by way of float32: onnxruntime has no other."""
    narrow = g.add("Cast", x, to=g.type_of(np.float32))
    return g.add("Cast", g.add("Erf", narrow), to=g.type_of(g.dtype))


def _softplus(g: Graph, z: str) -> str:
    small = g.add("Exp", g.add("Neg", g.add("Abs", z)))  # never overflows
    rest = g.add("Log", g.add("Add", small, g.constant(1)))
    return g.add("Add", g.add("Max", z, g.constant(0)), rest)


# By the name in the catalog: from the pre-activation, and the parameter if there is one.
ACTIVATIONS: dict[str, Callable[[Graph, str, Any], str]] = {
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


def add_activation(g: Graph, z: str, name: str, parameter: Any = None) -> str:
    """Add an activation, with its parameter unless that is the default."""
    if name not in ACTIVATIONS:
        raise ValueError(f"The activation {name!r} has no form in ONNX yet.")
    return ACTIVATIONS[name](g, z, DEFAULTS.get(name) if parameter is None else parameter)
