"""`set_callbacks`: the callbacks that scikit-learn has from version 1.9 on."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from samples import KINDS, SMALL, classes, numbers
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

sklearn_callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought it")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Listener:
    """A callback that keeps what it is told; it asks to stop behind that many epochs."""

    def __init__(self, last=None):
        self.last = last
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name))

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.calls.append(("begin", context.task_name, context.task_id, fitted_estimator))
        self.begun = {"X": X, "y": y, "metadata": metadata}

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.calls.append(("end", context.task_name, context.task_id, fitted_estimator))
        self.ended = {"X": X, "y": y, "metadata": metadata}
        self.limit = context.parent.max_subtasks if context.parent else context.max_subtasks
        return context.task_name == "epoch" and context.task_id + 1 == self.last

    def of(self, what, task="epoch"):
        return [call[3] for call in self.calls if call[:2] == (what, task)]


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("extra", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_epochs_are_tasks(kind, data, extra):
    x, y = data()
    listener, settings = Listener(), SMALL | extra | {"n_iter_no_change": 50}
    model = kind(**settings).set_callbacks(listener).fit(x, y)
    epochs = [(what, "epoch", i) for i in range(SMALL["max_iter"]) for what in ("begin", "end")]
    assert [call[:3] for call in listener.calls] == [
        ("setup", "fit"),
        ("begin", "fit", 0),
        *epochs,
        ("end", "fit", 0),
        ("teardown", "fit"),
    ]
    assert listener.limit == SMALL["max_iter"]
    plain = kind(**settings).fit(x, y)
    np.testing.assert_array_equal(model.predict(x), plain.predict(x))
    assert vars(model).keys() == vars(plain).keys() | {"_skl_callbacks"}


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_fitted_estimator_is_that_of_the_moment(solver):
    x, y = numbers()
    listener = Listener()
    model = MLPRegressor(**SMALL, solver=solver).set_callbacks(listener).fit(x, y)
    for i, (before, after) in enumerate(zip(listener.of("begin"), listener.of("end"), strict=True)):
        assert (before.n_iter_, after.n_iter_) == (i, i + 1)
        assert after.loss_curve_ == model.loss_curve_[: i + 1]
        if i:
            np.testing.assert_array_equal(before.predict(x), listener.of("end")[i - 1].predict(x))
    short = MLPRegressor(**SMALL | {"max_iter": 4}, solver=solver).fit(x, y)
    np.testing.assert_allclose(listener.of("end")[3].predict(x), short.predict(x), rtol=1e-6)
    (whole,) = listener.of("end", "fit")
    np.testing.assert_array_equal(whole.predict(x), model.predict(x))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_that_returns_true_ends_training(solver):
    listener = Listener(last=5)
    model = MLPRegressor(**SMALL, solver=solver).set_callbacks(listener, Listener())
    model.fit(*numbers())
    assert (model.stopped_, model.n_iter_) == ("callback", 5)
    assert len(listener.of("begin")) == len(listener.of("end")) == 5


def test_every_task_that_begins_ends():
    """Where something else ends the training, an epoch has begun that is not needed."""
    listener = Listener()
    model = MLPRegressor(**SMALL, tol=1, n_iter_no_change=3, callbacks=lambda end: end.epoch == 4)
    model.set_callbacks(listener).fit(*numbers())
    assert model.n_iter_ == 4
    assert len(listener.of("begin")) == len(listener.of("end")) == 5
    assert listener.of("end")[-1] is None
    assert listener.calls[-1] == ("teardown", "fit")


def test_they_get_the_samples_as_given():
    x, y = classes()
    frame, weight = pd.DataFrame(x, columns=list("abcdef")), np.ones(len(y))
    listener = Listener()
    model = MLPClassifier(**SMALL).set_callbacks(listener)
    model.fit(frame, list(y), sample_weight=weight)
    for told in (listener.begun, listener.ended):
        assert told["X"] is frame
        assert told["y"] == list(y)
        assert told["metadata"]["sample_weight"] is weight
    model.fit(frame, y)
    assert listener.ended["metadata"] is None


@pytest.mark.parametrize("refit", [{}, {"hidden_layer_sizes": (3, 4)}, {"warm_start": True}])
def test_a_fitted_estimator_is_fitted_again(refit):
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y).set_params(**refit)
    same = copy.deepcopy(model).fit(x, y)
    listener = Listener()
    model.set_callbacks(listener).fit(x, y)
    np.testing.assert_array_equal(model.predict(x), same.predict(x))
    np.testing.assert_array_equal(listener.of("end")[-1].predict(x), same.predict(x))
    assert model.partial_fit(x, y).t_ == same.partial_fit(x, y).t_
    np.testing.assert_array_equal(model.predict(x), same.predict(x))


def test_an_exception_leaves_the_estimator_as_it_was():
    class Failing(Listener):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("enough")

    x, y = numbers()
    failing = Failing()
    model = MLPRegressor(**SMALL).fit(x, y).set_callbacks(failing)
    before, state = model.predict(x), dict(vars(model))
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(x, y)
    assert vars(model) == state
    np.testing.assert_array_equal(model.predict(x), before)
    assert failing.calls[-1] == ("teardown", "fit")


def test_bad_input_is_refused_before_and_torn_down():
    listener = Listener()
    model = MLPRegressor(**SMALL).set_callbacks(listener)
    with pytest.raises(ValueError, match="NaN"):
        model.fit([[np.nan]], [1.0])
    assert listener.calls[-1] == ("teardown", "fit")
    assert vars(model).keys() == vars(MLPRegressor()).keys() | {"_skl_callbacks"}


def test_clones_share_them_and_partial_fit_tells_them_nothing():
    listener = Listener()
    model = MLPRegressor(**SMALL).set_callbacks(listener)
    model.partial_fit(*numbers())
    assert listener.calls == []
    clone(model).fit(*numbers())
    assert len(listener.of("end")) == SMALL["max_iter"]
    assert pickle.loads(pickle.dumps(model)).n_iter_ == 1


def test_the_two_kinds_are_told_apart():
    with pytest.raises(ValueError, match=r"callbacks must hold callables.*set_callbacks"):
        MLPRegressor(**SMALL, callbacks=[Listener()]).fit(*numbers())
    with pytest.raises(TypeError, match=r"FitCallback"):
        MLPRegressor(**SMALL).set_callbacks(print)


# Those that scikit-learn has ready-made


@pytest.mark.parametrize("frame", [False, True])
def test_scoring_monitor(frame):
    x, y = classes()
    x = pd.DataFrame(x, columns=list("abcdef")) if frame else x
    monitor = sklearn_callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    model = MLPClassifier(**SMALL).set_callbacks(monitor).fit(x, y)
    data = monitor.get_logs().data_as_pandas
    scores = data[data["task_name"] == "epoch"]["accuracy"]
    assert len(scores) == model.n_iter_
    assert scores.iloc[-1] == accuracy_score(y, model.predict(x))
    losses = data[data["task_name"] == "epoch"]["neg_log_loss"]
    assert losses.iloc[-1] == pytest.approx(-log_loss(y, model.predict_proba(x)))
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize("depth", [1, None])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar(depth, n_jobs, capsys):
    x, y = numbers()
    bar = sklearn_callback.ProgressBar(max_propagation_depth=depth)
    pipe = make_pipeline(StandardScaler(), MLPRegressor(**SMALL))
    grid = {"mlpregressor__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=n_jobs).set_callbacks(bar)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The estimator StandardScaler does not support")
        search.fit(x, y)
    text = capsys.readouterr().out
    assert "GridSearchCV" in text
    assert ("MLPRegressor - fit" in text) == (depth is None)
    MLPRegressor(**SMALL).set_callbacks(bar).fit(x, y)
    assert "MLPRegressor - fit" in capsys.readouterr().out
