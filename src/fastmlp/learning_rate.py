"""The range test of learning rates: what rate to begin with."""

from collections.abc import Iterator
from itertools import islice
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import _num_samples

from fastmlp._checks.arrays import NonFiniteError
from fastmlp._checks.content import plain_array
from fastmlp._data.class_weight import class_factors
from fastmlp._data.missing import put_back, set_apart
from fastmlp._data.weights import check_weights
from fastmlp._processes.group import refuse_group
from fastmlp._training.settings import resolve_batch_size
from fastmlp.classifier import MLPClassifier
from fastmlp.display._axes import make_axes
from fastmlp.regressor import MLPRegressor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STEPS = 10**6  # there is a rate for each

__all__ = ["LearningRateSearch", "find_learning_rate"]


class LearningRateSearch(NamedTuple):
    """What `find_learning_rate` found.

    Attributes
    ----------
    rates : ndarray of shape (n_steps,)
        The rate of each step; fewer than asked for where the loss blew up.
    losses : ndarray of shape (n_steps,)
        The loss of each step's mini-batch, with the penalty, before the step.
    suggestion : float
        The rate at which the loss, smoothed, fell fastest.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the losses over the rates, and the suggestion.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ax : matplotlib Axes
            The axes with the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = make_axes("LearningRateSearch.plot", ax)
        ax.plot(self.rates, self.losses)
        ax.axvline(self.suggestion, color="C1", linestyle="--", label=f"{self.suggestion:.2g}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss of the mini-batch")
        ax.legend(title="suggestion")
        return ax


def find_learning_rate(
    estimator: MLPClassifier | MLPRegressor,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
) -> LearningRateSearch:
    """Train with a rate that rises from step to step, and see where the loss falls fastest.

    This is the range test of learning rates [1]_. A copy of the estimator is trained from new
    weights for `steps` mini-batches, with rates from `low` to `high` in equal ratios, and ends
    early when the loss is no longer finite, or four times what it was. The estimator itself stays
    as it is.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The network and the solver, fitted or not.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets.
    sample_weight : array-like of shape (n_samples,), default=None
        The weight of each sample; None weighs all the same.
    low : float, default=1e-6
        The first rate.
    high : float, default=1.0
        The last rate.
    steps : int, default=100
        The number of steps, from 10 to a million.

    Returns
    -------
    search : LearningRateSearch
        The rates, the losses, and a suggestion for `learning_rate_init`: the rate of the steepest
        descent of the loss over the logarithm of the rate, after smoothing by a Gaussian of one
        25th of the range. Look at the curve: of two rates that do, the larger trains faster.

    Raises
    ------
    TypeError
        If `estimator` is of another class.
    ValueError
        If an argument is not valid, or the solver is 'lbfgs', which has no learning rate.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017,
       section 3.3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastmlp import MLPClassifier, find_learning_rate
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(random_state=0)
    >>> search = find_learning_rate(model, X / 16, y)
    >>> model = model.set_params(learning_rate_init=search.suggestion)
    """
    refuse_group("The runs of find_learning_rate")
    _check(estimator, low, high, steps)
    rates = np.geomspace(low, high, int(steps))
    model = clone(estimator).set_params(
        learning_rate=lambda epoch: float(rates[epoch]),
        early_stopping=False,
        callbacks=None,
        verbose=0,
    )
    options = {}
    if isinstance(model, MLPClassifier):
        filled, missing = set_apart(y)
        filled = plain_array("y", filled)
        options["classes"] = unique_labels(filled)
        y = put_back(filled, missing)
        if model.class_weight == "balanced":  # of all samples, which no step sees
            balance = class_factors("balanced", np.asarray(y), options["classes"])
            sample_weight = balance if sample_weight is None else balance * sample_weight
            model.set_params(class_weight=None)
    if sample_weight is not None:
        sample_weight = check_weights("sample_weight", sample_weight, _num_samples(X))
    losses = _train(model, indexable(X, y, sample_weight), options, rates)
    rates = rates[: len(losses)]
    return LearningRateSearch(rates, losses, float(rates[_steepest(losses, 0.04 * steps)]))


def _check(estimator: Any, low: Any, high: Any, steps: Any) -> None:
    if not isinstance(estimator, MLPClassifier | MLPRegressor):
        raise TypeError(f"estimator must be an MLPClassifier or MLPRegressor; got {estimator!r}.")
    if estimator.solver == "lbfgs":
        raise ValueError("solver='lbfgs' has no learning rate.")
    numbers = isinstance(low, Real) and isinstance(high, Real)
    if not numbers or not 0 < float(low) < float(high) < np.inf:
        raise ValueError(f"low and high must be 0 < low < high < infinity; got {low!r}, {high!r}.")
    if not isinstance(steps, Integral) or int(steps) < 10:
        raise ValueError(f"steps must be an integer >= 10; got {steps!r}.")
    if int(steps) > _MOST_STEPS:
        raise ValueError(f"steps must be at most {_MOST_STEPS}; got {steps!r}.")


def _train(
    model: Any, data: list[Any], options: dict[str, Any], rates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the losses of the steps, up to where they blow up."""
    losses: list[float] = []
    rows_of_weight = np.arange(_num_samples(data[0]))
    if data[2] is not None:  # the others are as if they were not there
        rows_of_weight = np.flatnonzero(data[2])
    for rows in islice(_batches(model, rows_of_weight), len(rates)):
        batch = [part if part is None else _safe_indexing(part, rows) for part in data]
        try:
            model.partial_fit(*batch, **options)
        except NonFiniteError:
            if len(losses) < 2:
                raise
            break
        options = {}
        losses.append(model.loss_)
        if losses[-1] > losses[0] + 3 * abs(losses[0]):
            break
    return np.array(losses)


def _batches(model: Any, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield mini-batches of equal size of these rows without end, shuffled every epoch."""
    random_state = check_random_state(model.random_state)
    size = resolve_batch_size(model.batch_size, len(rows))
    while True:
        order = rows[random_state.permutation(len(rows))]
        for first in range(0, len(rows) - size + 1, size):
            yield order[first : first + size]


def _steepest(losses: NDArray[np.float64], width: float) -> int:
    """Return the step of the steepest descent before the lowest point of the smoothed curve."""
    smooth, slope = (
        gaussian_filter1d(losses, width, order=order, mode="nearest") for order in (0, 1)
    )
    return int(np.argmin(slope[: int(np.argmin(smooth)) + 1]))
