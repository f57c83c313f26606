"""A computation graph as a picture, from left to right; needs matplotlib, the extra `plot`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastmlp.graph._describe import Module, describe, short
from fastmlp.graph._node import Node, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VALUE_COLOUR = "#1a7f37"
_GRADIENT_COLOUR = "#cf222e"
_SYMBOLS = {
    "negate": "$-$",
    "add": "$+$",
    "subtract": "$-$",
    "multiply": r"$\times$",
    "divide": "$/$",
    "power": "$x^y$",
    "square": "$x^2$",
    "sum": r"$\Sigma$",
    "matmul": "@",
}
_LAYER_GAP, _SLOT_GAP = 3.4, 1.4  # between the centres of boxes
_BOX, _STEM = 0.65, 2.3  # half the width of a box; where the line behind it forks


@dataclass(frozen=True)
class Layout:
    """Where things go.

    Attributes
    ----------
    positions : list of (float, float)
        The centre of each node.
    routes : list of list of (float, float)
        For each pair (input, node) in turn, the points that its line goes through.
    """

    positions: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]


def draw(f: Node, ax: "Axes | None" = None) -> "Axes":
    """Draw the modules that a node is computed from.

    Lines carry the value of the module that they come from above, and the gradient by it below.

    Parameters
    ----------
    f : Node
        The node where the graph ends.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax : matplotlib Axes
        The picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `f` is not a node.
    """
    plt = _pyplot()
    modules = describe(f)
    layout = lay_out(_input_numbers(f))
    xs, ys = zip(*layout.positions, strict=True)
    if ax is None:
        width, height = max(xs) + 2 * _LAYER_GAP, max(ys) - min(ys) + 2 * _SLOT_GAP
        _, ax = plt.subplots(figsize=(0.55 * width, 0.55 * height), layout="constrained")
    for route in layout.routes:
        ax.plot(*zip(*route, strict=True), color="0.5", linewidth=1, zorder=1)
    for module, (x, y) in zip(modules, layout.positions, strict=True):
        _draw_module(ax, x, y, module)
        _draw_stem(ax, x, y, module)
    ax.set_xlim(min(xs) - 2 * _BOX, max(xs) + _LAYER_GAP)
    ax.set_ylim(min(ys) - _SLOT_GAP, max(ys) + _SLOT_GAP)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("graph.draw needs matplotlib: pip install 'fastmlp[plot]'.") from error
    return plt


def _input_numbers(f: Node) -> list[list[int]]:
    """Return for each node the places of its inputs in topological order."""
    cores = f._core.order()
    number = {core: i for i, core in enumerate(cores)}
    return [[number[node] for node in core.inputs] for core in cores]


def _draw_module(ax: "Axes", x: float, y: float, module: Module) -> None:
    from matplotlib.patches import FancyBboxPatch

    symbol = _SYMBOLS.get(module.operation, "")
    text = symbol or (module.operation if module.inputs else module.name)
    box = FancyBboxPatch(
        (x - _BOX, y - 0.5),
        2 * _BOX,
        1.0,
        boxstyle=f"round,pad=0,rounding_size={0.5 if module.inputs else 0.1}",
        facecolor="white",
        edgecolor="0.3",
    )
    ax.add_patch(box)
    size = 11 if symbol or len(text) < 5 else 9 if len(text) < 9 else 6
    ax.text(x, y, text, ha="center", va="center", fontsize=size)


def _draw_stem(ax: "Axes", x: float, y: float, module: Module) -> None:
    """Draw the line behind a module, with value and gradient."""
    ax.plot([x + _BOX, x + _STEM], [y, y], color="0.5", linewidth=1, zorder=1)
    middle = x + (_BOX + _STEM) / 2
    _write(ax, middle, y + 0.08, _label(module.value), "bottom", _VALUE_COLOUR)
    if module.gradient is not None:
        _write(ax, middle, y - 0.1, _label(module.gradient), "top", _GRADIENT_COLOUR)


def _label(value: Value | None) -> str:
    return short(value, longest=2, digits=4 if isinstance(value, float) else 2)


def _write(ax: "Axes", x: float, y: float, text: str, side: Any, colour: str) -> None:
    ax.text(x, y, text, ha="center", va=side, fontsize=8 if len(text) < 8 else 6, color=colour)


def lay_out(inputs: Sequence[Sequence[int]]) -> Layout:
    """Place the nodes of a graph in layers, from left to right.

    A line that passes a layer has a place of its own there, so no two boxes meet, and no line runs
    through a box.

    Parameters
    ----------
    inputs : sequence of sequences of int
        The numbers of each node's inputs, all smaller than its own.
    """
    layer = _layers(inputs)
    columns: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for node, at in enumerate(layer):
        columns[at].append(node)
    below: dict[int, list[int]] = {node: [] for node in range(len(inputs))}
    chains = []  # the items of each line: input, places in between, node
    n_items = len(inputs)
    for node, sources in enumerate(inputs):
        for source in sources:
            chain = [source]
            for at in range(layer[source] + 1, layer[node]):
                columns[at].append(n_items)
                below[n_items] = [chain[-1]]
                chain.append(n_items)
                n_items += 1
            below[node].append(chain[-1])
            chains.append([*chain, node])
    _untangle(columns, below)
    place = {
        item: (at * _LAYER_GAP, ((len(column) - 1) / 2 - slot) * _SLOT_GAP)
        for at, column in enumerate(columns)
        for slot, item in enumerate(column)
    }
    return Layout(
        [place[node] for node in range(len(inputs))],
        [_route([place[item] for item in chain]) for chain in chains],
    )


def _layers(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Return one more than the largest layer of the inputs; leaves stand right before their use."""
    layer: list[int] = []
    for sources in inputs:
        layer.append(1 + max((layer[source] for source in sources), default=-1))
    for leaf, sources in enumerate(inputs):
        used_in = [layer[node] for node, others in enumerate(inputs) if leaf in others]
        if not sources and used_in:
            layer[leaf] = min(used_in) - 1
    return layer


def _untangle(columns: list[list[int]], below: dict[int, list[int]]) -> None:
    """Order each layer by the mean place of its neighbours, forwards and backwards in turn."""
    above: dict[int, list[int]] = {item: [] for item in below}
    for item, sources in below.items():
        for source in sources:
            above[source].append(item)
    for sweep in range(8):
        neighbours = above if sweep % 2 == 0 else below
        for column in reversed(columns) if sweep % 2 == 0 else columns:
            place = {
                item: slot - (len(other) - 1) / 2
                for other in columns
                for slot, item in enumerate(other)
            }
            mean = {
                item: sum(place[n] for n in neighbours[item]) / len(neighbours[item])
                if neighbours[item]
                else place[item]
                for item in column
            }
            column.sort(key=mean.__getitem__)


def _route(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the line from the fork behind the first point to the box around the last."""
    route = [(points[0][0] + _STEM, points[0][1])]
    for x, y in points[1:-1]:
        route += [(x - _BOX, y), (x + _STEM, y)]
    route.append((points[-1][0] - _BOX, points[-1][1]))
    return route
