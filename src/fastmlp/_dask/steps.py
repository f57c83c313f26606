"""Tasks of a round: passes over a shard, the average of what came of all, and the score of it.

They are functions of their arguments alone, so that one that is lost with its worker is done
again with the same result, and numbers are added up in the order of the shards.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._dask.scores import tally
from fastmlp._dask.shards import Shard
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.exclusive import as_it_is
from fastmlp._model.model import Model
from fastmlp._model.settings import TrainerSettings
from fastmlp._training.record import Record
from fastmlp._training.settings import CoreLoss


class State(NamedTuple):
    """What a round begins with, and what it comes to."""

    params: Params
    slots: list[Params] | None  # the optimizer's memory; None at the beginning
    epochs: int
    steps: int


class Outcome(NamedTuple):
    """What came of the passes over a shard, or of a round."""

    state: State
    losses: list[float]  # of each pass
    failed: tuple[int, int] | None  # pass and batch, from 1, of the first loss that is not finite


class Measured(NamedTuple):
    """What was measured on a shard of the validation set."""

    loss: float
    weight: float
    tally: NDArray[np.float64] | None  # None where no score is wanted, or nothing weighs


def train(
    state: State,
    shard: Shard,
    plan: Architecture,
    settings: TrainerSettings,
    rates: Sequence[float],
    n_jobs: int,
) -> Outcome:
    """Go on from the state by a pass over a shard for each of the learning rates."""
    before: dict[str, Any] = {"epochs": state.epochs, "steps": state.steps}
    if state.slots is not None:
        before["slots"] = state.slots
    trainer = Model.to_train(plan, state.params, settings, before).trainer
    assert trainer is not None
    data = shard.data()
    own = settings.own_loss
    report = trainer.run(
        data.x,
        data.t,
        data.sample_weight,
        epochs=len(rates),
        rows=data.rows,
        rate=rates.__getitem__,
        own_loss=None if own is None else own.function,
        n_threads=resolve_n_jobs(n_jobs),
    )
    after = trainer.get_state()
    params = trainer.copy_network().get_params()
    reached = State(params, after["slots"], after["epochs"], after["steps"])
    failed = (report["failed_epoch"], report["failed_batch"])
    return Outcome(reached, report["loss"], failed if report["stopped"] == "non_finite" else None)


def merge(outcomes: Sequence[Outcome], n_rows: Sequence[int]) -> Outcome:
    """Return the average of what came of all shards, by their numbers of rows, or a failure.

    The number of steps is the largest, so that no later one has the dropout masks of an earlier.
    """
    failures = [outcome for outcome in outcomes if outcome.failed]
    if failures:
        return failures[0]
    shares = [rows / sum(n_rows) for rows in n_rows]
    states = [outcome.state for outcome in outcomes]
    slots = zip(*(state.slots or [] for state in states), strict=True)
    mean = State(
        _mean_params([state.params for state in states], shares),
        [_mean_params(slot, shares) for slot in slots],
        states[0].epochs,
        max(state.steps for state in states),
    )
    losses = [
        sum(share * loss for share, loss in zip(shares, each, strict=True))
        for each in zip(*(outcome.losses for outcome in outcomes), strict=True)
    ]
    return Outcome(mean, losses, None)


def _mean_params(every: Sequence[Params], shares: Sequence[float]) -> Params:
    coefs, intercepts, slopes = (
        [_mean(arrays, shares) for arrays in zip(*kind, strict=True)]
        for kind in zip(*every, strict=True)
    )
    return coefs, intercepts, slopes


def _mean(arrays: Sequence[NDArray[Any]], shares: Sequence[float]) -> NDArray[Any]:
    mean = np.zeros(arrays[0].shape)
    for array, share in zip(arrays, shares, strict=True):
        mean += share * array.astype(np.float64)
    return mean.astype(arrays[0].dtype)


def measure(
    outcome: Outcome,
    shard: Shard,
    estimator: Any,
    plan: Architecture,
    codec: TargetCodec,
    loss: CoreLoss,
    n_jobs: int,
    scores: bool,
) -> Measured:
    """Measure the weights behind a round on the rows of a shard that are set aside."""
    own = as_it_is(estimator, vars(estimator))
    vars(own).pop("feature_names_in_", None)  # the rows are an array by now
    own._become(codec, Model.of(plan, outcome.state.params), Record())
    own.n_jobs = n_jobs
    data: Data = shard.validation().on_its_own()
    weight = data.sample_weight
    total = float(data.n_rows if weight is None else weight.sum(dtype=np.float64))
    if total == 0:
        return Measured(0.0, 0.0, None)
    found = loss.scale * loss.mean_on(own._model.network, data, resolve_n_jobs(n_jobs))
    told = tally(own, data.x, codec.decode(data.t), weight) if scores else None
    return Measured(found, total, told)
