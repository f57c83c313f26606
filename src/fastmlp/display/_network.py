"""The layers of a network as a diagram."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from sklearn.utils.validation import check_is_fitted

from fastmlp._model.architecture import LayerPlan
from fastmlp._model.model import Model
from fastmlp.display._axes import make_axes
from fastmlp.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_SHOWN = 7  # places for units in a diagram; dots are in the middle one if there are more units
_RADIUS, _LINE = 0.26, 0.34  # of a unit and of a line of text in a diagram; units are 1 apart


class NetworkDisplay:
    """A diagram of a network: its layers from left to right, with units and activations.

    Parameters
    ----------
    units : sequence of int
        The number of inputs, then that of the units in each layer.
    notes : sequence of str
        What is written below each of them, in lines.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from fastmlp.display import NetworkDisplay
    >>> display = NetworkDisplay([4, 3, 1], ["", "relu", "logistic"])
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def __init__(self, units: Sequence[int], notes: Sequence[str]) -> None:
        self.units = [int(n) for n in units]
        self.notes = list(notes)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: "Axes | None" = None) -> Self:
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier, MLPRegressor or Network
            The fitted estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : NetworkDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `estimator` is none of these.
        """
        if not isinstance(estimator, Network):
            check_is_fitted(estimator)
        model = getattr(estimator, "_model", None)
        if not isinstance(model, Model):
            raise TypeError(
                f"estimator must be an MLPClassifier, MLPRegressor or Network; got {estimator!r}."
            )
        plan = model.architecture
        units = [plan.n_features, *(layer.units for layer in plan.layers)]
        dropouts = [*(layer.input_dropout for layer in plan.layers), 0.0]
        activations = ["", *map(_activation_note, plan.layers)]
        notes = [
            "\n".join(filter(None, [activation, f"dropout {rate:g}" if rate else ""]))
            for activation, rate in zip(activations, dropouts, strict=True)
        ]
        return cls(units, notes).plot(ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : NetworkDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        texts = [
            f"{_layer_name(i, len(self.units))}\n{n}\n{note}".rstrip()
            for i, (n, note) in enumerate(zip(self.units, self.notes, strict=True))
        ]
        longest = max(len(line) for text in texts for line in text.split("\n"))
        tallest = min(max(self.units), _SHOWN)
        column = max(2.0, 0.16 * longest)
        bottom = -tallest / 2 - 0.1
        below = _LINE * max(text.count("\n") + 1 for text in texts) + 0.2
        width, height = column * len(texts), tallest / 2 - bottom + below
        ax = make_axes("NetworkDisplay", ax, (0.5 * width, 0.5 * height))
        self.ax_, self.figure_ = ax, ax.figure
        ax.set_xlim(-column / 2, width - column / 2)
        ax.set_ylim(bottom - below, tallest / 2)
        ax.set_aspect("equal")
        ax.set_axis_off()
        self._draw_units(ax, column)
        size = min(9.0, 0.22 * _points_per_unit(ax))
        for i, text in enumerate(texts):
            ax.text(i * column, bottom, text, ha="center", va="top", fontsize=size)
        return self

    def _draw_units(self, ax: "Axes", column: float) -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.patches import Circle

        layers = [[(i * column, y) for y in _places(n)] for i, n in enumerate(self.units)]
        lines = [[a, b] for left, right in pairwise(layers) for a in left for b in right]
        ax.add_collection(LineCollection(lines, colors="0.8", linewidths=0.6, zorder=1))
        for i, (n, centres) in enumerate(zip(self.units, layers, strict=True)):
            colour = "0.9" if i == 0 else "C0" if i < len(layers) - 1 else "C1"
            for centre in centres:
                ax.add_patch(Circle(centre, _RADIUS, facecolor=colour, edgecolor="0.3", zorder=2))
            if n > _SHOWN:
                ax.text(i * column, 0, "⋮", ha="center", va="center", fontsize=12)


def _places(n: int) -> list[float]:
    """Return the heights of the units drawn, from the top."""
    heights = [(min(n, _SHOWN) - 1) / 2 - i for i in range(min(n, _SHOWN))]
    return heights if n <= _SHOWN else [y for y in heights if y]


def _points_per_unit(ax: "Axes") -> float:
    """Return the size of a unit of the data, in points, once the figure is laid out."""
    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()
    return float(ax.transData.get_matrix()[0, 0]) * 72 / figure.dpi


def _layer_name(i: int, n_layers: int) -> str:
    return "inputs" if i == 0 else "outputs" if i == n_layers - 1 else f"hidden {i}"


def _activation_note(layer: LayerPlan) -> str:
    if isinstance(layer.activation, str):
        return layer.activation
    return "\n".join(f"{units} {name}" for name, units in layer.activation)
