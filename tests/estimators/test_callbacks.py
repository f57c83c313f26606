"""`callbacks`: what they are told, how they end training, and the ready-made ones."""

import csv
import pickle
import time

import numpy as np
import pytest
from samples import KINDS, SMALL, classes, numbers
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import (
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    EpochEnd,
    StopAt,
    TimeBudget,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ENDLESS = SMALL | {"max_iter": 100_000, "n_iter_no_change": np.inf}


class Recorder:
    """Keeps what it is told, and asks to stop behind the epoch `last`."""

    def __init__(self, last=None):
        self.last = last
        self.seen = []

    def __call__(self, end):
        self.seen.append(end)
        return end.epoch == self.last


def record(kind, data, **settings):
    """A fitted model and what a callback was told meanwhile."""
    recorder = Recorder()
    return kind(**SMALL | settings, callbacks=[recorder]).fit(*data()), recorder.seen


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_they_are_told_the_history(kind, data, early_stopping):
    model, seen = record(kind, data, early_stopping=early_stopping)
    history = model.history_
    assert [end.epoch for end in seen] == list(range(1, model.n_iter_ + 1))
    assert [end.loss for end in seen] == history["loss"]
    assert [end.learning_rate for end in seen] == history["lr"]
    assert [end.seconds for end in seen] == history["seconds"]
    scores = history["val_score"] if early_stopping else [None] * model.n_iter_
    assert [end.val_score for end in seen] == scores
    losses = history["val_loss"] if early_stopping else [None] * model.n_iter_
    assert [end.val_loss for end in seen] == losses
    elapsed = [end.elapsed for end in seen]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] >= sum(history["seconds"])


def test_lbfgs_tells_its_iterations_and_stops():
    model, seen = record(MLPRegressor, numbers, solver="lbfgs")
    assert [end.loss for end in seen] == model.loss_curve_
    assert {(end.val_loss, end.val_score, end.learning_rate) for end in seen} == {(None,) * 3}
    other = MLPRegressor(**SMALL, solver="lbfgs", callbacks=Recorder(last=4)).fit(*numbers())
    assert (other.stopped_, other.n_iter_) == ("callback", 4)
    assert other.loss_curve_[-1] == model.loss_curve_[3]
    assert other.loss_ == pytest.approx(model.loss_curve_[3], rel=1e-5)  # of rounded weights


@pytest.mark.parametrize("callbacks", [Recorder(5), [Recorder(), Recorder(5)], (Recorder(5),)])
def test_one_that_returns_true_ends_training(callbacks):
    model = MLPRegressor(**ENDLESS, callbacks=callbacks).fit(*numbers())
    assert (model.stopped_, model.n_iter_) == ("callback", 5)
    whole = MLPRegressor(**SMALL | {"max_iter": 5}).fit(*numbers())
    np.testing.assert_array_equal(model.coefs_[0], whole.coefs_[0])


def test_all_are_called_and_the_stopping_rule_comes_first():
    recorders = [Recorder(3), Recorder(3)]
    MLPRegressor(**ENDLESS, callbacks=recorders).fit(*numbers())
    assert [len(recorder.seen) for recorder in recorders] == [3, 3]
    settings = SMALL | {"tol": 10, "n_iter_no_change": 2}
    for extra in ({}, {"X_val": numbers()[0], "y_val": numbers()[1]}):
        model = MLPRegressor(**settings, callbacks=Recorder(4)).fit(*numbers(), **extra)
        assert (model.stopped_, model.n_iter_) == ("no_improvement", 4)


def test_epochs_are_counted_on():
    x, y = numbers()
    recorder = Recorder()
    model = MLPRegressor(**SMALL, warm_start=True, callbacks=recorder).fit(x, y).fit(x, y)
    model.partial_fit(x, y)
    assert [end.epoch for end in recorder.seen] == list(range(1, 2 * SMALL["max_iter"] + 2))
    assert model.stopped_ == "partial_fit"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_exception_leaves_the_estimator_as_it_was(solver):
    x, y = numbers()

    def fail(end):
        if end.epoch == 3:
            raise RuntimeError("enough")

    fresh = MLPRegressor(**SMALL, solver=solver, callbacks=fail)
    with pytest.raises(RuntimeError, match=r"enough"):
        fresh.fit(x, y)
    assert not hasattr(fresh, "coefs_")
    model = MLPRegressor(**SMALL, solver=solver, warm_start=True).fit(x, y)
    before, state = model.predict(x), dict(vars(model))
    model.callbacks = lambda end: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model.fit(x, y)
    assert vars(model) == state | {"callbacks": model.callbacks}
    np.testing.assert_array_equal(model.predict(x), before)


def test_an_exception_in_partial_fit():
    x, y = numbers()
    model = MLPRegressor(**SMALL).partial_fit(x, y)
    before = model.predict(x)
    model.callbacks = lambda end: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model.partial_fit(x, y)
    np.testing.assert_array_equal(model.predict(x), before)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_in_a_callback_keeps_what_was_learnt(solver):
    def interrupt(end):
        if end.epoch == 3:
            raise KeyboardInterrupt

    model = MLPRegressor(**SMALL, solver=solver, callbacks=interrupt)
    with pytest.warns(UserWarning, match=r"interrupted"):
        model.fit(*numbers())
    assert (model.stopped_, model.n_iter_) == ("interrupted", 3)


@pytest.mark.parametrize("callbacks", [3, "loud", [print, 3], [None]])
def test_what_is_refused(callbacks):
    with pytest.raises(ValueError, match=r"callbacks"):
        MLPClassifier(**SMALL, callbacks=callbacks).fit(*classes())


# Ready-made ones


def test_time_budget():
    start = time.perf_counter()
    model = MLPRegressor(**ENDLESS, callbacks=TimeBudget(0.2)).fit(*numbers())
    assert model.stopped_ == "callback"
    assert 0.2 <= time.perf_counter() - start < 2
    again = model.fit(*numbers())  # the time begins anew
    assert again.n_iter_ > 1


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("of another run\n")
    x, y = numbers()
    model = MLPRegressor(**SMALL, callbacks=CSVLogger(path), warm_start=True).fit(x, y).fit(x, y)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [name for name in EpochEnd.__dataclass_fields__ if name != "metrics"]
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(model.loss_curve_) + 1))
    assert [float(row["loss"]) for row in rows] == model.loss_curve_
    assert {row["val_score"] + row["val_loss"] for row in rows} == {""}
    model.fit(x, y, X_val=x, y_val=y)
    with open(path, newline="", encoding="utf-8") as file:
        logged = [float(row["val_loss"] or "nan") for row in csv.DictReader(file)]
    np.testing.assert_array_equal(logged, model.history_["val_loss"])
    missing = CSVLogger(str(tmp_path / "no folder" / "log.csv"))
    with pytest.raises(FileNotFoundError):
        MLPRegressor(**SMALL, callbacks=missing).fit(x, y)


def test_stop_at():
    x, y = classes()
    by_loss = MLPClassifier(**ENDLESS, callbacks=StopAt(loss=0.3)).fit(x, y)
    assert by_loss.loss_ <= 0.3 < by_loss.loss_curve_[-2]
    by_score = MLPClassifier(**ENDLESS, callbacks=StopAt(loss=-1, val_score=0.8))
    by_score.fit(x, y, X_val=x, y_val=y)
    assert by_score.score(x, y) >= 0.8 > max(by_score.validation_scores_[:-1])
    by_val_loss = MLPClassifier(**ENDLESS, callbacks=StopAt(val_loss=0.3))
    losses = by_val_loss.fit(x[:80], y[:80], X_val=x[80:], y_val=y[80:]).history_["val_loss"]
    assert losses[-1] <= 0.3 < min(losses[:-1])
    assert {by_loss.stopped_, by_score.stopped_, by_val_loss.stopped_} == {"callback"}
    for limit in ("val_score", "val_loss"):
        with pytest.raises(ValueError, match=rf"{limit}.*validation set"):
            MLPClassifier(**SMALL, callbacks=StopAt(**{limit: 0.8})).fit(x, y)


def stops_after(values, patience, min_delta):
    """The epoch behind which `EarlyStopping` ends training; None if it goes on."""
    best, last = -np.inf, 0
    for epoch, value in enumerate(values, 1):
        if value > best + min_delta:
            best, last = value, epoch
        if epoch - last >= patience:
            return epoch
    return None


@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (3, 0.01), (5, 0.3)])
def test_early_stopping(patience, min_delta):
    x, y = numbers()
    held = {"X_val": x[80:], "y_val": y[80:]}
    for monitor, sign in (("loss", -1), ("val_loss", -1), ("val_score", 1)):
        rule = EarlyStopping(monitor, patience=patience, min_delta=min_delta)
        settings = ENDLESS | {"max_iter": 400, "learning_rate_init": 0.1}
        model = MLPRegressor(**settings, callbacks=rule).fit(x[:80], y[:80], **held)
        end = stops_after(sign * np.array(model.history_[monitor]), patience, min_delta)
        assert model.n_iter_ == (end or 400)
        assert model.stopped_ == ("callback" if end else "max_iter")
        first = model.n_iter_
        assert model.fit(x[:80], y[:80], **held).n_iter_ == first  # it begins anew


def test_two_alike_count_apart():
    x, y = numbers()
    once, twice = (
        MLPRegressor(**ENDLESS, callbacks=[EarlyStopping("loss", 2, 0.05)] * n).fit(x, y)
        for n in (1, 2)
    )
    assert once.n_iter_ == twice.n_iter_


@pytest.mark.parametrize("monitor", ["val_loss", "val_score"])
@pytest.mark.parametrize("kind", [EarlyStopping, lambda monitor: Checkpoint("model", 1, monitor)])
def test_these_rules_need_a_validation_set(kind, monitor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = rf"'{monitor}'.*needs a validation set.*early_stopping"
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**SMALL, callbacks=kind(monitor)).fit(*numbers())


# Snapshots and checkpoints


class Snapshots(Recorder):
    """Keeps a fitted copy of each epoch."""

    def __call__(self, end):
        self.seen.append(end.snapshot())


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("extra", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_a_snapshot_is_the_model_of_a_shorter_fit(kind, data, extra):
    x, y = data()
    settings = SMALL | extra | {"activation": "tanh"}
    snapshots = Snapshots()
    model = kind(**settings, callbacks=snapshots).fit(x, y)
    assert len(snapshots.seen) == model.n_iter_
    for epoch in (1, 4):
        short = kind(**settings, callbacks=Recorder(epoch)).fit(x, y)
        copy = snapshots.seen[epoch - 1]
        assert vars(copy).keys() == vars(short).keys()
        for name in ("n_iter_", "loss_curve_", "stopped_", "best_epoch_", "t_"):
            assert getattr(copy, name) == getattr(short, name)
        assert copy._model.mask_seed == short._model.mask_seed
        if not extra.get("early_stopping"):  # which keeps the best weights
            np.testing.assert_array_equal(copy.predict(x), short.predict(x))
    np.testing.assert_array_equal(snapshots.seen[-1].coefs_[0].shape, model.coefs_[0].shape)


def test_a_snapshot_stands_alone():
    x, y = numbers()
    snapshots = Snapshots()
    model = MLPRegressor(**SMALL, warm_start=True, callbacks=snapshots).fit(x, y).partial_fit(x, y)
    first, last = snapshots.seen[0], snapshots.seen[-1]
    np.testing.assert_array_equal(last.predict(x), model.predict(x))
    before = first.predict(x)
    copy = pickle.loads(pickle.dumps(first))
    first.set_params(callbacks=None).fit(x, y)
    np.testing.assert_array_equal(copy.predict(x), before)
    np.testing.assert_array_equal(last.predict(x), model.predict(x))
    assert len(model.loss_curve_) == SMALL["max_iter"] + 1


def test_a_snapshot_is_of_the_moment():
    _, (end, *_) = record(MLPRegressor, numbers)
    with pytest.raises(RuntimeError, match=r"snapshot"):
        end.snapshot()
    assert pickle.loads(pickle.dumps(end)) == end


def test_checkpoint(tmp_path):
    path, x, y = tmp_path / "model", *numbers()
    seen = []

    def look(end):
        if path.exists():
            seen.append((end.epoch, len(fastmlp.load(path).loss_curve_)))

    model = MLPRegressor(**SMALL | {"max_iter": 7}, callbacks=[Checkpoint(path, every=3), look])
    model.fit(x, y)
    assert seen == [(3, 3), (4, 3), (5, 3), (6, 6), (7, 6)]
    loaded = fastmlp.load(path)
    assert loaded.loss_curve_ == model.loss_curve_[:6]
    short = MLPRegressor(**SMALL | {"max_iter": 6}).fit(x, y)
    np.testing.assert_array_equal(loaded.predict(x), short.predict(x))
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_checkpoint_for_each_epoch(tmp_path):
    path = str(tmp_path / "epoch {epoch}")
    MLPRegressor(**SMALL, solver="lbfgs", callbacks=Checkpoint(path, every=5)).fit(*numbers())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["epoch 10", "epoch 15", "epoch 5"]


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "val_score"])
def test_a_checkpoint_of_the_best(tmp_path, monitor):
    x, y = classes()
    held = {"X_val": x[80:], "y_val": y[80:]}
    model = MLPClassifier(
        **SMALL | {"max_iter": 30}, callbacks=Checkpoint(tmp_path / "best", monitor=monitor)
    ).fit(x[:80], y[:80], **held)
    best = fastmlp.load(tmp_path / "best")
    if monitor == "loss":
        assert best.loss_ == min(model.loss_curve_)
    elif monitor == "val_loss":
        assert best.n_iter_ == np.argmin(model.history_["val_loss"]) + 1
        assert best.history_["val_loss"][-1] == min(model.history_["val_loss"])
    else:
        assert best.n_iter_ == model.best_epoch_ < 30
        np.testing.assert_array_equal(best.predict(x), model.predict(x))
        assert best.score(x[80:], y[80:]) == model.best_validation_score_


def test_a_checkpoint_that_fails_ends_the_fit(tmp_path):
    model = MLPRegressor(**SMALL, callbacks=Checkpoint(tmp_path / "no folder" / "model"))
    with pytest.raises(FileNotFoundError):
        model.fit(*numbers())
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (EarlyStopping, {"monitor": "seconds"}),
        (EarlyStopping, {"patience": 0}),
        (EarlyStopping, {"patience": 1.5}),
        (EarlyStopping, {"min_delta": -1}),
        (EarlyStopping, {"min_delta": np.nan}),
        (Checkpoint, {"path": "model", "every": 0}),
        (Checkpoint, {"path": "model", "monitor": "accuracy"}),
        (StopAt, {"loss": 1.0, "val_score": "high"}),
    ],
)
def test_bad_arguments(kind, arguments):
    with pytest.raises(ValueError, match=rf"^{list(arguments)[-1]} must be .*; got"):
        kind(**arguments)


def test_a_path_is_no_number():
    for kind in (CSVLogger, Checkpoint):
        with pytest.raises(TypeError, match=r"path must be a str, bytes or path-like; got 3"):
            kind(3)


def test_arguments_of_the_ready_made():
    with pytest.raises(ValueError, match=r"loss, val_score or val_loss"):
        StopAt()
    for seconds in (0, -1, np.nan):
        with pytest.raises(ValueError, match=r"seconds"):
            TimeBudget(seconds)


def test_the_ready_made_are_cloned_and_pickled():
    callbacks = [
        TimeBudget(1.0),
        CSVLogger("log.csv"),
        StopAt(loss=0.1),
        EarlyStopping(),
        Checkpoint("model"),
    ]
    model = MLPRegressor(callbacks=callbacks)
    assert clone(model).get_params() == model.get_params()
    assert pickle.loads(pickle.dumps(model)).callbacks == callbacks


class Closing:
    """Begins with each fit, and keeps what becomes of it."""

    def __init__(self, fails=False):
        self.told, self.fails = [], fails

    def begin_fit(self):
        if self.fails:
            raise OSError("no room")
        told = self.told
        told.append("begin")

        class Fit:
            def __call__(self, end):
                told.append(end.epoch)

            def end_fit(self):
                told.append("end")

        return Fit()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_end_of_the_fit(solver):
    x, y = classes()
    closing = Closing()
    model = MLPClassifier(**{**SMALL, "max_iter": 3}, solver=solver, callbacks=closing).fit(x, y)
    assert closing.told == ["begin", *range(1, model.n_iter_ + 1), "end"]
    closing.told.clear()

    def fails(end):
        raise KeyError("so be it")

    with pytest.raises(KeyError):
        model.set_params(callbacks=[closing, fails]).fit(x, y)
    assert closing.told == ["begin", 1, "end"]
    closing.told.clear()
    with pytest.raises(OSError, match="no room"):
        model.set_params(callbacks=[closing, Closing(fails=True)]).fit(x, y)
    assert closing.told == ["begin", "end"]
    closing.told.clear()
    if solver == "adam":
        model.set_params(callbacks=closing).partial_fit(x, y)
        assert (closing.told[0], closing.told[-1], len(closing.told)) == ("begin", "end", 3)
