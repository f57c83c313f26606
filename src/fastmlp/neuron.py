"""The neuron of McCulloch and Pitts: weights and a threshold, set by hand; nothing is learnt."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_array
from sklearn.utils._param_validation import Interval

from fastmlp._checks.arrays import naming_text
from fastmlp._checks.content import refuse_unfit


class McCullochPitts(ClassifierMixin, BaseEstimator):
    """Neuron of McCulloch and Pitts: fires when the weighted sum of its inputs is large enough.

    The output is 1 where ``x @ weights >= threshold`` and 0 elsewhere. Weights and threshold are
    given, as in [1]_, where a neuron computes a truth function; there is no learning.

    Parameters
    ----------
    weights : array-like of shape (n_inputs,)
        The weight of each input. Negative weights inhibit.
    threshold : float
        The smallest weighted sum at which the neuron fires.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The outputs: 0 (silent) and 1 (fires).

    See Also
    --------
    Perceptron : Threshold units that learn their weights.

    References
    ----------
    .. [1] W. S. McCulloch and W. Pitts, "A logical calculus of the ideas immanent in nervous
       activity", Bulletin of Mathematical Biophysics 5, 1943.

    Examples
    --------
    >>> from fastmlp import McCullochPitts
    >>> McCullochPitts.logic("and").predict([[0, 0], [0, 1], [1, 0], [1, 1]])
    array([0, 0, 0, 1])
    >>> at_least_two_of_three = McCullochPitts([1, 1, 1], threshold=2)
    >>> at_least_two_of_three.predict([[1, 0, 0], [1, 0, 1]])
    array([0, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "weights": ["array-like"],
        "threshold": [Interval(Real, None, None, closed="neither")],
    }

    def __init__(self, weights: Any, threshold: float) -> None:
        self.weights = weights
        self.threshold = threshold

    @classmethod
    def logic(cls, gate: str, n_inputs: int | None = None) -> Self:
        """Make the neuron of a logic gate, for inputs 0 and 1.

        Parameters
        ----------
        gate : {'and', 'or', 'not'}
            The truth function.
        n_inputs : int, default=None
            The number of inputs; None takes 2, and 1 for 'not', which can have no more.

        Returns
        -------
        neuron : McCullochPitts
            The neuron that computes it.

        Raises
        ------
        ValueError
            If the gate is unknown or can't have so many inputs.
        """
        if gate not in ("and", "or", "not"):
            raise ValueError(f"gate must be 'and', 'or' or 'not'; got {gate!r}.")
        count = (1 if gate == "not" else 2) if n_inputs is None else n_inputs
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
            raise ValueError(f"n_inputs must be a positive integer; got {n_inputs!r}.")
        if gate == "not":
            if count != 1:
                raise ValueError(f"'not' has one input; got n_inputs={n_inputs}.")
            return cls([-1.0], threshold=0.0)
        return cls([1.0] * int(count), threshold=float(count) if gate == "and" else 1.0)

    @property
    def classes_(self) -> NDArray[Any]:
        """The outputs: 0 (silent) and 1 (fires)."""
        return np.array([0, 1])

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and inputs; there is nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            The inputs.
        y : object, default=None
            Ignored; here for pipelines and searches.

        Returns
        -------
        self : object
            The same neuron, unchanged.

        Raises
        ------
        ValueError
            If a parameter is not valid, or `X` has not one column per weight.
        """
        self.decision_function(X)
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Compute how far the weighted sum is above the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            The inputs.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``X @ weights - threshold``; the neuron fires where it is 0 or more.

        Raises
        ------
        ValueError
            If a parameter is not valid, or `X` has not one column per weight.
        """
        self._validate_params()
        weights = check_array(self.weights, dtype=np.float64, ensure_2d=False, input_name="weights")
        if weights.ndim != 1:
            raise ValueError(f"weights must have shape (n_inputs,); got {weights.shape}.")
        refuse_unfit("X", X)
        with naming_text(X):
            X = check_array(X, dtype=np.float64, estimator=self, input_name="X")
        if X.shape[1] != len(weights):
            raise ValueError(
                f"X has {X.shape[1]} features, but McCullochPitts has {len(weights)} weights."
            )
        decision: NDArray[Any] = X @ weights - float(self.threshold)
        return decision

    def predict(self, X: Any) -> NDArray[Any]:
        """Tell for each sample whether the neuron fires.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            The inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            1 where the weighted sum reaches the threshold, otherwise 0.

        Raises
        ------
        ValueError
            If a parameter is not valid, or `X` has not one column per weight.
        """
        return (self.decision_function(X) >= 0).astype(np.intp)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.classifier_tags.multi_class = False
        return tags
