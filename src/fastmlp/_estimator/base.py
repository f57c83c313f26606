"""What the classifier and the regressor share: parameters, fit, outputs, pickling."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from itertools import chain
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import InvalidParameterError, StrOptions
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.arrays import LARGEST_COUNT, check_arrays
from fastmlp._checks.names import did_you_mean
from fastmlp._checks.sklearn import DOC_PAGE, fit_context
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._core import GIVE_OUTPUTS
from fastmlp._data.codec import TargetCodec
from fastmlp._data.inputs import read_inputs
from fastmlp._data.validation import GivenSet, name_sets
from fastmlp._estimator.fit import FitRun
from fastmlp._estimator.parameters import (
    PARAMETER_CONSTRAINTS,
    check_parameters,
    require_same_call,
)
from fastmlp._model.exclusive import as_it_is, changing, unchanged
from fastmlp._model.model import Model
from fastmlp._processes.group import ALONE, current_group
from fastmlp._training.record import History, Log, Record
from fastmlp._training.resuming import Begun, Resumption
from fastmlp._training.settings import CoreLoss
from fastmlp._training.sklearn_task import CallbackSupportMixin, begin_task


def plain_outputs(known: Mapping[str, Any], X: Any, give: int) -> NDArray[Any] | None:
    """Return what the core is to give of each row of a plain array; None for anything else.

    The array is checked on the way through the network, a block at a time. `known` are the
    attributes of an estimator as they are at one moment.
    """
    if "coefs_" not in known or "feature_names_in_" in known:
        return None
    model: Model = known["_model"]
    if not model.holds(known["coefs_"], known["intercepts_"], known["slopes_"]):
        return None
    return model.network.predict_plain(X, resolve_n_jobs(known["n_jobs"]), give, True)


_POINTS, _MOST_SLOPES = 256, 10**6  # of `feature_importances_`


class BaseMLP(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the estimators; use `MLPClassifier` or `MLPRegressor`.

    The weights stand in `coefs_`, `intercepts_` and `slopes_`: the read-only arrays of `_model`, so
    that they can't drift from it. Other arrays put in their place are noticed, and count.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = PARAMETER_CONSTRAINTS
    _doc_link_module = "fastmlp"
    _doc_link_template = DOC_PAGE
    # Groups are for who splits the samples, unless somebody asks for them here.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": False}
    _codec_kind: ClassVar[Callable[..., TargetCodec]]
    label_smoothing: float = 0.0  # a parameter of the classifier
    n_jobs: int | None
    solver: str
    max_iter: int

    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    slopes_: list[NDArray[Any]]
    n_features_in_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    n_iter_: int
    t_: int
    stopped_: str
    loss_: float
    best_loss_: float | None
    best_validation_score_: float | None
    best_epoch_: int | None
    step_losses_: NDArray[np.float64]
    _model: Model
    _codec: TargetCodec
    _log: Log
    _resumption: Resumption
    _is_validated: bool

    def _keep_arguments(self, arguments: dict[str, Any]) -> None:
        """Set the arguments of `__init__` (its `locals()`) as attributes, unchanged."""
        for name, value in arguments.items():
            if name != "self":
                setattr(self, name, value)

    def _validate_params(self) -> None:
        """Check the parameters; a name that is none gets a hint at what was meant."""
        with current_group().together():
            try:
                check_parameters(self)
            except InvalidParameterError as error:
                raise InvalidParameterError(f"{error}{self._hint(str(error))}") from None

    def _hint(self, complaint: str) -> str:
        """Return what was probably meant in place of a name that is none."""
        for name, constraints in self._parameter_constraints.items():
            if f"'{name}' parameter" in complaint:
                allowed = [c.options for c in constraints if isinstance(c, StrOptions)]
                return did_you_mean(getattr(self, name), [*chain(*allowed)])
        return ""

    # What makes a classifier or a regressor of it

    @abstractmethod
    def _read_samples(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Check X and y for what needs no knowledge of earlier targets, and return them."""

    @abstractmethod
    def _learn_targets(self, y: NDArray[Any], announced: Any) -> TargetCodec:
        """Learn what the targets are, from y or as announced to partial_fit."""

    @abstractmethod
    def _output_activation(self, codec: Any) -> str:
        """Return the activation of the output layer."""

    @abstractmethod
    def _core_loss(self, codec: Any) -> CoreLoss:
        """Return the loss that the core minimises."""

    @abstractmethod
    def _monitor(self, codec: Any) -> str:
        """Return the score on a validation set, unless `scoring` says otherwise."""

    def _row_factors(self, y: NDArray[Any], codec: Any) -> NDArray[Any] | None:
        """Return what a sample weighs on account of its target; None where all weigh the same."""
        return None

    # Training

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
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Train the network on X and y.

        When it raises, the estimator is what it was before.

        A validation set given as `X_val` and `y_val` is scored after every epoch, and the weights
        of the epoch with the best score are kept, whatever ended training. What ends it is for
        `early_stopping` to say: when it is True, the stopping rule looks at this score, and no
        samples are set aside; when it is False, at the training loss, so that training takes the
        same course as without a validation set.

        Several sets are given by name, in a dict of each of `X_val`, `y_val` and, where they have
        weights, `sample_weight_val`; or in tuples, whose names are 'val', 'val_2' and so on. What
        is said above is about the first one. The others are only measured: `history_` has their
        losses as 'train_loss', say, and the `eval_metrics` of each as 'train_accuracy'.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Blocks
            The inputs. Arrays of float32, float64, bool and integers are read in place, and so are
            matrices in CSR format; other sparse ones are converted to it. `fastmlp.data.Blocks`
            hold targets and weights, too, and may be larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets: labels, or an indicator matrix of several labels per sample, for a
            classifier; numbers for a regressor. None with blocks only.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            The inputs of a validation set. In a `Pipeline` they are transformed as X is with
            ``transform_input=["X_val"]`` and metadata routing. Not for 'lbfgs'.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            The targets of the validation set; a classifier must know its labels from y.
        sample_weight_val : array-like of shape (n_val,), default=None
            The weight of each sample in the validation score; None weighs all the same.
        groups : array-like of shape (n_samples,), default=None
            What group each sample belongs to, such as a patient: `early_stopping` then sets whole
            groups aside. Not used where a validation set is given.
        coef_init : list of array-like of shape (fan_in, fan_out), default=None
            Weights to start from, one matrix per layer, in place of random ones.
        intercept_init : list of array-like of shape (fan_out,), default=None
            Biases to start from, one vector per layer, in place of random ones.
        resume_from : object, default=None
            What `fastmlp.load` read from the file of a ``Checkpoint(path, resumable=True)``: the
            training that wrote it goes on from there, with the same result as if it had not been
            cut off. Data and parameters must be those of that call of `fit`, but `max_iter`,
            `callbacks`, `verbose` and `n_jobs`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not valid, or the loss is no longer finite.
        TypeError
            If `callbacks`, `scoring` or `learning_rate` is a function of other arguments, or
            `resume_from` is no estimator of this class.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        validation = name_sets(X_val, y_val, sample_weight_val)
        start = (coef_init, intercept_init)
        return self._fit(
            X,
            y,
            sample_weight,
            validation=validation,
            groups=groups,
            start=start,
            resume_from=resume_from,
        )

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool = False,
        classes: Any = None,
        validation: Mapping[str, GivenSet] | None = None,
        groups: Any = None,
        start: tuple[Any, Any] = (None, None),
        resume_from: Any = None,
    ) -> Self:
        """Fit or go on fitting; on any error the estimator stays what it was."""
        epochs, group = int(self.max_iter), current_group()
        if group is not ALONE:
            require_same_call(
                group,
                self,
                partial_fit=incremental,
                validation=list(validation or ()),
                classes=None if classes is None else np.asarray(classes).tolist(),
                resume_from=resume_from is not None,
            )
        with group.together():
            led = group.leads and not incremental
            task = begin_task(self, X, y, sample_weight, epochs) if led else None
        with group.fitting(), changing(self) as (copy, publish):
            FitRun(
                copy,
                X,
                y,
                sample_weight,
                incremental=incremental,
                classes=classes,
                validation=validation or {},
                groups=groups,
                start=start,
                begun=Begun.of(copy, resume_from),
                task=task,
            ).run()
            publish()
            if task is not None:
                task.end()
        return self

    def _require_fit(self, attribute: str) -> None:
        """Say that an attribute is missing before fit."""
        if "_log" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {attribute!r}: it is not fitted."
            )

    @property
    def history_(self) -> History:
        """What each epoch came to: a list by name, of the caller's own."""
        self._require_fit("history_")
        return self._log.history()

    @property
    def loss_curve_(self) -> list[float]:
        """The training loss of each epoch, in a list of the caller's own."""
        self._require_fit("loss_curve_")
        return self._log.column("loss")

    @property
    def validation_scores_(self) -> list[float] | None:
        """The validation score of each epoch, or None without a validation set."""
        self._require_fit("validation_scores_")
        return self._log.column("val_score") if self._is_validated else None

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """How strongly each input moves the outputs, of shape (n_features,); they add up to 1.

        The mean absolute gradient of the outputs by the inputs, at points drawn from the normal
        distribution. Like coefficients of a linear model they compare features of the same spread:
        scale the inputs before, as training wants it, too.
        """
        self._require_fit("feature_importances_")
        model = as_it_is(self)._ready_model()
        n_features, n_outputs = model.architecture.n_features, model.architecture.layers[-1].units
        n_points = int(np.clip(_MOST_SLOPES // (n_features * n_outputs), 1, _POINTS))
        points = np.random.default_rng(0).normal(size=(n_points, n_features))
        try:
            slopes = model.network.input_gradients(points, resolve_n_jobs(self.n_jobs))
        except ValueError as error:  # whoever looks at all attributes is not to fall over this one
            raise AttributeError(
                f"There are no feature_importances_: at points drawn from the normal distribution, "
                f"{error}"
            ) from error
        mean: NDArray[np.float64] = np.abs(slopes).mean(axis=(0, 1), dtype=float)
        return mean / (mean.sum() or 1.0)

    def _become(self, codec: TargetCodec, model: Model, record: Record) -> None:
        """Become the fitted estimator of these: the one place that puts one together."""
        output = model.architecture.layers[-1]
        self.__dict__.update(record.attributes() | codec.attributes())
        self.__dict__.pop("_resumption", None)
        self._codec = codec
        self.n_features_in_ = model.architecture.n_features
        self.n_layers_ = len(model.architecture.layers) + 1
        self.n_outputs_, self.out_activation_ = output.units, str(output.activation)
        self._show(model.with_params())

    def _show(self, model: Model) -> None:
        """Take a model whose weights become the attributes."""
        assert model.params is not None
        self._model = model
        self.coefs_, self.intercepts_, self.slopes_ = map(list, model.params)

    def _present_codec(self) -> TargetCodec:
        """Return what was learnt of the targets, and set since."""
        return self._codec

    def _forget_training(self) -> None:
        """Let the next step begin with a new optimizer, from the weights as they are."""
        if "_model" in vars(self):
            self._model = self._model.without_trainer()

    # Outputs

    def _ready_model(self) -> Model:
        """Return a model with the present weights."""
        model, plan = self._model, self._model.architecture
        if model.holds(self.coefs_, self.intercepts_, self.slopes_):
            return model
        params = (
            check_arrays("coefs_", self.coefs_, plan.coef_shapes, plan.dtype),
            check_arrays("intercepts_", self.intercepts_, plan.intercept_shapes, plan.dtype),
            check_arrays("slopes_", self.slopes_, plan.slope_shapes, plan.dtype),
        )
        return Model.of(plan, params, model.mask_seed)

    def _read_inputs(self, X: Any) -> NDArray[Any]:
        """Return X as the core reads it."""
        if "coefs_" not in vars(self):
            check_is_fitted(self)
        return read_inputs(X, self._model.architecture, self)

    def _outputs(self, X: Any, give: int = GIVE_OUTPUTS) -> NDArray[Any]:
        """Return what the core is to give of each row.

        The type is float32 only where both the network's and that of X are, and otherwise float64.
        """
        outputs = plain_outputs(vars(self), X, give)
        if outputs is not None:
            return outputs
        X = self._read_inputs(X)
        return self._ready_model().network.predict(X, resolve_n_jobs(self.n_jobs), give, True)

    def _mask_averages(
        self,
        X: Any,
        dropout_samples: Any,
        return_std: bool,
        read: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
        """Return the mean over masks of the outputs, or of what `read` makes of them, and their
        spread if asked for; None without masks."""
        if dropout_samples is None:
            if return_std:
                raise ValueError("return_std=True needs dropout_samples; got None.")
            return None
        is_count = isinstance(dropout_samples, Integral) and not isinstance(dropout_samples, bool)
        if not is_count or not 1 <= dropout_samples <= LARGEST_COUNT:
            raise ValueError(
                f"dropout_samples must be None or an int >= 1 and < 2**63; got {dropout_samples!r}."
            )
        narrow = getattr(X, "dtype", None) == np.float32
        X = self._read_inputs(X)
        model = self._ready_model()
        n_threads = resolve_n_jobs(self.n_jobs)
        mean, std = model.masked_outputs(X, int(dropout_samples), n_threads, read)
        narrow = narrow and model.architecture.dtype == "float32"
        dtype = np.float32 if narrow else np.float64
        return mean.astype(dtype), std.astype(dtype) if return_std else None

    def forward(self, X: Any) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Compute every layer's values.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        zs : list of ndarray of shape (n_samples, units)
            The pre-activations ``x @ w + b`` of each layer, the output layer last.
        ys : list of ndarray of shape (n_samples, units)
            The activations of each layer, the output layer last.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        X = model._read_inputs(X)
        return model._ready_model().network.forward(X, resolve_n_jobs(self.n_jobs))

    def input_gradients(self, X: Any) -> NDArray[Any]:
        """Compute how each output changes with each input: its gradient at each sample.

        Outputs are what `predict` of a regressor gives (with ``loss='gaussian'`` also the
        logarithms of the variances, behind all means; quantiles are not sorted), and the
        probabilities of a classifier's classes, of the second one where there are two (with
        ``loss='hinge'`` the margins). Where units differ, a gradient times the standard deviation
        of the feature can be compared between features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        gradients : ndarray of shape (n_samples, n_features)
            The partial derivatives, of the network's dtype; of shape (n_samples, n_outputs,
            n_features) where there are several outputs.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        X = model._read_inputs(X)
        found = model._ready_model().network.input_gradients(X, resolve_n_jobs(self.n_jobs))
        return found[:, 0] if found.shape[1] == 1 else found

    # What scikit-learn and pickle ask for

    def __getstate__(self) -> dict[str, Any]:
        """Return plain types, so that whoever has to trust them need not know ours."""
        with unchanged(self, "pickle"):
            state = dict(super().__getstate__())
            if "_model" in state:  # its weights are pickled as `coefs_` and so on
                state["_model"] = state["_model"].state()
                state["_codec"] = dict(vars(state["_codec"]))
                state["_log"] = state["_log"].history()
            if "_resumption" in state:
                state["_resumption"] = dict(vars(state["_resumption"]))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_model" in state:
            self._codec = self._codec_kind(**state["_codec"])
            self._log = Log.of(state["_log"])
            if "_resumption" in state:
                self._resumption = Resumption(**state["_resumption"])
            params = (self.coefs_, self.intercepts_, self.slopes_)
            self._show(Model.restored(state["_model"], params))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
