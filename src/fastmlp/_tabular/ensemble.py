"""Training of an ensemble: folds, a pack of networks, and the choice among them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from fastmlp import _core
from fastmlp._data.table import TableReader
from fastmlp._tabular.encoding import TargetMeans, encodings_of
from fastmlp._tabular.member import Member, TableNetwork, Task
from fastmlp._tabular.recipe import Preset, batch_for
from fastmlp._tabular.selection import select

_HOLD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table that was read, their targets and weights."""

    table: NDArray[np.float32]
    t: NDArray[Any]  # class numbers, or standardised numbers
    weight: NDArray[np.float64] | None

    def take(self, rows: NDArray[Any]) -> "Rows":
        """Return some of them."""
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.table[rows], self.t[rows], weight)

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, eq=False)
class Fold:
    """What the networks of a fold are trained and validated on."""

    means: TargetMeans
    training: Rows
    validation: Rows
    place: NDArray[Any]  # of the validation rows among all; empty where they are others


@dataclass(eq=False)
class Ensemble:
    """Networks that were trained, and how much each counts.

    Parameters
    ----------
    reader : TableReader
        What was learnt of the table.
    task : Task
        What the networks were to learn.
    means : list of TargetMeans
        Of each fold.
    members : list of Member
        Recipe by recipe, fold by fold; only recipes that have all folds count.
    weights : ndarray of shape (n_recipes, n_kinds)
        Of the mean over the folds of each recipe's networks, of each kind.
    """

    reader: TableReader
    task: Task
    means: list[TargetMeans] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    weights: NDArray[np.float64] = field(default_factory=lambda: np.ones((1, 1)))

    def predict(self, table: NDArray[np.float32], n_threads: int) -> NDArray[np.float64]:
        """Return probabilities or numbers for a table that was read."""
        tables = [with_a_column(means.beside(table)) for means in self.means]
        total = np.zeros((len(table), self.task.n_outputs))
        for member, which, weight in self.chosen():
            total += weight * member.predict(tables[member.fold], which, n_threads)
        return total

    def chosen(self) -> list[tuple[Member, int, float]]:
        """Return the networks that count: member, which of its networks, weight in the mean."""
        folds = {
            recipe: sum(member.recipe == recipe for member in self.members)
            for recipe in range(len(self.weights))
        }
        return [
            (member, which, float(weight / folds[member.recipe]))
            for member in self.members
            if member.recipe < len(self.weights)
            for which, weight in enumerate(self.weights[member.recipe])
            if weight > 0
        ]


def joined(folds: Sequence[Fold | Rows]) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return targets and weights of the rows to validate on, fold after fold."""
    parts = [fold.validation if isinstance(fold, Fold) else fold for fold in folds]
    weights = [part.weight for part in parts if part.weight is not None]
    t = np.concatenate([part.t for part in parts])
    return t, np.concatenate(weights) if len(weights) == len(parts) else None


def split(rows: Rows, task: Task, n_folds: int, seed: int) -> list[tuple[Any, Any]]:
    """Return the rows to train and to validate on of each fold, classes in their shares."""
    counts = np.bincount(rows.t, minlength=task.n_classes) if task.n_classes else np.zeros(1)
    least = int(counts[counts > 0].min()) if task.n_classes else 0
    kind: Any
    if n_folds == 1:
        if len(rows) < 2:
            return [(np.arange(len(rows)), np.arange(len(rows)))]
        kind = StratifiedShuffleSplit if least > 1 else ShuffleSplit
        splitter = kind(1, test_size=_HOLD_OUT, random_state=seed)
    else:
        kind = StratifiedKFold if least >= n_folds else KFold
        splitter = kind(n_folds, shuffle=True, random_state=seed)
    return list(splitter.split(rows.table, rows.t))


def make_fold(
    reader: TableReader, task: Task, rows: Rows, validation: Rows, place: NDArray[Any], seed: int
) -> Fold:
    """Return a fold's rows, with the means of their targets behind the columns."""
    t = rows.t if task.n_classes else rows.t.astype(np.float64)
    means, own = TargetMeans.learn(reader, rows.table, t, task.n_classes, seed)
    table = np.hstack([rows.table, own]) if means.columns else rows.table
    training = Rows(table, rows.t, rows.weight)
    others = means.beside(validation.table)
    return Fold(means, training, Rows(others, validation.t, validation.weight), place)


def train(
    ensemble: Ensemble,
    folds: list[Fold],
    preset: Preset,
    *,
    seed: int,
    n_threads: int,
    deadline: float,
    on_poll: Callable[[int], None] | None,
) -> None:
    """Train a network for each recipe and fold, and put them into the ensemble."""
    pack = _core.PackFloat32()
    networks, trainers = [], []  # a trainer ends with the last one who holds it
    places = [(r, f) for r in range(len(preset.recipes)) for f in range(len(folds))]
    for r, f in places:
        fold, recipe = folds[f], preset.recipes[r]
        random_state = np.random.default_rng([seed, r, f])
        encodings = encodings_of(recipe, ensemble.reader, fold.means.width, random_state)
        columns = max(fold.training.table.shape[1], 1)
        network = TableNetwork(recipe, ensemble.task, columns, encodings)
        network.start(random_state)
        trainer = network.trainer(
            batch_for(len(fold.training)), int(random_state.integers(2**31 - 1))
        )
        pack.add(
            trainer,
            *_arrays(ensemble.task, fold.training),
            *_arrays(ensemble.task, fold.validation),
            epochs=preset.epochs,
            patience=preset.patience,
        )
        networks.append(network)
        trainers.append(trainer)
    reports = pack.run(
        n_threads=n_threads, seconds=max(deadline - time.perf_counter(), 0.0), on_poll=on_poll
    )
    for i, ((r, f), network, report) in enumerate(zip(places, networks, reports, strict=True)):
        if report is None or not report["best_loss_epoch"]:  # or no loss was finite
            continue
        by_loss = pack.by_loss(i)
        kinds = [network] if by_loss is None else [network.with_core(by_loss), network]
        ensemble.members.append(
            Member(
                recipe=r,
                settings=preset.recipes[r],
                fold=f,
                epochs=report["epochs"],
                score=float(np.nanmax(report["val_score"])),
                loss=float(np.nanmin(report["val_loss"])),
                seconds=float(sum(report["seconds"])),
                networks=kinds,
            )
        )


def choose(
    ensemble: Ensemble,
    folds: list[Fold],
    loss: Callable[[NDArray[np.float64]], float],
    n_threads: int,
) -> tuple[NDArray[np.float64], list[int]]:
    """Weigh the networks by what they predict for the rows that they were not trained on.

    Returns the ensemble's predictions for these rows, fold after fold, and the folds: not all where
    the time was over before the first recipe had its networks.
    """
    by_recipe: dict[int, list[Member]] = {}
    for member in ensemble.members:
        by_recipe.setdefault(member.recipe, []).append(member)
    complete = [r for r, members in by_recipe.items() if len(members) == len(folds)]
    if not complete:
        first = min(by_recipe)
        ensemble.members = by_recipe[first]
        ensemble.weights = np.zeros((first + 1, len(ensemble.members[0].networks)))
        ensemble.weights[first, 0] = 1.0
        return held_out(ensemble.members, folds, 0, n_threads), [m.fold for m in ensemble.members]
    kinds = len(ensemble.members[0].networks)
    candidates = [
        held_out(by_recipe[r], folds, which, n_threads) for r in complete for which in range(kinds)
    ]
    chosen = select(candidates, loss)
    ensemble.weights = np.zeros((max(complete) + 1, kinds))
    ensemble.weights[complete] = chosen.reshape(len(complete), kinds)
    total: NDArray[np.float64] = np.tensordot(chosen, np.array(candidates), axes=1)
    return total, list(range(len(folds)))


def held_out(
    members: list[Member], folds: list[Fold], which: int, n_threads: int
) -> NDArray[np.float64]:
    """Return what members predict for the rows that they were not trained on, fold after fold."""
    tables = [with_a_column(folds[member.fold].validation.table) for member in members]
    return np.concatenate(
        [m.predict(table, which, n_threads) for m, table in zip(members, tables, strict=True)]
    )


def _arrays(task: Task, rows: Rows) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Inputs, targets and weights for the core."""
    t = rows.t.astype(np.int64) if task.n_classes else rows.t.astype(np.float32).reshape(-1, 1)
    return with_a_column(rows.table), t, rows.weight


def with_a_column(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a table of which no column is of use with one, so that it has rows."""
    return table if table.shape[1] else np.zeros((len(table), 1), dtype=np.float32)
