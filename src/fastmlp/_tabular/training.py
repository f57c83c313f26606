"""Training of an ensemble's networks: together here, or each as a task of joblib's engine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from fastmlp import _core
from fastmlp._data.table import TableReader
from fastmlp._tabular.encoding import encodings_of
from fastmlp._tabular.ensemble import Fold, Rows, Trained
from fastmlp._tabular.member import Member, TableNetwork, Task
from fastmlp._tabular.recipe import Preset, batch_for


@dataclass(frozen=True, eq=False)
class Start:
    """A network before training.

    Parameters
    ----------
    recipe, fold : int
        Their numbers.
    network : TableNetwork
        With its first weights.
    seed : int
        Of its shuffles and masks.
    """

    recipe: int
    fold: int
    network: TableNetwork
    seed: int


def train(
    reader: TableReader,
    task: Task,
    folds: list[Fold],
    preset: Preset,
    *,
    seed: int,
    n_jobs: int | None,
    n_threads: int,
    deadline: float,
    on_poll: Callable[[int, float], None] | None,
) -> list[Trained]:
    """Train a network for each recipe and fold: recipe by recipe, fold by fold.

    They are trained by threads of this process, unless somebody has chosen an engine of processes
    by `joblib.parallel_config`; then each is a task of its own, and becomes the same.
    """
    starts = [
        _start(reader, task, folds[f], preset, (seed, r, f))
        for r in range(len(preset.recipes))
        for f in range(len(folds))
    ]
    data = [folds[start.fold] for start in starts]
    seconds = max(deadline - time.perf_counter(), 0.0)
    engine, _ = get_active_backend(prefer="threads")  # another one only where the user chose it
    is_spread = not getattr(engine, "uses_threads", False) and effective_n_jobs(n_jobs) > 1
    if is_spread and all(isinstance(fold.training, Rows) for fold in folds):
        # One that can tells of each task when it is finished.
        tells = getattr(engine, "supports_return_generator", False)
        parallel = Parallel(
            n_jobs=n_jobs, batch_size=1, return_as="generator_unordered" if tells else "list"
        )
        return _train_as_tasks(parallel, starts, data, task, preset, seconds, on_poll)
    return _train_here(
        starts, data, task, preset, n_threads=n_threads, seconds=seconds, on_poll=on_poll
    )


def _start(
    reader: TableReader, task: Task, fold: Fold, preset: Preset, place: tuple[int, int, int]
) -> Start:
    """Return a network with its first weights; `place` is the seed and both numbers."""
    _, r, f = place
    random_state = np.random.default_rng(place)
    recipe = preset.recipes[r]
    encodings = encodings_of(recipe, reader, fold.means.width, random_state)
    network = TableNetwork(recipe, task, max(fold.training.width, 1), encodings)
    network.start(random_state)
    return Start(r, f, network, int(random_state.integers(2**31 - 1)))


def _train_here(
    starts: Sequence[Start],
    folds: Sequence[Fold],
    task: Task,
    preset: Preset,
    *,
    n_threads: int,
    seconds: float,
    on_poll: Callable[[int, float], None] | None = None,
) -> list[Trained]:
    """Train networks on a fold each; the first one is trained however short the time is."""
    pack = _core.PackFloat32()
    trainers = []  # a trainer ends with the last one who holds it
    for start, fold in zip(starts, folds, strict=True):
        trainer = start.network.trainer(batch_for(len(fold.training)), start.seed)
        x_val, t_val, weight_val = fold.validation.arrays(task)
        pack.add(
            trainer,
            **fold.training.for_core(task, start.seed, len(starts)),
            x_val=x_val,
            t_val=t_val,
            sample_weight_val=weight_val,
            epochs=preset.epochs,
            patience=preset.patience,
        )
        trainers.append(trainer)
    reports = pack.run(n_threads=n_threads, seconds=seconds, on_poll=on_poll)
    trained = []
    for i, (start, report) in enumerate(zip(starts, reports, strict=True)):
        if report is None or not report["best_loss_epoch"]:  # or no loss was finite
            continue
        network, by_loss = start.network, pack.by_loss(i)
        kinds = [network] if by_loss is None else [network.with_core(by_loss), network]
        trained.append(Trained(_member(task, start, report), kinds))
    return trained


def _member(task: Task, start: Start, report: Any) -> Member:
    loss = task.loss_factor * float(np.nanmin(report["val_loss"]))
    return Member(
        recipe=start.recipe,
        settings=start.network.recipe,
        fold=start.fold,
        epochs=report["epochs"],
        score=float(np.nanmax(report["val_score"])) if task.n_classes else -loss,
        loss=loss,
        seconds=float(sum(report["seconds"])),
    )


def _train_as_tasks(
    parallel: Parallel,
    starts: list[Start],
    folds: list[Fold],
    task: Task,
    preset: Preset,
    seconds: float,
    on_poll: Callable[[int, float], None] | None,
) -> list[Trained]:
    until = time.time() + seconds  # the clock that machines share
    tasks = [
        delayed(_train_one)(start, fold, task, preset, until, may_be_late=i > 0)
        for i, (start, fold) in enumerate(zip(starts, folds, strict=True))
    ]
    trained: list[Trained] = []
    for count, found in enumerate(parallel(tasks), 1):
        trained += found
        if on_poll is not None and trained:
            losses = [each.member.loss / task.loss_factor for each in trained]
            on_poll(count, float(np.mean(losses)))
    return sorted(trained, key=lambda each: (each.member.recipe, each.member.fold))


def _train_one(
    start: Start, fold: Fold, task: Task, preset: Preset, until: float, *, may_be_late: bool
) -> list[Trained]:
    """Train a network, unless it is too late to begin."""
    seconds = max(until - time.time(), 0.0)
    if may_be_late and not seconds:
        return []
    return _train_here([start], [fold], task, preset, n_threads=1, seconds=seconds)
