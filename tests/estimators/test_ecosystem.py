"""The estimators inside scikit-learn's meta-estimators, with data frames, and as files."""

import copy
import os
import pickle
import warnings

import joblib
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from joblib.externals.loky import get_reusable_executor
from matplotlib import pyplot as plt
from samples import KINDS, SMALL, classes, labels, numbers
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    permutation_importance,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastmlp
from fastmlp import Dense, MLPClassifier, MLPRegressor, Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

matplotlib.use("agg")
NAMES = list("abcdef")
FRAMES = [
    pytest.param(lambda x: pd.DataFrame(x, columns=NAMES), pd.Series, id="pandas"),
    pytest.param(lambda x: pl.DataFrame(x, schema=NAMES), pl.Series, id="polars"),
]


# Pipelines and searches


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_pipeline(kind, data):
    x, y = data()
    x = 100 * x + 50
    pipe = make_pipeline(StandardScaler(), kind(**SMALL)).fit(x, y)
    scaled = StandardScaler().fit_transform(x)
    np.testing.assert_array_equal(pipe.predict(x), kind(**SMALL).fit(scaled, y).predict(scaled))
    assert pipe[-1].n_features_in_ == 6


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(kind, data, n_jobs):
    x, y = data()
    pipe = Pipeline([("scale", StandardScaler()), ("mlp", kind(**SMALL))])
    grid = {
        "mlp__hidden_layer_sizes": [(5,), (6, 4)],
        "mlp__init": ["auto", "he_normal"],
        "mlp__solver": ["adam", "lbfgs"],
    }
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=n_jobs).fit(x, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = clone(pipe).set_params(**search.best_params_).fit(x, y)
    np.testing.assert_array_equal(search.predict(x), best.predict(x))


def worth_sharing():
    """A model and data for which the core takes all the threads that it may have."""
    model = MLPRegressor(hidden_layer_sizes=(256, 256), batch_size="full", max_iter=1)
    return model, *numbers(n=2000, d=64)


def test_a_search_gives_each_process_its_share_of_the_cores(monkeypatch):
    """joblib tells its processes how many threads they may have; so many the core is given."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    model, x, y = worth_sharing()

    def given(model, x, y):  # a closure travels to the processes by value
        from fastmlp._checks.threads import available_threads, resolve_n_jobs

        return resolve_n_jobs(model.n_jobs) or available_threads()

    grid = {"n_jobs": [None, -1, 5]}
    search = GridSearchCV(model, grid, cv=2, scoring=given, refit=False, n_jobs=2).fit(x, y)
    share = max(1, joblib.cpu_count() // 2)
    assert list(search.cv_results_["mean_test_score"]) == [share, share, 5]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux does")
@pytest.mark.parametrize("inner", [1, 3])
def test_a_process_starts_no_more_threads_than_its_share(monkeypatch, inner):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    model, x, y = worth_sharing()

    def started():
        before = len(os.listdir("/proc/self/task"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clone(model).fit(x, y)
        return len(os.listdir("/proc/self/task")) - before

    get_reusable_executor().shutdown()  # for processes that have not trained yet
    with joblib.parallel_config("loky", inner_max_num_threads=inner):
        (n_started,) = joblib.Parallel(n_jobs=2)([joblib.delayed(started)()])
    assert n_started == inner - 1


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux does")
@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 0), (2, 1)])
def test_a_short_call_alone_starts_threads_only_where_it_is_told_to(n_jobs, expected):
    def started():
        network = Network([Dense(100, "relu"), Dense(10)], 64, random_state=0, n_jobs=n_jobs)
        x = np.zeros((500, 64), dtype=np.float32)
        before = len(os.listdir("/proc/self/task"))
        network(x)
        return len(os.listdir("/proc/self/task")) - before

    get_reusable_executor().shutdown()  # for processes that have not started any yet
    with joblib.parallel_config("loky", inner_max_num_threads=2):
        (n_started,) = joblib.Parallel(n_jobs=2)([joblib.delayed(started)()])
    assert n_started == expected


def test_threads_of_a_search_are_as_good_as_processes():
    x, y = classes()
    grid = {"alpha": [1e-4, 1e-2], "hidden_layer_sizes": [(4,), (8,)]}
    scores = [
        GridSearchCV(MLPClassifier(**SMALL), grid, cv=3, n_jobs=n).fit(x, y).cv_results_
        for n in (1, 2)
    ]
    with joblib.parallel_config("threading"):
        threaded = GridSearchCV(MLPClassifier(**SMALL), grid, cv=3, n_jobs=2).fit(x, y)
    scores.append(threaded.cv_results_)
    for other in scores[1:]:
        np.testing.assert_array_equal(other["mean_test_score"], scores[0]["mean_test_score"])


def test_cross_validation_with_routed_weights():
    x, y = classes()
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    folds = KFold(3)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        results = cross_validate(
            model, x, y, cv=folds, params={"sample_weight": weight}, return_estimator=True
        )
    for i, (train, test) in enumerate(folds.split(x)):
        alone = MLPClassifier(**SMALL).fit(x[train], y[train], weight[train])
        assert results["test_score"][i] == alone.score(x[test], y[test], weight[test])
        np.testing.assert_array_equal(results["estimator"][i].coefs_[0], alone.coefs_[0])
    plain = cross_validate(MLPClassifier(**SMALL), x, y, cv=folds)["test_score"]
    assert (plain != results["test_score"]).any()


def test_a_search_over_a_pipeline_that_transforms_the_validation_set():
    x, y = classes()
    frame = pd.DataFrame(100 * x + 50, columns=NAMES)
    train, held = frame[:80], frame[80:]
    weight = np.linspace(0.5, 1.5, 40)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL, early_stopping=True)
        model.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        scale = StandardScaler().set_output(transform="pandas")
        pipe = Pipeline([("scale", scale), ("mlp", model)], transform_input=["X_val"])
        search = GridSearchCV(pipe, {"mlp__alpha": [1e-4]}, cv=2)
        search.fit(train, y[:80], X_val=held, y_val=y[80:], sample_weight_val=weight)
    best = search.best_estimator_[-1]
    scaled = search.best_estimator_[0].transform(held)
    assert best.best_validation_score_ == pytest.approx(best.score(scaled, y[80:], weight))


# Meta-estimators


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_calibration(method, loss):
    x, y = classes()
    model = CalibratedClassifierCV(MLPClassifier(**SMALL, loss=loss), method=method, cv=3)
    proba = model.fit(x, y).predict_proba(x)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert model.score(x, y) > 0.7


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_bagging(n_jobs):
    x, y = classes()
    settings = {"n_estimators": 3, "random_state": 0, "n_jobs": n_jobs}
    model = BaggingClassifier(MLPClassifier(**SMALL), max_samples=0.8, **settings).fit(x, y)
    assert model.score(x, y) > 0.7
    assert len({member.coefs_[0].tobytes() for member in model.estimators_}) == 3
    x, y = numbers()
    assert BaggingRegressor(MLPRegressor(**SMALL), **settings).fit(x, y).score(x, y) > 0.5


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(voting):
    x, y = classes()
    members = [("mlp", MLPClassifier(**SMALL)), ("linear", LogisticRegression())]
    model = VotingClassifier(members, voting=voting, n_jobs=2).fit(x, y)
    assert model.score(x, y) > 0.8
    np.testing.assert_array_equal(model.named_estimators_["mlp"].classes_, [0, 1, 2])
    x, y = numbers()
    regressor = VotingRegressor([("mlp", MLPRegressor(**SMALL)), ("linear", Ridge())]).fit(x, y)
    assert regressor.score(x, y) > 0.8


def test_stacking_and_boosting():
    x, y = classes()
    members = [("mlp", MLPClassifier(**SMALL)), ("linear", LogisticRegression())]
    assert StackingClassifier(members, cv=3).fit(x, y).score(x, y) > 0.8
    boosted = AdaBoostClassifier(MLPClassifier(**SMALL), n_estimators=3, random_state=0)
    assert boosted.fit(x, y).score(x, y) > 0.7


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_against_the_rest(n_jobs):
    x, y = classes()
    model = OneVsRestClassifier(MLPClassifier(**SMALL), n_jobs=n_jobs).fit(x, y)
    assert model.score(x, y) > 0.7
    proba = model.predict_proba(x)  # quotients in float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=3 * np.finfo("float32").eps)
    margins = OneVsRestClassifier(MLPClassifier(**SMALL, loss="hinge")).fit(x, y)
    assert margins.score(x, y) > 0.7


def test_several_outputs():
    x, y = labels()
    assert ClassifierChain(MLPClassifier(**SMALL)).fit(x, y).score(x, y) > 0.4
    x, y = numbers(k=2)
    assert MultiOutputRegressor(MLPRegressor(**SMALL)).fit(x, y).score(x, y) > 0.5


def test_a_target_that_is_scaled():
    x, y = numbers()
    model = TransformedTargetRegressor(MLPRegressor(**SMALL), transformer=StandardScaler())
    assert model.fit(x, 1000 * y + 500).score(x, 1000 * y + 500) > 0.5


# Inspection


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_permutation_importance(n_jobs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    model = MLPRegressor(**SMALL | {"max_iter": 100}).fit(x, 3 * x[:, 2])
    result = permutation_importance(model, x, 3 * x[:, 2], random_state=0, n_jobs=n_jobs)
    assert result.importances_mean.argmax() == 2
    assert result.importances_mean[2] > 10 * np.delete(result.importances_mean, 2).max()


@pytest.mark.parametrize("exploit", [False, True])
def test_learning_curve(exploit):
    x, y = classes()
    sizes, train, test = learning_curve(
        MLPClassifier(**SMALL),
        x,
        y,
        train_sizes=[20, 40, 60],
        cv=2,
        n_jobs=2,
        exploit_incremental_learning=exploit,
    )
    np.testing.assert_array_equal(sizes, [20, 40, 60])
    assert train.shape == test.shape == (3, 2)
    assert np.isfinite(test).all()


@pytest.mark.parametrize("response", ["predict", "predict_proba", "auto"])
@pytest.mark.parametrize("k", [2, 3])
def test_decision_boundary(response, k):
    x, y = classes(d=2, k=k)
    model = MLPClassifier(**SMALL).fit(x, y)
    one_of_three = {"class_of_interest": "bee"} if response == "predict_proba" and k == 3 else {}
    display = DecisionBoundaryDisplay.from_estimator(
        model, x, response_method=response, grid_resolution=12, **one_of_three
    )
    assert np.isfinite(np.asarray(display.response, float)).all()
    assert display.response.shape[:2] == (12, 12)
    plt.close(display.figure_)


def test_partial_dependence():
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    display = PartialDependenceDisplay.from_estimator(model, x, [0, (1, 2)], grid_resolution=5)
    assert len(display.pd_results) == 2
    plt.close(display.figure_)


# Data frames


@pytest.mark.parametrize(("frame", "series"), FRAMES)
@pytest.mark.parametrize(("kind", "data"), [(MLPClassifier, classes), (MLPRegressor, numbers)])
def test_frames(frame, series, kind, data):
    x, y = data()
    model = kind(**SMALL).fit(frame(x), series(y))
    plain = kind(**SMALL).fit(x, y)
    assert list(model.feature_names_in_) == NAMES
    np.testing.assert_array_equal(model.predict(frame(x)), plain.predict(x))
    # Metrics may work with frames in the float32 of the predictions.
    assert model.score(frame(x), series(y)) == pytest.approx(plain.score(x, y), rel=1e-6)
    with pytest.raises(ValueError, match=r"feature names should match"):
        model.predict(frame(x)[NAMES[::-1]])
    with pytest.warns(UserWarning, match=r"does not have valid feature names"):
        model.predict(x)
    held = {"X_val": frame(x[:20]), "y_val": series(y[:20])}
    assert model.fit(frame(x), series(y), **held).best_validation_score_ is not None
    model.partial_fit(frame(x), series(y))


@pytest.mark.parametrize(("frame", "series"), FRAMES)
def test_columns_of_every_kind(frame, series):
    """Numbers of several types, and a column of text that a pipeline turns into numbers."""
    x, y = classes(d=6)
    table = frame(x)
    if isinstance(table, pd.DataFrame):
        table = table.assign(a=np.arange(len(y)), b=x[:, 1] > 0, c=x[:, 2].astype("float32"))
        table["f"] = pd.Categorical(np.where(x[:, 5] > 0, "up", "down"))
    else:
        table = table.with_columns(
            pl.Series("a", np.arange(len(y))),
            pl.Series("b", x[:, 1] > 0),
            pl.Series("c", x[:, 2].astype("float32")),
            pl.Series("f", np.where(x[:, 5] > 0, "up", "down")),
        )
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["f"]), remainder="passthrough"
    )
    pipe = make_pipeline(columns, StandardScaler(), MLPClassifier(**SMALL)).fit(table, y)
    assert pipe.score(table, y) > 0.6
    with pytest.raises(ValueError, match=r"X must hold numbers; these columns don't: 'f'"):
        MLPClassifier(**SMALL).fit(table, y)


def test_missing_values_of_frames():
    x, y = classes()
    frame = pd.DataFrame(x, columns=NAMES).astype("Float64")
    assert MLPClassifier(**SMALL).fit(frame, y).score(frame, y) > 0.6
    frame.loc[3, "a"] = pd.NA
    with pytest.raises(ValueError, match=r"NaN"):
        MLPClassifier(**SMALL).fit(frame, y)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_a_pipeline_that_hands_on_frames(output):
    x, y = classes()
    frame = {"pandas": pd.DataFrame(x, columns=NAMES), "polars": pl.DataFrame(x, schema=NAMES)}
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).set_output(transform=output)
    pipe.fit(frame[output], y)
    assert list(pipe[-1].feature_names_in_) == NAMES
    plain = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(x, y)
    np.testing.assert_array_equal(pipe.predict(frame[output]), plain.predict(x))
    with sklearn.config_context(transform_output=output):
        again = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(frame[output], y)
        assert isinstance(again.predict(frame[output]), np.ndarray)


# Representations and copies


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_html(kind, data):
    model = kind(**SMALL, dropout=0.25)
    for text in (model._repr_html_(), model.fit(*data())._repr_html_()):
        assert kind.__name__ in text
        assert "dropout" in text
    bundle = model._repr_mimebundle_()
    assert bundle["text/plain"] == repr(model)
    assert "fitted" in bundle["text/html"]


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_copies(kind, data, solver, tmp_path):
    x, y = data()
    model = kind(**SMALL, solver=solver).fit(x, y)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ]
    expected = model.predict(x)
    for other in copies:
        np.testing.assert_array_equal(other.predict(x), expected)
        assert other.get_params() == model.get_params()
        assert vars(other).keys() == vars(model).keys()
        other.fit(x[:50], y[:50])
        np.testing.assert_array_equal(model.predict(x), expected)
    unfitted = clone(model)
    assert not hasattr(unfitted, "coefs_")
    np.testing.assert_array_equal(unfitted.fit(x, y).predict(x), expected)


def test_cross_predictions_are_those_of_the_folds():
    x, y = labels()
    predicted = cross_val_predict(MLPClassifier(**SMALL), x, y, cv=KFold(2), n_jobs=2)
    for train, test in KFold(2).split(x):
        alone = MLPClassifier(**SMALL).fit(x[train], y[train])
        np.testing.assert_array_equal(predicted[test], alone.predict(x[test]))


@pytest.mark.parametrize(
    "kind",
    [
        fastmlp.MLPClassifier,
        fastmlp.MLPRegressor,
        fastmlp.Perceptron,
        fastmlp.TabularClassifier,
        fastmlp.TabularRegressor,
    ],
)
def test_pictures_in_notebooks_lead_to_the_documentation(kind):
    page = f"https://fastmlp.github.io/fastmlp/generated/fastmlp.{kind.__name__}.html"
    assert page in kind()._repr_html_()
