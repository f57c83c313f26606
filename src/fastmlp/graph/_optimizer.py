"""Optimizers for the variables of a computation graph."""

from collections.abc import Iterable
from math import inf

from fastmlp import _core
from fastmlp._checks.arrays import check_representable, to_float
from fastmlp._checks.names import OPTIMIZERS, check_hyperparameters
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp.graph._node import Node, common_dtype


class Optimizer:
    """Moves variables against their gradients.

    Parameters
    ----------
    variables : iterable of Node
        The variables, all of the same type.
    optimizer : str, default='adam'
        The name of the optimizer.
    learning_rate : float, default=1e-3
        The learning rate. The attribute of that name may be assigned between steps.
    l1, l2 : float, default=0.0
        Penalties: every step goes down the slope of ``l1 * |w|_1 + l2 * |w|_2**2`` of each variable
        too. To spare the biases, give them an optimizer of their own.
    **hyperparameters : float
        Hyperparameters of the optimizer, such as ``beta_1``.

    Attributes
    ----------
    hyperparameters : dict of str to float
        All hyperparameters of the optimizer, those not given at their defaults.

    Raises
    ------
    ValueError
        If there is no such optimizer, a node is not a variable or comes twice, or the learning rate
        or a penalty is negative or not finite, or a hyperparameter is out of its range.
    TypeError
        If the optimizer has no such hyperparameter, or the variables are no list of nodes, or
        differ in type.

    Examples
    --------
    >>> from fastmlp import graph
    >>> x = graph.variable(0.0)
    >>> f = (x - 3) ** 2
    >>> optimizer = graph.Optimizer([x], "sgd", learning_rate=0.25)
    >>> for _ in range(30):
    ...     f.forward().backward()
    ...     optimizer.step()
    >>> round(x.value, 6)
    3.0
    """

    def __init__(
        self,
        variables: Iterable[Node],
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        **hyperparameters: float,
    ) -> None:
        if isinstance(variables, Node) or not isinstance(variables, Iterable):
            raise TypeError(f"variables must be a list of nodes, as in [x]; got {variables!r}.")
        self.variables = tuple(variables)
        for node in self.variables:
            if not isinstance(node, Node):
                raise TypeError(f"variables must hold nodes; got {node!r}.")
        if not self.variables:
            raise ValueError("variables must hold at least one variable.")
        self._dtype = dtype = common_dtype("Optimizer", self.variables)
        given = check_hyperparameters(optimizer, hyperparameters, dtype)
        self.optimizer = optimizer
        self.hyperparameters = OPTIMIZERS[optimizer] | given
        self.learning_rate = learning_rate
        core = {"float32": _core.GraphOptimizerFloat32, "float64": _core.GraphOptimizerFloat64}
        self._core = core[dtype](
            [node._core for node in self.variables],
            optimizer,
            [*self.hyperparameters.values()],
            _check("l1", l1, dtype),
            _check("l2", l2, dtype),
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._learning_rate = _check("learning_rate", rate, self._dtype)

    def step(self, *, n_jobs: int | None = None) -> None:
        """Make one step with the gradients of the last `backward`.

        Parameters
        ----------
        n_jobs : int or None, default=None
            Threads to use, as in `Node.forward`.

        Raises
        ------
        RuntimeError
            If a variable has no gradient, or another shape than it had when the optimizer was made.
        """
        self._core.step(self._learning_rate, resolve_n_jobs(n_jobs))


def _check(argument: str, value: float, dtype: str) -> float:
    if not 0 <= to_float(value) < inf:
        raise ValueError(f"{argument} must be a finite number >= 0; got {value!r}.")
    check_representable(argument, float(value), dtype)
    return float(value)
