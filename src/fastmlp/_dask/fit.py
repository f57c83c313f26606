"""A call of fit on a cluster: the local one's checks and start, by facts of shards, then rounds.

In a round every shard goes on from the same weights by passes of its own, and weights and
optimizer are averaged: local SGD (Stich, "Local SGD converges fast and communicates little",
ICLR 2019). The client has the state between two rounds, so that whatever is lost with a worker can
be made again of it and of the data.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dask import delayed
from sklearn.utils import check_random_state

from fastmlp._dask.rounds import Rounds
from fastmlp._dask.rows import RETRIES, cut
from fastmlp._dask.shards import (
    Facts,
    Size,
    class_weights,
    divide,
    divisor_of,
    encode,
    facts_of,
    join_probes,
    read,
    size_of,
)
from fastmlp._data.validation import GivenSet
from fastmlp._estimator.fit import FitRun
from fastmlp._estimator.parameters import plan_layers
from fastmlp._model.architecture import Architecture
from fastmlp._model.exclusive import as_it_is
from fastmlp._processes.group import refuse_group
from fastmlp._training.record import Record
from fastmlp._training.resuming import Begun

# What a fit in one place has, and one in many can't: parameter, what is allowed, and why.
_ONLY: dict[str, tuple[list[Any], str]] = {
    "callbacks": ([None], "they look at an estimator that no single place has"),
    "eval_metrics": ([None], "they need all predictions in one place"),
    "scoring": ([None, "loss"], "other scores need all predictions in one place"),
    "warm_start": ([False], "coef_init and intercept_init give fit weights to start from"),
}


def check_supported(estimator: Any) -> None:
    """Refuse what only works in one place.

    Raises
    ------
    ValueError
        If a parameter asks for it.
    """
    name = type(estimator).__name__
    if estimator.solver == "lbfgs":
        raise ValueError(
            f"solver='lbfgs' is not for {name}: it takes one step on all rows at a time. Allowed "
            "are the first-order solvers, such as 'adam' and 'sgd', and with synchronous=True all."
        )
    for parameter, (allowed, why) in _ONLY.items():
        value = getattr(estimator, parameter)
        if not any(value is each or value == each for each in allowed):
            texts = " or ".join(map(repr, allowed))
            raise ValueError(
                f"{parameter}={value!r} is not for {name}, where it must be {texts}: {why}."
            )
    if getattr(estimator, "_skl_callbacks", None):
        raise ValueError(f"set_callbacks is not for {name}: {_ONLY['callbacks'][1]}.")


class DaskFit(FitRun):
    """One call of fit, on a copy of the estimator that nobody else sees yet.

    Parameters
    ----------
    estimator : DaskEstimator
        The copy, which becomes what comes of the call.
    X, y, sample_weight : object
        As the user gave them.
    validation : tuple of X_val, y_val and sample_weight_val, or None
        The validation set.
    start : tuple of coef_init and intercept_init
        The weights given to start from; None for others.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation: GivenSet | None,
        start: tuple[Any, Any],
    ) -> None:
        super().__init__(
            estimator,
            X,
            y,
            sample_weight,
            incremental=False,
            classes=None,
            validation={} if validation is None else {"val": validation},
            groups=None,
            start=start,
            begun=Begun(),
            task=None,
        )
        self.client = estimator.client_
        self.worker = estimator._for_tasks()

    def run(self) -> None:
        """Train, and let the estimator become what came of it."""
        refuse_group(type(self.estimator).__name__)
        check_supported(self.estimator)
        shards, facts = self._read_shards(self.given, "sample_weight")
        self._learn(facts)
        self.random_state = check_random_state(self.estimator.random_state)
        start = self._make_start(*self.given_start)
        rounds = Rounds(
            self.estimator,
            self.codec,
            self.plan,
            start,
            self.random_state,
            None,
            Record(),
            None,
            None,
            self.begun,
            {},
            self.group,
            self.client,
            self.worker,
        )
        seed, mask_seed = rounds.draw_seeds()
        held = None
        if self.estimator.early_stopping and not self.validation:
            held = float(self.estimator.validation_fraction), seed
        argument = "class_weight" if self.given[2] is None else "sample_weight"
        shards, sizes = self._encode(shards, argument, held=held)
        sets = list(zip(shards, sizes, strict=True)) if held else self._read_sets()
        training = [pair for pair in zip(shards, sizes, strict=True) if pair[1].total > 0]
        model, record = rounds.run(training, sets, sum(s.n_rows for s in sizes), seed, mask_seed)
        self.estimator._become(self.codec, model, record)

    def _submit(self, task: Any, *arguments: Any, **named: Any) -> Any:
        return self.client.submit(task, *arguments, **named, pure=False, retries=RETRIES)

    def _read_shards(self, given: GivenSet, *names: str) -> tuple[list[Any], list[Facts]]:
        """Have the shards read on the workers; return them, and what they tell."""
        suffix = names[0].removeprefix("sample_weight")
        named = dict(zip((f"X{suffix}", f"y{suffix}", names[0]), given, strict=True))
        parts = cut(self.client, named, int(self.estimator.shards))
        reading = delayed(read, pure=False)
        shards = self.client.compute(
            [reading(self.worker, *part, names[0]) for part in parts], retries=RETRIES
        )
        return shards, self.client.gather([self._submit(facts_of, self.worker, s) for s in shards])

    def _learn(self, facts: Sequence[Facts]) -> None:
        """Learn what features and targets are, and plan the network."""
        estimator = self.estimator
        known = np.any([each.known for each in facts], axis=0)
        if not known.all():
            column = int(known.argmin())
            raise ValueError(f"y has no value in column {column}, only missing ones: leave it out.")
        self.codec = estimator._learn_targets(join_probes([f.probe for f in facts]), None)
        noted = facts[0].noted
        vars(estimator).pop("feature_names_in_", None)
        vars(estimator).update(noted)
        self.worker = as_it_is(self.worker, vars(self.worker) | noted)  # tasks have the other one
        dtype = estimator.dtype
        if dtype == "auto":
            dtype = "float32" if all(each.is_narrow for each in facts) else "float64"
        output = estimator._output_activation(self.codec)
        layers = plan_layers(estimator, self.codec.n_outputs, output)
        self.plan = Architecture(noted["n_features_in_"], layers, dtype)
        if hasattr(self.worker, "class_weight"):
            self.worker.class_weight = class_weights(estimator.class_weight, facts)

    def _encode(
        self, shards: list[Any], argument: str, *, held: tuple[float, int] | None = None, **how: Any
    ) -> tuple[list[Any], list[Size]]:
        """Make the shards of the network; return them with their sizes."""
        dtype = self.plan.dtype
        encoded = [
            self._submit(
                encode,
                self.worker,
                shard,
                self.codec,
                dtype,
                held=None if held is None else (held[0], (held[1], number)),
                **how,
            )
            for number, shard in enumerate(shards)
        ]
        sizes = self.client.gather([self._submit(size_of, shard) for shard in encoded])
        divisor = divisor_of(argument, sizes, dtype)
        if divisor != 1:
            encoded = [self._submit(divide, shard, divisor) for shard in encoded]
        if held is not None:
            _check_parts(sizes)
        return encoded, sizes

    def _read_sets(self) -> list[tuple[Any, Size]]:
        """Return the shards of the validation set given to fit; none without one."""
        if not self.validation:
            return []
        given = self.validation["val"]
        try:
            shards, _ = self._read_shards(given, "sample_weight_val")
            shards, sizes = self._encode(shards, "sample_weight_val", validates=True)
        except ValueError as error:
            raise ValueError(f"In X_val and y_val: {error}") from error
        if sum(size.n_held for size in sizes) < 2:
            raise ValueError("X_val and y_val must have at least 2 samples; got 1.")
        return list(zip(shards, sizes, strict=True))


def _check_parts(sizes: Sequence[Size]) -> None:
    """Refuse rows set aside that are too few, or weigh nothing, or leave nothing."""
    if sum(size.n_held for size in sizes) < 2 or not any(size.n_rows for size in sizes):
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    if not (any(size.total for size in sizes) and any(size.total_held for size in sizes)):
        raise ValueError(
            "Sample weights must contain at least one non-zero number, among the samples that "
            "early_stopping sets aside and among the rest."
        )
