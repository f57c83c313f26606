"""Synchronous training on a cluster: the network of one place, by workers that meet by torch."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPClassifier, MLPRegressor

pytest.importorskip("distributed")
import dask.array as da
import dask.dataframe as dd
import pandas as pd
from dask import delayed

from fastmlp._dask import together
from fastmlp.dask import DaskMLPClassifier, DaskMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 6))
Y = np.array(["a", "b", "c"])[X[:, :3].argmax(axis=1)]
HOW = {"hidden_layer_sizes": (8,), "max_iter": 6, "batch_size": 40, "random_state": 3}


def array(values, chunks=70):
    return da.from_array(values, chunks=(chunks, *np.shape(values)[1:]))


def assert_same(one, other):
    for a, b in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss_curve_ == other.loss_curve_


def test_workers_need_processes_of_their_own(client):
    pytest.importorskip("torch")
    client.cluster.scale(2)
    client.wait_for_workers(2, timeout=30)
    try:
        with pytest.raises(RuntimeError, match="processes of their own"):
            DaskMLPClassifier(**HOW, synchronous=True, client=client).fit(array(X), array(Y))
    finally:
        client.cluster.scale(1)


def test_as_in_one_place(cluster):
    """The losses are those of a local fit, to rounding; the bits depend on the shards alone."""
    pytest.importorskip("torch")
    model = DaskMLPClassifier(**HOW, synchronous=True, client=cluster).fit(array(X), array(Y, 110))
    local = MLPClassifier(**HOW).fit(X, Y)
    np.testing.assert_allclose(model.loss_curve_, local.loss_curve_, rtol=1e-5)
    again = DaskMLPClassifier(**HOW, synchronous=True, client=cluster).fit(array(X, 20), array(Y))
    assert_same(model, again)
    np.testing.assert_array_equal(model.predict(array(X)).compute(), model.to_local().predict(X))
    assert model.n_jobs is None


@pytest.mark.parametrize(
    "more", [{"early_stopping": True, "scoring": "balanced_accuracy"}, {"solver": "lbfgs"}]
)
def test_what_rounds_can_not(cluster, more):
    pytest.importorskip("torch")
    weight = rng.uniform(0.5, 2, size=len(X))
    model = DaskMLPClassifier(**HOW | more, synchronous=True, client=cluster)
    model.fit(array(X), array(Y), array(weight, 33))
    local = MLPClassifier(**HOW | more).fit(X, Y, weight)
    np.testing.assert_allclose(model.loss_curve_, local.loss_curve_, rtol=1e-4)


def test_frames_and_a_validation_set(cluster):
    pytest.importorskip("torch")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = DaskMLPRegressor(**HOW, synchronous=True)
    x, t = dd.from_pandas(frame, npartitions=3), dd.from_pandas(frame["a"] * 2, npartitions=3)
    model.mine = "note"
    model.fit(x, t, X_val=x, y_val=t)
    assert model.mine == "note"  # what the user has set stays
    local = MLPRegressor(**HOW).fit(frame, frame["a"] * 2, X_val=frame, y_val=frame["a"] * 2)
    assert model.feature_names_in_.tolist() == list("abcdef")
    np.testing.assert_allclose(model.validation_scores_, local.validation_scores_, rtol=1e-4)


def test_warnings_and_errors_of_workers(cluster):
    pytest.importorskip("torch")
    model = DaskMLPClassifier(**HOW, synchronous=True, client=cluster)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(array(X), array(Y))
    assert [each.category for each in told if "Maximum" in str(each.message)] == [
        ConvergenceWarning
    ]
    before = [w.copy() for w in model.coefs_]
    broken = X.copy()
    broken[-1, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(array(broken), array(Y))
    for a, b in zip(model.coefs_, before, strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(array(X), array(Y))  # nothing is left of the one that failed


def test_a_worker_is_killed(cluster):
    """The training begins anew with the others, and comes to the same bits."""
    pytest.importorskip("torch")
    how = HOW | {"max_iter": 250, "n_iter_no_change": 250, "tol": 0.0}
    model = DaskMLPClassifier(**how, synchronous=True, client=cluster)
    wanted = DaskMLPClassifier(**how, synchronous=True, client=cluster).fit(array(X), array(Y))
    pids = cluster.run(os.getpid)
    timer = threading.Timer(1.0, lambda: os.kill(min(pids.values()), signal.SIGKILL))
    timer.start()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(array(X), array(Y))
    timer.join()
    cluster.wait_for_workers(2, timeout=30)
    assert [each for each in told if "A worker was lost" in str(each.message)]
    assert_same(model, wanted)


def second_half(flag):
    """Half of the rows, by a worker that is lost while it makes them, the first time."""
    if not flag.exists():
        flag.touch()
        time.sleep(2)  # in which the other one is ready, and waits for this one
        os.kill(os.getpid(), signal.SIGKILL)
    return X[150:]


def test_a_worker_is_killed_before_they_meet(cluster, tmp_path):
    """Those that wait for it are told, and have not to wait as long as for a slow one."""
    pytest.importorskip("torch")
    rows = delayed(second_half)(tmp_path / "lost")
    halves = [array(X[:150], 150), da.from_delayed(rows, (150, X.shape[1]), X.dtype)]
    model = DaskMLPClassifier(**HOW, synchronous=True, client=cluster)
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is lost, unless dask has both halves on one worker
        model.fit(da.concatenate(halves), array(Y))
    assert time.monotonic() - start < together._TIMEOUT / 4
    cluster.wait_for_workers(2, timeout=30)
    assert_same(model, DaskMLPClassifier(**HOW, synchronous=True).fit(array(X), array(Y)))


def late(rows):
    """Rows that take a while."""
    time.sleep(1.5)
    return rows


def test_two_fits_at_a_time(cluster):
    """Neither waits for a worker that waits for the other's."""
    pytest.importorskip("torch")
    rows = da.from_delayed(delayed(late)(X[150:]), (150, X.shape[1]), X.dtype)
    slow = da.concatenate([array(X[:150], 150), rows])
    first = DaskMLPClassifier(**HOW, synchronous=True, client=cluster)
    second = DaskMLPClassifier(**HOW, synchronous=True, client=cluster)
    thread = threading.Thread(target=first.fit, args=(slow, array(Y)), daemon=True)
    thread.start()
    time.sleep(0.7)
    second.fit(array(X), array(Y))
    thread.join(60)
    assert not thread.is_alive()
    assert_same(first, second)


def trains():
    """Whether this worker has met the others."""
    return any(hasattr(meeting, "interrupted") for meeting in together._meetings.values())


def test_ctrl_c(cluster):
    """All workers end at the same step, and what was learnt is kept."""
    pytest.importorskip("torch")
    how = HOW | {"max_iter": 10**6, "n_iter_no_change": 10**6, "tol": 0.0}
    model = DaskMLPClassifier(**how, synchronous=True, client=cluster)
    main = threading.main_thread().ident

    def press():
        while not any(cluster.run(trains).values()):
            time.sleep(0.05)
        time.sleep(0.5)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(array(X), array(Y))
    thread.join()
    assert model.stopped_ == "interrupted"
    assert model.n_iter_ > 0


@pytest.mark.parametrize("more", [{"callbacks": print}, {"warm_start": True}])
def test_refused(client, more):
    model = DaskMLPClassifier(**HOW | more, synchronous=True, client=client)
    with pytest.raises(ValueError, match="not for synchronous=True"):
        model.fit(array(X), array(Y))
