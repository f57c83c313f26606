"""What is measured behind each epoch beside loss and score: metrics, further sets, groups."""

import csv

import numpy as np
import pandas as pd
import pytest
import sklearn
from samples import classes, labels, numbers
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import CSVLogger

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = classes(n=300)
SMALL = {"hidden_layer_sizes": (9,), "max_iter": 6, "random_state": 0, "learning_rate_init": 0.02}
SETS = {"X_val": {"val": X[200:], "train": X[:200]}, "y_val": {"val": Y[200:], "train": Y[:200]}}
WEIGHTS = np.random.default_rng(0).uniform(0, 2, 300).round(1)
BASE = ["loss", "val_loss", "val_score", "lr", "seconds"]


def margin(estimator, X, y):
    """A metric of one's own."""
    return float(np.sort(estimator.predict_proba(X), axis=1)[:, -1].mean())


def test_metrics_of_every_epoch():
    class Keep:
        def __init__(self):
            self.models, self.told = [], []

        def __call__(self, end):
            self.models.append(end.snapshot())
            self.told.append(end.metrics)

    keep = Keep()
    metrics = ["accuracy", "neg_log_loss", margin]
    model = MLPClassifier(**SMALL, eval_metrics=metrics, callbacks=keep)
    model.fit(X[:200], Y[:200], **SETS)
    names = [
        f"{name}_{what}"
        for name in ("val", "train")
        for what in ("accuracy", "neg_log_loss", "margin")
    ]
    assert list(model.history_) == [*BASE, "train_loss", *names]
    for epoch, each in enumerate(keep.models):
        for name, x, y in (("val", X[200:], Y[200:]), ("train", X[:200], Y[:200])):
            found = {
                key: model.history_[f"{name}_{key}"][epoch]
                for key in ("accuracy", "neg_log_loss", "margin")
            }
            assert found["accuracy"] == accuracy_score(y, each.predict(x))
            assert found["neg_log_loss"] == -log_loss(y, each.predict_proba(x).astype(float))
            assert found["margin"] == margin(each, x, y)
            entropy = model.history_[f"{name}_loss"][epoch]
            assert entropy == pytest.approx(-found["neg_log_loss"], rel=1e-5)
        assert keep.told[epoch] == {
            name: model.history_[name][epoch] for name in ("train_loss", *names)
        }
        assert {name: column[-1] for name, column in each.history_.items()} == {
            name: column[epoch] for name, column in model.history_.items()
        }


@pytest.mark.parametrize(
    ("kind", "data", "settings"),
    [
        (MLPClassifier, classes, {}),
        (MLPClassifier, lambda n: classes(n, k=2), {"loss": "focal"}),
        (MLPClassifier, labels, {}),
        (MLPRegressor, numbers, {}),
        (MLPRegressor, lambda n: numbers(n, k=3), {"loss": "gaussian"}),
        (MLPRegressor, lambda n: numbers(n, k=2), {"loss": "quantile", "quantiles": [0.1, 0.5]}),
        (MLPRegressor, lambda n: numbers(n, k=3), {"dropout": 0.2, "dtype": "float64"}),
    ],
)
def test_nothing_else_changes_and_the_loss_is_the_cores(kind, data, settings):
    x, y = data(n=300)
    plain = kind(**SMALL, **settings)
    plain.fit(x[:200], y[:200], X_val=x[200:], y_val=y[200:], sample_weight_val=WEIGHTS[200:])
    both = clone(plain)
    both.fit(
        x[:200],
        y[:200],
        X_val=(x[200:], x[200:]),
        y_val=(y[200:], y[200:]),
        sample_weight_val=(WEIGHTS[200:], WEIGHTS[200:]),
    )
    for a, b in zip(plain.coefs_, both.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(both.history_) == [*BASE, "val_2_loss"]
    np.testing.assert_allclose(both.history_["val_2_loss"], plain.history_["val_loss"], rtol=1e-6)
    assert both.history_["val_loss"] == plain.history_["val_loss"]


def test_a_loss_of_ones_own():
    def squared(outputs, targets):
        error = outputs - targets
        return (error**2).sum(axis=1), 2 * error

    x, y = numbers(n=300)
    model = MLPRegressor(squared, **SMALL)
    sets = {"X_val": (x[200:], x[:200]), "y_val": (y[200:], y[:200])}
    model.fit(x[:200], y[:200], **sets, sample_weight_val=(WEIGHTS[200:], WEIGHTS[:200]))
    assert len(model.history_["val_2_loss"]) == 6


def test_early_stopping_sets_the_samples_aside_that_are_measured():
    model = MLPClassifier(**SMALL, early_stopping=True, eval_metrics="accuracy").fit(X, Y)
    assert model.history_["val_accuracy"] == model.history_["val_score"]
    weighted = MLPClassifier(**SMALL, early_stopping=True, eval_metrics=["accuracy"])
    weighted.fit(X, Y, WEIGHTS)
    np.testing.assert_allclose(weighted.history_["val_accuracy"], weighted.history_["val_score"])


def test_names_of_a_frame_reach_the_metrics():
    def sees_names(estimator, X, y):
        assert list(X.columns) == list("abcdef")
        return 1.0

    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = MLPClassifier(**SMALL, early_stopping=True, eval_metrics={"names": sees_names})
    assert set(model.fit(frame, Y).history_["val_names"]) == {1.0}


def test_warm_starts_and_streams_go_on():
    model = MLPClassifier(**SMALL, warm_start=True, early_stopping=True, eval_metrics=["accuracy"])
    model.fit(X, Y)
    copy = MLPClassifier(**SMALL, warm_start=True, early_stopping=True).fit(X, Y)
    first = model.history_["val_accuracy"]
    model.set_params(eval_metrics=["f1_macro"]).fit(X, Y)
    assert model.history_["val_accuracy"][:6] == first
    assert np.isnan(model.history_["val_accuracy"][6:]).all()
    assert np.isnan(model.history_["val_f1_macro"][:6]).all()
    assert np.isfinite(model.history_["val_f1_macro"][6:]).all()
    model.set_params(early_stopping=False).partial_fit(X, Y)
    assert {len(column) for column in model.history_.values()} == {13}
    assert np.isnan(model.history_["val_f1_macro"][-1])
    assert list(copy.history_) == BASE


def test_files_keep_them(tmp_path):
    model = MLPClassifier(**SMALL, early_stopping=True, eval_metrics=["accuracy"]).fit(X, Y)
    fastmlp.save(model, tmp_path / "model")
    np.testing.assert_equal(fastmlp.load(tmp_path / "model").history_, model.history_)
    log = CSVLogger(tmp_path / "log.csv")
    model.set_params(callbacks=log).fit(X, Y)
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_accuracy"]) for row in rows] == model.history_["val_accuracy"]
    assert "metrics" not in rows[0]


def test_a_pipeline_transforms_each_set():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL, eval_metrics=["accuracy"])
        model.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(
            100 * X[:200], Y[:200], X_val=(100 * X[200:], 100 * X[:200]), y_val=(Y[200:], Y[:200])
        )
    history = pipeline[-1].history_
    assert history["val_2_accuracy"][-1] == pipeline.score(100 * X[:200], Y[:200])


class StopError(Exception):
    pass


def stop(estimator, X, y):
    raise StopError("so be it")


@pytest.mark.parametrize(
    ("settings", "given", "match"),
    [
        ({"eval_metrics": ["accuracy"]}, {}, "eval_metrics need a validation set"),
        ({"eval_metrics": ["accuracy"], "solver": "lbfgs"}, {}, "eval_metrics need a first-order"),
        ({"eval_metrics": "acuracy"}, SETS, "'eval_metrics' parameter of MLPClassifier"),
        ({"eval_metrics": ["acuracy"]}, SETS, "acuracy"),
        ({"eval_metrics": [lambda *_: 0.0, lambda *_: 0.0]}, SETS, "eval_metrics must hold names"),
        ({"eval_metrics": {"loss": "accuracy"}}, SETS, r"'train_loss', 'val_loss'\] twice"),
        ({"eval_metrics": [3]}, SETS, "eval_metrics must hold names"),
        ({}, {"X_val": {"val": X}, "y_val": {"test": Y}}, "y_val must be a dict with the names"),
        ({}, {"X_val": {"val": X}, "y_val": Y}, "y_val must be a dict with the names"),
        ({}, {"X_val": {}, "y_val": {}}, "must have texts as the names"),
        ({}, {"X_val": {"a": X, "val": X}, "y_val": {"a": Y, "val": Y}}, "the first set"),
        ({}, {"X_val": (X, X), "y_val": (Y,)}, "must be tuples as long"),
        ({}, {"X_val": (X, X), "y_val": (Y, Y), "sample_weight_val": WEIGHTS}, "as long"),
        ({}, SETS | {"sample_weight_val": {"tset": WEIGHTS}}, "with names of X_val"),
        (
            {},
            {"X_val": (X, X[:, :2]), "y_val": (Y, Y)},
            "In the validation set 'val_2': X has 2 features",
        ),
        (
            {"early_stopping": True},
            {"groups": np.arange(5)},
            r"one entry per sample \(300\); got 5",
        ),
    ],
)
def test_what_is_refused(settings, given, match):
    model = MLPClassifier(**SMALL).fit(X, Y)
    before = model.predict_proba(X)
    model.set_params(**settings)
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, Y, **given)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_an_error_in_a_metric_ends_the_fit():
    model = MLPClassifier(**SMALL, eval_metrics={"stop": stop})
    with pytest.raises(StopError) as caught:
        model.fit(X, Y, X_val=X, y_val=Y)
    (note,) = caught.value.__notes__
    assert note.startswith("This was eval_metrics=<function stop")
    assert not hasattr(model, "coefs_")


# Groups


@pytest.mark.parametrize("as_text", [False, True])
def test_whole_groups_are_set_aside(as_text):
    def note(estimator, x, y):
        seen.append(x[:, 0])
        return 0.0

    x = np.column_stack([np.arange(300), X])
    groups = np.arange(300) // 20
    groups = np.array([f"patient {g}" for g in groups]) if as_text else groups
    seen = []
    MLPClassifier(**SMALL, early_stopping=True, scoring=note, dtype="float64").fit(
        x, Y, groups=groups
    )
    held = {int(row) for row in seen[0]}
    assert held == {row for row in range(300) if groups[row] in {groups[r] for r in held}}
    assert 20 <= len(held) <= 60


def test_groups_are_drawn_as_scikit_learn_does():
    def note(estimator, x, y):
        seen.append(x[:, 0])
        return 0.0

    seen, x = [], np.column_stack([np.arange(300), X])
    groups = np.arange(300) % 11
    state = np.random.RandomState(3)
    model = MLPClassifier(**{**SMALL, "random_state": state}, early_stopping=True, scoring=note)
    reference = np.random.RandomState(3)
    model.set_params(dtype="float64").fit(x, Y, groups=groups)
    for fan_in, fan_out in ((7, 9), (9, 3)):
        reference.uniform(size=(fan_in, fan_out)), reference.uniform(size=fan_out)
    splitter = GroupShuffleSplit(1, test_size=0.1, random_state=reference)
    _, held = next(splitter.split(x, Y, groups))
    np.testing.assert_array_equal(seen[0], held)
    plain = MLPClassifier(**SMALL).fit(X, Y, groups=groups)  # without a split they change nothing
    np.testing.assert_array_equal(plain.coefs_[0], MLPClassifier(**SMALL).fit(X, Y).coefs_[0])


# Functions, weights, routing


@pytest.mark.parametrize("data", [classes, labels, lambda n: classes(n, k=2)])
def test_a_loss_of_ones_own_on_further_sets(data):
    def loss(outputs, targets):
        outputs = np.clip(outputs, 1e-9, 1 - 1e-9)
        values = -targets * np.log(outputs) - (1 - targets) * np.log1p(-outputs)
        slopes = (outputs - targets) / (outputs * (1 - outputs))
        return np.where(targets.max(axis=1) < 9, values.sum(axis=1), np.nan), slopes

    x, y = data(n=300)
    weight = WEIGHTS[200:].copy()
    model = MLPClassifier(**SMALL, loss=loss, dtype="float64")
    sets = {"X_val": (x[200:], x[200:]), "y_val": (y[200:], y[200:])}
    model.fit(x[:200], y[:200], **sets, sample_weight_val=(weight, weight))
    np.testing.assert_allclose(model.history_["val_2_loss"], model.history_["val_loss"], rtol=1e-12)


def test_functions_take_weights_where_there_are_some():
    def weighed(estimator, X, y, sample_weight=None):
        return float(np.average(estimator.predict(X) == y, weights=sample_weight))

    model = MLPClassifier(**SMALL, early_stopping=True, eval_metrics={"ours": weighed})
    model.fit(X, Y, WEIGHTS)
    np.testing.assert_allclose(model.history_["val_ours"], model.history_["val_score"], rtol=1e-12)
    model.set_params(eval_metrics=[margin])
    with pytest.raises(TypeError, match=r"eval_metrics must take .*sample_weight="):
        model.fit(X, Y, WEIGHTS)


def test_metrics_with_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL, early_stopping=True, eval_metrics=["accuracy", margin])
        model.fit(X, Y)
        assert model.history_["val_accuracy"] == model.history_["val_score"]


@pytest.mark.parametrize(
    ("metrics", "match"),
    [
        ({"a": 3}, "eval_metrics must be one of .*got 3"),
        ({3: "r2"}, "eval_metrics must hold names"),
        ({"": "r2"}, "eval_metrics must hold names"),
        (["acuracy"], r"got 'acuracy'\. Did you mean 'accuracy'"),
        ([lambda: 0.0], "eval_metrics must take"),
    ],
)
def test_what_is_no_metric(metrics, match):
    with pytest.raises((ValueError, TypeError), match=match):
        MLPClassifier(**SMALL, eval_metrics=metrics).fit(X, Y, X_val=X, y_val=Y)


def test_few_groups():
    with pytest.raises(ValueError, match="groups must hold at least two groups"):
        MLPClassifier(**SMALL, early_stopping=True).fit(X, Y, groups=np.zeros(300))
    MLPClassifier(**SMALL).fit(X, Y, groups=np.zeros(300))  # nothing is set aside


def test_the_log_of_a_resumed_fit(tmp_path):
    """Epochs that were trained again stand in it once."""
    log, path = CSVLogger(tmp_path / "log.csv"), tmp_path / "state"
    saved = fastmlp.callbacks.Checkpoint(path, every=2, resumable=True)
    settings = {**SMALL, "early_stopping": True, "eval_metrics": ["accuracy"]}

    def cut(end):
        if end.epoch == 5:
            raise StopError

    with pytest.raises(StopError):
        MLPClassifier(**settings, callbacks=[log, saved, cut]).fit(X, Y)
    model = MLPClassifier(**settings, callbacks=log)
    model.fit(X, Y, resume_from=fastmlp.load(path))
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 7))
    assert [float(row["val_accuracy"]) for row in rows] == model.history_["val_accuracy"]
    model.set_params(warm_start=True, eval_metrics=["f1_macro"]).fit(X, Y)
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(model.loss_curve_)
    assert rows[0]["val_f1_macro"] == rows[-1]["val_accuracy"] == ""


def test_groups_of_who_splits_are_not_for_fit():
    from sklearn.model_selection import GroupKFold, cross_val_score

    with sklearn.config_context(enable_metadata_routing=True):
        groups = {"groups": np.arange(300) // 10}
        model = MLPClassifier(**SMALL)
        scores = cross_val_score(model, X, Y, cv=GroupKFold(2), params=groups, error_score="raise")
    assert len(scores) == 2
