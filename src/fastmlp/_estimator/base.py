"""What the classifier and the regressor share: parameters, checks, and the guard around a fit."""

from abc import abstractmethod
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from fastmlp._checks.arrays import check_arrays, check_count, check_range
from fastmlp._checks.names import did_you_mean
from fastmlp._checks.sklearn import fit_context
from fastmlp._data.weights import check_weights, scale_weights
from fastmlp._estimator.fitting import TrainedEstimator
from fastmlp._estimator.parameters import (
    COUNTS,
    PARAMETER_CONSTRAINTS,
    plan_initialisers,
    plan_layers,
)
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.exclusive import changing
from fastmlp._model.initialisers import draw_params
from fastmlp._training.run import Data, new_history
from fastmlp._training.sklearn_task import CallbackSupportMixin, FitTask, begin_task


class BaseMLP(CallbackSupportMixin, TrainedEstimator):
    """Base of the estimators; use `MLPClassifier` or `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = PARAMETER_CONSTRAINTS

    out_activation_: str

    def _keep_arguments(self, arguments: dict[str, Any]) -> None:
        """Set the arguments of `__init__` (its `locals()`) as attributes, unchanged."""
        for name, value in arguments.items():
            if name != "self":
                setattr(self, name, value)

    def _validate_params(self) -> None:
        """Check the parameters; a name that is none gets a hint at what was meant."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{self._hint(str(error))}") from None
        for name in COUNTS:
            check_count(type(self).__name__, name, getattr(self, name))

    def _hint(self, complaint: str) -> str:
        """Return what was probably meant in place of a name that is none."""
        for name, constraints in self._parameter_constraints.items():
            if f"'{name}' parameter" in complaint:
                allowed = [c.options for c in constraints if isinstance(c, StrOptions)]
                return did_you_mean(getattr(self, name), [*chain(*allowed)])
        return ""

    @abstractmethod
    def _validate_training(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        fresh: bool,
        classes: Any,
        incremental: bool,
    ) -> Data:
        """Check the samples, set what is learnt from y alone, return what the core trains on."""

    @abstractmethod
    def _validate_more(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Check X and y against those trained on, return X and the core's targets."""

    def _require_stochastic_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    @fit_context
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Self:
        """Train the network on X and y.

        When it raises, the estimator is what it was before.

        A validation set given as `X_val` and `y_val` is scored behind every epoch, and the weights
        of the epoch with the best score are kept, whatever ended training. What ends it is for
        `early_stopping` to say: when it is True, the stopping rule looks at this score, and no
        samples are set aside; when it is False, at the training loss, so that training takes the
        same course as without a validation set.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs. Arrays of float32, float64, bool and integers are read in place, and so are
            matrices in CSR format; other sparse ones are converted to it.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets: labels, or an indicator matrix of several labels per sample, for a
            classifier; numbers for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            The inputs of a validation set. In a `Pipeline` they are transformed as X is with
            ``transform_input=["X_val"]`` and metadata routing. Not for 'lbfgs'.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            The targets of the validation set; a classifier must know its labels from y.
        sample_weight_val : array-like of shape (n_val,), default=None
            The weight of each sample in the validation score; None weighs all the same.
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
        TypeError
            If `callbacks`, `scoring` or `learning_rate` is a function of other arguments.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        validation = (X_val, y_val, sample_weight_val)
        start = (coef_init, intercept_init)
        return self._fit(X, y, sample_weight, validation=validation, start=start)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool = False,
        classes: Any = None,
        validation: tuple[Any, Any, Any] = (None, None, None),
        start: tuple[Any, Any] = (None, None),
    ) -> Self:
        """Fit or go on fitting; on any error the estimator stays what it was."""
        epochs = int(self.max_iter)
        task = None if incremental else begin_task(self, X, y, sample_weight, epochs)
        with changing(self) as (copy, publish):
            copy._fit_copy(X, y, sample_weight, incremental, classes, validation, start, task=task)
            publish()
            if task is not None:
                task.end()
        return self

    def _fit_copy(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        classes: Any,
        validation: tuple[Any, Any, Any],
        start: tuple[Any, Any],
        task: FitTask | None,
    ) -> None:
        """Fit what nobody else sees yet."""
        known = vars(self)
        if "history_" in known:  # whose lists others may be reading
            self.history_ = {name: list(column) for name, column in self.history_.items()}
        fresh = "coefs_" not in known or not (self.warm_start or incremental)
        data = self._validate_training(
            X, y, sample_weight, fresh=fresh, classes=classes, incremental=incremental
        )
        random_state = check_random_state(self.random_state)
        plan = self._plan(data, fresh)
        data = self._weigh(data, plan.dtype, _name_of_weights(sample_weight))
        if "feature_names_in_" in known:
            data = replace(data, frame=X)
        given = self._validate_validation(*validation, plan.dtype)
        params = self._start(plan, random_state, fresh, *start)
        if incremental:
            self._train_one_epoch(data, plan, params, random_state)
        elif self.solver == "lbfgs":
            self._train_lbfgs(data, plan, params, random_state, task)
        else:
            self._train(data, given, plan, params, random_state, task)

    def _weigh(self, data: Data, dtype: str, argument: str) -> Data:
        """Scale the weights for a network of that type."""
        return replace(data, sample_weight=scale_weights(argument, data.sample_weight, dtype))

    def _validate_sample_weight(
        self, sample_weight: Any, X: NDArray[Any], factors: NDArray[Any] | None = None
    ) -> Any:
        """Return the weights times the factors; None where both are."""
        weight = check_weights("sample_weight", sample_weight, X.shape[0])
        if factors is None:
            return weight
        weight = factors if weight is None else weight * factors
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weight

    def _validate_validation(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, dtype: str
    ) -> Data | None:
        """Check the validation set given to fit, and return it as the core scores it."""
        if X_val is None and y_val is None and sample_weight_val is None:
            return None
        for name, value in (("X_val", X_val), ("y_val", y_val)):
            if value is None:
                raise ValueError(f"A validation set needs both X_val and y_val; {name} is missing.")
        if self.solver == "lbfgs":
            raise ValueError("X_val and y_val need a first-order solver; got solver='lbfgs'.")
        frame = X_val if "feature_names_in_" in vars(self) else None
        try:
            X, t = self._validate_more(X_val, y_val)
            check_range("X", X, dtype)
            check_range("y", t, dtype)
        except ValueError as error:
            raise ValueError(f"In X_val and y_val: {error}") from error
        weight = check_weights("sample_weight_val", sample_weight_val, X.shape[0])
        validation = self._weigh(Data(X, t, weight, frame), dtype, "sample_weight_val")
        if validation.n_rows < 2:
            raise ValueError("X_val and y_val must have at least 2 samples; got 1.")
        return validation

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
        if not fresh and (
            plan.coef_shapes != [np.shape(w) for w in self.coefs_]
            or plan.slope_shapes != [np.shape(a) for a in self.slopes_]
        ):
            raise ValueError(
                "warm_start and partial_fit go on with the weights of the previous fit: neither "
                "hidden_layer_sizes nor the number of outputs can change, nor whether activations "
                "learn."
            )
        return plan

    def _start(
        self,
        plan: Architecture,
        random_state: np.random.RandomState,
        fresh: bool,
        coef_init: Any,
        intercept_init: Any,
    ) -> Params:
        """Return the weights to start from; begin the records of a fresh fit."""
        if fresh:
            for name in ("coefs_", "intercepts_", "slopes_", "_mask_seed"):
                self.__dict__.pop(name, None)
            self._trainer = None
            self.n_layers_ = len(plan.layers) + 1
            self.t_ = 0
            self.best_loss_ = np.inf
            self.history_ = new_history()
            coefs, intercepts, slopes = draw_params(plan, random_state, *plan_initialisers(self))
        else:
            coefs = [np.asarray(w, plan.dtype) for w in self.coefs_]
            intercepts = [np.asarray(b, plan.dtype) for b in self.intercepts_]
            slopes = [np.asarray(a, plan.dtype) for a in self.slopes_]
        if coef_init is not None:
            coefs = check_arrays("coef_init", coef_init, plan.coef_shapes, plan.dtype)
        if intercept_init is not None:
            shapes = plan.intercept_shapes
            intercepts = check_arrays("intercept_init", intercept_init, shapes, plan.dtype)
        return coefs, intercepts, slopes

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _name_of_weights(sample_weight: Any) -> str:
    return "class_weight" if sample_weight is None else "sample_weight"
