"""Networks of a table as tasks of an engine that the user has chosen: what threads make of them."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

from fastmlp import TabularClassifier, TabularRegressor
from fastmlp.data import Arrays

N = 160
FAST = {"preset": "fast", "random_state": 0}
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=N)
CITIES = RNG.choice([f"city {i}" for i in range(9)], N)  # enough to have means of targets
X = pd.DataFrame({"number": NUMBERS, "city": CITIES})
Y = np.where((NUMBERS > 0) == (CITIES < "city 4"), "yes", "no")
T = NUMBERS + 2.0 * (CITIES < "city 4")
WEIGHT = RNG.uniform(size=N)
PROCESSES = ["loky", "multiprocessing"]


def told(model):
    """What a model says of its members, but for the seconds."""
    return [(m.recipe, m.settings, m.fold, m.epochs, m.score, m.loss) for m in model.members_]


def assert_same(one, other):
    np.testing.assert_array_equal(one._outputs(X), other._outputs(X))
    np.testing.assert_array_equal(one.oof_predictions_, other.oof_predictions_)
    np.testing.assert_array_equal(one.feature_importances_, other.feature_importances_)
    assert one.validation_score_ == other.validation_score_
    assert told(one) == told(other)


@pytest.mark.parametrize("engine", [*PROCESSES, "threading", "sequential"])
@pytest.mark.parametrize(("kind", "y"), [(TabularClassifier, Y), (TabularRegressor, T)])
def test_same_bits(engine, kind, y):
    here = kind(**FAST).fit(X, y, sample_weight=WEIGHT)
    with joblib.parallel_config(engine, n_jobs=2):
        there = kind(**FAST).fit(X, y, sample_weight=WEIGHT)
    assert_same(there, here)


class Counted(joblib.parallel.LokyBackend):
    """An engine that counts its tasks."""

    tasks = 0

    def stop_call(self):
        Counted.tasks += self.parallel.n_completed_tasks
        super().stop_call()


def test_each_network_is_a_task():
    joblib.register_parallel_backend("counted", Counted)
    with joblib.parallel_config("counted", n_jobs=2):
        model = TabularClassifier(**FAST).fit(X, Y)
    assert Counted.tasks == len(model.members_) == 6
    with joblib.parallel_config("counted"):  # which is one at a time: threads take them faster
        TabularClassifier(**FAST).fit(X, Y)
    assert Counted.tasks == 6


@pytest.mark.parametrize("engine", PROCESSES)
def test_a_bar_counts_them(engine, capsys):
    with joblib.parallel_config(engine, n_jobs=2):
        TabularClassifier(**FAST, verbose=True).fit(X, Y)
    assert "6/6" in capsys.readouterr().err


@pytest.mark.parametrize("engine", PROCESSES)
def test_a_limit_of_time_leaves_a_model(engine):
    with joblib.parallel_config(engine, n_jobs=2):
        model = TabularClassifier(preset="best", random_state=0, time_limit=1e-9).fit(X, Y)
    assert len(model.members_) == 1
    assert np.isfinite(model.predict_proba(X)).all()


def test_inside_of_other_tasks():
    """Where scikit-learn's own tasks are the processes, networks stay in them."""
    here = cross_val_predict(TabularClassifier(**FAST), X, Y, cv=3)
    with joblib.parallel_config("loky", n_jobs=2):
        there = cross_val_predict(TabularClassifier(**FAST), X, Y, cv=3)
    np.testing.assert_array_equal(there, here)


class Broken(joblib.parallel.LokyBackend):
    """An engine that has lost its processes."""

    def start_call(self):
        raise RuntimeError("the engine is gone")


def test_an_engine_that_fails_leaves_the_model_as_it_was():
    joblib.register_parallel_backend("broken", Broken)
    model = TabularRegressor(**FAST).fit(X, T)
    before = dict(vars(model))
    with joblib.parallel_config("broken", n_jobs=2), pytest.raises(RuntimeError, match="is gone"):
        model.fit(X[:100], T[:100])
    assert vars(model) == before


def test_blocks_that_are_larger_than_memory_stay_here():
    x = RNG.normal(size=(4000, 4))
    data = Arrays(x, x[:, 0] - x[:, 1], block_rows=200, memory=200_000)
    here = TabularRegressor(**FAST).fit(data)
    with joblib.parallel_config("loky", n_jobs=2):
        there = TabularRegressor(**FAST).fit(data)
    np.testing.assert_array_equal(there.predict(x), here.predict(x))
