"""The functions that make nodes; those of activations and losses come from the core's catalog."""

import inspect
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from fastmlp import _core
from fastmlp._checks.names import PARAMETERS, check_parameter
from fastmlp.graph._node import Node, Operand, apply, as_node, common_dtype

if TYPE_CHECKING:
    from fastmlp._core import ActivationRow, LossRow, ParameterRow


def prelu(x: Operand, slope: Operand) -> Node:
    """Apply the activation 'prelu', ``x`` where it is positive and else ``slope * x``.

    Parameters
    ----------
    x : node or array-like
        The pre-activations.
    slope : node or array-like
        The slopes, of a shape that broadcasts with `x`; a variable is learned.

    Returns
    -------
    node : Node
        Of the broadcast shape.
    """
    return apply("prelu", x, slope)


def square(x: Operand) -> Node:
    """Square every element; ``x**2`` is the same.

    Parameters
    ----------
    x : node or array-like
        The argument.

    Returns
    -------
    node : Node
        Of the shape of `x`.
    """
    return apply("square", x)


def exp(x: Operand) -> Node:
    """Take the exponential of every element.

    Parameters
    ----------
    x : node or array-like
        The argument.

    Returns
    -------
    node : Node
        Of the shape of `x`.
    """
    return apply("exp", x)


def log(x: Operand) -> Node:
    """Take the natural logarithm of every element.

    Parameters
    ----------
    x : node or array-like
        The argument.

    Returns
    -------
    node : Node
        Of the shape of `x`.
    """
    return apply("log", x)


def matmul(x: Operand, w: Operand) -> Node:
    """Multiply matrices or vectors; ``x @ w`` is the same.

    Parameters
    ----------
    x : node or array-like of shape (rows, n) or (n,)
        The left factor.
    w : node or array-like of shape (n, columns) or (n,)
        The right factor.

    Returns
    -------
    node : Node
        Of shape (rows, columns), without the axis that a vector lacks.

    Raises
    ------
    ValueError
        If the shapes don't fit.
    """
    return apply("matmul", x, w)


def dense(x: Operand, w: Operand, b: Operand) -> Node:
    """Compute ``x @ w + b``, a dense layer without its activation.

    Parameters
    ----------
    x : node or array-like of shape (rows, inputs) or (inputs,)
        The inputs.
    w : node or array-like of shape (inputs, outputs)
        The weights.
    b : node or array-like of shape (outputs,)
        The biases.

    Returns
    -------
    node : Node
        Of shape (rows, outputs) or (outputs,).

    Raises
    ------
    ValueError
        If the shapes don't fit.
    """
    return apply("dense", x, w, b)


def sum(x: Operand, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Add up all elements, or those along one axis.

    Parameters
    ----------
    x : node or array-like
        The terms.
    axis : int or None, default=None
        The axis to sum over; None is all.
    keepdims : bool, default=False
        Whether to keep the axes summed over, with length one.

    Returns
    -------
    node : Node
        The sum or the sums.

    Raises
    ------
    ValueError
        If `x` has no such axis.
    """
    return _reduce("sum", x, axis, keepdims)


def mean(x: Operand, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Average all elements, or those along one axis.

    Parameters
    ----------
    x : node or array-like
        What to average.
    axis : int or None, default=None
        The axis to average over; None is all.
    keepdims : bool, default=False
        Whether to keep the axes averaged over, with length one.

    Returns
    -------
    node : Node
        The mean or the means.

    Raises
    ------
    ValueError
        If `x` has no such axis.
    """
    return _reduce("mean", x, axis, keepdims)


def dropout(x: Operand, rate: float, seed: int | None = None) -> Node:
    """Drop elements at random while training, and scale the others by ``1 / (1 - rate)``.

    Each `forward` draws a new mask; ``forward(training=False)`` lets everything through.

    Parameters
    ----------
    x : node or array-like
        What to drop from.
    rate : float
        The probability that an element is dropped, in [0, 1).
    seed : int or None, default=None
        Determines the masks; None draws a seed from NumPy's global generator.

    Returns
    -------
    node : Node
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `rate` or `seed` is out of range.
    """
    if seed is None:
        seed = int(check_random_state(None).randint(2**31 - 1))
    if not 0 <= operator.index(seed) < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1; got {seed!r}.")
    return apply("dropout", x, rate=float(rate), seed=operator.index(seed))


def _reduce(operation: str, x: Operand, axis: int | None, keepdims: bool) -> Node:
    node = as_node(x, common_dtype(operation, [x]))
    if axis is not None:
        ndim = len(node.shape)
        if not isinstance(axis, int | np.integer):
            raise TypeError(f"{operation}: axis must be an integer or None; got {axis!r}.")
        if not -ndim <= operator.index(axis) < ndim:
            raise ValueError(f"{operation} of {node!r}: there is no axis {axis}.")
        axis = operator.index(axis) % ndim
    return apply(operation, node, axis=axis, keep_dims=bool(keepdims))


def _targets(y: Node, t: Operand) -> Operand:
    """Return targets of the shape of the outputs.

    A vector of class numbers stands for its one-hot matrix, and with one output a vector stands for
    its column.
    """
    if isinstance(t, Node) or len(y.shape) != 2:
        return t
    array = np.asarray(t)
    rows, columns = y.shape
    if array.shape != (rows,):
        return array
    if columns == 1:
        return array.reshape(-1, 1)
    if array.dtype.kind not in "iu":
        return array
    if array.min() < 0 or array.max() >= columns:
        raise ValueError(
            f"t must hold class numbers from 0 to {columns - 1}; got {array.min()} to "
            f"{array.max()}."
        )
    one_hot: NDArray[Any] = np.eye(columns, dtype=y.dtype)[array]
    return one_hot


_Function = TypeVar("_Function", bound=Callable[..., Node])


def _make_activation(row: "ActivationRow") -> Callable[..., Node]:
    name, formula, parameter = row["name"], row["doc"], row["parameter"]

    def activation(x: Operand, **given: float) -> Node:
        return apply("activation", x, kind=name, parameter=_only(given, name))

    activation.__doc__ = f"""Apply the activation '{name}': ``{formula}``.

    Parameters
    ----------
    x : node or array-like
        The pre-activations.
    {_parameter_doc(parameter)}
    Returns
    -------
    node : Node
        Of the shape of `x`.
    """
    return _dress(activation, name, parameter)


def _only(given: dict[str, float], name: str) -> float | None:
    """Return the value of the one parameter that there is, if given."""
    parameter = PARAMETERS[name]
    unknown = set(given) - {parameter}
    if unknown:
        takes = f"takes {parameter!r}" if parameter else "takes no parameter"
        raise TypeError(f"{name} {takes}; got {', '.join(sorted(map(repr, unknown)))}.")
    if parameter is None or parameter not in given:
        return None
    value = given[parameter]
    return check_parameter(f"{name}({parameter}={value!r})", parameter, value)


def _parameter_doc(parameter: "ParameterRow | None") -> str:
    if parameter is None:
        return ""
    return f"""{parameter["name"]} : float, default={parameter["value"]}
        As in the formula.
"""


def _make_loss(row: "LossRow") -> Callable[..., Node]:
    name, formula, link, parameter = row["name"], row["doc"], row["link"], row["parameter"]

    def loss(y: Operand, t: Operand, *, logits: bool = False, **given: float) -> Node:
        outputs = as_node(y, common_dtype(name, [y]))
        targets = _targets(outputs, t)
        value = _only(given, name)
        return apply("loss", outputs, targets, kind=name, on_logits=bool(logits), parameter=value)

    loss.__doc__ = f"""Average the loss '{name}' over the rows: ``{formula}``.

    Parameters
    ----------
    y : node or array-like
        The outputs, one row per sample; a vector is one row.
    t : node or array-like of the shape of `y`
        The targets. They may not depend on a variable. A vector of integers in place of a matrix of
        several columns holds class numbers.
    logits : bool, default=False
        Whether `y` holds pre-activations that the activation '{link}' is yet to be applied to. Both
        are then computed in one step, without overflow.
    {_parameter_doc(parameter)}
    Returns
    -------
    node : Node
        A scalar.

    Raises
    ------
    ValueError
        If the shapes differ, the targets depend on a variable, or the activation that `y` comes
        from has outputs that are none of the loss. `Node.forward` looks at the values.
    """
    return _dress(loss, name, parameter)


def _dress(function: _Function, name: str, parameter: "ParameterRow | None") -> _Function:
    """Give a function its name, and a signature with its one parameter, or none."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastmlp.graph"
    signature = inspect.signature(function)
    shown = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if parameter is not None:
        shown.append(
            inspect.Parameter(
                parameter["name"],
                inspect.Parameter.KEYWORD_ONLY,
                default=parameter["value"],
                annotation=float,
            )
        )
    function.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return function


_CATALOG = _core.catalog()
# exp and prelu are operations of their own.
FROM_CATALOG: dict[str, Callable[..., Node]] = {
    row["name"]: _make_activation(row)
    for row in _CATALOG["activations"]
    if row["name"] not in globals()
} | {row["name"]: _make_loss(row) for row in _CATALOG["losses"]}
