"""Rosenblatt's perceptron as an estimator: labels to sides of hyperplanes, and back.

The rule itself runs in the core; `coef_` and `intercept_` are all that is learnt.
"""

from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from fastmlp import _core
from fastmlp._blocks.blocks import FOR_FIT, OWN_TARGETS, Blocks
from fastmlp._blocks.gather import gather
from fastmlp._blocks.reading import EstimatorReader, read_targets
from fastmlp._blocks.rows import BlockRows
from fastmlp._blocks.survey import Survey
from fastmlp._checks.arrays import CORE_DTYPES, check_count, require, validate_data
from fastmlp._checks.sklearn import DOC_PAGE, fit_context
from fastmlp._checks.warn import warn
from fastmlp._data.labels import LabelCodec, read_classes, read_labels
from fastmlp._model.exclusive import as_it_is, changing
from fastmlp._processes.group import refuse_group


class Perceptron(ClassifierMixin, BaseEstimator):
    """Perceptron: threshold units that learn from their mistakes.

    Weights start at zero. Samples are taken one at a time: where ``w @ x + b`` has the sign of
    the target `t` (1 or -1), nothing changes; where it has not, ``eta0 * t * x`` is added to `w`
    and ``eta0 * t`` to `b`. Training ends with an epoch without a mistake, which comes after
    finitely many when hyperplanes separate the classes [2]_.

    Two classes need one output. Several classes have an output each, trained on its class against
    all others, and the largest decides. With several labels per sample, each label has an output
    that stands alone.

    Parameters
    ----------
    max_iter : int, default=1000
        The largest number of epochs.
    eta0 : float, default=1.0
        How far a mistake moves the weights. As they start at zero, it scales them and, rounding
        aside, changes no prediction.
    shuffle : bool, default=True
        Whether the samples are shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the shuffling. An int gives the same result on every call.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted; the numbers of the columns for several labels per sample.
    coef_ : ndarray of shape (n_outputs, n_features)
        The weights: the normal of each output's hyperplane.
    intercept_ : ndarray of shape (n_outputs,)
        The bias of each output.
    converged_ : bool
        Whether the last epoch went without a mistake.
    mistakes_ : list of int
        The mistakes of each epoch, over all outputs. `partial_fit` adds to the list.
    n_iter_ : int
        The number of epochs of the last call.
    n_features_in_ : int
        The number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X had names that are all strings.

    See Also
    --------
    McCullochPitts : A threshold unit whose weights are given.
    MLPClassifier : Layers of units, for classes that no hyperplane separates.

    Notes
    -----
    A sample on the hyperplane is on neither side and counts as a mistake while training, or zero
    weights would never learn. Weights and arithmetic are float64. With the same order of samples
    the weights are those of `sklearn.linear_model.Perceptron` with its default ``penalty=None``.

    References
    ----------
    .. [1] F. Rosenblatt, "The perceptron: a probabilistic model for information storage and
       organization in the brain", Psychological Review 65, 1958.
    .. [2] A. B. J. Novikoff, "On convergence proofs on perceptrons", Symposium on the Mathematical
       Theory of Automata, 1962: at most (R / gamma)^2 mistakes for samples no longer than R that
       are at least gamma away from the hyperplane.

    Examples
    --------
    >>> from fastmlp import Perceptron
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> model = Perceptron(shuffle=False).fit(X, [0, 1, 1, 1])
    >>> model.converged_, model.mistakes_
    (True, [3, 1, 2, 2, 1, 0])
    >>> model.predict(X)
    array([0, 1, 1, 1])
    """

    _doc_link_module = "fastmlp"
    _doc_link_template = DOC_PAGE

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    classes_: NDArray[Any]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    mistakes_: list[int]
    _codec: LabelCodec
    _seed: int  # of the shuffles; partial_fit goes on with it

    def __init__(
        self,
        max_iter: int = 1000,
        *,
        eta0: float = 1.0,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.max_iter = max_iter
        self.eta0 = eta0
        self.shuffle = shuffle
        self.random_state = random_state

    @fit_context
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train from zero weights until an epoch without a mistake.

        When it raises, or is interrupted by Ctrl-C, the estimator is what it was before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Blocks
            The inputs. Arrays of float32, float64, bool and integers are read in place. A data set
            that is larger than memory comes as `fastmlp.data.Blocks`, which hold y as well.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The labels, or an indicator matrix of several labels per sample; None with blocks only.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not valid, or the weights are no longer finite.
        RuntimeError
            If it is training already, in another call that has not returned.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs all had mistakes.
        """
        self._fit(X, y, epochs=int(self.max_iter), fresh=True)
        return self

    @fit_context
    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train for one epoch on the given samples, going on from the present weights.

        When it raises, or is interrupted by Ctrl-C, the estimator is what it was before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels, or an indicator matrix of several labels per sample.
        classes : array-like of shape (n_classes,), default=None
            All the labels that any call will have; needed in the first call only, and not with an
            indicator matrix.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs later, if an argument is not
            valid, or if the weights are no longer finite.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        self._fit(
            X, y, epochs=1, fresh=not hasattr(self, "coef_"), classes=classes, incremental=True
        )
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Compute ``X @ coef_.T + intercept_``, whose sign is the side of the hyperplane.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One number per sample for two classes, otherwise one per sample and output.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        check_is_fitted(model)
        X = validate_data(model, X, reset=False, dtype=CORE_DTYPES)
        decision: NDArray[Any] = X @ model.coef_.T + model.intercept_
        return decision.ravel() if decision.shape[1] == 1 else decision

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The labels, or the indicator matrix of several labels per sample. Of two classes, the
            second has the decisions above 0; of several, the largest decision counts.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        decision = model.decision_function(X)
        if model._codec.is_multilabel:
            return (decision > 0).astype(np.intp)
        chosen = (decision > 0).astype(np.intp) if decision.ndim == 1 else decision.argmax(axis=1)
        return model.classes_.take(chosen)

    def _fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int,
        fresh: bool,
        classes: Any = None,
        incremental: bool = False,
    ) -> None:
        """Train for so many epochs; on any error the estimator stays what it was."""
        refuse_group(f"A {type(self).__name__}")
        check_count(type(self).__name__, "max_iter", epochs)
        with changing(self) as (copy, publish):
            if isinstance(X, Blocks):
                require(not incremental, FOR_FIT)
                require(y is None, OWN_TARGETS)
                copy._fit_blocks(X, epochs)
            else:
                copy._fit_arrays(X, y, epochs, fresh, classes, incremental)
            if not (copy.converged_ or incremental):
                warn(
                    f"Maximum number of iterations ({self.max_iter}) reached with "
                    f"{copy.mistakes_[-1]} mistakes in the last epoch. Maybe no hyperplane "
                    "separates the classes.",
                    ConvergenceWarning,
                )
            publish()

    def _read_samples(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Check the samples for what needs no knowledge of the classes."""
        return read_labels(self, X, y, reset=reset, accept_sparse=False)

    def _fit_arrays(
        self,
        X: Any,
        y: Any,
        epochs: int,
        fresh: bool = True,
        classes: Any = None,
        incremental: bool = False,
    ) -> None:
        X, y = self._read_samples(X, y, reset=fresh)
        classes = read_classes(classes)
        if fresh:
            self._learn_classes(y, classes, announces=incremental)
            self._start()
        self._codec.check(y, announced=classes)
        self._train(epochs, x=X, t=self._codec.encode(y))

    def _fit_blocks(self, blocks: Blocks, epochs: int) -> None:
        """Read what fits in memory, and go through all else in windows."""
        survey = Survey.of(blocks, partial(read_targets, self))
        require(not survey.weighs, f"A {type(self).__name__} takes no sample_weight.")
        self._learn_classes(survey.y)
        rows = BlockRows.of(blocks, EstimatorReader(self, self._codec), survey, reset=True)
        if rows.fits:
            X, y, _ = gather(blocks)
            self._fit_arrays(X, y, epochs)
            return
        self._start()
        with rows.windows(self._seed, shuffles=bool(self.shuffle)) as windows:
            self._train(epochs, windows=windows)

    def _learn_classes(
        self, y: NDArray[Any], classes: Any = None, *, announces: bool = False
    ) -> None:
        """Learn the classes from y, or take them as announced."""
        if announces and classes is None and y.ndim == 1:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        self._codec = LabelCodec.learn(y, classes)
        self.classes_ = self._codec.classes
        if len(self.classes_) < 2:
            raise ValueError(
                f"The number of classes has to be greater than one; got {len(self.classes_)} class."
            )

    def _start(self) -> None:
        """Set weights of zero."""
        self.coef_ = np.zeros((self._codec.n_outputs, self.n_features_in_))
        self.intercept_ = np.zeros(self._codec.n_outputs)
        self.mistakes_ = []
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))

    def _train(self, epochs: int, *, x: Any = None, t: Any = None, windows: Any = None) -> None:
        """Train on arrays or in windows."""
        report = _core.train_perceptron(
            x,
            t,
            self.coef_,
            self.intercept_,
            windows=windows,
            eta0=float(self.eta0),
            epochs=epochs,
            shuffle=bool(self.shuffle),
            seed=self._seed,
            first_epoch=len(self.mistakes_),
        )
        if report["failed_epoch"]:
            raise ValueError(
                f"The weights became NaN or infinite in epoch {report['failed_epoch']}. Scale the "
                f"inputs to about unit size, or lower eta0={self.eta0:g}."
            )
        self.coef_, self.intercept_ = report["coef"], report["intercept"]
        self.mistakes_ = self.mistakes_ + report["mistakes"]
        self.n_iter_ = len(report["mistakes"])
        self.converged_ = self.mistakes_[-1] == 0

    def __getstate__(self) -> dict[str, Any]:
        """Return plain types, so that whoever has to trust them need not know ours."""
        state = dict(super().__getstate__())
        if "_codec" in state:
            state["_codec"] = dict(vars(state["_codec"]))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_codec" in state:
            self._codec = LabelCodec(**state["_codec"])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
