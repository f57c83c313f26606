"""What the classifier and the regressor share: parameters, checks, and the guard around a fit."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from fastmlp._architecture import Architecture, Params, draw_glorot
from fastmlp._fitting import TrainedEstimator
from fastmlp._settings import PARAMETER_CONSTRAINTS, plan_layers, starting_factors
from fastmlp._training import Data, new_history
from fastmlp._validation import check_arrays, check_range


class BaseMLP(TrainedEstimator):
    """Base of the estimators; use `MLPClassifier` or `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = PARAMETER_CONSTRAINTS

    out_activation_: str

    def _keep_arguments(self, arguments: dict[str, Any]) -> None:
        """Set the arguments of `__init__` (its `locals()`) as attributes, unchanged."""
        for name, value in arguments.items():
            if name != "self":
                setattr(self, name, value)

    @abstractmethod
    def _validate_training(
        self, X: Any, y: Any, *, fresh: bool, classes: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Check X and y, set what is learnt from y alone, return X and the core's targets."""

    def _require_stochastic_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Self:
        """Train the network on X and y.

        When it raises, the estimator is what it was before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs. Arrays of float32, float64, bool and integers are read in place.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets: labels, or an indicator matrix of several labels per sample, for a
            classifier; numbers for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.
        coef_init : list of array-like of shape (fan_in, fan_out), default=None
            Weights to start from, one matrix per layer, in place of random ones.
        intercept_init : list of array-like of shape (fan_out,), default=None
            Biases to start from, one vector per layer, in place of random ones.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not valid, or the loss is no longer finite.
        """
        return self._fit(X, y, sample_weight, coef_init=coef_init, intercept_init=intercept_init)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool = False,
        classes: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Self:
        """Fit or go on fitting; on any error, put the estimator back to what it was."""
        before = dict(self.__dict__)
        try:
            fresh = "coefs_" not in before or not (self.warm_start or incremental)
            X, t = self._validate_training(X, y, fresh=fresh, classes=classes)
            data = Data(X, t, self._validate_sample_weight(sample_weight, X))
            random_state = check_random_state(self.random_state)
            plan = self._plan(data, fresh)
            coefs, intercepts = self._start(plan, random_state, fresh)
            if coef_init is not None:
                coefs = check_arrays("coef_init", coef_init, plan.coef_shapes, plan.dtype)
            if intercept_init is not None:
                intercepts = check_arrays(
                    "intercept_init", intercept_init, plan.intercept_shapes, plan.dtype
                )
            if incremental:
                self._train_one_epoch(data, plan, (coefs, intercepts), random_state)
            elif self.solver == "lbfgs":
                self._train_lbfgs(data, plan, (coefs, intercepts))
            else:
                self._train(data, plan, (coefs, intercepts), random_state)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if incremental and "coefs_" in before:
                self._discard_steps()
            raise
        return self

    def _validate_sample_weight(self, sample_weight: Any, X: NDArray[Any]) -> Any:
        if sample_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weight

    def _plan(self, data: Data, fresh: bool) -> Architecture:
        """Plan the network for the data; check that the weights of an earlier fit suit it."""
        dtype = self.dtype
        if dtype == "auto":
            dtype = "float32" if data.x.dtype == np.float32 else "float64"
            dtype = dtype if fresh else self._architecture.dtype
        check_range("X", data.x, dtype)
        check_range("y", data.t, dtype)
        layers = plan_layers(self, self.n_outputs_, self.out_activation_)
        plan = Architecture(data.x.shape[1], layers, dtype)
        if not fresh and plan.coef_shapes != [np.shape(w) for w in self.coefs_]:
            raise ValueError(
                "warm_start and partial_fit go on with the weights of the previous fit: neither "
                "hidden_layer_sizes nor the number of outputs can change."
            )
        return plan

    def _start(
        self, plan: Architecture, random_state: np.random.RandomState, fresh: bool
    ) -> Params:
        """Return the weights to start from; begin the records of a fresh fit."""
        if not fresh:
            return (
                [np.asarray(w, plan.dtype) for w in self.coefs_],
                [np.asarray(b, plan.dtype) for b in self.intercepts_],
            )
        self._trainer = None
        self.n_layers_ = len(plan.layers) + 1
        self.t_ = 0
        self.best_loss_ = np.inf
        self.history_ = new_history()
        return draw_glorot(plan, random_state, starting_factors(self), draw_intercepts=True)
