"""Many estimators at once, one to a thread."""

from collections.abc import Iterable
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from typing import Any, TypeVar

import sklearn

from fastmlp import _core
from fastmlp._checks.arrays import class_name
from fastmlp._checks.threads import available_threads, one_thread_each, resolve_n_jobs
from fastmlp._processes.group import refuse_group

Estimator = TypeVar("Estimator")
_LOOK_EVERY = 0.1  # seconds


def fit_pack(
    estimators: Iterable[Estimator], X: Any, y: Any, *, n_jobs: int | None = None, **fit_params: Any
) -> list[Estimator]:
    """Fit many estimators to the same data at once, each in a thread of its own.

    A small network is trained fastest by one thread, whose cache keeps its weights: so many of
    them, of whatever settings, take the processors better than one after the other on all threads,
    and begin sooner than in processes, which need copies of the data. Each becomes what its own
    `fit` would make of it, bit for bit.

    Parameters
    ----------
    estimators : iterable of estimators
        Those of fastmlp, fitted in place; each with parameters of its own. ``n_jobs=None`` stands
        for one thread here.
    X : array-like of shape (n_samples, n_features) or DataFrame
        The inputs, as `fit` takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets; None where X is `fastmlp.data.Blocks`.
    n_jobs : int or None, default=None
        How many estimators are fitted at a time; None is as many as there are threads that this
        process may use.
    **fit_params
        What else `fit` takes, the same for all: `X_val`, `sample_weight` and so on.

    Returns
    -------
    estimators : list of estimators
        The same, fitted.

    Raises
    ------
    TypeError
        If one has no `fit`.
    ValueError
        If one is there twice, or `n_jobs` is not valid.
    Exception
        Whatever a `fit` raises, and a KeyboardInterrupt after Ctrl-C. The other fits then end soon;
        estimators that are not finished are what they were before.

    See Also
    --------
    TabularClassifier, TabularRegressor : Ensembles whose networks are trained like that.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import MLPClassifier, fit_pack
    >>> X, y = load_iris(return_X_y=True)
    >>> rates = [1e-3, 1e-2, 1e-1]
    >>> pack = [MLPClassifier(learning_rate_init=r, max_iter=400, random_state=0) for r in rates]
    >>> [model.score(X, y) > 0.9 for model in fit_pack(pack, X, y)]
    [True, True, True]
    """
    pack = check_pack(estimators)
    n_threads = resolve_n_jobs(n_jobs) or available_threads()
    cancellation, config = _core.Cancellation(), sklearn.get_config()

    def fit(estimator: Any) -> None:
        with sklearn.config_context(**config), cancellation, one_thread_each():
            estimator.fit(X, y, **fit_params)

    with ThreadPoolExecutor(max(min(n_threads, len(pack)), 1)) as pool:
        fits: list[Future[None]] = []
        try:
            fits += [pool.submit(fit, estimator) for estimator in pack]
            _wait(fits)
        finally:  # where one failed, or Ctrl-C came, the others end now
            cancellation.cancel()
            for future in fits:
                future.cancel()
    errors = [future.exception() for future in fits if not future.cancelled()]
    failed = [error for error in errors if error is not None]
    # What went wrong is the one that the others were cancelled for.
    for error in sorted(failed, key=lambda each: isinstance(each, CancelledError)):
        raise error
    return pack


def check_pack(estimators: Iterable[Estimator]) -> list[Estimator]:
    """Return estimators that can be fitted at once.

    Raises
    ------
    TypeError
        If one has no `fit`.
    ValueError
        If one is there twice.
    RuntimeError
        Inside of a communicator.
    """
    pack = list(estimators)
    for estimator in pack:
        if not callable(getattr(estimator, "fit", None)):
            raise TypeError(f"estimators must have a method fit; got {class_name(estimator)}.")
    if len({id(estimator) for estimator in pack}) < len(pack):
        raise ValueError("estimators must not have the same one twice.")
    refuse_group("A pack")
    return pack


def _wait(fits: list[Future[None]]) -> None:
    """Wait until all have ended, or one has failed."""
    left: set[Future[None]] = set(fits)
    while left:  # a signal wakes no thread that waits without end, if another one gets it
        done, left = wait(left, timeout=_LOOK_EVERY, return_when=FIRST_EXCEPTION)
        if any(future.exception() is not None for future in done):
            return
