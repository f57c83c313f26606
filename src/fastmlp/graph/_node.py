"""The nodes of a computation graph, and the arithmetic that makes new ones of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp import _core
from fastmlp._checks.arrays import check_range
from fastmlp._checks.content import refuse_unfit
from fastmlp._checks.threads import resolve_n_jobs

if TYPE_CHECKING:
    from fastmlp._core import _GraphNode

Value: TypeAlias = float | NDArray[Any]
Operand: TypeAlias = "Node | ArrayLike"

_CORES: "dict[str, type[_GraphNode]]" = {
    "float32": _core.GraphNodeFloat32,
    "float64": _core.GraphNodeFloat64,
}


class Node:
    """A module of a computation graph: a variable, a constant, or an operation on other nodes.

    Made by `variable`, `constant`, the functions of `fastmlp.graph`, and the operators ``+``,
    ``-``, ``*``, ``/``, ``**`` and ``@``, which also take numbers and arrays as constants. The
    element-wise ones broadcast as NumPy does.

    Parameters
    ----------
    core : object
        The node in the compiled core; there is no need to make one by hand.
    """

    __slots__ = ("_core",)
    __array_ufunc__ = None  # so that `array + node` is left to the node

    def __init__(self, core: "_GraphNode") -> None:
        self._core = core

    @property
    def value(self) -> Value:
        """A copy of the value: a float for a scalar, otherwise an array.

        That of an operation is the one of the last `forward`. Assign a number or an array, of
        another shape too, to give a variable or a constant new data.

        Raises
        ------
        RuntimeError
            If the node was never computed.
        ValueError
            On assignment, if the node is an operation, or the data doesn't fit.
        """
        value: Value | None = self._core.value
        if value is None:
            raise RuntimeError(f"{self._core.describe()} has no value; call forward() first.")
        return value

    @value.setter
    def value(self, data: ArrayLike) -> None:
        self._core.set_value(_as_array(data, self.dtype, self.name or "value"))

    @property
    def grad(self) -> Value | None:
        """A copy of the gradient of the last `backward` by this node, or None."""
        return self._core.grad

    @property
    def name(self) -> str:
        """The name shown in errors, tables and pictures; may be empty, may be assigned."""
        return self._core.name

    @name.setter
    def name(self, name: str) -> None:
        self._core.set_name(_checked_name(name))

    @property
    def operation(self) -> str:
        """What the node does: 'variable', 'constant', 'multiply', 'relu' and so on."""
        return self._core.operation

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self._core.shape

    @property
    def dtype(self) -> str:
        """The type of value, gradient and arithmetic: 'float32' or 'float64'."""
        return next(name for name, core in _CORES.items() if isinstance(self._core, core))

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` gives the node a gradient: it is a variable, or depends on one."""
        return self._core.requires_grad

    def forward(self, *, training: bool = True, n_jobs: int | None = None) -> "Node":
        """Compute the value of this node and of every node that it depends on.

        What hasn't changed since it was last computed is not computed again.

        Parameters
        ----------
        training : bool, default=True
            Whether dropout is at work, with new masks.
        n_jobs : int or None, default=None
            Threads to use; None and -1 take all that the process may use. Results don't depend on
            it.

        Returns
        -------
        self : Node
            The node itself.

        Raises
        ------
        ValueError
            If new values of variables or constants don't fit together, or targets of a loss, or its
            outputs unless they are logits, are out of its range.
        """
        self._core.forward(bool(training), resolve_n_jobs(n_jobs))
        return self

    def backward(self, gradient: ArrayLike | None = None, *, n_jobs: int | None = None) -> None:
        """Compute the gradient of this node by every node that it depends on.

        Gradients start from zero each time; those of a node that is used several times add up.

        Parameters
        ----------
        gradient : array-like of the shape of the node, default=None
            What the chain rule starts from; None is 1, for a node of one element.
        n_jobs : int or None, default=None
            Threads to use, as in `forward`.

        Raises
        ------
        RuntimeError
            If values have changed since `forward`, or there was none.
        ValueError
            If the node depends on no variable, or `gradient` doesn't fit.
        """
        if gradient is not None:
            gradient = _as_array(gradient, self.dtype, "gradient")
        self._core.backward(gradient, resolve_n_jobs(n_jobs))

    def __add__(self, other: Operand) -> "Node":
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> "Node":
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> "Node":
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> "Node":
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> "Node":
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> "Node":
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> "Node":
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> "Node":
        return apply("divide", other, self)

    def __pow__(self, other: Operand) -> "Node":
        if isinstance(other, int | float) and other == 2:
            return apply("square", self)
        return apply("power", self, other)

    def __rpow__(self, other: Operand) -> "Node":
        return apply("power", other, self)

    def __matmul__(self, other: Operand) -> "Node":
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> "Node":
        return apply("matmul", other, self)

    def __neg__(self) -> "Node":
        return apply("negate", self)

    def __repr__(self) -> str:
        return f"<{self._core.describe()}, shape {self.shape}, {self.dtype}>"


def variable(value: ArrayLike, name: str | None = None, *, dtype: DTypeLike | None = None) -> Node:
    """Make a node that gradients are taken by.

    Parameters
    ----------
    value : array-like of at most two axes
        The value to start with.
    name : str or None, default=None
        A name for errors, tables and pictures.
    dtype : {'float32', 'float64'} or None, default=None
        The type of the arithmetic; None is that of a float32 or float64 array, otherwise float64.

    Returns
    -------
    node : Node
        The variable.

    Raises
    ------
    TypeError
        If `value` doesn't hold real numbers, or there is no such `dtype`.
    ValueError
        If `value` is empty or has more than two axes.
    """
    return _make_leaf(value, name, dtype, requires_grad=True)


def constant(value: ArrayLike, name: str | None = None, *, dtype: DTypeLike | None = None) -> Node:
    """Make a node without a gradient, such as data.

    Parameters
    ----------
    value : array-like of at most two axes
        The value to start with.
    name : str or None, default=None
        A name for errors, tables and pictures; None shows the value of a scalar.
    dtype : {'float32', 'float64'} or None, default=None
        The type of the arithmetic; None is that of a float32 or float64 array, otherwise float64.

    Returns
    -------
    node : Node
        The constant.

    Raises
    ------
    TypeError
        If `value` doesn't hold real numbers, or there is no such `dtype`.
    ValueError
        If `value` is empty or has more than two axes.
    """
    return _make_leaf(value, name, dtype, requires_grad=False)


def apply(operation: str, *operands: Operand, **attributes: Any) -> Node:
    """Make a node of an operation of the core; what is no node yet becomes a constant.

    Raises
    ------
    TypeError
        If the operands differ in type.
    ValueError
        If their shapes don't fit; the message names them.
    """
    dtype = common_dtype(operation, operands)
    nodes = [as_node(operand, dtype) for operand in operands]
    return Node(_CORES[dtype].apply(operation, [node._core for node in nodes], **attributes))


def common_dtype(operation: str, operands: Sequence[Operand]) -> str:
    """Return the type of the nodes among the operands; of arrays if there are none."""
    nodes = [operand for operand in operands if isinstance(operand, Node)]
    for node in nodes:
        if node.dtype != nodes[0].dtype:
            raise TypeError(
                f"{operation}: {nodes[0]!r} and {node!r} differ in type; make both with the same "
                "dtype."
            )
    return nodes[0].dtype if nodes else _default_dtype(operands[0])


def as_node(operand: Operand, dtype: str) -> Node:
    """Return a node as it is, and anything else as a constant of that type."""
    return operand if isinstance(operand, Node) else constant(operand, dtype=dtype)


def _make_leaf(
    value: ArrayLike, name: str | None, dtype: DTypeLike | None, *, requires_grad: bool
) -> Node:
    kind = _default_dtype(value) if dtype is None else np.dtype(dtype).name
    if kind not in _CORES:
        raise TypeError(f"dtype must be one of {', '.join(map(repr, _CORES))}; got {dtype!r}.")
    array = _as_array(value, kind, name or "value")
    if name is None:
        name = f"{array:g}" if not requires_grad and array.ndim == 0 else ""
    return Node(_CORES[kind](array, requires_grad, _checked_name(name)))


def _checked_name(name: Any) -> str:
    """Return a name that can be shown."""
    try:
        if isinstance(name, str):
            name.encode()
            return name
    except UnicodeEncodeError:
        pass
    raise ValueError(f"name must be text that has an encoding; got {name!r}.")


def _default_dtype(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return "float32" if dtype == np.float32 else "float64"


def _as_array(value: ArrayLike, dtype: str, what: str) -> NDArray[Any]:
    """Return the value as the core reads it."""
    refuse_unfit(what, value)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} must hold real numbers; got {array.dtype}.")
    if array.ndim > 2:
        raise ValueError(
            f"{what} must be a number, a vector or a matrix; got an array of shape {array.shape}."
        )
    if array.size == 0:
        raise ValueError(f"{what} must not be empty; got an array of shape {array.shape}.")
    check_range(what, array, dtype)
    return array.astype(dtype, copy=False)
