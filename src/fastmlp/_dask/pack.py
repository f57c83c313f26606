"""Many estimators at once, each a task of a cluster."""

from collections.abc import Iterable
from typing import Any, TypeVar

import sklearn
from distributed import as_completed, get_client

from fastmlp._checks.threads import one_thread_each
from fastmlp._dask.keeping import keep
from fastmlp._dask.rows import RETRIES, is_collection
from fastmlp._model.exclusive import changing
from fastmlp.pack import check_pack

Estimator = TypeVar("Estimator")


def fit_pack(
    estimators: Iterable[Estimator], X: Any, y: Any = None, *, client: Any = None, **fit_params: Any
) -> list[Estimator]:
    """Fit many estimators to the same data, each in a task of a dask cluster.

    Like `fastmlp.fit_pack`, whose threads are those of one machine. Each becomes what its own `fit`
    would make of it, bit for bit, on whatever worker; one that is lost with its worker is fitted
    again on another. Warnings of the fits are the workers'.

    Parameters
    ----------
    estimators : iterable of estimators
        Those of fastmlp, fitted in place; each with parameters of its own. ``n_jobs=None`` stands
        for one thread here.
    X : array-like, DataFrame, dask array or dataframe, or Blocks
        The inputs, as `fit` takes them. Data in memory are sent to every worker once, and stay with
        the scheduler meanwhile; collections of dask's are computed on the workers; blocks are read
        by the workers.
    y : array-like, dask array or series, default=None
        The targets; None with blocks only.
    client : distributed.Client, default=None
        The client of the cluster; None for the one of this process.
    **fit_params
        What else `fit` takes, the same for all: `X_val`, `sample_weight` and so on, in memory.

    Returns
    -------
    estimators : list of estimators
        The same, fitted.

    Raises
    ------
    TypeError
        If one has no `fit`.
    ValueError
        If one is there twice, or there is no client.
    Exception
        Whatever a `fit` raises first, and a KeyboardInterrupt after Ctrl-C. The other fits are
        cancelled; estimators that are not finished are what they were before.

    See Also
    --------
    fastmlp.fit_pack : The same in threads of one machine.

    Examples
    --------
    >>> from distributed import Client
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.dask import fit_pack
    >>> pack = [MLPClassifier(alpha=a, random_state=0) for a in (1e-5, 1e-4, 1e-3)]
    >>> fit_pack(pack, X, y, client=Client())  # doctest: +SKIP
    """
    pack = check_pack(estimators)
    client = get_client() if client is None else client
    data = [_placed(client, each) for each in (X, y, fit_params)]
    config = sklearn.get_config()
    fits = [client.submit(_fit, each, *data, config, pure=False) for each in pack]
    by_key = dict(zip([future.key for future in fits], pack, strict=True))
    try:
        with client.as_current():
            for future in as_completed(fits):
                _take_over(by_key[future.key], future.result())
    finally:
        client.cancel([*fits, *data])
    return pack


def _placed(client: Any, data: Any) -> Any:
    """Return what stands for data on the workers."""
    if is_collection(data):
        return client.compute(data, retries=RETRIES)
    return keep(client, data)


def _fit(estimator: Any, X: Any, y: Any, fit_params: dict[str, Any], config: Any) -> Any:
    with sklearn.config_context(**config), one_thread_each():
        return estimator.fit(X, y, **fit_params)


def _take_over(estimator: Any, fitted: Any) -> None:
    with changing(estimator) as (copy, publish):
        take_over(copy, fitted)
        publish()


def take_over(estimator: Any, fitted: Any) -> None:
    """Let an estimator become what another one like it has become, but for its parameters.

    What an earlier fit has left goes; what the user has set, such as metadata requests, stays.
    """
    parameters = estimator.get_params(deep=False)
    found = {name: value for name, value in vars(fitted).items() if name not in parameters}
    for name in [*vars(estimator)]:
        of_a_fit = name.endswith("_") or name == "_resumption"
        if of_a_fit and name not in parameters and name not in found:
            delattr(estimator, name)
    estimator.__dict__.update(found)
