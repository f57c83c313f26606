"""What is stored of an estimator for tables, and the checks of what comes out of a file."""

import math
from typing import Any

import numpy as np

from fastmlp._checks.arrays import require
from fastmlp._data.frames import DATE_PARTS
from fastmlp._data.labels import LabelCodec
from fastmlp._data.table import TableReader
from fastmlp._files.parts import (
    Stored,
    find_array,
    find_attributes,
    find_classes,
    is_count,
    is_number,
    store_attributes,
    store_classes,
    store_params,
)
from fastmlp._files.records import layouts_in, put_together, take_apart
from fastmlp._files.safetensors import Arrays, Layout, Layouts
from fastmlp._tabular.ensemble import Ensemble
from fastmlp._tabular.member import Member
from fastmlp._tabular.targets import ClassTargets, NumberTargets, Targets

_ATTRIBUTES = {"n_features_in_": is_count, "validation_score_": is_number}
_ENSEMBLE, _MEMBERS, _NUMBERS = "ensemble", "members", "numbers"
_IMPORTANCES, _HELD_OUT = "feature_importances", "oof_predictions"


def store_table(estimator: Any) -> Stored:
    """Take apart a fitted estimator for tables."""
    arrays: Arrays = {_IMPORTANCES: estimator.feature_importances_}
    if hasattr(estimator, "oof_predictions_"):
        arrays[_HELD_OUT] = estimator.oof_predictions_
    attributes = store_attributes(estimator, _ATTRIBUTES)
    parts = {
        _ENSEMBLE: take_apart(estimator._ensemble, _ENSEMBLE, arrays),
        _MEMBERS: take_apart(estimator.members_, _MEMBERS, arrays),
    }
    if isinstance(estimator._targets, ClassTargets):
        store_classes(estimator.classes_, attributes, arrays)
    else:
        parts[_NUMBERS] = take_apart(estimator._targets, _NUMBERS, arrays)
    return Stored(type(estimator).__name__, store_params(estimator), parts, attributes, arrays)


def table_layouts(parts: Any, layouts: Layouts) -> Layouts:
    """Return the layouts of the arrays that a stored table estimator must have."""
    wanted = layouts_in(parts[_ENSEMBLE], _ENSEMBLE)
    wanted[_IMPORTANCES] = Layout("float64", (math.prod(layouts[_IMPORTANCES].shape),))
    if _HELD_OUT in layouts:
        wanted[_HELD_OUT] = Layout("float64", layouts[_HELD_OUT].shape)
    return wanted


def restore_table(estimator: Any, stored: Stored) -> None:
    """Put what is stored into an estimator that is not fitted.

    Raises
    ------
    ValueError, TypeError or LookupError
        If it isn't sound.
    """
    parts: Any = stored.architecture
    n_features = _n_features(stored)
    found = find_attributes(stored, _ATTRIBUTES, n_features)
    ensemble = put_together(Ensemble, parts[_ENSEMBLE], _ENSEMBLE, stored.arrays)
    targets = _restore_targets(parts, ensemble, stored)
    require(targets.task == ensemble.task, "the networks don't go with the targets")
    _check_reader(ensemble.reader, n_features)
    _check_ensemble(ensemble)
    importances = find_array(stored.arrays, _IMPORTANCES)
    require(len(importances) == n_features, f"{n_features} importances are needed")
    vars(estimator).update(
        found,
        _ensemble=ensemble,
        _targets=targets,
        columns_=ensemble.reader.columns,
        members_=put_together(list[Member], parts[_MEMBERS], _MEMBERS, stored.arrays),
        feature_importances_=importances,
    )
    if isinstance(targets, ClassTargets):
        estimator.classes_ = targets.codec.classes
    if _HELD_OUT in stored.arrays:
        estimator.oof_predictions_ = stored.arrays[_HELD_OUT]


def _n_features(stored: Stored) -> int:
    n_features = stored.attributes["n_features_in_"]
    require(is_count(n_features) and n_features > 0, "n_features_in_ must be a positive number")
    return int(n_features)


def _restore_targets(parts: Any, ensemble: Ensemble, stored: Stored) -> Targets:
    if _NUMBERS in parts:
        numbers: NumberTargets = put_together(NumberTargets, parts[_NUMBERS], _NUMBERS, {})
        ends = [numbers.middle, numbers.spread, numbers.low, numbers.high]
        require(bool(np.isfinite(ends).all()), "the targets' range must be finite")
        return numbers
    n_classes = ensemble.task.n_classes
    binary = n_classes == 2
    classes = find_classes(stored, 1 if binary else n_classes, binary=binary)
    return ClassTargets(LabelCodec("binary" if binary else "multiclass", classes))


def _check_reader(reader: TableReader, n_features: int) -> None:
    """Refuse a reader of other columns than there are, or that would leave some unfilled."""
    require(len(reader.columns) == n_features, f"{n_features} columns are needed")
    sources = {number.source for number in reader.numbers}
    categories = [category.source for category in reader.categories]
    require(
        sources.isdisjoint(categories) and len(set(categories)) == len(categories),
        "a column must be either numbers or one category",
    )
    for source in (*sources, *categories):
        require(0 <= source < n_features, f"there is no column {source}")
    dates = {number.source for number in reader.numbers if number.part}
    for number in reader.numbers:
        is_part = number.part in DATE_PARTS if number.source in dates else not number.part
        require(is_part, f"a date has no part {number.part!r}")
        require(
            number.knots.ndim == 1 and 0 < len(number.knots) == number.scores.size,
            "knots and scores must be as many",
        )
    for category in reader.categories:
        codes = sorted(category.levels.values())
        require(codes == list(range(len(codes))), "codes must be numbered from 0")


def _check_ensemble(ensemble: Ensemble) -> None:
    """Refuse networks of other tables than the reader makes."""
    reader = ensemble.reader
    first = 2 * len(reader.numbers)
    for means in ensemble.means:
        require(len(means.tables) == len(means.columns), "a table of means for each column")
        for column, table in zip(means.columns, means.tables, strict=True):
            require(first <= column < reader.width, f"column {column} has no categories")
            levels = len(reader.categories[column - first].levels)
            require(
                table.ndim == 2 and len(table) == means.rows_for(levels),
                "a mean for each category is needed",
            )
    require(len(ensemble.voters) > 0, "there is no network")
    for voter in ensemble.voters:
        require(0 <= voter.fold < len(ensemble.means), f"there is no fold {voter.fold}")
        require(math.isfinite(voter.weight), "the weights of networks must be finite")
        width = reader.width + ensemble.means[voter.fold].width
        require(
            voter.network.n_columns == max(width, 1) and voter.network.task == ensemble.task,
            "a network doesn't go with the table",
        )
