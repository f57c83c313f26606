"""Estimators for dask: results are those of a local fit, whatever the cluster does."""

import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from loops import each
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_regression
from sklearn.metrics import log_loss, r2_score

from fastmlp import MLPClassifier, MLPRegressor

pytest.importorskip("distributed")
import dask.array as da
import dask.dataframe as dd
import pandas as pd
from clusters import in_threads
from distributed import Client, wait

from fastmlp._dask.scores import score_of, tally
from fastmlp._dask.shards import encode, read
from fastmlp.dask import DaskMLPClassifier, DaskMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HOW = {"hidden_layer_sizes": (8,), "max_iter": 4, "batch_size": 20, "random_state": 3}
X, Y = make_classification(240, 6, n_informative=4, n_classes=3, random_state=0)
X_REG, Y_REG = make_regression(240, 5, n_targets=2, random_state=0)
Y_REG = Y_REG / 100
WEIGHT = np.random.default_rng(0).uniform(0.5, 2, size=240)
KINDS = {DaskMLPClassifier: MLPClassifier, DaskMLPRegressor: MLPRegressor}


def array(values, chunks=50):
    return da.from_array(values, chunks=(chunks, *np.shape(values)[1:]))


def same(a, b):
    """Whether two fits came to the same bits, by the same losses."""
    ours, theirs = ([*m.coefs_, *m.intercepts_, *m.slopes_] for m in (a, b))
    return a.loss_curve_ == b.loss_curve_ and all(map(np.array_equal, ours, theirs))


# One shard

SETTINGS = [
    (DaskMLPClassifier, {}),
    (DaskMLPClassifier, {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 7}),
    (DaskMLPClassifier, {"learning_rate": "plateau", "tol": 1.0, "max_iter": 40}),
    (DaskMLPClassifier, {"tol": 0.5, "n_iter_no_change": 2, "max_iter": 40}),
    (DaskMLPClassifier, {"tol": 0.5, "n_iter_no_change": np.inf}),
    (DaskMLPClassifier, {"learning_rate": "cosine", "dropout": 0.3, "dropout_input": 0.1}),
    (DaskMLPClassifier, {"learning_rate": lambda epoch: 0.01 / (epoch + 1), "clip_norm": 0.1}),
    (DaskMLPClassifier, {"penalty": "elasticnet", "alpha": 1.0, "solver": "adamw"}),
    (DaskMLPClassifier, {"class_weight": "balanced", "label_smoothing": 0.1}),
    (DaskMLPClassifier, {"class_weight": {0: 3.0}, "shuffle": False, "solver": "adagrad"}),
    (DaskMLPClassifier, {"loss": "hinge", "activation": "prelu", "solver": "rmsprop"}),
    (DaskMLPClassifier, {"dtype": "auto", "batch_size": "full", "solver": "nadam", "n_jobs": 2}),
    (DaskMLPRegressor, {"activation": ("tanh",), "dtype": "float64"}),
    (DaskMLPRegressor, {"loss": "gaussian"}),
    (DaskMLPRegressor, {"loss": "quantile", "quantiles": (0.1, 0.9)}),
]


@each(("kind", "more"), SETTINGS)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_one_shard_is_a_local_fit(client, kind, more, weight):
    x, y = (X, Y) if kind is DaskMLPClassifier else (X_REG, Y_REG)
    local = KINDS[kind](**HOW | more).fit(x, y, weight)
    model = kind(**HOW | more, shards=1, client=client)
    model.fit(array(x), array(y, 70), None if weight is None else array(weight, 90))
    assert same(model, local)
    told = ("n_iter_", "t_", "stopped_", "loss_", "best_loss_", "best_epoch_", "out_activation_")
    assert all(getattr(model, name) == getattr(local, name) for name in told)
    assert model.history_["lr"] == local.history_["lr"]
    assert np.array_equal(model.predict(x), local.predict(x))


@each("early_stopping", [False, True])
@each("kind", KINDS)
def test_one_shard_with_a_validation_set(client, kind, early_stopping):
    x, y = (X, Y) if kind is DaskMLPClassifier else (X_REG, Y_REG)
    how = HOW | {"max_iter": 30, "early_stopping": early_stopping, "n_iter_no_change": 3}
    how |= {"learning_rate_init": 0.05}
    local = KINDS[kind](**how)
    local.fit(x[:160], y[:160], X_val=x[160:], y_val=y[160:], sample_weight_val=WEIGHT[160:])
    model = kind(**how, shards=1, client=client)
    model.fit(
        array(x[:160]),
        array(y[:160]),
        X_val=array(x[160:]),
        y_val=array(y[160:], 13),
        sample_weight_val=array(WEIGHT[160:]),
    )
    assert same(model, local)
    assert (model.n_iter_, model.best_epoch_) == (local.n_iter_, local.best_epoch_)
    # Sums in another order, in double precision.
    for name in ("val_loss", "val_score"):
        assert np.allclose(model.history_[name], local.history_[name], rtol=1e-12)


# Clusters


def fitted(client, chunks=50, inputs=None, **more):
    model = DaskMLPClassifier(**HOW | {"shards": 5, "dropout": 0.2, "client": client} | more)
    inputs = array(X, chunks) if inputs is None else inputs
    return model.fit(inputs, array(Y, chunks + 7), array(WEIGHT, chunks))


def test_neither_workers_nor_chunks_matter(cluster):
    first = fitted(cluster)
    assert same(first, fitted(cluster, chunks=240))
    for n_workers in (1, 3):
        with in_threads(n_workers) as other, Client(other, set_as_default=False) as client:
            assert same(first, fitted(client, chunks=9))
    assert not same(first, fitted(cluster, shards=4))


def test_columns_in_chunks(client):
    model = DaskMLPClassifier(**HOW, client=client)
    wide = model.fit(da.from_array(X, chunks=(50, 2)), array(Y)).predict_proba(array(X))
    tall = clone(model).fit(array(X), array(Y)).predict_proba(da.from_array(X, chunks=(50, 4)))
    assert np.array_equal(wide.compute(scheduler="sync"), tall.compute(scheduler="sync"))


def kill_one(client, pids):
    """Kill one of these workers: another one may not have begun, and would not be replaced."""
    os.kill(next(pid for pid in client.run(os.getpid).values() if pid in pids), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on Windows")
def test_a_worker_is_killed(cluster):
    """Between two rounds, and again while the tasks of a later one are on their way.

    The data were in the memory of the workers, and are lost with one, as its shards are.
    """
    timers = []

    def rate(epoch):
        if killing and epoch == 2:
            kill_one(cluster, before)
        if killing and epoch == 5:
            cluster.wait_for_workers(2, timeout=30)
            timers.append(threading.Timer(0.03, kill_one, [cluster, before]))
            timers[0].start()
        return 0.001

    how = {"learning_rate": rate, "max_iter": 30, "early_stopping": True}
    killing = False
    wanted = fitted(cluster, **how)
    before = set(cluster.run(os.getpid).values())
    killing = True
    inputs = array(X).persist()
    wait(inputs)
    results = []  # by a thread of its own, which can't keep the tests from ending
    fit = threading.Thread(
        target=lambda: results.append(fitted(cluster, **how, inputs=inputs)), daemon=True
    )
    fit.start()
    fit.join(timeout=120)
    (found,) = results
    assert same(wanted, found)
    assert wanted.validation_scores_ == found.validation_scores_
    timers[0].join()
    cluster.wait_for_workers(2, timeout=30)
    assert not before & set(cluster.run(os.getpid).values())


def test_shards_learn_about_as_much_in_an_epoch(client):
    """They divide the batches, and make as many steps as one place does."""
    X, y = load_digits(return_X_y=True)
    how = {"hidden_layer_sizes": (30,), "max_iter": 20, "random_state": 0}
    alone = MLPClassifier(**how).fit(X / 16, y)
    model = DaskMLPClassifier(**how, shards=4, local_epochs=5, client=client)
    model.fit(da.from_array(X / 16, chunks=(500, 64)), da.from_array(y, chunks=500))
    assert (
        model.loss_ < 1.6 * alone.loss_
    )  # with whole batches to each shard it is 4 times as large


def test_two_fits_at_once(cluster):
    def run(seed):
        return fitted(cluster, random_state=seed)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, [1, 2]))
    assert all(same(model, run(seed)) for model, seed in zip(together, [1, 2], strict=True))
    assert not same(*together)


def test_nothing_stays_on_the_cluster(client):
    before = set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
    fitted(client, early_stopping=True)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        after = set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
        if after <= before:
            return
        time.sleep(0.05)
    raise AssertionError(after - before)


def test_a_generator_and_no_seed(client):
    generators = [np.random.RandomState(0) for _ in range(2)]
    assert same(*(fitted(client, random_state=one) for one in generators))
    assert generators[0].randint(2**31) == generators[1].randint(2**31)
    assert not same(fitted(client, random_state=None), fitted(client, random_state=None))


# Data


def frame():
    table = pd.DataFrame(X, columns=list("abcdef"))
    return table.assign(label=np.array(["x", "y", "z"])[Y], weight=WEIGHT)


def test_frames(client):
    local = MLPClassifier(**HOW).fit(frame()[list("abcdef")], frame()["label"], WEIGHT)
    table = dd.from_pandas(frame(), npartitions=3)
    model = DaskMLPClassifier(**HOW, shards=1, client=client)
    model.fit(table[list("abcdef")], table["label"], table["weight"])
    assert same(model, local)
    assert list(model.feature_names_in_) == list("abcdef")
    predicted = model.predict(table[list("abcdef")])
    assert isinstance(predicted, da.Array)
    assert np.isnan(predicted.chunks[0]).all()
    assert np.array_equal(
        predicted.compute(scheduler="sync"), local.predict(frame()[list("abcdef")])
    )
    filtered = table[table["a"] > table["a"].max().compute(scheduler="sync") - 1e-9]
    few = model.predict_proba(filtered[list("abcdef")])  # partitions without rows
    assert few.compute(scheduler="sync").shape == (1, 3)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[list("fedcba")])
    exact = model.score(table[list("abcdef")], table["label"], table["weight"])
    assert exact == pytest.approx(local.score(frame()[list("abcdef")], frame()["label"], WEIGHT))


def test_unknown_chunks(client):
    lazy = array(np.column_stack([X, Y]))
    some = lazy[lazy[:, 0] > -10]  # all of them, as only we know
    model = DaskMLPClassifier(**HOW, client=client)
    assert same(model.fit(some[:, :6], some[:, 6]), clone(model).fit(array(X), array(Y * 1.0)))


def test_outputs_are_lazy(client):
    model = fitted(client)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        for dtype in (np.float32, np.float64, np.int64):
            lazy = getattr(model, method)(array(X.astype(dtype)))
            wanted = getattr(model, method)(X.astype(dtype))
            assert type(wanted) is np.ndarray
            assert isinstance(lazy, da.Array)
            assert lazy.chunks == ((50, 50, 50, 50, 40), *((n,) for n in wanted.shape[1:]))
            assert (lazy.dtype, lazy._meta.ndim) == (wanted.dtype, wanted.ndim)
            assert np.array_equal(lazy.compute(scheduler="sync"), wanted)
    assert not hasattr(model, "decision_function")
    margins = fitted(client, loss="hinge").decision_function(array(X))
    assert margins.shape == (240, 3)


def test_classes_that_a_shard_lacks(client):
    order = np.argsort(Y, kind="stable")
    names = np.array(["ant", "bee", "cicada"])[Y[order]]
    model = DaskMLPClassifier(**HOW, shards=6, client=client, class_weight="balanced")
    model.fit(array(X[order], 40), array(names, 40))
    assert list(model.classes_) == ["ant", "bee", "cicada"]
    counts = np.bincount(Y)
    by_hand = {name: 240 / (3 * n) for name, n in zip(model.classes_, counts, strict=True)}
    other = clone(model).set_params(class_weight=by_hand).fit(array(X[order]), array(names))
    assert same(model, other)
    assert model.predict(array(X)).dtype == names.dtype


def test_several_labels_some_missing(client):
    labels = np.column_stack([Y == 0, Y == 1, X[:, 0] > 0]).astype(float)
    labels[::7, 1] = np.nan
    how = HOW | {"class_weight": "balanced"}
    model = DaskMLPClassifier(**how, shards=1, client=client).fit(array(X), array(labels))
    local = MLPClassifier(**how).fit(X, labels)
    assert same(model, local)
    assert model.score(array(X), array(labels)) == pytest.approx(local.score(X, labels))
    many = clone(model).set_params(shards=4, early_stopping=True).fit(array(X), array(labels))
    assert many.predict(array(X)).shape == (240, 3)
    labels[:, 2] = np.nan
    with pytest.raises(ValueError, match="no value in column 2"):
        model.fit(array(X), array(labels))


def test_sparse_chunks(client):
    zeroed = np.where(np.abs(X) > 1, X, 0)
    lazy = array(zeroed).map_blocks(csr_matrix)
    model = DaskMLPClassifier(**HOW, client=client).fit(lazy, array(Y))
    dense = clone(model).fit(array(zeroed), array(Y))
    # Products of a sparse matrix are summed up in another order.
    assert np.allclose(model.loss_curve_, dense.loss_curve_, rtol=1e-5)
    assert model.predict(lazy).compute(scheduler="sync").shape == (240,)


def test_rows_without_weight(client):
    """A shard of them counts for nothing, and is not an error."""
    weight = np.where(np.arange(240) < 60, 0.0, 1.0)
    model = DaskMLPClassifier(**HOW, shards=4, client=client)
    model.fit(array(X), array(Y), array(weight))
    nonsense = np.where(weight[:, None] > 0, X, 99.0)
    assert same(model, clone(model).fit(array(nonsense), array(Y), array(weight)))
    tiny = clone(model).fit(array(X), array(Y), array(weight * 1e-20))
    assert np.allclose(tiny.loss_curve_, model.loss_curve_, rtol=1e-6)  # divided by the largest


def test_more_shards_than_rows(client):
    model = DaskMLPRegressor(max_iter=2, shards=8, client=client)
    with pytest.warns(UserWarning, match="batch_size"):
        model.set_params(batch_size=5).fit(array(X_REG[:3]), array(Y_REG[:3, 0]))
    assert model.t_ == 6
    assert model.predict(X_REG).shape == (240,)


# Early stopping and scores


def test_early_stopping(client):
    how = {"max_iter": 200, "early_stopping": True, "n_iter_no_change": 2, "shards": 3}
    model = fitted(client, **how, learning_rate_init=0.05)
    assert model.stopped_ == "no_improvement"
    assert model.t_ == model.n_iter_ * 3 * 72  # of 80 rows 8 are set aside
    scores = model.validation_scores_
    assert model.best_epoch_ == 1 + int(np.argmax(scores))
    assert model.best_validation_score_ == max(scores)
    shorter = fitted(client, **how | {"max_iter": model.best_epoch_}, learning_rate_init=0.05)
    assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, shorter.coefs_, strict=True))
    by_loss = fitted(client, **how | {"max_iter": 3}, scoring="loss")
    assert by_loss.validation_scores_ == [-loss for loss in by_loss.history_["val_loss"]]


def test_each_class_has_its_share_set_aside():
    y = np.repeat([0, 1, 2], [150, 60, 30])
    estimator = MLPClassifier()
    codec = estimator._learn_targets(y, None)
    shard = encode(estimator, read(estimator, X, y, None, ""), codec, "float32", held=(0.1, (0, 1)))
    assert list(np.bincount(y[shard.held])) == [15, 6, 3]
    assert sorted([*shard.train, *shard.held]) == list(range(240))


def test_several_passes_to_a_round(client):
    """In one shard nobody waits for the others; in several, the last round may be shorter."""
    how = HOW | {"max_iter": 8, "dropout": 0.1, "learning_rate": "cosine"}
    model = DaskMLPClassifier(**how, shards=1, local_epochs=3, client=client)
    assert same(model.fit(array(X), array(Y)), MLPClassifier(**how).fit(X, Y))
    lines = {"shards": 4, "early_stopping": True, "n_iter_no_change": 5, "max_iter": 50}
    many = clone(model).set_params(**lines, learning_rate_init=0.05).fit(array(X), array(Y))
    assert many.stopped_ == "no_improvement"
    assert many.n_iter_ % 3 == many.best_epoch_ % 3 == 0
    assert many.n_iter_ >= many.best_epoch_ + 6
    scores = many.validation_scores_
    assert scores[::3] == scores[1::3] == scores[2::3]
    assert len(set(many.loss_curve_)) == many.n_iter_ == len(scores)


def test_measured_by_shards_as_in_one_place(client):
    how = HOW | {"max_iter": 3, "shards": 4, "client": client}
    model = DaskMLPClassifier(**how)
    model.fit(array(X), array(Y), X_val=array(X), y_val=array(Y), sample_weight_val=array(WEIGHT))
    best = model.best_epoch_ - 1
    loss = log_loss(Y, model.predict_proba(X), sample_weight=WEIGHT)
    assert model.history_["val_loss"][best] == pytest.approx(loss, rel=1e-5)
    assert model.validation_scores_[best] == pytest.approx(model.score(X, Y, WEIGHT), rel=1e-12)
    regressor = DaskMLPRegressor(**how).fit(array(X_REG), array(Y_REG))
    wanted = r2_score(Y_REG, regressor.predict(X_REG), sample_weight=WEIGHT)
    args = array(X_REG), array(Y_REG), array(WEIGHT)
    assert regressor.score(*args) == pytest.approx(wanted, rel=1e-9)
    with pytest.raises(ValueError, match="non-zero"):
        regressor.score(*args[:2], array(np.zeros(240)))


def test_r2_of_constant_and_missing_targets():
    class Zeros:
        _estimator_type = "regressor"

        def predict(self, X):
            return np.zeros((len(X), 3))

        def __sklearn_tags__(self):
            return MLPRegressor().__sklearn_tags__()

    y = np.array([[0.0, 1.0, np.nan], [0.0, 1.0, np.nan], [0.0, 1.0, 2.0]])
    told = [tally(Zeros(), y[:2], y[:2]), tally(Zeros(), y[2:], y[2:])]
    assert score_of(told, classifies=False) == pytest.approx((1 + 0 + 0) / 3)


# An estimator as others


def test_parameters_and_copies(client):
    model = DaskMLPClassifier((4,), alpha=0.5, client=client, shards=2, **{"max_iter": 3})
    local = MLPClassifier().get_params()
    assert model.get_params().keys() == {*local, "shards", "local_epochs", "synchronous", "client"}
    assert model.get_params()["alpha"] == 0.5
    assert DaskMLPRegressor("huber").loss == "huber"
    twin = clone(model)
    assert twin.client is model.client is client
    assert twin.get_params() == model.get_params()
    model.fit(array(X), array(Y))
    again = pickle.loads(pickle.dumps(model))
    assert again.client is None
    assert np.array_equal(again.predict(X), model.predict(X))
    assert same(again, model)
    alone = pickle.loads(pickle.dumps(model.to_local()))
    assert type(alone) is MLPClassifier
    assert not hasattr(alone, "client")
    assert np.array_equal(alone.predict_proba(X), model.predict_proba(X))
    assert same(alone, model)
    assert alone.partial_fit(X, Y).n_iter_ == 1


@each("kind", KINDS)
def test_what_is_described(kind):
    pytest.importorskip("numpydoc")
    from numpydoc.docscrape import NumpyDocString
    from numpydoc.validate import validate

    described = NumpyDocString(kind.__doc__)["Parameters"]
    assert [row.name for row in described] == list(inspect.signature(kind).parameters)
    not_needed = {"GL01", "ES01", "EX01", "SA01", "RT02"}  # as elsewhere
    own = [name for part in kind.__mro__[:2] for name in vars(part) if not name.startswith("_")]
    for path in ["", *(f".{name}" for name in own if callable(getattr(kind, name)))]:
        errors = validate(f"fastmlp.dask.{kind.__name__}{path}")["errors"]
        assert not [error for error in errors if error[0] not in not_needed]


def test_client_of_the_process(cluster):
    assert DaskMLPClassifier().client_ is cluster
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpa'"):
        DaskMLPClassifier(alpa=1)


def test_dask_is_imported_for_these_alone_and_needs_a_client():
    script = """if True:
        import sys, fastmlp
        assert not any("dask" in name for name in sys.modules)
        from fastmlp.dask import DaskMLPClassifier
        DaskMLPClassifier().client_"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "DaskMLPClassifier needs a cluster" in done.stderr


def test_own_loss_and_lines(client, capsys):
    def squares(outputs, targets):
        return ((outputs - targets) ** 2).sum(axis=1), 2 * (outputs - targets)

    model = fitted(client, loss=squares, verbose=2, early_stopping=True)
    assert len(model.loss_curve_) == 4
    assert "validation score" in capsys.readouterr().out


def test_ctrl_c_keeps_what_was_learnt(client):
    def rate(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return 0.001

    with pytest.warns(UserWarning, match="interrupted"):
        model = fitted(client, learning_rate=rate)
    assert (model.stopped_, model.n_iter_) == ("interrupted", 2)
    other = fitted(client, max_iter=2)
    assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, other.coefs_, strict=True))


def test_start_and_no_finite_loss(client):
    model = fitted(client)
    start = {"coef_init": model.coefs_, "intercept_init": model.intercepts_}
    on = clone(model).fit(array(X), array(Y), **start)
    assert on.loss_curve_[0] < model.loss_curve_[0]
    coefs = model.coefs_
    model.set_params(learning_rate_init=1e30, solver="sgd", learning_rate="constant")
    with pytest.raises(ValueError, match="lower learning_rate_init"):
        model.fit(array(X), array(Y))
    assert model.coefs_ is coefs


REFUSED = [
    ({"solver": "lbfgs"}, "solver='lbfgs'"),
    ({"callbacks": print}, "callbacks=.*must be None"),
    ({"scoring": "f1_macro"}, "scoring='f1_macro'.*None or 'loss'"),
    ({"eval_metrics": ["f1_macro"]}, "eval_metrics=.*must be None"),
    ({"warm_start": True}, "warm_start=True.*must be False"),
    ({"shards": 0}, "'shards' parameter"),
    ({"local_epochs": 0}, "'local_epochs' parameter"),
    ({"alpha": -1}, "'alpha' parameter"),
]


@each(("more", "message"), REFUSED)
def test_refused_parameters(client, more, message):
    with pytest.raises(ValueError, match=message):
        fitted(client, **more)


def test_refused_arguments(client):
    model = DaskMLPClassifier(**HOW, client=client)
    with pytest.raises(TypeError, match=r"X must be a dask .*dask\.array\.from_array"):
        model.fit(X, Y)
    with pytest.raises(TypeError, match="y must be a dask"):
        model.fit(array(X), Y)
    with pytest.raises(TypeError, match="'groups'"):
        model.fit(array(X), array(Y), groups=array(Y))
    with pytest.raises(ValueError, match="X has 240 rows, and y 239"):
        model.fit(array(X), array(Y[:239]))
    with pytest.raises(ValueError, match="X_val and y_val; y_val is missing"):
        model.fit(array(X), array(Y), X_val=array(X))
    with pytest.raises(ValueError, match=r"In X_val and y_val.*classes not in"):
        model.fit(array(X), array(Y), X_val=array(X), y_val=array(Y + 1))
    with pytest.raises(ValueError, match="must not be negative"):
        model.fit(array(X), array(Y), array(-WEIGHT))
    with pytest.raises(ValueError, match="non-zero"):
        model.fit(array(X), array(Y), array(0 * WEIGHT))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(array(X * np.nan), array(Y))
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(array(X), array(X[:, 0]))
    with pytest.raises(ValueError, match="no rows"):
        model.fit(array(X[:0]), array(Y[:0]))
    assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="not fitted"):
        model.predict(array(X))
    model.fit(array(X), array(Y))
    with pytest.raises(ValueError, match="in memory only"):
        model.predict_proba(array(X), dropout_samples=3)
    assert model.predict_proba(X, dropout_samples=3).shape == (240, 3)
    with pytest.raises(ValueError, match="6 features"):
        model.predict(array(X[:, :5]))


def test_refused_columns(client):
    table = frame().assign(a=pd.Categorical(frame()["label"]))
    table = dd.from_pandas(table, npartitions=3)
    with pytest.raises(ValueError, match=r"'a' \(category\)"):
        DaskMLPClassifier(client=client).fit(table[["a", "b"]], table["label"])
