"""The weights of a layer as images."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp.display._axes import make_axes
from fastmlp.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


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
        ax = make_axes("WeightsDisplay", ax)
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
