"""Estimators for tables as people have them: ensembles of small networks, trained at once.

`TabularClassifier` and `TabularRegressor` take frames with numbers, categories, dates and gaps.
"""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions

from fastmlp._checks.choices import Preset
from fastmlp._checks.content import plain_array
from fastmlp._checks.sklearn import fit_context
from fastmlp._data.class_weight import class_factors
from fastmlp._data.labels import LabelCodec, check_labels
from fastmlp._model.exclusive import as_it_is
from fastmlp._tabular.base import BaseTabular
from fastmlp._tabular.targets import ClassTargets, NumberTargets


class TabularClassifier(ClassifierMixin, BaseTabular):
    """Classifier for tables with numbers, categories, dates and missing values.

    Small multilayer perceptrons with encodings of their own are trained on folds of the rows, one
    to a thread, each until the fold that it did not see is predicted best; greedy selection on
    these predictions decides how much each counts.

    Parameters
    ----------
    preset : {'fast', 'balanced', 'best'}, default='balanced'
        How much is trained: 'fast' takes seconds, 'best' several times as long as 'balanced'.
    categorical_features : array-like of str, int or bool, default=None
        Columns to be taken for categories, by name, number or mask, beside those that are by their
        type: text, categories, objects.
    class_weight : dict, 'balanced' or None, default=None
        What the samples of each class weigh; 'balanced' is ``n_samples / (n_classes * count)``.
    scoring : str, callable or None, default=None
        What the selection maximises, as in scikit-learn; None is minus the log loss.
    time_limit : float or None, default=None
        Seconds after which no other network is begun, and those in training end with the best that
        they have. Every network that was begun has an epoch, and the first is always begun. What
        there is time for depends on the machine, and so do results.
    n_jobs : int or None, default=None
        Threads; None is all that this process may use. Inside of `joblib.parallel_config` with an
        engine of processes, such as dask's, networks are trained as its tasks, so many at a time.
        Without a limit of time results depend on neither.
    random_state : int, RandomState instance or None, default=None
        Determines folds, starts and shuffles. An int gives the same result on every call.
    verbose : bool or int, default=False
        Whether a bar shows how many networks are trained.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    columns_ : Columns
        What each column was taken for; printed a line each.
    members_ : list of Member
        The networks, with their settings, epochs and validation scores.
    validation_score_ : float
        What the selection maximised, on rows that the networks did not see: the value of
        `scoring`, or minus the log loss.
    oof_predictions_ : ndarray of shape (n_samples, n_classes)
        Probabilities for the rows of X by the networks that were not trained on them; NaN for rows
        without weight, and of folds for which the time was not enough. Only where there were folds.
    feature_importances_ : ndarray of shape (n_features,)
        How much of the growth of the log loss on rows that were left out is due to the shuffling of
        each column; their sum is 1, or 0 where no column matters.
    n_features_in_ : int
        The number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

    See Also
    --------
    TabularRegressor : The same for numbers as targets.
    MLPClassifier : One network on an array of numbers.

    Notes
    -----
    Training minimises the log loss. Outputs and probabilities are float64.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import TabularClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [[x, kind] for x in rng.normal(size=150) for kind in ("even", "odd")]
    >>> y = [x > 0 and kind == "odd" for x, kind in X]
    >>> model = TabularClassifier(preset="fast", random_state=0).fit(X, y)
    >>> model.columns_
    0: number, 150 distinct
    1: category, 2 distinct
    >>> model.predict([[1.5, "odd"], [1.5, "even"]])
    array([ True, False])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseTabular._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        preset: Preset = "balanced",
        categorical_features: Any = None,
        class_weight: Any = None,
        scoring: Any = None,
        time_limit: float | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.preset = preset
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.scoring = scoring
        self.time_limit = time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fit_context
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        *,
        groups: Any = None,
    ) -> Self:
        """Train the ensemble.

        When it raises, or is interrupted by Ctrl-C, the estimator is what it was before.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features), or Blocks
            The table: of pandas, polars, pyarrow, NumPy, or lists. `fastmlp.data.Blocks` hold
            targets and weights, too, and may be larger than memory: what is learnt of the columns
            is then learnt from rows that are set aside, and the others are encoded once, into
            temporary files.
        y : array-like of shape (n_samples,), default=None
            The labels: all strings or all integers. None with blocks only.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row weighs.
        X_val : DataFrame or array-like of shape (n_val, n_features), default=None
            Rows to validate on instead of folds of `X`.
        y_val : array-like of shape (n_val,), default=None
            Their labels.
        groups : array-like of shape (n_samples,), default=None
            What group each row belongs to, such as a patient: folds then consist of whole groups.
            Not used where rows to validate on are given.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not valid.
        TypeError
            If a column holds what is neither a number, a date nor text.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        self._fit(X, y, sample_weight, X_val, y_val, groups)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the label of each row.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The most probable labels.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        shares = model.predict_proba(X)
        labels: NDArray[Any] = model.classes_.take(shares.argmax(axis=1))
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        return as_it_is(self)._predict(X)

    def _read_targets(self, name: str, y: Any, n_rows: int) -> NDArray[Any]:
        labels: NDArray[Any] = plain_array(name, self._check_rows(name, y, n_rows))
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            raise ValueError(f"Input {name} contains NaN.")
        check_labels(labels)
        return labels

    def _weigh(self, y: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[Any] | None:
        if self.class_weight is None:
            return weight
        factors = class_factors(self.class_weight, y, np.unique(y))
        return factors if weight is None else weight * factors

    def _learn_targets(self, y: NDArray[Any]) -> ClassTargets:
        codec = LabelCodec.learn(y)
        self.classes_ = codec.classes
        return ClassTargets(codec)


class TabularRegressor(RegressorMixin, BaseTabular):
    """Regressor for tables with numbers, categories, dates and missing values.

    Small multilayer perceptrons with encodings of their own are trained on folds of the rows, one
    to a thread, each until the fold that it did not see is predicted best; greedy selection on
    these predictions decides how much each counts.

    Parameters
    ----------
    preset : {'fast', 'balanced', 'best'}, default='balanced'
        How much is trained: 'fast' takes seconds, 'best' several times as long as 'balanced'.
    categorical_features : array-like of str, int or bool, default=None
        Columns to be taken for categories, by name, number or mask, beside those that are by their
        type: text, categories, objects.
    scoring : str, callable or None, default=None
        What the selection maximises, as in scikit-learn; None is minus the mean squared error.
    time_limit : float or None, default=None
        Seconds after which no other network is begun, and those in training end with the best that
        they have. Every network that was begun has an epoch, and the first is always begun. What
        there is time for depends on the machine, and so do results.
    n_jobs : int or None, default=None
        Threads; None is all that this process may use. Inside of `joblib.parallel_config` with an
        engine of processes, such as dask's, networks are trained as its tasks, so many at a time.
        Without a limit of time results depend on neither.
    random_state : int, RandomState instance or None, default=None
        Determines folds, starts and shuffles. An int gives the same result on every call.
    verbose : bool or int, default=False
        Whether a bar shows how many networks are trained.

    Attributes
    ----------
    columns_ : Columns
        What each column was taken for; printed a line each.
    members_ : list of Member
        The networks, with their settings, epochs and validation scores.
    validation_score_ : float
        What the selection maximised, on rows that the networks did not see: the value of
        `scoring`, or minus the mean squared error in units of the variance of y.
    oof_predictions_ : ndarray of shape (n_samples,)
        Predictions for the rows of X by the networks that were not trained on them; NaN for rows
        without weight, and of folds for which the time was not enough. Only where there were folds.
    feature_importances_ : ndarray of shape (n_features,)
        How much of the growth of the squared error on rows that were left out is due to the
        shuffling of each column; their sum is 1, or 0 where no column matters.
    n_features_in_ : int
        The number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

    See Also
    --------
    TabularClassifier : The same for labels as targets.
    MLPRegressor : One network on an array of numbers.

    Notes
    -----
    Training minimises the squared error of the standardised target. Predictions lie in the range of
    the targets that were trained on.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import TabularRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = np.abs(X[:, 0]) + 0.1 * X[:, 1]
    >>> model = TabularRegressor(preset="fast", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        *,
        preset: Preset = "balanced",
        categorical_features: Any = None,
        scoring: Any = None,
        time_limit: float | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.preset = preset
        self.categorical_features = categorical_features
        self.scoring = scoring
        self.time_limit = time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fit_context
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        *,
        groups: Any = None,
    ) -> Self:
        """Train the ensemble.

        When it raises, or is interrupted by Ctrl-C, the estimator is what it was before.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features), or Blocks
            The table: of pandas, polars, pyarrow, NumPy, or lists. `fastmlp.data.Blocks` hold
            targets and weights, too, and may be larger than memory: what is learnt of the columns
            is then learnt from rows that are set aside, and the others are encoded once, into
            temporary files.
        y : array-like of shape (n_samples,), default=None
            The numbers to predict. None with blocks only.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row weighs.
        X_val : DataFrame or array-like of shape (n_val, n_features), default=None
            Rows to validate on instead of folds of `X`.
        y_val : array-like of shape (n_val,), default=None
            Their targets.
        groups : array-like of shape (n_samples,), default=None
            What group each row belongs to, such as a patient: folds then consist of whole groups.
            Not used where rows to validate on are given.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not valid.
        TypeError
            If a column holds what is neither a number, a date nor text.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        self._fit(X, y, sample_weight, X_val, y_val, groups)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the target of each row.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The predictions, in the range of the targets that were trained on.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        return as_it_is(self)._predict(X)

    def _read_targets(self, name: str, y: Any, n_rows: int) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = check_array(
            self._check_rows(name, y, n_rows),
            dtype=np.float64,
            ensure_2d=False,
            input_name=name,
            estimator=self,
        )
        return numbers

    def _learn_targets(self, y: NDArray[Any]) -> NumberTargets:
        return NumberTargets.learn(y)
