"""A computation graph as a table: its modules in the order in which they are computed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastmlp.graph._node import Node, Value

if TYPE_CHECKING:
    from fastmlp._core import _GraphNode


@dataclass(frozen=True)
class Module:
    """One line of a description.

    Attributes
    ----------
    name : str
        The name of the node, or one made from its operation.
    operation : str
        What it does.
    inputs : tuple of str
        The names of the nodes that it takes.
    shape : tuple of int
        The shape of its value.
    value, gradient : float, ndarray or None
        What the last `forward` and `backward` gave, if anything.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    value: Value | None = field(repr=False)
    gradient: Value | None = field(repr=False)


class Description(tuple[Module, ...]):
    """The modules of a graph, inputs before what they go into; ``str`` makes a table of them.

    Parameters
    ----------
    iterable : iterable of Module, default=()
        The modules.
    """

    __slots__ = ()

    def __str__(self) -> str:
        lines = [("name", "operation", "inputs", "shape", "value", "gradient")]
        lines += [
            (
                module.name,
                module.operation,
                ", ".join(module.inputs),
                str(module.shape),
                short(module.value),
                short(module.gradient),
            )
            for module in self
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        rows.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(rows)

    def __repr__(self) -> str:
        return str(self)


def describe(f: Node) -> Description:
    """List the modules that a node is computed from.

    Parameters
    ----------
    f : Node
        The node where the graph ends.

    Returns
    -------
    description : Description
        The modules in topological order, `f` last. Print it for a table of name, operation, inputs,
        shape, value and gradient; of a long array it shows the smallest and the largest element.

    Raises
    ------
    TypeError
        If `f` is not a node.
    """
    if not isinstance(f, Node):
        raise TypeError(f"f must be a node of a graph; got {f!r}.")
    cores = f._core.order()
    names = dict(zip(cores, unique_names(cores), strict=True))
    return Description(
        [
            Module(
                names[core],
                core.operation,
                tuple(names[node] for node in core.inputs),
                core.shape,
                core.value,
                core.grad,
            )
            for core in cores
        ]
    )


def unique_names(cores: "Sequence[_GraphNode]") -> list[str]:
    """Return the names given; nodes without one are called by their operation, and numbered."""
    unnamed = [core.operation for core in cores if not core.name]
    seen: dict[str, int] = {}
    names = []
    for core in cores:
        operation = core.operation
        if core.name:
            names.append(core.name)
        elif unnamed.count(operation) == 1:
            names.append(operation)
        else:
            seen[operation] = seen.get(operation, 0) + 1
            names.append(f"{operation}_{seen[operation]}")
    return names


def short(value: Value | None, longest: int = 4, digits: int = 4) -> str:
    """Write a value in a few characters: elements as long as there are few, otherwise the range."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if value.size > longest:
        return f"{value.min():.{digits}g} .. {value.max():.{digits}g}"
    return _written(value.tolist(), digits)


def _written(value: float | list[Any], digits: int) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_written(item, digits) for item in value)}]"
    return f"{value:.{digits}g}"
