"""One call of fit or partial_fit: checks, plan, start, training, record."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _num_samples

from fastmlp._blocks.blocks import FOR_FIT, OWN_TARGETS, Blocks
from fastmlp._blocks.gather import gather
from fastmlp._blocks.reading import EstimatorReader, read_targets
from fastmlp._blocks.rows import BlockRows
from fastmlp._blocks.survey import Survey
from fastmlp._checks.arrays import check_arrays, check_range, require
from fastmlp._data.codec import TargetCodec
from fastmlp._data.labels import read_classes
from fastmlp._data.missing import refuse_empty_columns
from fastmlp._data.rows import Data
from fastmlp._data.shares import all_of_frame, share_rows, take_form
from fastmlp._data.split import check_groups
from fastmlp._data.validation import GivenSet
from fastmlp._data.weights import check_weights, scale_weights
from fastmlp._estimator.parameters import plan_initialisers, plan_layers
from fastmlp._estimator.train import Training
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.initialisers import draw_params
from fastmlp._model.model import Model
from fastmlp._processes.group import ALONE, current_group, refuse_group
from fastmlp._training.record import Record
from fastmlp._training.resuming import Begun
from fastmlp._training.sklearn_task import FitTask


class FitRun:
    """One call, on a copy of the estimator that nobody else sees yet.

    Parameters
    ----------
    estimator : BaseMLP
        The copy, which becomes what comes of the call.
    X, y, sample_weight : object
        As the user gave them.
    incremental : bool
        Whether to train for one epoch, as partial_fit does.
    classes : object
        The labels announced to partial_fit.
    validation : dict of tuple
        The validation sets given to fit, by name: X_val, y_val and sample_weight_val of each.
    groups : object
        The group of each sample, as the user gave it.
    start : tuple of coef_init and intercept_init
        The weights given to start from; None for others.
    begun : Begun
        What was trained of this fit before it was cut off.
    task : FitTask or None
        The call as scikit-learn's callbacks see it.
    """

    codec: TargetCodec
    plan: Architecture
    random_state: np.random.RandomState

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool,
        classes: Any,
        validation: Mapping[str, GivenSet],
        groups: Any,
        start: tuple[Any, Any],
        begun: Begun,
        task: FitTask | None,
    ) -> None:
        self.estimator = estimator
        self.given = (X, y, sample_weight)
        self.incremental = incremental
        self.classes = classes
        self.validation = validation
        self.groups = groups
        self.given_start = start
        self.begun = begun
        self.task = task
        self.group = current_group()
        fitted = "coefs_" in vars(estimator)
        fresh = not fitted or not (estimator.warm_start or incremental)
        self.before: Model | None = None if fresh else estimator._model

    def run(self) -> None:
        """Train, and let the estimator become what came of it."""
        estimator = self.estimator
        X = self.given[0]
        data = self._read_blocks(X) if isinstance(X, Blocks) else self._read()
        if self.begun:
            self.random_state = self.begun.resumption.random_state()
        else:
            self.random_state = self.group.lead(lambda: check_random_state(estimator.random_state))
        generator = self.random_state.get_state(legacy=False)
        self.plan = self._make_plan(data)
        data = self._weigh(data, "class_weight" if self.given[2] is None else "sample_weight")
        if "feature_names_in_" in vars(estimator) and data.streamed is None:
            data = replace(data, frame=self.given[0])
        sets = {
            name: self._read_validation(name, *given) for name, given in self.validation.items()
        }
        training = Training(
            estimator,
            self.codec,
            self.plan,
            self._start_of_all(),
            self.random_state,
            self.before,
            Record() if self.before is None else Record.of(estimator),
            self.task,
            self._groups_of_all(data.n_rows),
            self.begun,
            generator,
            self.group,
        )
        if self.incremental:
            model, record = training.one_epoch(data)
        elif estimator.solver == "lbfgs":
            model, record = training.by_lbfgs(data)
        else:
            model, record = training.by_steps(data, sets)
        estimator._become(self.codec, model, record)

    # Checks

    def _read_blocks(self, blocks: Blocks) -> Data:
        """Look at all targets and at the first block, or read what fits in memory."""
        estimator = self.estimator
        refuse_group("An estimator")
        require(not self.incremental, FOR_FIT)
        beside = [given for given in self.given[1:] if given is not None]
        require(not beside, OWN_TARGETS)
        survey = Survey.of(blocks, partial(read_targets, estimator))
        self._learn_targets(survey.y)
        reset = self.before is None
        reader = EstimatorReader(estimator, self.codec, estimator._core_loss(self.codec).name)
        class_weight = getattr(estimator, "class_weight", None)
        rows = BlockRows.of(blocks, reader, survey, class_weight=class_weight, reset=reset)
        if rows.fits:
            self.given = gather(blocks)
            return self._read()
        if not self.validation:
            require(self.groups is None, "groups are not for blocks: give X_val and y_val.")
        return Data(rows.first.x, rows.first.t, streamed=rows)

    def _learn_targets(self, y: NDArray[Any]) -> None:
        """Learn what the targets are, or check that they are such again."""
        estimator, announced = self.estimator, read_classes(self.classes)
        if self.before is None:
            self.codec = estimator._learn_targets(y, announced)
        else:
            self.codec = estimator._present_codec()
            again = estimator.warm_start and not self.incremental
            self.codec.check(y, announced=announced, all_present=again)

    def _read(self) -> Data:
        """Check the samples, learn what the targets are, or check that they are such again."""
        estimator = self.estimator
        X, y, weight = self._read_part(*self.given, "sample_weight", reset=self.before is None)
        X, shares = share_rows(self.group, X)
        y, weight = self.group.all_of(y), self.group.all_of(weight)
        self._learn_targets(y)
        if not self.incremental:
            refuse_empty_columns(y)
        factors = estimator._row_factors(y, self.codec)
        t = self.codec.encode(y)
        if factors is not None:
            weight = factors if weight is None else weight * factors
            if not weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return Data(X, t, weight, shares=shares)

    def _read_part(
        self, X: Any, y: Any, sample_weight: Any, argument: str, *, reset: bool
    ) -> tuple[Any, Any, Any]:
        """Check this process's part of some samples; one of several may have none."""
        estimator, group = self.estimator, self.group
        part: Any = None
        with group.together():
            if group is ALONE or _num_samples(X):
                X, y = estimator._read_samples(X, y, reset=reset)
                vanishes = group is not ALONE  # a part may, as long as others do not
                weight = check_weights(argument, sample_weight, X.shape[0], may_vanish=vanishes)
                part = X, y, weight
        part = part if group is ALONE else take_form(estimator, group, part)
        return cast(tuple[Any, Any, Any], part)

    def _make_plan(self, data: Data) -> Architecture:
        """Plan the network for the data; check that the weights of an earlier fit suit it."""
        estimator = self.estimator
        dtype = estimator.dtype
        if dtype == "auto" and self.before is not None:
            dtype = self.before.architecture.dtype
        elif dtype == "auto":
            dtype = "float32" if data.x.dtype == np.float32 else "float64"
        with self.group.together():
            check_range("X", data.x, dtype)
        check_range("y", data.t, dtype)
        output = estimator._output_activation(self.codec)
        layers = plan_layers(estimator, self.codec.n_outputs, output)
        plan = Architecture(data.x.shape[1], layers, dtype)
        if self.before is not None and (
            plan.coef_shapes != [np.shape(w) for w in estimator.coefs_]
            or plan.slope_shapes != [np.shape(a) for a in estimator.slopes_]
        ):
            raise ValueError(
                "warm_start and partial_fit go on with the weights of the previous fit: neither "
                "hidden_layer_sizes nor the number of outputs can change, nor whether activations "
                "learn."
            )
        return plan

    def _weigh(self, data: Data, argument: str) -> Data:
        """Scale the weights for a network of the plan's type."""
        if data.streamed is not None:
            return replace(data, streamed=data.streamed.weighed(self.plan.dtype))
        weight = scale_weights(argument, data.sample_weight, self.plan.dtype)
        return replace(data, sample_weight=weight)

    def _read_validation(self, name: str, X_val: Any, y_val: Any, sample_weight_val: Any) -> Data:
        """Check a validation set given to fit, and return it as the core scores it."""
        estimator, dtype = self.estimator, self.plan.dtype
        if estimator.solver == "lbfgs":
            raise ValueError("X_val and y_val need a first-order solver; got solver='lbfgs'.")
        frame = X_val if "feature_names_in_" in vars(estimator) else None
        try:
            part = (X_val, y_val, sample_weight_val)
            X, y, weight = self._read_part(*part, "sample_weight_val", reset=False)
            X, y, weight = map(self.group.all_of, (X, y, weight))
            frame = all_of_frame(self.group, frame)
            self.codec.check(y)
            t = self.codec.encode(y)
            check_range("X", X, dtype)
            check_range("y", t, dtype)
        except ValueError as error:
            which = "X_val and y_val" if name == "val" else f"the validation set {name!r}"
            raise ValueError(f"In {which}: {error}") from error
        validation = self._weigh(Data(X, t, weight, frame), "sample_weight_val")
        if validation.n_rows < 2:
            raise ValueError("X_val and y_val must have at least 2 samples; got 1.")
        return validation

    def _groups_of_all(self, n_rows: int) -> Any:
        with self.group.together():
            groups = None if self.groups is None else column_or_1d(self.groups)
        groups = self.group.all_of(groups)
        return None if groups is None else check_groups(groups, np.ones(n_rows, dtype=bool))

    # Start

    def _start_of_all(self) -> Params:
        """Return the first process's weights; all make some, for all draw the same numbers."""
        with self.group.together():
            start = self._make_start(*self.given_start)
        return self.group.lead(lambda: start)

    def _make_start(self, coef_init: Any, intercept_init: Any) -> Params:
        """Return the weights to start from."""
        estimator, plan = self.estimator, self.plan
        if self.before is None:
            coefs, intercepts, slopes = draw_params(
                plan, self.random_state, *plan_initialisers(estimator)
            )
        else:
            coefs, intercepts, slopes = (
                [np.asarray(array, plan.dtype) for array in arrays]
                for arrays in (estimator.coefs_, estimator.intercepts_, estimator.slopes_)
            )
        if coef_init is not None:
            coefs = check_arrays("coef_init", coef_init, plan.coef_shapes, plan.dtype)
        if intercept_init is not None:
            shapes = plan.intercept_shapes
            intercepts = check_arrays("intercept_init", intercept_init, shapes, plan.dtype)
        return coefs, intercepts, slopes
