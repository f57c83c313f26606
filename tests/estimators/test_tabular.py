"""Tables as people have them: whatever is in a frame, the estimators take it and say for what."""

import datetime
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastmlp import TabularClassifier, TabularRegressor

N = 160
FAST = {"preset": "fast", "random_state": 0}
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=N)
NOISE = RNG.normal(size=N)
KINDS = RNG.choice(["x", "y", "z"], N)
Y = np.where((NUMBERS > 0) == (KINDS == "x"), "yes", "no")
T = NUMBERS + 2.0 * (KINDS == "x")


def frame():
    return pd.DataFrame({"number": NUMBERS, "kind": KINDS, "noise": NOISE})


@pytest.fixture(scope="module")
def classifier():
    return TabularClassifier(**FAST).fit(frame(), Y)


# What is in a column


def dates(**step):
    return [datetime.datetime(2024, 1, 1) + i * datetime.timedelta(**step) for i in range(N)]


def with_gaps(values, gap=None):
    return [gap if i % 5 == 0 else value for i, value in enumerate(values)]


SMALL = RNG.integers(0, 5, N)
COLUMNS = {
    "floats": (NUMBERS, "number"),
    "halves": (NUMBERS.astype(np.float16), "number"),
    "floats with gaps": (with_gaps(NUMBERS, np.nan), "number"),
    "bytes": (SMALL.astype(np.int8), "number"),
    "nullable integers": (pd.array(with_gaps(SMALL), dtype="Int64"), "number"),
    "nullable truths": (pd.array(with_gaps(NUMBERS > 0), dtype="boolean"), "number"),
    "truths": (NUMBERS > 0, "number"),
    "truths with gaps": (with_gaps((NUMBERS > 0).tolist()), "number"),
    "decimals": ([Decimal(int(i)) for i in SMALL], "number"),
    "objects that are numbers": (pd.Series(with_gaps(SMALL), dtype=object), "number"),
    "huge": (NUMBERS * 1e300, "number"),
    "tiny": (NUMBERS * 1e-300, "number"),
    "infinite": (np.where(NUMBERS > 1, np.inf, NUMBERS), "number"),
    "large integers": (RNG.integers(2**62, 2**63 - 1, N), "number"),
    "durations": (pd.to_timedelta(SMALL, unit="h"), "number"),
    "short durations": (pd.to_timedelta(SMALL, unit="ms"), "number"),
    "objects that are durations": (
        pd.Series([datetime.timedelta(hours=int(i)) for i in SMALL], dtype=object),
        "number",
    ),
    "an outlier": (np.r_[NUMBERS[1:], np.finfo(float).max], "number"),
    "all sizes": (NUMBERS * 10.0 ** RNG.integers(-300, 308, N), "number"),
    "both ends": (np.where(NUMBERS > 0, 1.7e308, -1.7e308), "number"),
    "beyond floats": (pd.Series([10**400, *SMALL[1:]], dtype=object), "number"),
    "one number and gaps": (with_gaps(np.ones(N), np.nan), "number"),
    "zero and infinity": (np.where(NUMBERS > 1, np.inf, 0.0), "number"),
    "rows": (np.arange(N), "number"),
    "text": (KINDS, "category"),
    "text with gaps": (with_gaps(KINDS), "category"),
    "string type": (pd.array(with_gaps(KINDS), dtype="string"), "category"),
    "categories": (pd.Categorical(KINDS), "category"),
    "categories of numbers": (pd.Categorical(SMALL), "category"),
    "intervals": (pd.cut(NUMBERS, 4), "category"),
    "mixed": (with_gaps(KINDS, 7), "category"),
    "binary text": ([b"a", b"b"] * (N // 2), "category"),
    "one text and gaps": (with_gaps(["a"] * N), "category"),
    "days": ([d.date() for d in dates(days=3)], "date"),
    "times": (dates(hours=7), "date"),
    "times with gaps": (pd.Series(with_gaps(dates(hours=7), pd.NaT)), "date"),
    "zoned": (pd.date_range("2024-01-01", periods=N, tz="Europe/Berlin"), "date"),
    "constant": (np.ones(N), "constant"),
    "constant text": (["a"] * N, "constant"),
    "one day": (dates(days=0), "constant"),
    "nothing": ([None] * N, "empty"),
    "no numbers": (np.full(N, np.nan), "empty"),
    "names": ([f"name {i}" for i in range(N)], "identifier"),
    "lists": ([[1, 2]] * N, "unknown"),
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_is_what_its_type_says(name):
    values, kind = COLUMNS[name]
    X = pd.DataFrame({"other": NUMBERS, name: values})
    model = TabularClassifier(**FAST).fit(X, Y)
    assert model.columns_[1].kind == kind
    assert str(model.columns_[1]).startswith(f"{name}: {kind}, ")
    shares = model.predict_proba(X)
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    alone = TabularClassifier(**FAST).fit(X[[name]], Y)
    assert alone.predict(X[[name]]).shape == (N,)


def test_everything_at_once_and_printed():
    X = pd.DataFrame({name: values for name, (values, _) in COLUMNS.items()})
    model = TabularRegressor(**FAST).fit(X, T)
    lines = repr(model.columns_).splitlines()
    assert len(lines) == len(COLUMNS)
    assert "floats with gaps: number, 128 distinct, 20.0% missing" in lines
    assert "rows: number, 160 distinct (counts the rows)" in lines
    assert model.score(X, T) > 0.8


def test_frames_of_all_kinds_are_alike(classifier):
    X = frame()
    expected = classifier.predict_proba(X)
    as_polars = pl.DataFrame({name: X[name].to_list() for name in X})
    np.testing.assert_array_equal(classifier.predict_proba(as_polars), expected)
    other = TabularClassifier(**FAST).fit(as_polars, pl.Series(Y.tolist()))
    np.testing.assert_array_equal(other.predict_proba(as_polars), expected)
    plain = X.to_numpy(dtype=object)
    arrays = TabularClassifier(**FAST).fit(plain, Y)
    np.testing.assert_array_equal(arrays.predict_proba(plain), expected)
    np.testing.assert_array_equal(arrays.predict_proba(plain.tolist()), expected)


def test_arrow_tables():
    pa = pytest.importorskip("pyarrow")
    X = frame()
    table = pa.table({name: X[name].to_list() for name in X})
    expected = TabularClassifier(**FAST).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(
        TabularClassifier(**FAST).fit(table, Y).predict_proba(table), expected
    )


@pytest.mark.parametrize(
    "names",
    [["a", "a"], [1, 2], [1, "b"], ["", "\n{}%s"], pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])],
)
def test_names_of_columns(names):
    X = pd.DataFrame(np.c_[NUMBERS, NUMBERS**2], columns=names)
    assert TabularRegressor(**FAST).fit(X, T).predict(X).shape == (N,)


def test_categories_by_word():
    X = frame().assign(code=SMALL)
    by_name = TabularClassifier(**FAST, categorical_features=["code"]).fit(X, Y)
    assert [c.kind for c in by_name.columns_] == ["number", "category", "number", "category"]
    by_mask = TabularClassifier(**FAST, categorical_features=[False] * 3 + [True]).fit(X, Y)
    np.testing.assert_array_equal(by_mask.predict_proba(X), by_name.predict_proba(X))
    as_text = X.assign(code=X["code"].astype(float))  # 1 and 1.0 are one category
    np.testing.assert_array_equal(by_name.predict_proba(as_text), by_name.predict_proba(X))
    for wrong, message in (
        (["nose"], "no column 'nose'"),
        ([9], "got 9"),
        ([True], "each of the 4"),
    ):
        with pytest.raises(ValueError, match=message):
            TabularClassifier(**FAST, categorical_features=wrong).fit(X, Y)


def test_what_was_never_seen(classifier):
    X = frame()
    unseen = X.assign(kind="new", number=np.nan, noise=1e30)
    assert np.isfinite(classifier.predict_proba(unseen)).all()
    missing = X.assign(kind=None)
    assert np.isfinite(classifier.predict_proba(missing)).all()


def test_unseen_is_not_the_rarer_of_two():
    X = pd.DataFrame({"kind": np.where(np.arange(N) % 8, "often", "rare"), "x": NUMBERS})
    model = TabularClassifier(**FAST).fit(X, np.where(X["kind"] == "rare", "yes", "no"))
    rare, new = (model.predict_proba(X.assign(kind=k))[:, 1].mean() for k in ("rare", "new"))
    assert rare > 0.9
    assert new < 0.9


@pytest.mark.parametrize("dtype", ["boolean", object])
def test_truth_values_that_are_categories_keep_their_codes(dtype):
    X = pd.DataFrame({"flag": NUMBERS > 0, "noise": NOISE})
    model = TabularClassifier(**FAST, categorical_features=["flag"]).fit(X, NUMBERS > 0)
    other = X.assign(flag=X["flag"].astype(dtype))
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))


def test_dates_as_text_are_read_and_what_is_not_is_told():
    X = pd.DataFrame({"time": dates(hours=7), "x": NUMBERS})
    model = TabularClassifier(**FAST).fit(X, Y)
    as_text = X.assign(time=X["time"].astype(str))
    np.testing.assert_array_equal(model.predict_proba(as_text), model.predict_proba(X))
    with pytest.warns(UserWarning, match=r"time was taken for a date.*'soon'"):
        model.predict(X.assign(time="soon"))
    with pytest.warns(UserWarning, match=r"x was taken for a number.*'many'"):
        model.predict(X.assign(x="many"))


def test_many_levels_keep_the_most_frequent():
    many = np.r_[np.repeat([f"a{i}" for i in range(300)], 2), np.repeat("b", 200)]
    X = pd.DataFrame({"many": many, "x": np.arange(len(many)) % 7})
    model = TabularRegressor(**FAST).fit(X, np.where(many == "b", 1.0, 0.0))
    assert model.columns_[0].note == "255 most frequent"
    assert model.score(X, np.where(many == "b", 1.0, 0.0)) > 0.9


# What is learnt


def test_what_matters_is_found(classifier):
    X = frame()
    assert classifier.score(X, Y) > 0.85
    assert list(classifier.classes_) == ["no", "yes"]
    assert classifier.feature_importances_.shape == (3,)
    assert classifier.feature_importances_.sum() == pytest.approx(1)
    assert classifier.feature_importances_[2] < 0.1


def test_several_classes_and_a_rare_one():
    y = np.r_[np.arange(N - 1) % 4, 4]
    X = pd.DataFrame({"kind": [str(i % 4) for i in range(N)], "x": NUMBERS})
    model = TabularClassifier(**FAST).fit(X, y)
    assert model.predict_proba(X).shape == (N, 5)
    assert (model.predict(X)[:-1] == y[:-1]).mean() > 0.95


def test_one_class():
    model = TabularClassifier(**FAST).fit(frame(), ["a"] * N)
    assert set(model.predict(frame())) == {"a"}
    np.testing.assert_array_equal(model.predict_proba(frame()), np.ones((N, 1)))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 17])
def test_few_rows(n):
    X = frame()[:n]
    assert np.isfinite(TabularRegressor(**FAST).fit(X, T[:n]).predict(X)).all()
    assert set(TabularClassifier(**FAST).fit(X, Y[:n]).predict(X)) <= set(Y)


def test_predictions_are_in_the_range_of_the_targets():
    model = TabularRegressor(**FAST).fit(frame(), T)
    far = frame().assign(number=1e6)
    assert model.predict(far).max() <= T.max()


def test_held_out_predictions(classifier):
    shares = classifier.oof_predictions_
    assert shares.shape == (N, 2)
    assert classifier.validation_score_ == pytest.approx(-log_loss(Y, shares))
    regressor = TabularRegressor(**FAST).fit(frame(), T)
    assert regressor.oof_predictions_.shape == (N,)
    error = np.mean((regressor.oof_predictions_ - T) ** 2) / T.var()
    assert error == pytest.approx(-regressor.validation_score_, rel=1e-9)


def test_members_say_what_they_are(classifier):
    assert len(classifier.members_) == 6
    for i, member in enumerate(classifier.members_):
        assert (member.recipe, member.fold) == divmod(i, 3)
        assert member.epochs >= 1
        assert 0 <= member.score <= 1
        assert member.loss > 0
        assert member.settings.numbers == ("bins", "periodic")[member.recipe]


def test_losses_of_members_are_on_the_scale_of_the_score():
    noisy = T + RNG.normal(size=N)
    model = TabularRegressor(**FAST).fit(frame(), noisy)
    losses = [member.loss for member in model.members_]
    assert 0.7 < -model.validation_score_ / np.mean(losses) < 1.1
    assert [member.score for member in model.members_] == [-loss for loss in losses]


def test_threads_and_calls_do_not_change_bits():
    X = frame()
    expected = TabularClassifier(**FAST, n_jobs=1).fit(X, Y)
    for n_jobs in (2, 4, None):
        model = TabularClassifier(**FAST, n_jobs=n_jobs).fit(X, Y)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        np.testing.assert_array_equal(model.feature_importances_, expected.feature_importances_)
    other = TabularClassifier(preset="fast", random_state=1).fit(X, Y)
    assert (other.predict_proba(X) != expected.predict_proba(X)).any()


def test_a_row_is_predicted_alike_alone_and_in_company(classifier):
    X = frame()
    together = classifier.predict_proba(X)
    alone = np.concatenate([classifier.predict_proba(X[i : i + 1]) for i in range(5)])
    np.testing.assert_array_equal(alone, together[:5])


def test_blocks_of_many_rows(classifier, monkeypatch):
    X = frame()
    expected = classifier.predict_proba(X)
    monkeypatch.setattr("fastmlp._tabular.base._BLOCK", 64)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_pickle_and_clone(preset):
    X = frame()
    model = TabularRegressor(preset=preset, random_state=0, time_limit=2).fit(X, T)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    fresh = clone(model)
    assert not hasattr(fresh, "columns_")
    assert fresh.get_params() == model.get_params()
    assert "TabularRegressor" in model._repr_html_()


# What is asked for


def test_rows_without_weight_are_as_if_they_were_not_there():
    X = frame()
    weight = np.where(np.arange(N) < 120, 1.0, 0.0)
    weighted = TabularClassifier(**FAST).fit(X, Y, weight)
    assert np.isnan(weighted.oof_predictions_[120:]).all()
    heavy = TabularClassifier(**FAST).fit(X, Y, np.where(Y == "yes", 50.0, 1.0))
    plain = TabularClassifier(**FAST).fit(X, Y)
    assert heavy.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()
    balanced = TabularClassifier(**FAST, class_weight={"no": 1.0, "yes": 50.0}).fit(X, Y)
    np.testing.assert_array_equal(balanced.predict_proba(X), heavy.predict_proba(X))


def test_rows_to_validate_on():
    X = frame()
    model = TabularClassifier(**FAST).fit(X[:100], Y[:100], X_val=X[100:], y_val=Y[100:])
    assert len(model.members_) == 2
    assert not hasattr(model, "oof_predictions_")
    shares = model.predict_proba(X[100:])
    assert model.validation_score_ == pytest.approx(-log_loss(Y[100:], shares))
    with pytest.raises(ValueError, match="given together"):
        TabularClassifier(**FAST).fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="classes not in"):
        TabularClassifier(**FAST).fit(X, Y, X_val=X, y_val=["maybe"] * N)


def test_rows_without_weight_are_nowhere():
    X, weight = frame(), np.r_[0.0, np.ones(N - 1)]
    wild = X.assign(number=np.r_[1e30, NUMBERS[1:]])
    t = np.r_[1e9, T[1:]]
    model = TabularRegressor(**FAST).fit(wild, t, weight)
    plain = TabularRegressor(**FAST).fit(X[1:], T[1:])
    assert model.predict(wild).max() <= T[1:].max()
    assert model.columns_ == plain.columns_
    with pytest.raises(ValueError, match="no row with a weight"):
        TabularClassifier(**FAST, class_weight={"no": 0, "yes": 0}).fit(X, Y)


def test_weights_of_a_validation_set():
    X = frame()
    fit = {"X_val": X[100:], "y_val": Y[100:]}
    model = TabularClassifier(**FAST, class_weight={"no": 1.0, "yes": 9.0})
    model.fit(X[:100], Y[:100], **fit)
    weight = np.where(Y[100:] == "yes", 9.0, 1.0)
    shares = model.predict_proba(X[100:])
    assert model.validation_score_ == pytest.approx(
        -log_loss(Y[100:], shares, sample_weight=weight)
    )


def test_scorers_that_take_no_weights():
    X, weight = frame(), np.linspace(0.5, 2, N)
    model = TabularRegressor(**FAST, scoring="neg_max_error").fit(X, T, weight)
    assert model.validation_score_ == pytest.approx(-np.abs(model.oof_predictions_ - T).max())

    def own(estimator, X, y):
        return (estimator.predict(X) == y).mean()

    model = TabularClassifier(**FAST, scoring=own, class_weight="balanced").fit(X, Y)
    shares = model.oof_predictions_
    assert model.validation_score_ == (model.classes_[shares.argmax(axis=1)] == Y).mean()


def test_a_scorer_that_needs_every_class():
    y = np.r_[np.full(4, "c"), np.where(NUMBERS[4:] > 0, "a", "b")]
    model = TabularClassifier(**FAST, scoring="roc_auc_ovr").fit(frame(), y)
    assert model.validation_score_ > 0.5
    lacks = TabularClassifier(preset="best", scoring="roc_auc_ovr")
    with pytest.raises(ValueError, match="classes"):  # before anything is trained
        lacks.fit(frame(), y, X_val=frame()[4:], y_val=y[4:])


def test_scoring():
    X = frame()
    model = TabularClassifier(**FAST, scoring="roc_auc").fit(X, Y)
    assert model.validation_score_ == pytest.approx(roc_auc_score(Y, model.oof_predictions_[:, 1]))
    model = TabularRegressor(**FAST, scoring="neg_mean_absolute_error").fit(X, T)
    error = np.abs(model.oof_predictions_ - T).mean()
    assert model.validation_score_ == pytest.approx(-error)


def test_a_limit_of_time_leaves_a_model():
    X = frame()
    model = TabularClassifier(preset="best", random_state=0, time_limit=1e-9).fit(X, Y)
    assert len(model.members_) == 1
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_bar_counts_the_networks_and_tells_the_score(capsys):
    model = TabularClassifier(**FAST, verbose=True).fit(frame(), Y)
    shown = capsys.readouterr().err
    assert "6/6" in shown
    assert f"validation score of the ensemble {model.validation_score_:.4g}" in shown


def test_nothing_is_lost_where_fit_fails(classifier):
    X = frame()
    model = clone(classifier).fit(X, Y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X[["number"]], Y[:-1])
    np.testing.assert_array_equal(model.predict_proba(X), expected)


WRONG = [
    (lambda X: X["number"].to_numpy(), Y, "Expected 2D array"),
    (lambda X: X[:0], Y[:0], "0 sample"),
    (lambda X: X, np.where(NUMBERS > 0, 0.5, 1.5), "Unknown label type"),
    (lambda X: X, None, "requires y to be passed"),
    (lambda X: X, np.c_[Y, Y], "1d array"),
]


@pytest.mark.parametrize(("change", "y", "message"), WRONG)
def test_bad_input(change, y, message):
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**FAST).fit(change(frame()), y)


def test_more_bad_input(classifier):
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        TabularClassifier(**FAST).fit(csr_array(np.ones((N, 2))), Y)
    with pytest.raises(ValueError, match="2D"):
        TabularClassifier(**FAST).fit(frame()["number"], Y)
    with pytest.raises(ValueError, match="masked"):
        TabularClassifier(**FAST).fit(np.ma.masked_less(np.c_[NUMBERS, T], 0), Y)
    with pytest.raises(TypeError, match="string or a number"):
        TabularClassifier(**FAST).fit(np.array([[{}]] * N, dtype=object), Y)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame().rename(columns={"kind": "sort"}))
    with pytest.raises(ValueError, match="contains NaN"):
        TabularRegressor(**FAST).fit(frame(), with_gaps(T, np.nan))
    with pytest.raises(ValueError, match="preset"):
        TabularRegressor(preset="quick").fit(frame(), T)
    with pytest.raises(ValueError, match="time_limit"):
        TabularRegressor(time_limit=0).fit(frame(), T)


def test_inside_of_a_search():
    assert cross_val_score(TabularRegressor(**FAST), frame(), T, cv=3).mean() > 0.5


# Weights and repeated rows draw other folds and batches.
NOT_FOR_FOLDS = {"check_sample_weight_equivalence_on_dense_data"}


def checks():
    for kind in (TabularClassifier, TabularRegressor):
        for estimator, check in estimator_checks_generator(kind(**FAST)):
            if check.func.__name__ not in NOT_FOR_FOLDS:
                yield pytest.param(estimator, check, id=f"{kind.__name__}-{check.func.__name__}")


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_check(estimator, check):
    check(estimator)


# Groups


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_folds_of_whole_groups_know_nothing_of_each_other(preset):
    """Rows of a group are alike, and what they are says nothing of other groups."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(100), 4)
    table = rng.normal(size=(100, 4))[groups] + 0.01 * rng.normal(size=(400, 4))
    y = rng.permutation(np.tile([0, 1], 50))[groups]
    how = {"random_state": 0, "preset": preset}
    leaking = TabularClassifier(**how).fit(table, y)
    honest = TabularClassifier(**how).fit(table, y, groups=groups)
    accuracy = [(model.oof_predictions_.argmax(axis=1) == y).mean() for model in (leaking, honest)]
    assert accuracy[0] > 0.95
    assert accuracy[1] < 0.75
    error = [
        np.mean((model.oof_predictions_ - y) ** 2)
        for model in (
            TabularRegressor(**how).fit(table, y.astype(float)),
            TabularRegressor(**how).fit(table, y.astype(float), groups=groups.astype(str)),
        )
    ]
    assert error[0] < 0.05
    assert error[1] > 0.2


def test_groups_that_are_none():
    with pytest.raises(ValueError, match=rf"one entry per sample \({N}\); got 3"):
        TabularClassifier(**FAST).fit(frame(), Y, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="at least two groups"):
        TabularClassifier(**FAST).fit(frame(), Y, groups=np.zeros(N))
    weights = np.where(np.arange(N) < 120, 1.0, 0.0)
    model = TabularClassifier(**FAST).fit(frame(), Y, weights, groups=np.arange(N) // 8)
    assert np.isfinite(model.oof_predictions_[:120]).all()
