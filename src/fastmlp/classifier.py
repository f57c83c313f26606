"""The classifier: labels to targets of the core, outputs back to labels and probabilities."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from fastmlp._checks.arrays import check_sparse
from fastmlp._checks.choices import AnyDtype, BatchSize, LearningRate, Penalty, Solver
from fastmlp._checks.content import plain_array, refuse_unfit
from fastmlp._checks.names import parse_loss, parse_loss_of
from fastmlp._checks.sklearn import available_if, fit_context
from fastmlp._core import GIVE_LOGITS, GIVE_OUTPUTS, GIVE_PROBABILITIES
from fastmlp._data.class_weight import class_factors
from fastmlp._data.labels import LabelCodec, read_labels
from fastmlp._data.missing import set_apart
from fastmlp._data.weights import check_weights
from fastmlp._estimator.base import BaseMLP, plain_outputs
from fastmlp._estimator.going_on import going_on
from fastmlp._model.exclusive import as_it_is
from fastmlp._training.settings import CoreLoss

_LOSSES = ("log_loss", "focal", "hinge")


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    Minimises the log loss, or another one by choice. Two classes share one logistic output, several
    classes have a softmax output each, and several labels per sample have a logistic output each.
    Parameters, attributes and meaning are those of `sklearn.neural_network.MLPClassifier`. Added
    are the parameters from `dropout` on, schedules for every solver, sequences as `activation` and
    `alpha`, ``batch_size='full'``, a validation set for `fit`, `history_`, `best_epoch_`,
    `stopped_`, `step_losses_`, `forward` and predictions over dropout masks [3]_.

    Parameters
    ----------
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
        weights of the best epoch. The split is stratified for two classes. A validation set given
        to `fit` takes the place of the samples set aside. Not used by 'lbfgs'.
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
        The score on a validation set, larger being better: None is the accuracy, 'loss' the loss
        there, negated and without the penalty, and any other the name of a scorer of scikit-learn
        or a function of (estimator, X, y), which sees the weights as they are behind the epoch.
        Where samples of the validation set have weights, it takes `sample_weight` too.
    loss : {'log_loss', 'focal', 'hinge'} or callable, default='log_loss'
        What is minimised. 'focal' is the log loss times ``(1 - p)**2``, p being the probability of
        what is right, so that it turns to what is hard [7]_; 'focal(1.5)' has that exponent, and
        so has 'focal' with ``gamma=1.5``.
        'hinge' is the sum of ``max(0, 1 - s * y)`` over the outputs, s being 1 for what is right
        and -1 for the rest; its outputs are margins, so that there is `decision_function` in place
        of `predict_proba`. A function ``loss(outputs, targets)`` of your own gets the probabilities
        and the targets of a batch, of shape (n, n_outputs), and returns the loss of each row, of
        shape (n,), and its gradient by the outputs, of shape (n, n_outputs), all NumPy arrays; the
        mean by the sample weights is minimised. Labels of several that are missing are NaN there.
        Not for 'lbfgs'.
    gamma : float or None, default=None
        The exponent of 'focal', for searches over it; None leaves it to `loss`. Not used by others.
    label_smoothing : float, default=0.0
        The share s of each target that is spread evenly over the classes: ``t * (1 - s) + s / n``.
        Not for 'hinge' and 'lbfgs'. What is measured on a validation set knows nothing of it.
    class_weight : 'balanced', dict, list of dict or None, default=None
        Weights of the classes, multiplied into the sample weights: a dict by label, where missing
        labels weigh 1, or 'balanced' for ``n_samples / (n_classes * count)``. With several labels
        per sample, 'balanced' or a list with a dict of the weights of 0 and 1 per label, of which
        a sample has the product. They weigh the samples set aside by `early_stopping` too, but not
        the validation set given to `fit`.
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
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
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
    MLPRegressor : The same network for numbers.

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
    .. [7] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(n_samples=100, random_state=1)
    >>> model = MLPClassifier(random_state=1, max_iter=300).fit(X, y)
    >>> model.predict_proba(X[:1]).shape
    (1, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [str, callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    _codec_kind = LabelCodec
    loss: str | Callable[..., Any]
    class_weight: Any
    classes_: NDArray[Any]
    _codec: LabelCodec

    def __init__(
        self,
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
        loss: str | Callable[..., Any] = "log_loss",
        gamma: float | None = None,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        eval_metrics: Any = None,
        callbacks: Any = None,
        dtype: AnyDtype = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self._keep_arguments(locals())

    @available_if(lambda estimator: estimator._require_stochastic_solver())
    @going_on
    @fit_context
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on the given samples, going on from the present weights.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.
        classes : array-like of shape (n_classes,), default=None
            All the labels that any call will have; needed in the first call only.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs later, if an argument is not
            valid, if `class_weight` is 'balanced', or if the loss is no longer finite.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which does not see all "
                "samples: give the weights as a dict."
            )
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any, *, dropout_samples: int | None = None) -> NDArray[Any]:
        """Predict the label of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        dropout_samples : int, default=None
            Predict from the mean probability over that many random dropout masks, as
            `predict_proba` does; None drops nothing.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The labels, or the indicator matrix of several labels per sample.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` or `dropout_samples` is not valid.
        """
        known = vars(self)  # as they are now, whatever a fit in another thread makes of them
        outputs = plain_outputs(known, X, GIVE_OUTPUTS) if dropout_samples is None else None
        if outputs is None:
            model = as_it_is(self, known)
            averages = model._mask_averages(X, dropout_samples, False)
            outputs = averages[0] if averages else model._outputs(X)
        chosen: NDArray[Any]
        codec: LabelCodec = known["_codec"]
        if codec.kind == "multiclass":
            chosen = outputs.argmax(axis=1)
        else:
            boundary = 0.0 if known["out_activation_"] == "identity" else 0.5
            chosen = (outputs > boundary).astype(np.intp)
        if codec.is_multilabel:
            return chosen
        # Clipped because a single class leaves nothing above it to choose.
        labels: NDArray[Any] = known["classes_"].take(chosen.ravel(), mode="clip")
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the samples that are predicted right.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels. Of several per sample, all must be right, but those that are NaN, which are
            missing; samples without any don't count.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample; None weighs all the same.

        Returns
        -------
        score : float
            The accuracy.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or an argument is not valid.
        """
        refuse_unfit("y", y)
        check_sparse("y", y)
        y, missing = (y, None) if issparse(y) else set_apart(y)
        y = plain_array("y", y)
        if missing is None:
            return float(super().score(X, y, sample_weight))
        predicted, known = self.predict(X), ~missing.all(axis=1)
        right = ((predicted == y) | missing).all(axis=1)
        weight = check_weights("sample_weight", sample_weight, len(right))
        return float(np.average(right[known], weights=None if weight is None else weight[known]))

    def _require_probabilities(self) -> bool:
        if self._has_margins():
            raise AttributeError("loss='hinge' gives margins, and no probabilities.")
        return True

    def _require_margins(self) -> bool:
        if not self._has_margins():
            raise AttributeError(f"loss={self.loss!r} gives probabilities, and no margins.")
        return True

    @available_if(lambda estimator: estimator._require_margins())
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Compute the margin of each class, with ``loss='hinge'`` only.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        margins : ndarray of shape (n_samples,) or (n_samples, n_classes)
            How far each sample is on the side of a class, in the order of `classes_`; one column,
            that of ``classes_[1]``, as a vector for two classes.
        """
        model = as_it_is(self)
        outputs = model._outputs(X)
        return outputs.ravel() if model._codec.kind == "binary" else outputs

    @overload
    def predict_proba(
        self, X: Any, *, dropout_samples: int | None = None, return_std: Literal[False] = False
    ) -> NDArray[Any]: ...

    @overload
    def predict_proba(
        self, X: Any, *, dropout_samples: int | None = None, return_std: Literal[True]
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...

    @overload
    def predict_proba(
        self, X: Any, *, dropout_samples: int | None = None, return_std: bool
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]: ...

    @available_if(lambda estimator: estimator._require_probabilities())
    def predict_proba(
        self, X: Any, *, dropout_samples: int | None = None, return_std: bool = False
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.
        dropout_samples : int, default=None
            Average over that many random dropout masks (Monte-Carlo dropout); None drops
            nothing. The masks are determined by the `random_state` of the fit and by the place of
            a sample in X, so that the same call gives the same result.
        return_std : bool, default=False
            Whether to return the standard deviation over the masks as well.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            One column per label, in the order of `classes_`. Rows sum to one, except with several
            labels per sample, where each column stands alone. The type is float32 where that of the
            network and of `X` is, otherwise float64. Never exactly 0.
        y_std : ndarray of shape (n_samples, n_classes)
            The standard deviation of each, only with ``return_std=True``.

        Raises
        ------
        ValueError
            If the estimator is not fitted, if `X` or `dropout_samples` is not valid, or if
            `return_std` is True without `dropout_samples`.
        """
        if dropout_samples is None and not return_std:
            outputs = plain_outputs(vars(self), X, GIVE_PROBABILITIES)
            return as_it_is(self)._outputs(X, GIVE_PROBABILITIES) if outputs is None else outputs
        averages = as_it_is(self)._mask_averages(X, dropout_samples, return_std)
        assert averages is not None
        mean, std = averages
        both = mean.shape[1] == 1
        y_prob = np.concatenate((1 - mean, mean), axis=1) if both else mean
        if std is None:
            return y_prob
        return y_prob, np.concatenate((std, std), axis=1) if both else std

    @available_if(lambda estimator: estimator._require_probabilities())
    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Estimate the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes)
            The logarithm of `predict_proba`, exact where that has rounded to 0 or 1.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        logits = model._outputs(X, GIVE_LOGITS)
        log_y_prob: NDArray[Any]
        if model._codec.kind == "multiclass":
            log_y_prob = log_softmax(logits.astype(np.float64), axis=1).astype(logits.dtype)
        elif model._codec.kind == "binary":
            log_y_prob = log_expit(np.concatenate((-logits, logits), axis=1))
        else:
            log_y_prob = log_expit(logits)
        return log_y_prob

    def _read_samples(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        return read_labels(self, X, y, reset=reset, may_lack=True)

    def _learn_targets(self, y: NDArray[Any], announced: Any) -> LabelCodec:
        return LabelCodec.learn(y, announced)

    def _present_codec(self) -> LabelCodec:
        codec = self._codec
        return codec if self.classes_ is codec.classes else LabelCodec(codec.kind, self.classes_)

    def _has_margins(self) -> bool:
        return isinstance(self.loss, str) and self.loss == "hinge"

    def _output_activation(self, codec: LabelCodec) -> str:
        if self._has_margins():
            return "identity"
        return "softmax" if codec.kind == "multiclass" else "logistic"

    def _core_loss(self, codec: LabelCodec) -> CoreLoss:
        output = self._output_activation(codec)
        if output == "identity" and self.label_smoothing:
            raise ValueError("label_smoothing is not for loss='hinge'.")
        skips = codec.is_multilabel
        if callable(self.loss):
            name, _ = parse_loss("log_loss", output, _LOSSES)
            return CoreLoss.of_users(name, self.loss, skips_missing=skips)
        return CoreLoss(*parse_loss_of(self, output, _LOSSES), skips_missing=skips)

    def _monitor(self, codec: LabelCodec) -> str:
        return "accuracy"

    def _row_factors(self, y: NDArray[Any], codec: LabelCodec) -> NDArray[Any] | None:
        if self.class_weight is None:
            return None
        return class_factors(self.class_weight, y, codec.classes)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
