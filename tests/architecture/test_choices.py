"""The literal types of parameters hold what is accepted, and nothing else."""

from typing import get_args

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._checks import choices
from fastmlp._checks.names import DTYPES, OPTIMIZERS
from fastmlp._tabular.recipe import PRESETS
from fastmlp._training.schedules import SCHEDULES
from fastmlp._training.settings import BY_PROGRESS


def test_of_tables_that_declare_them():
    assert set(get_args(choices.Solver)) == {*OPTIMIZERS, "lbfgs"}
    assert set(get_args(choices.LearningRate)) == {"constant", *BY_PROGRESS, *SCHEDULES}
    assert set(get_args(choices.Dtype)) == set(DTYPES)
    assert set(get_args(choices.AnyDtype)) == {*DTYPES, "auto"}
    assert set(get_args(choices.Preset)) == set(PRESETS)


def test_of_estimators():
    names = {
        "solver": choices.Solver,
        "penalty": choices.Penalty,
        "batch_size": choices.BatchSize,
        "learning_rate": choices.LearningRate,
        "dtype": choices.AnyDtype,
    }
    for kind in (MLPClassifier, MLPRegressor):
        for name, literal in names.items():
            first = kind._parameter_constraints[name][0]
            assert set(get_args(literal)) == set(first.options), (kind, name)
