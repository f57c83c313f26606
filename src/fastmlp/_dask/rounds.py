"""Rounds of training on shards, until a stopping rule ends them, as a record of epochs."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import _core
from fastmlp._checks.warn import warn
from fastmlp._dask.keeping import keep
from fastmlp._dask.rows import RETRIES, task_threads
from fastmlp._dask.scores import score_of
from fastmlp._dask.shards import Size
from fastmlp._dask.steps import Measured, Outcome, State, measure, merge, train
from fastmlp._estimator.train import Training
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.model import Model
from fastmlp._model.settings import TrainerSettings
from fastmlp._training.progress import Progress
from fastmlp._training.record import Record, new_report
from fastmlp._training.run import warn_without_best
from fastmlp._training.settings import CoreLoss, trainer_settings

if TYPE_CHECKING:
    from fastmlp._core import RunReport

# A shard in the memory of a worker, and what is known of it.
Pair = tuple[Any, Size]
_ENDS = ("no_improvement", "rate_too_small")
_RULES = (
    "schedule",
    "power_t",
    "tol",
    "n_iter_no_change",
)  # of the settings, what a course asks for


@dataclass
class Run:
    """A training in progress: what goes from round to round.

    Parameters
    ----------
    state : State
        The weights and the optimizer behind the last round.
    course : Course
        The rules of rate and stopping.
    shards : list of tuple
        Those to train on.
    sets : list of tuple
        Those of the validation set; none without one.
    plan : Architecture
        The network of the tasks, whose penalties are those of their batches.
    settings : list of TrainerSettings
        For each shard to train on.
    loss : CoreLoss
        What is minimised.
    n_rows : int
        How many rows there are to train on, those without weight among them.
    report : dict
        What the rounds have come to.
    kept : Params or None
        The weights of the best round, on a validation set.
    """

    state: State
    course: _core.Course
    shards: Sequence[Pair]
    sets: Sequence[Pair]
    plan: Architecture
    settings: Sequence[TrainerSettings]
    loss: CoreLoss
    n_rows: int
    report: "RunReport" = field(default_factory=new_report)
    kept: Params | None = None


@dataclass(frozen=True)
class Rounds(Training):
    """A training whose passes over the data are tasks on shards.

    Parameters
    ----------
    client : distributed.Client
        Knows the cluster.
    worker : BaseMLP
        The estimator as tasks get it.
    """

    client: Any
    worker: Any

    def draw_seeds(self) -> tuple[int, int]:
        """Draw the seed of the shards' own and that of dropout masks, as a local fit does."""
        return self._draw_seed(), self._draw_mask_seed()

    def run(
        self, shards: Sequence[Pair], sets: Sequence[Pair], n_rows: int, seed: int, mask_seed: int
    ) -> tuple[Model, Record]:
        """Train until a stopping rule ends it; return what comes of it."""
        loss = self.estimator._core_loss(self.codec)
        settings = trainer_settings(
            self.estimator,
            sum(size.n_rows for _, size in shards),
            self.plan.dtype,
            loss=loss,
            monitor="loss",
            stops_by_score=False,
            seed=seed,
        )
        # The stopping rule is the course's: no single shard ends a round before the others.
        never = replace(settings, others=settings.others | {"n_iter_no_change": -1})
        never, plan = self._divided(never, [size.n_rows for _, size in shards])
        each = [replace(never, seed=_seed_of(seed, place)) for place in range(len(shards))]
        rules = {name: settings.others[name] for name in _RULES}
        course = _core.Course(rate=settings.rate, batch_size=settings.batch_size, **rules)
        state = State(self.start, None, 0, 0)
        run = Run(state, course, shards, sets, plan, each, loss, n_rows)
        try:
            self._go(run)
        except KeyboardInterrupt:
            warn("Training interrupted by user.")
            run.report["stopped"] = "interrupted"
        if sets:
            warn_without_best(run.report)
        self._judge(run.report)
        params = run.state.params if run.kept is None else run.kept
        model = Model.of(self.plan, params, mask_seed)
        return model, self._record(run.report, n_rows, validated=bool(sets))

    def _divided(
        self, settings: TrainerSettings, rows: Sequence[int]
    ) -> tuple[TrainerSettings, Architecture]:
        """Divide batches among the shards; return settings and network of each.

        What a penalty is divided by stays the whole batch.
        """
        whole = min(settings.batch_size, sum(rows))
        batch = -(-whole // len(rows))
        plan = self.plan
        if settings.others["penalty_per_sample"] and batch < whole:
            part = batch / whole
            layers = [replace(each, l1=each.l1 * part, l2=each.l2 * part) for each in plan.layers]
            plan = replace(plan, layers=tuple(layers))
        return replace(settings, batch_size=batch), plan

    def _go(self, run: Run) -> None:
        epochs, each = int(self.estimator.max_iter), int(self.estimator.local_epochs)
        with Progress(self.estimator.verbose, epochs) as progress:
            for epoch in range(0, epochs, each):
                begin = time.perf_counter()
                rates = self._rates(run.course, range(epoch, min(epoch + each, epochs)))
                outcome, measured = self._round(run, rates)
                if outcome.failed:
                    run.report["stopped"] = "non_finite"
                    run.report["failed_epoch"] = epoch + outcome.failed[0]
                    run.report["failed_batch"] = outcome.failed[1]
                    return
                self._note(run, outcome, measured, rates, time.perf_counter() - begin)
                event = self._count(run, outcome)
                if progress:
                    _show(progress, run.report, len(rates), event)
                if event in _ENDS:
                    run.report["stopped"] = event
                    return

    def _rates(self, course: _core.Course, epochs: range) -> list[float]:
        """Return the rate of each of the epochs; one that goes by progress is that of a round."""
        known = self._rate()
        rates = [course.rate if known is None else known(epoch) for epoch in epochs]
        course.set_rate(rates[-1])
        return rates

    def _round(self, run: Run, rates: list[float]) -> tuple[Outcome, list[Measured]]:
        """Have every shard passed over; return the average and what was measured of it."""
        n_jobs = task_threads(self.estimator.n_jobs)
        state = keep(self.client, run.state)
        outcomes = [
            self._submit(train, state, shard, run.plan, settings, rates, n_jobs)
            for (shard, _), settings in zip(run.shards, run.settings, strict=True)
        ]
        merged = self._submit(merge, outcomes, [size.n_rows for _, size in run.shards])
        how = (self.worker, self.plan, self.codec, run.loss, n_jobs, self._monitored() != "loss")
        measured = [
            self._submit(measure, merged, shard, *how) for shard, size in run.sets if size.n_held
        ]
        outcome, numbers = self.client.gather([merged, measured])
        return outcome, numbers

    def _submit(self, task: Any, *arguments: Any) -> Any:
        return self.client.submit(task, *arguments, pure=False, retries=RETRIES)

    def _note(
        self,
        run: Run,
        outcome: Outcome,
        measured: Sequence[Measured],
        rates: list[float],
        seconds: float,
    ) -> None:
        """Add a round to the report; what is measured behind it counts for all its epochs."""
        n_epochs, report = len(rates), run.report
        val_loss, score = self._score(measured) if run.sets else (math.nan, math.nan)
        report["epochs"] += n_epochs
        report["loss"] += outcome.losses
        report["val_loss"] += [val_loss] * n_epochs
        report["val_score"] += [score] * n_epochs
        report["rate"] += rates
        report["seconds"] += [seconds / n_epochs] * n_epochs
        run.state = outcome.state
        if score > report["kept"]:
            report["kept"], report["best_epoch"] = score, report["epochs"]
            run.kept = outcome.state.params

    def _count(self, run: Run, outcome: Outcome) -> str:
        """Return what the stopping rule does behind a round."""
        losses = outcome.losses
        if run.sets and self.estimator.early_stopping:
            return run.course.count(run.report["val_score"][-1], len(losses), run.n_rows)
        events = [run.course.count(-loss, 1, run.n_rows) for loss in losses]
        return next((event for event in events if event in _ENDS), events[-1])

    def _score(self, measured: Sequence[Measured]) -> tuple[float, float]:
        """Return loss and score on the validation set."""
        total = sum(each.weight for each in measured)
        loss = sum(each.loss * (each.weight / total) for each in measured)
        monitor = self._monitored()
        if monitor == "loss":
            return loss, -loss
        tallies = [each.tally for each in measured if each.tally is not None]
        return loss, score_of(tallies, classifies=monitor == "accuracy")

    def _monitored(self) -> str:
        """Return what is scored on a validation set: 'accuracy', 'r2' or 'loss'."""
        monitor: str = self.estimator._monitor(self.codec)
        return "loss" if self.estimator.scoring == "loss" or monitor == "val_loss" else monitor


def _seed_of(seed: int, shard: int) -> int:
    """Return the seed of a shard: the first one has that of a local fit."""
    return int(np.random.SeedSequence([seed, shard]).generate_state(1)[0]) if shard else seed


def _show(progress: Progress, report: "RunReport", n_epochs: int, event: str) -> None:
    """Show the epochs of a round; the event is the last one's."""
    for place in range(-n_epochs, 0):
        progress(
            {
                "epoch": report["epochs"] + place + 1,
                "loss": report["loss"][place],
                "val_loss": report["val_loss"][place],
                "val_score": report["val_score"][place],
                "rate": report["rate"][place],
                "seconds": report["seconds"][place],
                "event": event if place == -1 else "",
            }
        )
