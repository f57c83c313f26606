"""Rounds of training on shards, until a stopping rule ends them, as a record of epochs."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import dask
import numpy as np

from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._checks.warn import warn
from fastmlp._dask.course import Course
from fastmlp._dask.rows import RETRIES
from fastmlp._dask.scores import score_of
from fastmlp._dask.shards import Size
from fastmlp._dask.steps import Measured, Outcome, State, as_given, measure, merge, train
from fastmlp._estimator.train import Training
from fastmlp._model.architecture import Params
from fastmlp._model.model import Model
from fastmlp._model.settings import TrainerSettings
from fastmlp._training.progress import Progress
from fastmlp._training.record import Record
from fastmlp._training.run import warn_without_best
from fastmlp._training.settings import CoreLoss, trainer_settings

if TYPE_CHECKING:
    from fastmlp._core import RunReport

# A shard in the memory of a worker, and what is known of it.
Pair = tuple[Any, Size]
# dask warns of arguments above a size that weights and the optimizer's memory may well have.
_LARGE = {"distributed.admin.large-graph-warning-threshold": "1TB"}
_configuring = threading.Lock()  # the configuration is the whole process's


def _new_report() -> "RunReport":
    return {
        "stopped": "max_epochs",
        "epochs": 0,
        "loss": [],
        "val_loss": [],
        "val_score": [],
        "rate": [],
        "seconds": [],
        "step_loss": np.empty(0),
        "best_epoch": 0,
        "kept": -math.inf,
        "failed_epoch": 0,
        "failed_batch": 0,
    }


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
    course: Course
    shards: Sequence[Pair]
    sets: Sequence[Pair]
    settings: Sequence[TrainerSettings]
    loss: CoreLoss
    n_rows: int
    report: "RunReport" = field(default_factory=_new_report)
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
        fewest = min(size.n_rows for _, size in shards)
        settings = trainer_settings(
            self.estimator,
            fewest,
            self.plan.dtype,
            loss=loss,
            monitor="loss",
            stops_by_score=False,
            seed=seed,
        )
        each = [replace(settings, seed=_seed_of(seed, place)) for place in range(len(shards))]
        course = Course(settings.rate, settings.others)
        state = State(self.start, None, 0, 0, settings.rate)
        run = Run(state, course, shards, sets, each, loss, n_rows)
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

    def _go(self, run: Run) -> None:
        rates, course = self._rate(), run.course
        epochs = int(self.estimator.max_iter)
        with Progress(self.estimator.verbose, epochs) as progress:
            for epoch in range(epochs):
                begin = time.perf_counter()
                course.rate = course.rate if rates is None else rates(epoch)
                outcome, measured = self._round(run)
                if outcome.failed_batch:
                    run.report["stopped"] = "non_finite"
                    run.report["failed_epoch"] = epoch + 1
                    run.report["failed_batch"] = outcome.failed_batch
                    return
                event = self._note(run, outcome, measured, time.perf_counter() - begin)
                if progress:
                    _show(progress, run.report, event)
                if event in ("no_improvement", "rate_too_small"):
                    run.report["stopped"] = event
                    return

    def _round(self, run: Run) -> tuple[Outcome, list[Measured]]:
        """Have a pass made over every shard; return the average and what was measured of it."""
        n_threads = resolve_n_jobs(self.estimator.n_jobs or 1)
        with _configuring, dask.config.set(_LARGE):
            state = self._submit(as_given, run.state._replace(rate=run.course.rate))
        outcomes = [
            self._submit(train, state, shard, self.plan, settings, n_threads)
            for (shard, _), settings in zip(run.shards, run.settings, strict=True)
        ]
        merged = self._submit(merge, outcomes, [size.n_rows for _, size in run.shards])
        how = (self.worker, self.plan, self.codec, run.loss, n_threads, self._monitored() != "loss")
        measured = [
            self._submit(measure, merged, shard, *how) for shard, size in run.sets if size.n_held
        ]
        outcome, numbers = self.client.gather([merged, measured])
        return outcome, numbers

    def _submit(self, task: Any, *arguments: Any) -> Any:
        return self.client.submit(task, *arguments, pure=False, retries=RETRIES)

    def _note(
        self, run: Run, outcome: Outcome, measured: Sequence[Measured], seconds: float
    ) -> str:
        """Add a round to the report; return what the stopping rule does."""
        run.state, report = outcome.state, run.report
        val_loss, score = self._score(measured) if run.sets else (math.nan, math.nan)
        report["epochs"] += 1
        report["loss"].append(float(outcome.loss))
        report["val_loss"].append(val_loss)
        report["val_score"].append(score)
        report["rate"].append(run.course.rate)
        report["seconds"].append(seconds)
        if score > report["kept"]:
            report["kept"], report["best_epoch"] = score, report["epochs"]
            run.kept = outcome.state.params
        watched = score if run.sets and self.estimator.early_stopping else -report["loss"][-1]
        return run.course.end_round(watched, run.n_rows)

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


def _show(progress: Progress, report: "RunReport", event: str) -> None:
    progress(
        {
            "epoch": report["epochs"],
            "loss": report["loss"][-1],
            "val_loss": report["val_loss"][-1],
            "val_score": report["val_score"][-1],
            "rate": report["rate"][-1],
            "seconds": report["seconds"][-1],
            "event": event,
        }
    )
