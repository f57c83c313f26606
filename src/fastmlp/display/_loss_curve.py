"""The curves of a training."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from fastmlp.display._axes import make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


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
        ax = make_axes("LossCurveDisplay", ax)
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
