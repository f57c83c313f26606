"""Computation graphs: modules that each know their value and their local gradient.

A graph is built by writing an expression. `forward` computes the value of every module in it, and
`backward` takes the gradient back through them by the chain rule, with the same kernels that
`fastmlp.Network` uses. Numbers, vectors and matrices are what it works on: arrays of at most two
axes. A vector is one row wherever rows matter.

Besides the functions named here there is one for each activation and each loss that the core knows,
by its name: `graph.relu`, `graph.softmax`, `graph.cross_entropy`, `graph.mse` and so on.

Examples
--------
>>> from fastmlp import graph
>>> x, y, z = graph.variable(3.0), graph.variable(4.0), graph.variable(2.0)
>>> f = x**2 * y / z
>>> f.forward().backward()
>>> f.value
18.0
>>> x.grad, y.grad, z.grad
(12.0, 4.5, -9.0)
"""

from typing import TYPE_CHECKING

from fastmlp.graph import _functions
from fastmlp.graph._describe import Description, describe
from fastmlp.graph._draw import draw
from fastmlp.graph._functions import dense, dropout, exp, log, matmul, mean, prelu, square, sum
from fastmlp.graph._node import Node, constant, variable
from fastmlp.graph._optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable

    def __getattr__(name: str) -> Callable[..., Node]: ...


globals().update(_functions.FROM_CATALOG)

__all__ = [
    "Description",
    "Node",
    "Optimizer",
    "constant",
    "dense",
    "describe",
    "draw",
    "dropout",
    "exp",
    "log",
    "matmul",
    "mean",
    "prelu",
    "square",
    "sum",
    "variable",
]
__all__ += _functions.FROM_CATALOG
