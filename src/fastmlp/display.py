"""Pictures of estimators, in the manner of scikit-learn's displays; they need matplotlib, the
extra `plot`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp._architecture import LayerPlan
from fastmlp.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_SHOWN = 7  # places for units in a diagram; dots are in the middle one if there are more units
_RADIUS, _LINE = 0.26, 0.34  # of a unit and of a line of text in a diagram; units are 1 apart


def _make_axes(name: str, ax: "Axes | None", size: tuple[float, float] | None = None) -> "Axes":
    """Return the axes given, or those of a new figure."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'fastmlp[plot]'.") from error
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


class LossCurveDisplay:
    """The loss of each epoch, and the score on a validation set.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        The training loss.
    validation : array-like of shape (n_epochs,), default=None
        The score or the loss on a validation set, NaN where there is none.
    validation_name : str, default='validation score'
        What `validation` is. Where this is 'validation loss', it shares the axis of the training
        loss; a score has an axis of its own.
    best_epoch : int, default=None
        The epoch, counted from 1, whose weights were kept.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the training loss.
    figure_ : matplotlib Figure
        The figure.
    validation_ax_ : matplotlib Axes or None
        The axes of the validation curve, if there is one.
    line_, validation_line_, best_line_ : matplotlib Line2D or None
        The curves, and the mark of the best epoch.

    Examples
    --------
    >>> from fastmlp.display import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], [0.6, 0.8, 0.7], best_epoch=2)
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"
    validation_ax_: "Axes | None"

    def __init__(
        self,
        loss: ArrayLike,
        validation: ArrayLike | None = None,
        *,
        validation_name: str = "validation score",
        best_epoch: int | None = None,
    ) -> None:
        self.loss = np.asarray(loss, float)
        self.validation = None if validation is None else np.asarray(validation, float)
        self.validation_name = validation_name
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: "Axes | None" = None, validation: bool = True
    ) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor
            The fitted estimator; scikit-learn's own will do as well.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        validation : bool, default=True
            Whether to draw the validation curve and the best epoch too, if there are.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If the estimator keeps no loss of the epochs.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(f"estimator must have a loss_curve_; got {estimator!r}.")
        scores = getattr(estimator, "validation_scores_", None) if validation else None
        name, sign = _score_name(estimator)
        display = cls(
            estimator.loss_curve_,
            None if scores is None else sign * np.asarray(scores, float),
            validation_name=name,
            best_epoch=getattr(estimator, "best_epoch_", None) if validation else None,
        )
        return display.plot(ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = _make_axes("LossCurveDisplay", ax)
        self.ax_, self.figure_ = ax, ax.figure
        self.validation_ax_ = self.validation_line_ = self.best_line_ = None
        (self.line_,) = _curve(ax, self.loss, "C0", "training loss")
        ax.set(xlabel="epoch", ylabel="training loss")
        if self.validation is not None:
            self._plot_validation(ax)
        if self.best_epoch:
            label = f"best epoch ({self.best_epoch})"
            self.best_line_ = ax.axvline(self.best_epoch, color="0.5", linestyle=":", label=label)
        lines = [self.line_, self.validation_line_, self.best_line_]
        if any(lines[1:]):
            shown = [line for line in lines if line is not None]
            # Above the curves, where none can run through it.
            ax.legend(
                handles=shown,
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
                ncols=3,
                frameon=False,
                fontsize="small",
                handlelength=1.4,
                columnspacing=1.0,
            )
        return self

    def _plot_validation(self, ax: "Axes") -> None:
        shared = self.validation_name == "validation loss"
        self.validation_ax_ = ax if shared else ax.twinx()
        (self.validation_line_,) = _curve(
            self.validation_ax_, self.validation, "C1", self.validation_name
        )
        self.validation_ax_.set_ylabel("loss" if shared else self.validation_name)


def _score_name(estimator: Any) -> tuple[str, int]:
    """Return what the validation scores of an estimator are, and the sign to draw them with."""
    scoring = getattr(estimator, "scoring", None)
    if scoring == "loss":
        return "validation loss", -1
    if scoring is None:
        kind = "accuracy" if hasattr(estimator, "classes_") else "R²"
        return f"validation {kind}", 1
    return f"validation {scoring}" if isinstance(scoring, str) else "validation score", 1


def _curve(ax: "Axes", values: Any, colour: str, label: str) -> Any:
    """Draw a value per epoch; a single epoch as a dot."""
    marker = "o" if len(values) == 1 else None
    return ax.plot(range(1, len(values) + 1), values, color=colour, marker=marker, label=label)


class WeightsDisplay:
    """The weights into the units of a layer, an image per unit, on one scale of colours.

    Parameters
    ----------
    images : array-like of shape (n_units, height, width)
        The weights into each unit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        All images side by side.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.display import WeightsDisplay
    >>> display = WeightsDisplay(np.ones((3, 8, 8)))
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def __init__(self, images: ArrayLike) -> None:
        self.images = np.asarray(images, float)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        layer: int = 0,
        image_shape: tuple[int, int] | None = None,
        n_units: int | None = 16,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier, MLPRegressor, Perceptron or Network
            The fitted estimator.
        layer : int, default=0
            The number of the layer, the first being 0 and the last -1.
        image_shape : (int, int), default=None
            Height and width of the images; None makes squares.
        n_units : int, default=16
            How many units to show, the first ones; None shows all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : WeightsDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no such layer, or its inputs don't fill images of this shape.
        """
        matrices = _weight_matrices(estimator)
        if not -len(matrices) <= layer < len(matrices):
            raise ValueError(f"layer must be one of {len(matrices)} layers; got {layer}.")
        if n_units is not None and n_units < 1:
            raise ValueError(f"n_units must be None or an int >= 1; got {n_units!r}.")
        w = matrices[layer]
        shape = _image_shape(len(w), image_shape)
        return cls(w.T[:n_units].reshape(-1, *shape)).plot(ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : WeightsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = _make_axes("WeightsDisplay", ax)
        self.ax_, self.figure_ = ax, ax.figure
        count, height, width = self.images.shape
        columns = _n_columns(count, height, width)
        peak = np.abs(self.images).max() or 1.0
        self.image_ = ax.imshow(
            _mosaic(self.images, columns),
            cmap="RdBu_r",
            vmin=-peak,
            vmax=peak,
            interpolation="nearest",
        )
        self.figure_.colorbar(self.image_, ax=ax, label="weight")
        rows = -(-count // columns)
        ax.set_xticks(_centres(columns, width), [f"+{i}" for i in range(columns)])
        ax.set_yticks(_centres(rows, height), [str(i * columns) for i in range(rows)])
        ax.tick_params(length=0)
        ax.set_ylabel("unit")
        ax.spines[:].set_visible(False)
        return self


def _weight_matrices(estimator: Any) -> list[NDArray[Any]]:
    """Return the weights of each layer, of shape (fan_in, fan_out)."""
    if isinstance(estimator, Network):
        return [arrays[0] for arrays in estimator.params]
    check_is_fitted(estimator)
    if hasattr(estimator, "coef_"):
        return [estimator.coef_.T]
    return [np.asarray(w) for w in estimator.coefs_]


def _image_shape(n_inputs: int, shape: tuple[int, int] | None) -> tuple[int, int]:
    if shape is None:
        side = round(n_inputs**0.5)
        shape = (side, side)
    if len(shape) != 2 or shape[0] < 1 or shape[0] * shape[1] != n_inputs:
        raise ValueError(
            f"The {n_inputs} inputs don't fill images of shape {shape}: give another image_shape."
        )
    return shape


def _n_columns(count: int, height: int, width: int) -> int:
    """Return how many images go side by side, for a picture about as high as wide."""
    return min(count, max(1, round(float((count * height / width) ** 0.5))))


def _mosaic(images: NDArray[Any], columns: int) -> NDArray[Any]:
    """Put images side by side, one pixel of nothing between them."""
    count, height, width = images.shape
    rows = -(-count // columns)
    mosaic = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def _centres(count: int, size: int) -> list[float]:
    return [i * (size + 1) + (size - 1) / 2 for i in range(count)]


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
        plan = getattr(estimator, "_architecture", None)
        if plan is None:
            raise TypeError(
                f"estimator must be an MLPClassifier, MLPRegressor or Network; got {estimator!r}."
            )
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
        ax = _make_axes("NetworkDisplay", ax, (0.5 * width, 0.5 * height))
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
