"""Estimators for tables in files: what comes back, and that no file does harm."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import FUZZ, JSON, forge, load_or_refuse, places, put

import fastmlp
from fastmlp import TabularClassifier, TabularRegressor

N = 120
RNG = np.random.default_rng(0)
FAST = {"preset": "fast", "random_state": 0}


def frame():
    """Columns of every kind, with gaps, and with names and values that JSON could mistake."""
    X = pd.DataFrame(
        {
            "number": RNG.normal(size=N),
            "$array": RNG.choice(["float32", "$tuple", "", "other"], N),
            "since": pd.date_range("2020-01-01", periods=N, freq="37h"),
            "many": RNG.integers(0, 12, N).astype(str),
            "truth": RNG.random(N) > 0.5,
            "constant": 1,
            "name": [f"name {i}" for i in range(N)],
        }
    )
    X.loc[::7, "number"] = np.nan
    X.loc[::9, "$array"] = None
    return X


X = frame()
ONE_OF_TWO = np.where(X["number"] > 0, "yes", "no")
TARGETS = {
    "texts": ONE_OF_TWO,
    "numbers": RNG.integers(0, 4, N) * 10,
    "truths": ONE_OF_TWO == "yes",
    "one class": np.zeros(N, dtype=int),
}


def outputs(model):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same(model, other):
    assert vars(model).keys() == vars(other).keys()
    assert model.get_params() == other.get_params()
    assert repr(model.columns_) == repr(other.columns_)
    assert model.members_ == other.members_
    for name in ("oof_predictions_", "feature_importances_", "validation_score_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name))
    np.testing.assert_array_equal(outputs(model), outputs(other))


@pytest.mark.parametrize("name", TARGETS)
def test_a_classifier_comes_back(name, tmp_path):
    model = TabularClassifier(**FAST, categorical_features=["truth"]).fit(X, TARGETS[name])
    fastmlp.save(model, tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    assert_same(model, loaded)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert_same(model, pickle.loads(pickle.dumps(model)))
    fastmlp.save(loaded, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_a_regressor_comes_back(tmp_path):
    model = TabularRegressor(**FAST).fit(X, X["number"].fillna(0) + X["since"].dt.month)
    fastmlp.save(model, tmp_path / "model")
    assert_same(model, fastmlp.load(tmp_path / "model"))


def test_a_table_of_no_use_comes_back(tmp_path):
    model = TabularRegressor(**FAST).fit(np.ones((N, 2)), np.arange(N))
    fastmlp.save(model, tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(np.ones((3, 2))), model.predict(np.ones((3, 2))))


def test_what_cannot_be_stored(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.save(TabularClassifier(), tmp_path / "model")
    model = TabularRegressor(**FAST, scoring=lambda model, X, y: 0.0).fit(X, np.arange(N))
    with pytest.raises(ValueError, match="scoring can't be stored"):
        fastmlp.save(model, tmp_path / "model")


# Malice: the checksum is right, the content is not


@pytest.fixture(scope="module", params=[TabularClassifier, TabularRegressor])
def stored(request, tmp_path_factory):
    """A file to damage, and the estimator in it."""
    model = request.param(**FAST).fit(X, np.arange(N) % 3)
    file = tmp_path_factory.mktemp("stored") / "model"
    fastmlp.save(model, file)
    return file, model


def test_a_forgery_without_changes_loads(stored):
    assert_same(stored[1], fastmlp.load(forge(stored, lambda header, arrays: None)))


READER = ("architecture", "ensemble", "reader")
NETWORK = ("architecture", "ensemble", "voters", 0, "network")
MALICE = {
    "a column that there is not": ((*READER, "numbers", 0, "source", 9), "no column 9"),
    "a column before the first": ((*READER, "numbers", 0, "source", -1), "no column -1"),
    "a column read as two": ((*READER, "categories", 0, "source", 0), "one category"),
    "no such part of a date": ((*READER, "numbers", 1, "part", "era"), "no part 'era'"),
    "a column too few": ((*READER, "columns", []), "7 columns"),
    "codes with a hole": ((*READER, "categories", 0, "levels", {"a": 1}), "from 0"),
    "levels without means": ((*READER, "categories", 1, "levels", {"a": 0}), "each category"),
    "no network": (("architecture", "ensemble", "voters", []), "must be no array"),
    "a fold that there is not": (
        ("architecture", "ensemble", "voters", 0, "fold", 7),
        "no fold 7",
    ),
    "a wide network": ((*NETWORK, "recipe", "hidden", [2**40]), "shapes"),
    "inputs without end": ((*NETWORK, "encodings", 0, "codes", 2**24), None),
    "a wider table": ((*NETWORK, "n_columns", 2**40), "doesn't go with the table"),
    "another task": ((*NETWORK, "task", "n_classes", 7), "shapes"),
    "no activation": ((*NETWORK, "recipe", "activation", "os.system"), "os.system"),
    "a weight of none": (
        ("architecture", "ensemble", "voters", 0, "weight", {"$float": "nan"}),
        "finite",
    ),
    "no importances": (("attributes", "n_features_in_", 0), "positive"),
}


@pytest.mark.parametrize("name", MALICE)
def test_malice(stored, name):
    place, message = MALICE[name]
    if message is None:  # codes of an encoding that has none don't count
        assert_same(stored[1], fastmlp.load(forge(stored, put(*place))))
        return
    with pytest.raises(ValueError, match=message):
        fastmlp.load(forge(stored, put(*place)))


def test_arrays_that_are_not_finite(stored):
    def change(header, arrays):
        arrays["ensemble.voters.0.network.coefs.0"][0, 0] = np.inf

    with pytest.raises(ValueError, match="must be finite"):
        fastmlp.load(forge(stored, change))


@FUZZ
@given(data=st.data(), value=JSON)
def test_any_other_value_anywhere(stored, data, value):
    """An error, or an estimator, which predicts or says what it lacks: anything else is a crash."""

    def change(header, arrays):
        every = sorted(places(copy.deepcopy(header)), key=repr)
        kinds = sorted({tuple(key for key in place if isinstance(key, str)) for place in every})
        kind = data.draw(st.sampled_from(kinds))  # places are as likely as kinds of them
        alike = [p for p in every if tuple(key for key in p if isinstance(key, str)) == kind]
        put(*data.draw(st.sampled_from(alike)), value)(header, arrays)

    other = load_or_refuse(forge(stored, change))
    if other is None:
        return
    if list(other.feature_names_in_) != list(X.columns):  # then X is a table of another kind
        with pytest.raises(ValueError, match="feature names should match"):
            outputs(other)
    else:
        assert len(outputs(other)) == N
