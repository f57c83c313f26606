"""partial_fit where nothing is unusual: plain arrays, and the trainer and parameters of before.

Streams of a few rows come this way, in which the checks of a first call would take a hundred times
as long as the step. What is not sure here goes the long way, which says what is wrong.
"""

from collections.abc import Callable
from functools import wraps
from operator import is_
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from fastmlp._checks.arrays import is_clean
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._model.exclusive import changing
from fastmlp._model.model import Model
from fastmlp._processes.group import ALONE, current_group
from fastmlp._training.record import Record
from fastmlp._training.run import non_finite_error

_Method = TypeVar("_Method", bound=Callable[..., Any])


def going_on(partial_fit: _Method) -> _Method:
    """Let partial_fit go on where it can, and begin anew where it can't."""

    @wraps(partial_fit)
    def method(estimator: Any, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 2 and not named and _goes_on(estimator, *arguments):
            return estimator
        return partial_fit(estimator, *arguments, **named)

    return cast(_Method, method)


def _goes_on(estimator: Any, X: Any, y: Any) -> bool:
    """Train an epoch as the last call did; return False, and leave all as it is, if in doubt."""
    model = _present_model(estimator)
    if model is None or current_group() is not ALONE:
        return False
    if not is_clean(X, model.architecture.n_features, model.architecture.dtype):
        return False
    batch = estimator.batch_size
    if isinstance(batch, int) and batch > len(X):  # which is warned of
        return False
    assert model.settings is not None
    loss, dtype = model.settings.loss, model.architecture.dtype
    t = estimator._present_codec().encode_plain(y, loss, dtype)
    if t is None or len(t) != len(X):
        return False
    with changing(estimator) as (copy, publish):
        if _present_model(copy) is not model:
            return False
        _train(copy, model, X, t)
        publish()
    return True


def _present_model(estimator: Any) -> Model | None:
    """Return the model whose trainer goes on, where neither weights nor parameters have changed."""
    known = vars(estimator)
    model: Model | None = known.get("_model")
    if model is None or model.trainer is None or model.made_with is None:
        return None
    values = map(known.get, estimator._parameter_constraints)
    if "feature_names_in_" in known or not all(map(is_, values, model.made_with)):
        return None
    holds = model.holds(known["coefs_"], known["intercepts_"], known["slopes_"])
    return model if holds else None


def _train(estimator: Any, model: Model, X: NDArray[Any], t: NDArray[Any]) -> None:
    """Train an epoch, and let the estimator become what comes of it."""
    assert model.trainer is not None
    report = model.trainer.run(X, t, None, epochs=1, n_threads=resolve_n_jobs(estimator.n_jobs))
    if report["stopped"] == "non_finite":
        raise non_finite_error(report, "learning_rate_init", estimator.learning_rate_init)
    report["stopped"] = "partial_fit"
    record = Record.of(estimator).after_epoch(report, len(X))
    estimator._become(estimator._present_codec(), model.trained(), record)
