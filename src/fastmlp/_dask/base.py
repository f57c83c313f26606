"""What both estimators for dask share: the client, fit by rounds, predictions by chunk, copies."""

import inspect
import re
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from distributed import get_client
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.sklearn import fit_context
from fastmlp._dask.fit import DaskFit
from fastmlp._dask.pack import take_over
from fastmlp._dask.predictions import by_chunk, score
from fastmlp._dask.rows import is_collection, task_threads
from fastmlp._dask.together import fit_together
from fastmlp._data.validation import GivenSet
from fastmlp._estimator.base import BaseMLP
from fastmlp._estimator.parameters import PARAMETER_CONSTRAINTS
from fastmlp._model.exclusive import as_it_is, changing

_Class = TypeVar("_Class", bound=type)
_LINES = re.MULTILINE | re.DOTALL
_DEFAULTS: dict[str, Any] = {
    "shards": 8,
    "local_epochs": 1,
    "synchronous": False,
    "client": None,
}


def like(local: type) -> Callable[[_Class], _Class]:
    """Let a class have the parameters of the local estimator, and those for dask behind.

    scikit-learn takes their names from the signature. They are described as they are there.
    """
    theirs = inspect.signature(local)
    ours = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in _DEFAULTS.items()
    ]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = theirs.replace(parameters=[own, *theirs.parameters.values(), *ours])

    def decorate(kind: _Class) -> _Class:
        kind.__init__.__signature__ = signature  # type: ignore[misc]  # mypy knows no such thing
        if kind.__doc__ and local.__doc__:  # `python -OO` has none
            kind.__doc__ = _described(inspect.cleandoc(kind.__doc__), local.__doc__)
        return kind

    return decorate


def _described(doc: str, theirs: str) -> str:
    """Return a docstring with the parameters of another in the place of its `**parameters`."""
    listed = re.search(r"^Parameters\n-+\n(.*?)\n*^Attributes\n", inspect.cleandoc(theirs), _LINES)
    assert listed is not None
    place = r"^\*\*parameters\n.*?(?=\nshards :)"
    uncited = re.sub(r"\s\[\d+\]_", "", listed[1])  # what is cited stands in the other docstring
    return re.sub(place, lambda _: uncited, doc, flags=_LINES) + "\n"


class DaskEstimator(BaseMLP):
    """Base of the estimators for dask, before the local one among their bases."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PARAMETER_CONSTRAINTS,
        "shards": [Interval(Integral, 1, None, closed="left")],
        "local_epochs": [Interval(Integral, 1, None, closed="left")],
        "synchronous": ["boolean"],
        "client": [object],
    }
    _local_kind: ClassVar[type[BaseMLP]]
    shards: int
    local_epochs: int
    synchronous: bool
    client: Any

    def _keep_own(self, parameters: dict[str, Any]) -> None:
        """Take the parameters for dask out of these, and set them as attributes."""
        for name, default in _DEFAULTS.items():
            setattr(self, name, parameters.pop(name, default))

    @property
    def client_(self) -> Any:
        """The client of the cluster: that of the parameter, or the one of this process."""
        client = self.client
        if client is None:
            try:
                client = get_client()
            except ValueError as error:
                raise AttributeError(  # as whoever looks at all attributes expects
                    f"{type(self).__name__} needs a cluster: make a distributed.Client, or give "
                    "one as client."
                ) from error
        if getattr(client, "asynchronous", False):
            raise TypeError("client must not be asynchronous: fit and score wait for the cluster.")
        return client

    @fit_context
    def fit(  # type: ignore[override]  # without groups and resume_from, for data in one place
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
        """Train the network on X and y, where they are.

        When it raises, the estimator is what it was before.

        Parameters
        ----------
        X : dask array or dataframe of shape (n_samples, n_features)
            The inputs. Chunks may be sparse matrices. Unknown lengths of chunks are computed.
        y : dask array, series or dataframe of shape (n_samples,) or (n_samples, n_outputs)
            The targets: labels, or an indicator matrix of several labels per sample, for a
            classifier; numbers for a regressor.
        sample_weight : dask array or series of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.
        X_val : dask array or dataframe of shape (n_val, n_features), default=None
            The inputs of a validation set, which is scored after every round; the weights of the
            best one are kept.
        y_val : dask array, series or dataframe, default=None
            The targets of the validation set; a classifier must know its labels from y.
        sample_weight_val : dask array or series of shape (n_val,), default=None
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
            If an argument is not one of dask's collections.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        validation = _validation_set(X_val, y_val, sample_weight_val)
        start = (coef_init, intercept_init)
        given = (X, y, sample_weight)
        with changing(self) as (copy, publish):
            if self.synchronous:
                take_over(copy, fit_together(copy, given, validation, start))
            else:
                DaskFit(copy, *given, validation=validation, start=start).run()
            publish()
        return self

    @property
    def partial_fit(self) -> NoReturn:
        """Not there, so that hasattr() is False: the local estimator is for streams."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit: to_local() has one, for data in memory."
        )

    def to_local(self) -> Any:
        """Return the fitted estimator without dask, which predicts the same.

        Returns
        -------
        estimator : MLPClassifier or MLPRegressor
            With the same parameters and attributes, but those for dask.

        Raises
        ------
        NotFittedError
            If it is not fitted.
        """
        check_is_fitted(self)
        local = as_it_is(self._unfitted(), vars(self))
        for name in _DEFAULTS:
            delattr(local, name)
        return local

    def _unfitted(self) -> BaseMLP:
        """Return the estimator without dask, with the same parameters."""
        parameters = self.get_params(deep=False)
        return self._local_kind(**{k: v for k, v in parameters.items() if k not in _DEFAULTS})

    def _for_tasks(self) -> BaseMLP:
        """Return what tasks need to know: neither generator nor schedule, which may not travel."""
        bare = self._unfitted()
        bare.set_params(random_state=None, learning_rate="constant")
        return bare

    def _apply(self, method: str, X: Any, **options: Any) -> Any:
        """Return what a method of the local estimator makes of X: by chunk, or at once."""
        local = self.to_local()
        if not is_collection(X):
            return getattr(local, method)(X, **options)
        given = {name: value for name, value in options.items() if value}
        if given:
            raise ValueError(
                f"{method} takes {', '.join(given)} with data in memory only, as the estimator "
                "that to_local() returns does."
            )
        local.n_jobs = task_threads(local.n_jobs)
        return by_chunk(local, method, X)

    def predict(self, X: Any, **options: Any) -> Any:
        """Predict the target of each sample.

        Parameters
        ----------
        X : array-like, dask array or dataframe of shape (n_samples, n_features)
            The inputs.
        **options
            For data in memory, what `predict` of the local estimator takes.

        Returns
        -------
        y : ndarray or dask array of shape (n_samples,) or (n_samples, n_outputs)
            The predictions; of a collection of dask's a dask array, which is computed when it is
            asked for.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or an argument is not valid.
        """
        return self._apply("predict", X, **options)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how good the predictions are: the accuracy of a classifier, R2 of a regressor.

        Parameters
        ----------
        X : array-like, dask array or dataframe of shape (n_samples, n_features)
            The inputs.
        y : array-like, dask array, series or dataframe
            The targets; like `X`, in memory or of dask.
        sample_weight : array-like, dask array or series of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.

        Returns
        -------
        score : float
            The score.

        Raises
        ------
        ValueError
            If the estimator is not fitted, an argument is not valid, or there are `quantiles`,
            whose score needs all samples in one place.
        """
        local = self.to_local()
        if not is_collection(X):
            return float(local.score(X, y, sample_weight))
        if getattr(self._codec, "quantiles", ()):
            raise ValueError(
                f"score with quantiles={getattr(self, 'quantiles', None)!r} needs all samples in "
                "one place: use to_local() on data in memory."
            )
        local.n_jobs = task_threads(local.n_jobs)
        return score(self.client_, local, X, y, sample_weight, n_shards=int(self.shards))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the client behind, which belongs to this process."""
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy with the same client, which can't be copied."""
        without = as_it_is(self, vars(self))
        without.client = None
        twin: Self = super(DaskEstimator, without).__sklearn_clone__()
        twin.client = self.client
        return twin


def _validation_set(X_val: Any, y_val: Any, sample_weight_val: Any) -> GivenSet | None:
    """Return what was given of a validation set; None for none.

    Raises
    ------
    ValueError
        If a part is missing.
    """
    if X_val is None and y_val is None and sample_weight_val is None:
        return None
    for name, value in (("X_val", X_val), ("y_val", y_val)):
        if value is None:
            raise ValueError(f"A validation set needs both X_val and y_val; {name} is missing.")
    return X_val, y_val, sample_weight_val
