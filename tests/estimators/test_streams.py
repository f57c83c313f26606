"""partial_fit again and again: the short way of plain arrays ends where the long way does."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from samples import classes
from scipy.sparse import csr_array

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._estimator import going_on

X, NAMES = classes(d=5)
BLOCKS = [slice(0, 1), slice(1, 33), slice(33, 34), slice(34, 120), slice(0, 64), slice(64, 65)]
TARGETS = {
    "texts": (MLPClassifier, NAMES),
    "two": (MLPClassifier, (X[:, 0] > 0).astype(int) * 7),
    "truths": (MLPClassifier, X[:, 0] > 0),
    "bytes": (MLPClassifier, (np.arange(len(X)) % 3).astype(np.uint8)),
    "numbers": (MLPRegressor, X[:, 0] - X[:, 1]),
    "several numbers": (MLPRegressor, X[:, :2] - X[:, 2:4]),
}
SETTINGS = [
    {},
    {"solver": "sgd", "learning_rate": "invscaling", "alpha": 0.1},
    {"dropout": 0.3, "batch_size": 16, "dtype": "float64"},
    {"batch_size": "full", "shuffle": False, "dtype": "auto"},
]
LONG = {"list": lambda a: a.tolist(), "fortran": np.asfortranarray}


def started(kind, y, **settings):
    model = kind(hidden_layer_sizes=(9, 4), random_state=0, **settings)
    first = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    return model.partial_fit(X, y, **first)


def is_long(monkeypatch):
    """Counts the calls that go the long way."""
    calls = []
    run = going_on._goes_on
    monkeypatch.setattr(
        going_on,
        "_goes_on",
        lambda *a: run(*a) or calls.append(1),  # appends, and is None
    )
    return calls


def assert_same(model, other):
    for name in ("coefs_", "intercepts_"):
        for ours, theirs in zip(getattr(model, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert not ours.flags.writeable
    for name in ("t_", "n_iter_", "loss_", "best_loss_", "loss_curve_", "stopped_"):
        assert getattr(model, name) == getattr(other, name), name
    assert model.history_.keys() == other.history_.keys()
    np.testing.assert_array_equal(model.step_losses_, other.step_losses_)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_both_ways_end_at_the_same_bits(target, settings, monkeypatch):
    kind, y = TARGETS[target]
    model, other = started(kind, y, **settings), started(kind, y, **settings)
    for rows in BLOCKS:
        calls = is_long(monkeypatch)
        model.partial_fit(X[rows], y[rows])
        plain = settings.get("batch_size") != 16 or len(X[rows]) >= 16
        assert len(calls) == (not plain)
        monkeypatch.undo()
        other.partial_fit(X[rows].tolist(), y[rows].tolist())
        assert_same(model, other)
        assert len(model.loss_curve_) == len(model.history_["seconds"])


def test_a_frame_of_float32_and_an_array_of_it():
    single = X.astype(np.float32)
    model, other = (started(*TARGETS["texts"]) for _ in range(2))
    for rows in BLOCKS:
        model.partial_fit(single[rows], NAMES[rows])
        other.partial_fit(single[rows].tolist(), NAMES[rows])
        assert_same(model, other)


BAD = {
    "missing": (lambda X, y: (np.where(X[0, 0] == X, np.nan, X), y), "NaN"),
    "infinite": (lambda X, y: (np.where(X[0, 0] == X, np.inf, X), y), "infinity"),
    "too large": (lambda X, y: (X * 1e60, y), "too large for dtype='float32'"),
    "a column more": (lambda X, y: (np.c_[X, X], y), "10 features"),
    "a vector": (lambda X, y: (X[:, 0], y), "2D array"),
    "no rows": (lambda X, y: (X[:0], y[:0]), "0 sample"),
    "too few targets": (lambda X, y: (X, y[:-1]), "inconsistent"),
    "no targets": (lambda X, y: (X, None), "y"),
}


@pytest.mark.parametrize("target", ["texts", "two", "numbers"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_nothing_is_lost(target, name):
    change, message = BAD[name]
    kind, y = TARGETS[target]
    model = started(kind, y).partial_fit(X, y)
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*change(X, y))
    assert_same(model, before)
    model.partial_fit(X, y)
    assert_same(model, before.partial_fit(X, y))


def test_sparse_labels_and_none_with_a_batch_size():
    labels = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    model = MLPClassifier((4,), batch_size=10, random_state=0)
    model.partial_fit(X, labels, classes=[0, 1]).partial_fit(X, csr_array(labels))
    with pytest.raises(ValueError, match="y"):
        model.partial_fit(X, None)


@pytest.mark.parametrize("label", ["zebra", "aa", ""])
def test_labels_that_were_not_announced(label):
    model = started(*TARGETS["texts"]).partial_fit(X, NAMES)
    strange = NAMES.astype("<U9")
    strange[3] = label
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X, strange)
    with pytest.raises(ValueError, match=r"0 is smaller|classes not in|same type|numbers"):
        model.partial_fit(X, np.arange(len(X)) % 2)


def test_targets_that_the_loss_is_not_made_for():
    y = np.abs(X[:, 0])
    model = started(MLPRegressor, y, loss="poisson").partial_fit(X, y)
    with pytest.raises(ValueError, match="loss='poisson'"):
        model.partial_fit(X, y - 1)


def test_names_of_features_are_still_asked_for():
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = MLPRegressor(random_state=0).partial_fit(frame, X[:, 0]).partial_fit(frame, X[:, 0])
    with pytest.warns(UserWarning, match="feature names"):
        model.partial_fit(X, X[:, 0])
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[list("edcba")], X[:, 0])


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.set_params(alpha=1.0),
        lambda model: model.set_params(learning_rate_init=0.1),
        lambda model: model.set_params(solver="sgd"),
        lambda model: model.set_params(batch_size=7),
        lambda model: setattr(model, "coefs_", [np.zeros_like(w) for w in model.coefs_]),
        lambda model: model.coefs_.__setitem__(0, np.ones_like(model.coefs_[0])),
    ],
)
def test_what_is_changed_between_two_calls_counts(change):
    kind, y = TARGETS["numbers"]
    model, other = (started(kind, y).partial_fit(X, y) for _ in range(2))
    change(model)
    change(other)
    model.partial_fit(X, y)
    other.partial_fit(X.tolist(), y.tolist())
    assert_same(model, other)
    assert (model.coefs_[0] != started(kind, y).partial_fit(X, y).partial_fit(X, y).coefs_[0]).any()


def test_callbacks_and_verbose_are_heard(capsys):
    heard = []
    model = started(*TARGETS["numbers"]).partial_fit(X, X[:, 0])
    model.set_params(callbacks=lambda end: heard.append(end.loss), verbose=2)
    for _ in range(2):
        model.partial_fit(X, X[:, 0])
    assert len(heard) == 2
    assert capsys.readouterr().out.count("loss") == 2
    model.set_params(callbacks=None, verbose=False, early_stopping=True)
    with pytest.raises(ValueError, match="early_stopping"):
        model.partial_fit(X, X[:, 0])


def test_what_others_have_does_not_change_with_a_stream():
    kind, y = TARGETS["numbers"]
    model = started(kind, y).partial_fit(X, y)
    weights, stored = [w.copy() for w in model.coefs_], pickle.dumps(model)
    held, again, shallow = model.coefs_, pickle.loads(stored), copy.copy(model)
    history = model.history_
    for _ in range(3):
        model.partial_fit(X, y)
    for ours, theirs in zip(held, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(history["loss"]) == len(shallow.loss_curve_) == 2
    for other in (again, shallow):
        for _ in range(3):
            other.partial_fit(X, y)
        assert_same(model, other)


def test_copies_of_a_stream_go_on_with_histories_of_their_own():
    y = TARGETS["two"][1]
    first = started(MLPClassifier, y).partial_fit(X, y)
    known = {name: first.history_[name] for name in ("loss", "lr", "seconds")}
    copies = [copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    for model, rows in zip([first, *copies], (20, 30, 40, 50), strict=True):
        for _ in range(2):
            model.partial_fit(X[:rows], y[:rows])
        assert len(model.loss_curve_) == len(model.history_["seconds"]) == 4
        assert {name: model.history_[name][:2] for name in known} == known
        assert model.loss_curve_[-1] == model.loss_
    assert len({model.loss_curve_[-1] for model in [first, *copies]}) == 4


def test_a_history_is_the_callers_own():
    y = TARGETS["numbers"][1]
    model = started(MLPRegressor, y)
    losses = model.loss_curve_
    model.history_["loss"].clear()
    model.loss_curve_.append(0.0)
    assert model.partial_fit(X[:9], y[:9]).loss_curve_[:1] == losses
    assert losses == model.loss_curve_[:1]
    assert len(model.loss_curve_) == 2


def test_losses_that_are_not_finite_leave_the_model_as_it_was():
    kind, y = TARGETS["numbers"]
    model = started(kind, y, solver="sgd", learning_rate_init=1e-3).partial_fit(X, y)
    model.set_params(learning_rate_init=1e18)
    before = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            with pytest.raises(ValueError, match="non-finite"):
                _many_epochs(model, X, y)
    assert np.isfinite(model.coefs_[0]).all()
    assert len(model.loss_curve_) * len(X) == model.t_
    assert before.t_ <= model.t_


def _many_epochs(model, X, y):
    for _ in range(20):
        model.partial_fit(X, y)
