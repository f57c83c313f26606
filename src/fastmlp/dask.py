"""Estimators for data on a dask cluster, with the conventions of other libraries' `dask` modules,
and packs of fits as its tasks.

They rely on dask and distributed, which the extra ``fastmlp[dask]`` brings; `import fastmlp` does
without. Data in memory are refused by `fit`: the local estimators are for them.
"""

from typing import Any, ClassVar

from fastmlp._checks.sklearn import available_if
from fastmlp._dask.base import DaskEstimator, like
from fastmlp._dask.pack import fit_pack
from fastmlp.classifier import MLPClassifier
from fastmlp.regressor import MLPRegressor

__all__ = ["DaskMLPClassifier", "DaskMLPRegressor", "fit_pack"]

_DOC_PAGE = "https://fastmlp.github.io/fastmlp/generated/fastmlp.dask.{estimator_name}.html"


@like(MLPClassifier)
class DaskMLPClassifier(DaskEstimator, MLPClassifier):
    """Multilayer perceptron classifier for data on a dask cluster.

    The rows are divided into shards. In every round each shard goes on from the same weights by
    passes of its own, in a task; then weights and the state of the optimizer are averaged, weighted
    by rows, and the next round begins: local SGD [1]_ [2]_. The result depends on the data, the
    parameters and the number of shards, and neither on the number of workers nor on the chunks, nor
    on workers that are lost meanwhile.

    Parameters
    ----------
    **parameters
        Those of `MLPClassifier`.
    shards : int, default=8
        How many tasks a round has, and no more workers have something to do. More shards make
        fewer steps of each, so that learning takes more rounds.
    local_epochs : int, default=1
        How many passes over its rows a shard makes in a round. A round takes some hundredths of a
        second more than its passes; more of these let the weights drift apart meanwhile.
    synchronous : bool, default=False
        Whether all workers make every step together, by torch.distributed, which the workers then
        need: the network is that of one place, to rounding, and there are no rounds.
    client : distributed.Client or None, default=None
        The client of the cluster; None for the one of this process. It is not pickled.

    Attributes
    ----------
    client_ : distributed.Client
        The client that is used.

    See Also
    --------
    MLPClassifier : The same network for data in memory; all its attributes are here, too.

    Notes
    -----
    `max_iter` counts passes over the data, `batch_size` is divided among the shards, and `n_jobs`
    is the number of threads of each task, None for one. With `early_stopping` each shard sets rows
    aside, of each class its share. The solver 'lbfgs', `callbacks`, `eval_metrics` and `warm_start`
    are not supported, and of `scoring` but None and 'loss'.

    What is measured on a validation set is measured behind a round, and stands for all its epochs;
    `step_losses_` is empty. With one shard, the result is that of `MLPClassifier` on the same rows,
    but the rows that `early_stopping` sets aside are others, and 'invscaling' and 'adaptive' change
    the rate between rounds only.

    With ``synchronous=True`` `fit` does what `fastmlp.distributed.communicator` does, with as many
    workers as there are, one at most for each of the `shards`, each in a process of its own. Of the
    above only `callbacks` and `warm_start` are not supported then. The bits depend on `shards`
    alone; where a worker is lost, the training begins anew with the others, up to three times.

    References
    ----------
    .. [1] S. U. Stich, "Local SGD converges fast and communicates little", ICLR 2019.
    .. [2] T. Lin et al., "Don't use large mini-batches, use local SGD", ICLR 2020.
    """

    _doc_link_template = _DOC_PAGE
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MLPClassifier._parameter_constraints,
        **DaskEstimator._parameter_constraints,
    }
    _local_kind = MLPClassifier

    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        self._keep_own(parameters)
        super().__init__(*arguments, **parameters)

    @available_if(lambda estimator: estimator._require_probabilities())
    def predict_proba(self, X: Any, **options: Any) -> Any:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : array-like, dask array or dataframe of shape (n_samples, n_features)
            The inputs.
        **options
            For data in memory, what `predict_proba` of the local estimator takes.

        Returns
        -------
        y_prob : ndarray or dask array of shape (n_samples, n_classes)
            One column per label, in the order of `classes_`.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or an argument is not valid.
        """
        return self._apply("predict_proba", X, **options)

    @available_if(lambda estimator: estimator._require_probabilities())
    def predict_log_proba(self, X: Any) -> Any:
        """Estimate the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, dask array or dataframe of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        log_y_prob : ndarray or dask array of shape (n_samples, n_classes)
            The logarithm of `predict_proba`.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        return self._apply("predict_log_proba", X)

    @available_if(lambda estimator: estimator._require_margins())
    def decision_function(self, X: Any) -> Any:
        """Compute the margin of each class, with ``loss='hinge'`` only.

        Parameters
        ----------
        X : array-like, dask array or dataframe of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        margins : ndarray or dask array of shape (n_samples,) or (n_samples, n_classes)
            How far each sample is on the side of a class.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        return self._apply("decision_function", X)


@like(MLPRegressor)
class DaskMLPRegressor(DaskEstimator, MLPRegressor):
    """Multilayer perceptron regressor for data on a dask cluster.

    It trains as `DaskMLPClassifier` does, whose notes hold here, too: rounds of passes over shards
    of the rows, each from the same weights, and the average of what comes of them [1]_.

    Parameters
    ----------
    **parameters
        Those of `MLPRegressor`.
    shards : int, default=8
        How many tasks a round has, and no more workers have something to do. More shards make
        fewer steps of each, so that learning takes more rounds.
    local_epochs : int, default=1
        How many passes over its rows a shard makes in a round. A round takes some hundredths of a
        second more than its passes; more of these let the weights drift apart meanwhile.
    synchronous : bool, default=False
        Whether all workers make every step together, by torch.distributed, which the workers then
        need: the network is that of one place, to rounding, and there are no rounds.
    client : distributed.Client or None, default=None
        The client of the cluster; None for the one of this process. It is not pickled.

    Attributes
    ----------
    client_ : distributed.Client
        The client that is used.

    See Also
    --------
    MLPRegressor : The same network for data in memory; all its attributes are here, too.

    References
    ----------
    .. [1] S. U. Stich, "Local SGD converges fast and communicates little", ICLR 2019.
    """

    _doc_link_template = _DOC_PAGE
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MLPRegressor._parameter_constraints,
        **DaskEstimator._parameter_constraints,
    }
    _local_kind = MLPRegressor

    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        self._keep_own(parameters)
        super().__init__(*arguments, **parameters)
