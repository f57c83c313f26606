"""What both estimators for tables share: fit from a raw table to an ensemble, and predictions."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from fastmlp._blocks.blocks import OWN_TARGETS, Blocks
from fastmlp._blocks.gather import gather
from fastmlp._checks.arrays import require
from fastmlp._checks.content import refuse_unfit
from fastmlp._checks.sklearn import DOC_PAGE
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._data.frames import check_table, count_rows, take_rows
from fastmlp._data.split import check_groups
from fastmlp._data.table import Columns, TableReader
from fastmlp._data.weights import check_weights
from fastmlp._model.exclusive import changing
from fastmlp._processes.group import refuse_group
from fastmlp._tabular.bar import Bar
from fastmlp._tabular.ensemble import (
    Ensemble,
    Fold,
    Rows,
    choose,
    joined,
    make_fold,
    split,
)
from fastmlp._tabular.importance import importances
from fastmlp._tabular.member import Member, Task
from fastmlp._tabular.recipe import PRESETS, folds_for
from fastmlp._tabular.streamed import TableBlocks, stream
from fastmlp._tabular.targets import Loss, Targets
from fastmlp._tabular.training import train

_BLOCK = 65_536  # rows of a table that are read at once


class BaseTabular(BaseEstimator, ABC):
    """An ensemble of small networks on a table as it is."""

    _doc_link_module = "fastmlp"
    _doc_link_template = DOC_PAGE
    # Groups are for who splits the samples, unless somebody asks for them here.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": False}

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "preset": [StrOptions(set(PRESETS))],
        "categorical_features": ["array-like", None],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    preset: str
    categorical_features: Any
    scoring: Any
    time_limit: float | None
    n_jobs: int | None
    random_state: int | np.random.RandomState | None
    verbose: bool | int

    columns_: Columns
    members_: list[Member]
    n_features_in_: int
    oof_predictions_: NDArray[np.float64]
    _ensemble: Ensemble
    _targets: Targets

    # What a subclass knows of its targets

    @abstractmethod
    def _read_targets(self, name: str, y: Any, n_rows: int) -> NDArray[Any]:
        """Check targets for what needs no knowledge of others."""

    @abstractmethod
    def _learn_targets(self, y: NDArray[Any]) -> Targets:
        """Learn what they are from those to train on."""

    def _weigh(self, y: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[Any] | None:
        """Return weights with what the targets weigh."""
        return weight

    # Fit

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, groups: Any) -> None:
        refuse_group(type(self).__name__)
        start = time.perf_counter()
        deadline = np.inf if self.time_limit is None else start + self.time_limit
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together.")
        with changing(self) as (copy, publish):
            copy._fit_whole(X, y, sample_weight, X_val, y_val, groups, deadline)
            publish()

    def _fit_whole(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        groups: Any,
        deadline: float,
    ) -> None:
        if isinstance(X, Blocks):
            require(y is None and sample_weight is None, OWN_TARGETS)
            data = TableBlocks.of(self, X)
            row_bytes = data.learn_columns()
            if 2 * data.survey.n_rows * row_bytes > X.memory:
                require(groups is None, "groups are not for blocks: give X_val and y_val.")
                self._fit_blocks(data, row_bytes, X_val, y_val, deadline)
                return
            X, y, sample_weight = gather(X)
        X, y, weight, kept = self._read(X, y, sample_weight)
        self._targets = self._learn_targets(y)
        reader = TableReader.learn(X, self._categorical())
        rows = Rows(reader.read(X), self._targets.encode(y), weight)
        seed = self._draw_seed()
        groups = check_groups(groups, kept)
        folds = self._folds(rows, reader, self._targets.task, X_val, y_val, groups, seed)
        self._train(reader, folds, kept if X_val is None else None, seed, deadline)

    def _fit_blocks(
        self, data: TableBlocks, row_bytes: float, X_val: Any, y_val: Any, deadline: float
    ) -> None:
        """Fit what is larger than memory."""
        seed = self._draw_seed()
        aside = data.aside(row_bytes, seed)
        if sum(aside.sizes) < 2:
            raise ValueError(f"The blocks' memory={data.blocks.memory} is too little: give more.")
        with stream(data, aside, self._categorical(), seed) as (reader, self._targets, fold):
            if X_val is not None:
                validation = self._read_validation(reader, X_val, y_val)
                beside = fold.means.beside(validation.table)
                fold = replace(fold, validation=replace(validation, table=beside))
            self._train(reader, [fold], None, seed, deadline)

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _train(
        self,
        reader: TableReader,
        folds: list[Fold],
        kept: NDArray[np.bool_] | None,
        seed: int,
        deadline: float,
    ) -> None:
        """Train and choose; `kept` says which of the user's rows the folds are of, if they are."""
        n_threads, task = resolve_n_jobs(self.n_jobs), self._targets.task
        preset = PRESETS[self.preset]
        t, held_weight = joined(folds)
        loss = self._loss(t, held_weight)
        guess = np.full((len(t), task.n_outputs), 1 / task.n_outputs if task.n_classes else 0.0)
        loss(guess)  # what a scorer refuses is refused before training
        with Bar(self.verbose, len(preset.recipes) * len(folds), task.loss_factor) as bar:
            trained = train(
                reader,
                task,
                folds,
                preset,
                seed=seed,
                n_jobs=self.n_jobs,
                n_threads=n_threads,
                deadline=deadline,
                on_poll=bar.show if self.verbose else None,
            )
            if not trained:
                raise ValueError(
                    "No network could be trained: the loss was not finite in the first epoch. Are "
                    "there numbers in X or y that are too large?"
                )
            choice = choose(trained, folds, loss, n_threads)
            used = {f: folds[f] for f in choice.folds}
            self._keep_held_out(list(used.values()), choice.outputs, kept)
            bar.end(len(trained), self.validation_score_)
        self._ensemble = Ensemble(reader, task, [fold.means for fold in folds], choice.voters)
        self.columns_, self.members_ = reader.columns, choice.members
        self.feature_importances_ = importances(
            self._ensemble, used, self._targets.loss, self.n_features_in_, seed, n_threads
        )

    def _read(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any] | None, NDArray[np.bool_]]:
        """Return the rows with a weight, their targets and weights, and which of all they are."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        X = check_table(self, X, reset=True)
        n_rows = count_rows(X)
        y = self._read_targets("y", y, n_rows)
        weight = self._weigh(y, check_weights("sample_weight", sample_weight, n_rows))
        if weight is None:
            return X, y, None, np.ones(n_rows, dtype=bool)
        if not weight.any():
            raise ValueError("sample_weight and class_weight leave no row with a weight.")
        kept = weight > 0
        if kept.all():
            return X, y, weight, kept
        return take_rows(X, np.flatnonzero(kept)), y[kept], weight[kept], kept

    def _folds(
        self,
        rows: Rows,
        reader: TableReader,
        task: Task,
        X_val: Any,
        y_val: Any,
        groups: NDArray[Any] | None,
        seed: int,
    ) -> list[Fold]:
        if X_val is not None:
            validation = self._read_validation(reader, X_val, y_val)
            return [make_fold(reader, task, rows, validation, np.empty(0, np.intp), seed)]
        parts = split(rows, task, folds_for(PRESETS[self.preset], len(rows)), seed, groups)
        return [
            make_fold(reader, task, rows.at(train), rows.take(held), held, seed)
            for train, held in parts
        ]

    def _read_validation(self, reader: TableReader, X_val: Any, y_val: Any) -> Rows:
        X_val = check_table(self, X_val, reset=False)
        y_val = self._read_targets("y_val", y_val, count_rows(X_val))
        return Rows(reader.read(X_val), self._targets.encode(y_val), self._weigh(y_val, None))

    def _keep_held_out(
        self, folds: list[Fold], outputs: NDArray[np.float64], kept: NDArray[np.bool_] | None
    ) -> None:
        """Keep the score, and the predictions for rows that were left out."""
        t, weight = joined(folds)
        if self.scoring is None:
            self.validation_score_ = -self._targets.loss(t, weight)(outputs)
        else:
            self.validation_score_ = self._score(outputs, t, weight)
        if kept is None or len(folds) == 1:
            if hasattr(self, "oof_predictions_"):
                del self.oof_predictions_  # of another fit
            return
        places = np.concatenate([fold.place for fold in folds])
        finished = self._targets.finish(outputs)
        self.oof_predictions_ = np.full((len(kept), *finished.shape[1:]), np.nan)
        self.oof_predictions_[np.flatnonzero(kept)[places]] = finished

    def _loss(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Loss:
        """Return what the selection minimises: minus the score, where there is a scorer."""
        plain = self._targets.loss(t, weight)
        if self.scoring is None:
            return plain
        return lambda outputs: 1e-6 * plain(outputs) - self._score(outputs, t, weight)

    def _score(self, outputs: NDArray[np.float64], t: NDArray[Any], weight: Any) -> float:
        stand_in = self._targets.stand_in(outputs)
        scorer = check_scoring(stand_in, self.scoring)
        score = getattr(scorer, "_score_func", scorer)
        weighs = weight is not None and "sample_weight" in signature(score).parameters
        named = {"sample_weight": weight} if weighs else {}
        return float(scorer(stand_in, np.zeros((len(t), 1)), self._targets.decode(t), **named))

    def _categorical(self) -> NDArray[np.bool_]:
        """Which columns the user calls categories."""
        given = self.categorical_features
        marked = np.zeros(self.n_features_in_, dtype=bool)
        if given is None:
            return marked
        given = np.asarray(given, dtype=object).ravel()
        if len(given) and all(isinstance(each, bool | np.bool_) for each in given):
            if given.shape != marked.shape:
                raise ValueError(
                    f"categorical_features must have a truth value for each of the "
                    f"{len(marked)} columns; got {len(given)}."
                )
            return given.astype(bool)
        names = list(getattr(self, "feature_names_in_", []))
        for column in given:
            if isinstance(column, str):
                if column not in names:
                    raise ValueError(
                        f"categorical_features: X has no column {column!r}; it has {names}."
                    )
                marked[names.index(column)] = True
            elif isinstance(column, int | np.integer) and -len(marked) <= column < len(marked):
                marked[int(column)] = True
            else:
                raise ValueError(
                    f"categorical_features must hold names of columns, numbers below {len(marked)} "
                    f"or truth values; got {column!r}."
                )
        return marked

    # Predictions

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Return the ensemble's outputs, of shape (n_rows, n_outputs)."""
        check_is_fitted(self, "_ensemble")
        X = check_table(self, X, reset=False)
        n_threads = resolve_n_jobs(self.n_jobs)
        ensemble = self._ensemble
        n_rows = count_rows(X)
        if n_rows <= _BLOCK:
            return ensemble.predict(ensemble.reader.read(X), n_threads)
        blocks = [slice(i, i + _BLOCK) for i in range(0, n_rows, _BLOCK)]
        return np.concatenate(
            [ensemble.predict(ensemble.reader.read(take_rows(X, b)), n_threads) for b in blocks]
        )

    def _predict(self, X: Any) -> NDArray[np.float64]:
        """Return probabilities or numbers; of an estimator that nobody changes meanwhile."""
        outputs = self._outputs(X)
        return self._targets.finish(outputs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.non_deterministic = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return "_ensemble" in vars(self)

    def _check_rows(self, name: str, y: Any, n_rows: int) -> NDArray[Any]:
        """Return y as a vector with as many values as there are rows."""
        refuse_unfit(name, y)
        values: NDArray[Any] = column_or_1d(np.asarray(y), warn=True)
        if len(values) != n_rows:
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"{[n_rows, len(values)]}"
            )
        return values
