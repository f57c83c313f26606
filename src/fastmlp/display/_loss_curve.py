"""The curves of a training."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp.display._axes import make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class LossCurveDisplay:
    """The loss of each epoch, and the loss and the score on a validation set.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        The training loss.
    validation_loss : array-like of shape (n_epochs,), default=None
        The loss on a validation set, NaN where there was none.
    score : array-like of shape (n_epochs,), default=None
        The score on a validation set, likewise; it has an axis of its own.
    score_name : str, default='validation score'
        What the score is.
    best_epoch : int, default=None
        The epoch, counted from 1, whose weights were kept.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the losses.
    figure_ : matplotlib Figure
        The figure.
    score_ax_ : matplotlib Axes or None
        The axes of the score, if there is one.
    line_, validation_line_, score_line_, best_line_ : matplotlib Line2D or None
        The curves, and the mark of the best epoch.

    Examples
    --------
    >>> from fastmlp.display import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], [1.0, 0.7, 0.8], best_epoch=2)
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"
    score_ax_: "Axes | None"

    def __init__(
        self,
        loss: ArrayLike,
        validation_loss: ArrayLike | None = None,
        score: ArrayLike | None = None,
        *,
        score_name: str = "validation score",
        best_epoch: int | None = None,
    ) -> None:
        self.loss = np.asarray(loss, float)
        self.validation_loss = _numbers(validation_loss)
        self.score = _numbers(score)
        self.score_name = score_name
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
            Whether to draw what is known of a validation set too: the loss, the score, and the best
            epoch.

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
        if not validation:
            return cls(estimator.loss_curve_).plot(ax)
        loss = getattr(estimator, "history_", {}).get("val_loss")
        by_loss = getattr(estimator, "scoring", None) == "loss"  # whose score says nothing more
        display = cls(
            estimator.loss_curve_,
            None if np.isnan(loss or [np.nan]).all() else loss,
            None if by_loss else getattr(estimator, "validation_scores_", None),
            score_name=_score_name(estimator),
            best_epoch=getattr(estimator, "best_epoch_", None),
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
        self.score_ax_ = self.validation_line_ = self.score_line_ = self.best_line_ = None
        self.line_ = _curve(ax, self.loss, "C0", "training loss")
        ax.set(xlabel="epoch", ylabel="training loss")
        if self.validation_loss is not None:
            self.validation_line_ = _curve(ax, self.validation_loss, "C1", "validation loss")
            ax.set_ylabel("loss")
        if self.score is not None:
            self.score_ax_ = ax.twinx()
            self.score_line_ = _curve(self.score_ax_, self.score, "C2", self.score_name)
            self.score_ax_.set_ylabel(self.score_name)
        if self.best_epoch:
            label = f"best epoch ({self.best_epoch})"
            self.best_line_ = ax.axvline(self.best_epoch, color="0.5", linestyle=":", label=label)
        lines = [self.line_, self.validation_line_, self.score_line_, self.best_line_]
        shown = [line for line in lines if line is not None]
        if len(shown) > 1:
            # Above the curves, where none can run through it.
            ax.legend(
                handles=shown,
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
                ncols=2 if len(shown) == 4 else 3,
                frameon=False,
                fontsize="small",
                handlelength=1.4,
                columnspacing=1.0,
            )
        return self


def _numbers(values: ArrayLike | None) -> NDArray[np.float64] | None:
    return None if values is None else np.asarray(values, float)


def _score_name(estimator: Any) -> str:
    """Return what the validation scores of an estimator are."""
    scoring = getattr(estimator, "scoring", None)
    if scoring is None:
        return "validation accuracy" if hasattr(estimator, "classes_") else "validation R²"
    return f"validation {scoring}" if isinstance(scoring, str) else "validation score"


def _curve(ax: "Axes", values: Any, colour: str, label: str) -> Any:
    """Draw a value per epoch; a single epoch as a dot."""
    marker = "o" if len(values) == 1 else None
    epochs = range(1, len(values) + 1)
    return ax.plot(epochs, values, color=colour, marker=marker, label=label)[0]
