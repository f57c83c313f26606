"""The regressor: numbers as targets, numbers as outputs."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar, Literal, Self, cast, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.choices import AnyDtype, BatchSize, LearningRate, Penalty, Solver
from fastmlp._checks.content import plain_array
from fastmlp._checks.names import (
    OUTPUT_ACTIVATIONS,
    check_pair,
    check_parameter,
    check_targets,
    parse_choice,
    parse_loss,
    parse_loss_of,
)
from fastmlp._checks.sklearn import available_if, fit_context
from fastmlp._core import GIVE_OUTPUTS
from fastmlp._data.missing import set_apart
from fastmlp._data.numbers import NumberCodec, read_numbers
from fastmlp._data.weights import check_weights
from fastmlp._estimator.base import BaseMLP, plain_outputs
from fastmlp._estimator.going_on import going_on
from fastmlp._model.exclusive import as_it_is
from fastmlp._training.settings import CoreLoss

_LOSSES = ("squared_error", "poisson", "absolute_error", "mae", "huber", "quantile", "gaussian")


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor.

    Parameters, attributes and meaning are those of `sklearn.neural_network.MLPRegressor`. Added are
    the losses 'absolute_error', 'huber' and 'quantile', the parameters from `dropout` on, schedules
    for every solver, sequences as `activation` and `alpha`, ``batch_size='full'``, a validation set
    for `fit`, `history_`, `best_epoch_`, `stopped_`, `step_losses_`, `forward` and predictions over
    dropout masks [3]_.

    Parameters
    ----------
    loss : {'squared_error', 'poisson', 'absolute_error', 'mae', 'huber', 'quantile', 'gaussian'} \
            or callable, default='squared_error'
        What is minimised. 'squared_error' is half the squared error: its sum over the outputs is
        minimised, and its mean over the outputs is reported. 'poisson' is half the Poisson
        deviance, for targets of at least 0; outputs are then exponentials, and so positive. The
        others are averaged over the outputs: 'absolute_error', or 'mae' for short; 'huber(1.5)' is
        quadratic up to an error of 1.5 (1 if none is given) and linear beyond, and 'quantile(0.9)'
        is the pinball loss, whose minimum is the 90 % quantile (the median if none is given), or
        several at once with `quantiles`. 'gaussian' is minus the logarithm of a normal
        distribution's density, whose mean and spread are both learnt [7]_: `predict` gives the
        means, and with ``return_std=True`` the standard deviations as well. A function
        ``loss(outputs, targets)`` of your own gets both for a batch, of shape (n, n_outputs), and
        returns the loss of each row, of shape (n,), and its gradient by the outputs, of shape (n,
        n_outputs), all NumPy arrays; the mean by the sample weights is minimised. Targets of
        several that are missing are NaN there. Not for 'lbfgs'.
    hidden_layer_sizes : int or sequence of int, default=(100,)
        The number of units in each hidden layer; an empty sequence makes a linear model.
    activation : str or sequence of str, default='relu'
        The activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', 'leaky_relu',
        'prelu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'softsign',
        'hard_sigmoid', 'hard_tanh' or 'exp'; or a sequence with one per hidden layer. A parameter
        stands in parentheses: 'leaky_relu(0.2)', 'elu(0.5)', and for 'prelu', which learns a slope
        for each unit, the slope at the start. An entry of a sequence may be a mix of several by
        unit: ``[[("relu", 32), ("tanh", 32)]]``.
    solver : {'adam', 'sgd', 'lbfgs', 'adamw', 'nadam', 'rmsprop', 'adagrad'}, default='adam'
        How the weights are found. 'sgd' is stochastic gradient descent with momentum, 'adam' is
        the method of Kingma and Ba [2]_, and 'lbfgs' is a quasi-Newton method on the whole data
        set, always computed in float64. 'adamw' decays the weights by ``learning_rate * alpha``
        in each step beside Adam's; 'nadam', 'rmsprop' and 'adagrad' are as their names say in
        the field.
    alpha : float or sequence of float, default=0.0001
        Strength of the penalty on the weights: one for all layers, or one per hidden layer and one
        for the output layer. Each mini-batch's objective has ``alpha * ((1 - r) / 2 * |w|**2 +
        r * |w|_1)``, divided by the sum of its sample weights, where r is 0 for the penalty 'l2',
        1 for 'l1' and `l1_ratio` for 'elasticnet'; biases are not penalised.
    batch_size : int, 'auto' or 'full', default='auto'
        Samples per mini-batch. 'auto' is ``min(200, n_samples)`` and 'full' takes all samples at
        once. Not used by 'lbfgs'.
    learning_rate : str or callable, default='constant'
        The schedule of the learning rate. For ``solver='sgd'`` only, as in scikit-learn:
        'invscaling' is ``learning_rate_init / (t + 1)**power_t`` after `t` samples; 'adaptive'
        divides the rate by 5 where training would otherwise stop for lack of improvement. For
        every solver but 'lbfgs': 'plateau' does the same; laid out over `max_iter` epochs, 'cosine'
        goes down to 1 % along a cosine, 'exponential' by a constant factor, 'step' by a tenth at
        one half and again at three quarters, and 'one_cycle' rises from 4 % for 30 % of the
        epochs, then falls almost to nothing. A function gets the number of epochs before, and
        returns the rate.
    learning_rate_init : float, default=0.001
        The learning rate at the start. Not used by 'lbfgs'.
    power_t : float, default=0.5
        The exponent of 'invscaling'.
    max_iter : int, default=200
        The largest number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether the samples are shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the starting weights, the validation split, the shuffling and the dropout. An
        int gives the same result on every call, whatever the number of threads.
    tol : float, default=1e-4
        What counts as an improvement of the loss (or of the validation score) for the stopping
        rule; the tolerance on the gradient for 'lbfgs'.
    verbose : bool or int, default=False
        1 or True shows a progress bar, 2 prints a line per epoch.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the previous fit.
    momentum : float, default=0.9
        Momentum of 'sgd', between 0 and 1.
    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.
    early_stopping : bool, default=False
        Whether to set `validation_fraction` of the samples aside, to stop when the score on them
        has not improved by `tol` for more than `n_iter_no_change` epochs in a row, and to keep the
        weights of the best epoch. A validation set given to `fit` takes the place of the samples
        set aside. Not used by 'lbfgs'.
    validation_fraction : float, default=0.1
        The share of the samples set aside by `early_stopping`, or of the groups where `fit` is
        given some.
    beta_1 : float, default=0.9
        Decay rate of the first moment of 'adam', in [0, 1).
    beta_2 : float, default=0.999
        Decay rate of the second moment of 'adam', in [0, 1).
    epsilon : float, default=1e-8
        Keeps the division in 'adam' finite.
    n_iter_no_change : int or inf, default=10
        Epochs without an improvement that are tolerated; infinity never stops early.
    max_fun : int, default=15000
        The largest number of evaluations by 'lbfgs'.
    dropout : float or sequence of float, default=0.0
        Probability that a hidden unit is dropped while training, one for all hidden layers or one
        per layer. What is kept is scaled up by ``1 / (1 - dropout)``. Not for 'lbfgs'.
    dropout_input : float, default=0.0
        Probability that an input feature is dropped while training.
    penalty : {'l2', 'l1', 'elasticnet'} or None, default='l2'
        The penalty on the weights, of strength `alpha`; None leaves `alpha` out of account. What
        'l1' has of it acts by proximal steps, which make weights exactly zero. 'l1' and
        'elasticnet' are not for 'lbfgs'.
    l1_ratio : float, default=0.15
        The share of L1 in the penalty 'elasticnet', between 0 and 1.
    clip_norm : float or None, default=None
        The longest that the gradient of the loss by all parameters may be; a longer one is scaled
        down. Penalties are no part of it. Not for 'lbfgs'.
    init : str, default='auto'
        The distribution of the starting weights. 'auto' is scikit-learn's rule: 'glorot_uniform',
        with a third of its variance for 'logistic'. 'glorot_uniform' and 'glorot_normal' have the
        variance ``2 / (fan_in + fan_out)`` [1]_, 'he_uniform' and 'he_normal' ``2 / fan_in`` [4]_,
        'lecun_uniform' and 'lecun_normal' ``1 / fan_in`` [5]_. 'orthogonal' makes the rows or the
        columns orthogonal, whichever are fewer [6]_; 'orthogonal(1.4)' has that gain.
        'uniform(0.1)' has the bounds ±0.1 and 'normal(0.1)' that standard deviation; without a
        number it is 0.05. Biases are drawn by scikit-learn's rule in any case.
    scoring : str, callable or None, default=None
        The score on a validation set, larger being better: None is the R2, or for 'gaussian' and
        several quantiles 'loss'; 'loss' is the loss there, negated and without the penalty, and any
        other the name of a scorer of scikit-learn or a function of (estimator, X, y), which sees
        the weights as they are behind the epoch. Where samples of the validation set have weights,
        it takes `sample_weight` too.
    out_activation : str, default='auto'
        The activation of the outputs, for predictions that stay within bounds: 'logistic' from 0 to
        1, 'tanh' from -1 to 1, 'softplus', 'relu' and 'exp' from 0 on, or another one that
        `activation` may have, but 'prelu'. Scale the targets into its range. 'auto' takes
        'identity', and with ``loss='poisson'``, whose outputs must be positive, 'exp'.
    quantile : float or None, default=None
        The quantile of ``loss='quantile'``, between 0 and 1, for searches over it; None leaves it
        to `loss`. Not used by other losses.
    quantiles : sequence of float or None, default=None
        Several quantiles of ``loss='quantile'``, in ascending order, which one network learns at
        once. `predict` then gives them for each sample, of shape (n_samples, n_quantiles), or
        (n_samples, n_targets, n_quantiles) for several targets. They never cross.
    delta : float or None, default=None
        Where ``loss='huber'`` turns linear, for searches over it; None leaves it to `loss`. Not
        used by other losses.
    eval_metrics : str, callable, list or dict of them, default=None
        What else to measure on each validation set after every epoch: names of scorers of
        scikit-learn, or functions of (estimator, X, y). `history_` has them as 'val_accuracy', say,
        by the names of set and metric, which are the keys of a dict. They stop nothing; `scoring`
        does. Where samples of the set have weights, functions take `sample_weight` too. Missing
        targets are NaN in `y`, which scikit-learn's scorers don't take.
    callbacks : callable or list of callable, default=None
        Called with an `EpochEnd` of `fastmlp.callbacks` after every epoch, or iteration of
        'lbfgs'; one that returns True ends the training. An exception in one ends `fit`, and
        leaves the estimator as it was before. `fastmlp.callbacks` has some that are ready-made.
        Callbacks of scikit-learn's, from version 1.9 on, go to `set_callbacks` instead.
    dtype : {'float32', 'float64', 'auto'}, default='float32'
        The type of the weights and of all arithmetic. 'auto' follows X: float32 for a float32 X,
        otherwise float64.
    n_jobs : int or None, default=None
        Threads to use. None and -1 take all that the process may use (fewer when the work is
        small or a fit finds that it goes faster with fewer, one when a short call comes alone), -2
        all but one. Results don't depend on it.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        The weights of each layer, read-only. To change weights, assign new arrays.
    intercepts_ : list of ndarray of shape (fan_out,)
        The biases of each layer, read-only.
    slopes_ : list of ndarray of shape (fan_out,) or (0,)
        The slopes that 'prelu' learned in each layer, read-only; empty elsewhere.
    loss_ : float
        The training loss of the last epoch, with the penalty.
    best_loss_ : float or None
        The lowest training loss of an epoch; None with `early_stopping`.
    loss_curve_ : list of float
        The training loss of each epoch.
    validation_scores_ : list of float or None
        The score on the validation set after each epoch; None without one.
    best_validation_score_ : float or None
        The best of them; None without a validation set.
    best_epoch_ : int or None
        The epoch, counted from 1, whose weights were kept; None without a validation set.
    step_losses_ : ndarray of shape (n_steps,)
        The loss of every mini-batch of the last call; empty for 'lbfgs'.
    history_ : dict of list
        Per epoch: 'loss'; 'val_loss', on its scale but without the penalty, and 'val_score' (both
        NaN without a validation set); 'lr' (NaN for 'lbfgs') and 'seconds'; and `eval_metrics` on
        each validation set by name, as 'val_accuracy', and the losses on further ones.
    stopped_ : str
        Why training ended: 'max_iter', 'no_improvement', 'rate_too_small' (the adaptive learning
        rate), 'converged' or 'line_search_failed' ('lbfgs'), 'callback', 'interrupted' (Ctrl-C),
        'non_finite' (the loss overflowed; the best epoch's weights were kept), 'partial_fit' or
        'from_sklearn' (the weights come from `from_sklearn`).
    t_ : int
        The number of training samples seen, counted once per epoch.
    n_iter_ : int
        The number of epochs, or of iterations, of the last call.
    n_layers_ : int
        The number of layers, counting the inputs.
    n_outputs_ : int
        The number of outputs.
    out_activation_ : str
        The activation of the output layer.
    feature_importances_ : ndarray of shape (n_features,)
        How strongly each input moves the outputs: `input_gradients` on average, for features of the
        same spread. Worked out when it is asked for.
    n_features_in_ : int
        The number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X had names that are all strings.

    See Also
    --------
    MLPClassifier : The same network for labels.

    Notes
    -----
    A call of `partial_fit` keeps the state of the optimizer for the next one. Changing a parameter
    of the optimizer or of the network in between starts the optimizer anew from the present
    weights, and so does a call of `partial_fit` that raised.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010: the starting weights.
    .. [2] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    .. [3] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing model
       uncertainty in deep learning", ICML 2016.
    .. [4] K. He et al., "Delving deep into rectifiers: surpassing human-level performance on
       ImageNet classification", ICCV 2015.
    .. [5] Y. LeCun et al., "Efficient BackProp", in: Neural networks: tricks of the trade, 1998.
    .. [6] A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", ICLR 2014.
    .. [7] D. A. Nix and A. S. Weigend, "Estimating the mean and variance of the target probability
       distribution", ICNN 1994.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> model = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [str, callable],
        "out_activation": [str],
        "quantile": [Interval(Real, 0, 1, closed="neither"), None],
        "quantiles": ["array-like", None],
        "delta": [Interval(Real, 0, None, closed="neither"), None],
    }

    _codec_kind = NumberCodec
    loss: str | Callable[..., Any]
    out_activation: str
    quantiles: Any
    _codec: NumberCodec

    def __init__(
        self,
        loss: str | Callable[..., Any] = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[Any] = "relu",
        *,
        solver: Solver = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | BatchSize = "auto",
        learning_rate: LearningRate | Callable[[int], float] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        dropout_input: float = 0.0,
        penalty: Penalty | None = "l2",
        l1_ratio: float = 0.15,
        clip_norm: float | None = None,
        init: str = "auto",
        scoring: str | Callable[..., float] | None = None,
        out_activation: str = "auto",
        quantile: float | None = None,
        quantiles: Sequence[float] | None = None,
        delta: float | None = None,
        eval_metrics: Any = None,
        callbacks: Any = None,
        dtype: AnyDtype = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self._keep_arguments(locals())

    @available_if(lambda estimator: estimator._require_stochastic_solver())
    @going_on
    @fit_context
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on the given samples, going on from the present weights.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is not valid, or the loss is no longer finite.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    @overload
    def predict(
        self, X: Any, *, dropout_samples: int | None = None, return_std: Literal[False] = False
    ) -> NDArray[Any]: ...

    @overload
    def predict(
        self, X: Any, *, dropout_samples: int | None = None, return_std: Literal[True]
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...

    @overload
    def predict(
        self, X: Any, *, dropout_samples: int | None = None, return_std: bool
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]: ...

    def predict(
        self, X: Any, *, dropout_samples: int | None = None, return_std: bool = False
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]:
        """Predict the targets of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        dropout_samples : int, default=None
            Average over that many random dropout masks (Monte-Carlo dropout); None drops
            nothing. The masks are determined by the `random_state` of the fit and by the place of
            a sample in X, so that the same call gives the same result.
        return_std : bool, default=False
            Whether to return the standard deviation as well: of the normal distribution with
            ``loss='gaussian'``, over the masks otherwise, and of both together with both.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predictions, one-dimensional for a single target: float32 where the network and `X`
            are, otherwise float64. With `quantiles` there is one more dimension, of these.
        y_std : ndarray of the same shape
            The standard deviation of each, only with ``return_std=True``.

        Raises
        ------
        ValueError
            If the estimator is not fitted, if `X` or `dropout_samples` is not valid, or if
            `return_std` is True without `dropout_samples` and ``loss='gaussian'``.
        """
        known = vars(self)  # as they are now, whatever a fit in another thread makes of them
        if dropout_samples is None and not return_std:
            outputs = plain_outputs(known, X, GIVE_OUTPUTS)
            if outputs is not None:
                return cast(NumberCodec, known["_codec"]).predictions(outputs)
        check_is_fitted(self)
        model = as_it_is(self, known)
        if model._codec.has_spread and return_std:
            return model._normal(X, dropout_samples)
        averages = model._mask_averages(X, dropout_samples, return_std, model._codec.predictions)
        if averages is None:
            return model._codec.predictions(model._outputs(X))
        mean, std = averages
        return mean if std is None else (mean, std)

    def _normal(self, X: Any, dropout_samples: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return mean and standard deviation of the distribution, or of its mixture over masks."""
        codec = self._codec
        moments = self._mask_averages(
            X,
            dropout_samples,
            dropout_samples is not None,
            lambda outputs: np.stack((codec.predictions(outputs), codec.spreads(outputs) ** 2)),
        )
        if moments is None:
            outputs = self._outputs(X)
            return codec.predictions(outputs), codec.spreads(outputs)
        (mean, variance), spread = moments
        assert spread is not None
        return mean, np.sqrt(variance + spread[0] ** 2)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how good the predictions are: 1 is perfect, 0 what a constant would reach.

        That is R2, averaged over the targets. With `quantiles` it is the share of the pinball loss
        of the constant quantiles that is explained, averaged over them: D2 of scikit-learn.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets; those of several that are NaN count for nothing.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.

        Returns
        -------
        score : float
            The score, at most 1.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or an argument is not valid.
        """
        t, missing = (y, None) if issparse(y) else set_apart(y)
        t = plain_array("y", t)
        model = as_it_is(self)
        predicted = model.predict(X)
        weight = check_weights("sample_weight", sample_weight, len(predicted))
        levels = model._codec.quantiles
        if not levels:
            return _mean_score(r2_score, t, predicted, weight, missing)
        by_level = zip(levels, np.moveaxis(predicted, -1, 0), strict=True)
        scores = [
            _mean_score(partial(d2_pinball_score, alpha=level), t, each, weight, missing)
            for level, each in by_level
        ]
        return float(np.mean(scores))

    def _read_samples(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        X, t = read_numbers(self, X, y, reset=reset)
        if not callable(self.loss):
            name, _ = parse_loss(self.loss, "", _LOSSES)
            check_targets("y", t, name, skips_missing=t.shape[1] > 1)
        return X, t

    def _learn_targets(self, y: NDArray[Any], announced: Any) -> NumberCodec:
        return NumberCodec(y.shape[1], self._levels(), self._has_spread())

    def _has_spread(self) -> bool:
        return not callable(self.loss) and parse_loss(self.loss, "", _LOSSES)[0] == "gaussian"

    def _levels(self) -> tuple[float, ...]:
        """Return the quantiles to learn at once, in ascending order; none otherwise."""
        if self.quantiles is None or callable(self.loss):
            return ()
        name, inside = parse_loss(self.loss, "", _LOSSES)
        if name != "quantile":
            return ()
        if inside is not None or self.quantile is not None:
            raise ValueError("Of a quantile and quantiles only one can be given; got both.")
        where = f"quantiles={self.quantiles!r}"
        if np.ndim(self.quantiles) != 1:
            raise ValueError(f"{where} must be a list of numbers.")
        levels = tuple(check_parameter(where, "quantile", level) for level in self.quantiles)
        if not levels or any(low >= high for low, high in pairwise(levels)):
            raise ValueError(f"{where} must hold numbers in ascending order.")
        return levels

    def _output_activation(self, codec: NumberCodec) -> str:
        loss = self._core_loss(codec).name
        if self.out_activation == "auto":
            return "exp" if loss == "poisson" else "identity"
        name, _ = parse_choice("out_activation", self.out_activation, OUTPUT_ACTIVATIONS)
        if codec.has_spread and name != "identity":
            raise ValueError(
                "loss='gaussian' has outputs without bounds, out_activation='auto'; got "
                f"{self.out_activation!r}."
            )
        check_pair(loss, [name])
        return self.out_activation

    def _core_loss(self, codec: NumberCodec) -> CoreLoss:
        levels = self._levels()
        if (levels, self._has_spread()) != (codec.quantiles, codec.has_spread):
            raise ValueError(
                "warm_start and partial_fit go on with the outputs of the previous fit: neither "
                "the quantiles can change, nor whether loss='gaussian'."
            )
        skips = codec.n_targets > 1
        if callable(self.loss):
            return CoreLoss.of_users("mse", self.loss, skips_missing=skips)
        if levels:
            each = np.repeat(levels, codec.n_targets).tolist()
            return CoreLoss("quantile", each, skips_missing=skips)
        name, parameter = parse_loss_of(self, "", _LOSSES)
        scale = 1.0 / codec.n_outputs if name == "squared_error" else 1.0
        return CoreLoss(name, parameter, scale, skips)

    def _monitor(self, codec: NumberCodec) -> str:
        return "r2" if codec.is_plain else "val_loss"


def _mean_score(
    measure: Callable[..., Any],
    t: Any,
    predicted: NDArray[Any],
    weight: NDArray[Any] | None,
    missing: NDArray[np.bool_] | None,
) -> float:
    """Return a score, averaged over the targets, each by the samples that have it."""
    if missing is None:
        return float(measure(t, predicted, sample_weight=weight))
    scores = []
    for column, known in enumerate(~missing.T):
        its = None if weight is None else weight[known]
        if not (known.any() if its is None else its.any()):
            continue
        right, given = t[known, column], predicted[known, column]
        if len(right) == 1:  # nothing to explain: met or not
            scores.append(float(right[0] == given[0]))
        else:
            scores.append(measure(right, given, sample_weight=its))
    return float(np.mean(scores))
