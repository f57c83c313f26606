"""Packs and searches as tasks: what each fit would have come to here."""

import os
import pickle
import signal
import threading
import time

import joblib
import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, TabularRegressor
from fastmlp.data import Arrays

pytest.importorskip("distributed")
import dask.array as da
from distributed import get_task_stream

from fastmlp.dask import fit_pack

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5))
Y = (X[:, 0] > X[:, 1]).astype(int)
HOW = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}


def pack(n=3, **more):
    return [MLPClassifier(**HOW | more, alpha=10.0**-i) for i in range(n)]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)


DATA = {
    "arrays": lambda: (X, Y),
    "of dask": lambda: (da.from_array(X, chunks=60), da.from_array(Y, chunks=60)),
    "blocks": lambda: (Arrays(X, Y, block_rows=50),),
}


@pytest.mark.parametrize("data", DATA)
def test_as_in_threads(client, data):
    models = pack()
    assert fit_pack(models, *DATA[data](), client=client) == models
    assert_same(models, fastmlp.fit_pack(pack(), X, Y))
    assert models[0].n_jobs is None


def test_processes(cluster):
    weight = rng.uniform(size=len(X))
    validation = {"X_val": X[:50], "y_val": Y[:50]}
    found = fit_pack(pack(4), X, Y, client=cluster, sample_weight=weight, **validation)
    assert_same(found, fastmlp.fit_pack(pack(4), X, Y, sample_weight=weight, **validation))
    (table,) = fit_pack([TabularRegressor(preset="fast", random_state=0)], X, X[:, 0])
    here = TabularRegressor(preset="fast", random_state=0).fit(X, X[:, 0])
    np.testing.assert_array_equal(table.predict(X), here.predict(X))


def test_nothing_is_left_of_an_earlier_fit(client):
    x, t = X[:, :3], X[:, 0]
    table = TabularRegressor(preset="fast", random_state=0).fit(x, t)
    assert hasattr(table, "oof_predictions_")
    table.mine = "note"
    fit_pack([table], x, t, client=client, X_val=x, y_val=t)
    assert not hasattr(table, "oof_predictions_")
    assert table.mine == "note"


def test_a_worker_is_killed(cluster):
    """What was fitted on it is fitted again."""
    before = set(cluster.run(os.getpid).values())
    timer = threading.Timer(1.0, lambda: os.kill(min(before), signal.SIGKILL))
    slow = {"max_iter": 400, "n_iter_no_change": 400, "hidden_layer_sizes": (60, 60)}
    timer.start()
    found = fit_pack(pack(8, **slow), X, Y, client=cluster)
    timer.join()
    assert_same(found, fastmlp.fit_pack(pack(8, **slow), X, Y))
    cluster.wait_for_workers(2, timeout=30)
    assert set(cluster.run(os.getpid).values()) != before


def test_the_first_error_is_raised(client):
    models = [MLPClassifier(**HOW, learning_rate_init=-1.0), *pack()]
    with pytest.raises(ValueError, match="learning_rate_init"):
        fit_pack(models, X, Y, client=client)
    assert not hasattr(models[0], "coefs_")


def test_nothing_stays_on_the_cluster(client):
    def tasks():
        return client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.tasks))

    before, end = tasks(), time.monotonic() + 10
    fit_pack(pack(), X, Y, client=client)
    while not tasks() <= before:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_refused(client):
    model = MLPClassifier()
    with pytest.raises(ValueError, match="twice"):
        fit_pack([model, model], X, Y, client=client)
    with pytest.raises(TypeError, match="method fit"):
        fit_pack([pickle], X, Y, client=client)


def test_networks_of_a_table_by_joblib(cluster):
    """Each is a task; all become what they become in threads."""
    how = {"preset": "fast", "random_state": 0}
    here = TabularRegressor(**how).fit(X, X[:, 0])
    with get_task_stream(cluster) as tasks, joblib.parallel_config("dask", client=cluster):
        there = TabularRegressor(**how).fit(X, X[:, 0])
    np.testing.assert_array_equal(there.predict(X), here.predict(X))
    assert there.validation_score_ == here.validation_score_
    deadline = time.monotonic() + 10
    while len(tasks.data) < len(there.members_):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len({task["key"] for task in tasks.data}) == len(there.members_)
    assert len({task["worker"] for task in tasks.data}) == 2


def test_searches_by_joblib(cluster):
    """scikit-learn's searches send their fits to the cluster, with the same results."""
    grid = {"alpha": [1e-4, 1e-1], "hidden_layer_sizes": [(4,), (8,)]}
    here = GridSearchCV(MLPClassifier(**HOW), grid, cv=3).fit(X, Y)
    with joblib.parallel_config("dask", client=cluster):
        there = GridSearchCV(MLPClassifier(**HOW), grid, cv=3).fit(X, Y)
    scores = [search.cv_results_["mean_test_score"] for search in (here, there)]
    np.testing.assert_array_equal(*scores)


def test_members_of_an_ensemble(cluster):
    """scikit-learn's ensembles send theirs, too."""
    how = {"n_estimators": 4, "random_state": 0, "n_jobs": 2}
    here = BaggingClassifier(MLPClassifier(**HOW), **how).fit(X, Y)
    with joblib.parallel_config("dask", client=cluster):
        there = BaggingClassifier(MLPClassifier(**HOW), **how).fit(X, Y)
    np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))
